"""The TLS context, made once in the process and shared by every transport."""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING

from toolstone.errors import ConfigError

if TYPE_CHECKING:
    import ssl

__all__ = ["tls_context", "trusting_nobody"]


def tls_context(verify: ssl.SSLContext | str | None, *, trust_env: bool) -> ssl.SSLContext:
    """The context for a transport's `verify=`.

    Args:
        verify: A context of your own; the path of a file or folder of certificate authorities;
            or None for `SSL_CERT_FILE` and `SSL_CERT_DIR`, else the bundle of `certifi`.
        trust_env: Whether these two variables count.

    Raises:
        ConfigError: The path holds no certificates.
    """
    from pathlib import Path  # noqa: PLC0415  only a connection needs it

    if verify is not None and not isinstance(verify, str):
        return verify
    if verify is not None:
        return _made(*((None, verify) if Path(verify).is_dir() else (verify, None)))
    environment = os.environ if trust_env else {}
    return _made(environment.get("SSL_CERT_FILE"), environment.get("SSL_CERT_DIR"))


@cache
def _made(file: str | None, folder: str | None) -> ssl.SSLContext:
    import ssl  # noqa: PLC0415  costs at import; a loopback server needs none

    import certifi  # noqa: PLC0415  comes with httpx

    try:
        if not file and not folder:
            return ssl.create_default_context(cafile=certifi.where())
        return ssl.create_default_context(cafile=file or None, capath=folder or None)
    except (OSError, ssl.SSLError) as error:
        raise ConfigError(
            f"no certificate authorities could be read from {file or folder!r}: "
            f"{type(error).__name__}; give the path of a PEM file (verify=, or SSL_CERT_FILE)"
        ) from error


@cache
def trusting_nobody() -> ssl.SSLContext:
    """For connections without TLS: no certificates are read, and none would be accepted."""
    import ssl  # noqa: PLC0415  as above

    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
