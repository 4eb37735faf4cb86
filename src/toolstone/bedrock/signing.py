"""Signature Version 4 by botocore's own signer, step by step, so that nothing of it is logged.

botocore's `add_auth` writes the canonical request, session token included, to its debug log; its
steps do not. The time is handed in, which `add_auth` does not allow either.
"""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from toolstone._secrets import Hidden, Secret

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolstone.bedrock.credentials import Keys

__all__ = ["mint", "sign"]

_UNSIGNED: Final = frozenset({"accept", "accept-encoding", "authorization", "connection"})
"""Headers that proxies may change on the way, and the one that a signature replaces."""
_TOKEN_HOST: Final = "bedrock.amazonaws.com"  # noqa: S105  where it would be presented


def sign(
    keys: Keys,
    method: str,
    url: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    region: str,
    service: str,
    at: float,
) -> dict[str, str]:
    """The headers that sign a request.

    Args:
        keys: Whose signature it is.
        method: The HTTP method.
        url: The whole URL.
        headers: Those it is sent with; values as they are sent.
        body: The exact bytes.
        region: The region in the scope; the one in the host's name.
        service: The service in the scope.
        at: When, in Unix seconds.
    """
    added = {"x-amz-date": _stamp(at), "x-amz-content-sha256": sha256(body).hexdigest()}
    if keys.token:
        added["x-amz-security-token"] = keys.token
    kept = {k.lower(): v for k, v in headers.items() if k.lower() not in _UNSIGNED}
    signer, request = _prepared(keys, method, url, {**kept, **added}, region, service, at)
    signed = signer.signed_headers(signer.headers_to_sign(request))
    signature = signer.signature(
        signer.string_to_sign(request, signer.canonical_request(request)), request
    )
    added["authorization"] = Hidden(
        f"AWS4-HMAC-SHA256 Credential={signer.scope(request)}, SignedHeaders={signed}, "
        f"Signature={signature}"
    )
    return added


def mint(keys: Keys, *, region: str, seconds: int, at: float) -> Secret:
    """A short-term Bedrock API key: a presigned request in disguise (bedrock.md §4.3).

    Args:
        keys: Whose key it is; it ends with them.
        region: The one region it counts in.
        seconds: How long it lives, 1 to 43,200.
        at: When it was made, in Unix seconds.
    """
    scope = Hidden(f"{keys.access_key}/{_stamp(at)[:8]}/{region}/bedrock/aws4_request")
    said = {
        "Action": "CallWithBearerToken",
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": scope,
        "X-Amz-Date": _stamp(at),
        "X-Amz-Expires": str(seconds),
        "X-Amz-SignedHeaders": "host",
    }
    if keys.token:
        said["X-Amz-Security-Token"] = keys.token
    query = Hidden("&".join(f"{name}={quote(value, safe='')}" for name, value in said.items()))
    url = Hidden(f"https://{_TOKEN_HOST}/?{query}")
    signer, request = _prepared(keys, "POST", url, {"host": _TOKEN_HOST}, region, "bedrock", at)
    signature = signer.signature(
        signer.string_to_sign(request, signer.canonical_request(request)), request
    )
    text = Hidden(f"{_TOKEN_HOST}/?{query}&X-Amz-Signature={signature}&Version=1")
    return Secret(f"bedrock-api-key-{b64encode(text.encode()).decode()}")


def _prepared(
    keys: Keys,
    method: str,
    url: str,
    headers: dict[str, str],
    region: str,
    service: str,
    at: float,
) -> tuple[Any, Any]:
    """The signer, and the request as it wants it."""
    from botocore.auth import SigV4Auth  # noqa: PLC0415  at first need: 100 ms
    from botocore.awsrequest import AWSRequest  # noqa: PLC0415
    from botocore.credentials import ReadOnlyCredentials  # noqa: PLC0415

    request = AWSRequest(method=method, url=url, headers=headers)
    request.context["timestamp"] = _stamp(at)
    frozen = ReadOnlyCredentials(keys.access_key, keys.secret_key, keys.token)
    return SigV4Auth(frozen, service, region), request


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, tz=UTC).strftime("%Y%m%dT%H%M%SZ")
