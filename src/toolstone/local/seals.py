"""Content that a client carries and only this server reads: sealed against change, not secret."""

import base64
import binascii
import hashlib
import hmac
import json
import zlib
from typing import Any

__all__ = ["Seals"]

_PREFIX = "toolstone1."
_MARK = hashlib.sha256().digest_size


class Seals:
    """Seals and opens JSON.

    Args:
        secret: The key; what is sealed with another does not open.
    """

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    @staticmethod
    def ours(blob: str) -> bool:
        """Say whether it was sealed by a server such as this, with whatever key."""
        return blob.startswith(_PREFIX)

    def seal(self, value: Any) -> str:
        """Seal a value."""
        body = zlib.compress(json.dumps(value).encode())
        return _PREFIX + base64.urlsafe_b64encode(self._mark(body) + body).decode()

    def open(self, blob: str) -> Any:
        """Give the value back.

        Raises:
            ValueError: It is not as this key sealed it.
        """
        try:
            raw = base64.b64decode(blob.removeprefix(_PREFIX), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise ValueError("it is not base64") from error
        mark, body = raw[:_MARK], raw[_MARK:]
        if not hmac.compare_digest(mark, self._mark(body)):
            raise ValueError("it was sealed elsewhere, or has been changed")
        return json.loads(zlib.decompress(body))

    def _mark(self, body: bytes) -> bytes:
        return hmac.new(self._secret, body, hashlib.sha256).digest()
