"""What is said of a connection that did not come about, whichever library tried."""

from __future__ import annotations

import ssl

from toolstone.errors import TransportError

__all__ = ["no_connection"]


def no_connection(error: BaseException) -> TransportError:
    """The error for a failed connect; a failure of TLS is not worth another try."""
    seen: BaseException | None = error
    while seen is not None:
        why = getattr(seen, "verify_message", None) or getattr(seen, "reason", None)
        if isinstance(seen, ssl.SSLError) and why:
            return TransportError(
                f"TLS failed: {why}. The server's certificate must be for this "
                "host and from an authority that is trusted here: verify=, or SSL_CERT_FILE",
                phase="connect",
                retryable=False,
            )
        seen = seen.__cause__ or seen.__context__
    return TransportError(f"no connection: {error}", phase="connect")
