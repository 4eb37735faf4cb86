"""What is said of a connection that failed, whichever library tried."""

from __future__ import annotations

import re
import ssl
from inspect import currentframe
from typing import TYPE_CHECKING, Final, TypeVar

from toolstone._secrets import holds_secret
from toolstone.errors import DeadlineError, TransportError

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["broken", "frameless", "no_connection", "quotable", "too_late", "unfit"]


Error = TypeVar("Error", bound=BaseException)


def frameless(error: Error) -> Error:
    """An error without its frames, and those behind it: they hold headers and bodies.

    A report that shows local variables would show them too. What happened remains, and so does
    what the caller is handling while we are asked.
    """
    for one in _behind(error):
        one.__traceback__ = None
    return error


def quotable(error: BaseException) -> BaseException | None:
    """The error of a library, without frames, as the cause of ours; None if it quotes a secret."""
    for one in _behind(error):
        if holds_secret(f"{one} {one!r} {one.__dict__!r}"):
            return None
    return frameless(error)


def _behind(error: BaseException) -> Iterator[BaseException]:
    """It, and all that it came from."""
    behind: list[BaseException | None] = [error]
    seen: set[int] = set()
    while behind:
        one = behind.pop()
        if one is None or id(one) in seen or (one is not error and _theirs(one)):
            continue
        seen.add(id(one))
        yield one
        behind += [one.__cause__, one.__context__]
        behind += one.exceptions if isinstance(one, BaseExceptionGroup) else ()


def _theirs(error: BaseException) -> bool:
    """Whether code that is not ours has caught it and called us: Python made it our context."""
    catcher = error.__traceback__ and error.__traceback__.tb_frame
    if catcher is None or catcher.f_globals.get("__name__", "").startswith("toolstone."):
        return False
    frame = currentframe()
    while frame is not None and frame is not catcher:
        frame = frame.f_back
    return frame is not None


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


def too_late(seconds: float | None) -> DeadlineError:
    """The error for a connection that did not come about in time."""
    return DeadlineError(f"no connection within {seconds:g} s (Deadlines.connect)", phase="connect")


def unfit(error: BaseException) -> TransportError:
    """The error for a request that a library refuses to send."""
    return TransportError(
        f"the request is not one that HTTP can carry ({type(error).__name__}: {error})",
        phase="send",
        retryable=False,
    )


def broken(error: BaseException, phase: str) -> TransportError:
    """The error for an answer that broke off, or never began."""
    said = _without_quotes(error)
    why = type(error).__name__ + (f": {said}" if said else "")
    return TransportError(
        f"the connection broke before the answer was whole ({why})",
        phase=phase,
    )


_QUOTED: Final = re.compile(r"\\n|\n|\s*\b(?:bytearray\()?b['\"]")
_SHOWN: Final = 200


def _without_quotes(error: BaseException) -> str:
    """What a library says, up to where it quotes the answer."""
    message = getattr(error, "message", None)
    text = message if isinstance(message, str) else str(error)
    return _QUOTED.split(text, maxsplit=1)[0][:_SHOWN].rstrip(" :")
