"""Every exception of toolstone, in one tree.

ToolstoneError
├── UsageError               your mistake
│   ├── DefinitionError      a tool, schema or agent that cannot be
│   ├── InputError           an argument of run, settle ... that cannot be
│   └── Unsupported          the endpoint cannot do this; nothing was sent
├── SetupError               your set-up
│   ├── ConfigError          a model string, key, URL or missing extra
│   └── StorageError         a ledger that cannot be read or written
│       └── ConflictError    somebody else is writing this session
├── ServiceError             the other side
│   ├── TransportError       no whole answer arrived: refused, reset, TLS
│   │   └── DeadlineError    ... in time
│   ├── ProtocolError        an answer that is not what was asked for
│   ├── LimitError           more than a limit of `toolstone.limits` allows
│   └── StatusError          the service said no: an HTTP status, `error` or `response.failed`
│       ├── AuthError        401, 403
│       ├── RateLimitError   429
│       └── ServerError      5xx, overloaded
├── RunError                 a run that did not complete; it carries the run so far
│   ├── TruncatedError · RefusedError · EmptyError · DroppedError · StoppedError · RunCancelled
│   └── FailedError
│       └── OutputError      the answer never fitted the output type
└── ToolError                raise it in a tool: its text is said to the model
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


__all__ = [
    "AuthError",
    "ConfigError",
    "ConflictError",
    "DeadlineError",
    "DefinitionError",
    "DroppedError",
    "EmptyError",
    "FailedError",
    "InputError",
    "LimitError",
    "OutputError",
    "ProtocolError",
    "RateLimitError",
    "RefusedError",
    "RunCancelled",
    "RunError",
    "ServerError",
    "ServiceError",
    "SetupError",
    "StatusError",
    "StoppedError",
    "StorageError",
    "ToolError",
    "ToolstoneError",
    "TransportError",
    "TruncatedError",
    "Unsupported",
    "UsageError",
]

Kind = Literal[
    "config",
    "auth",
    "transport",
    "protocol",
    "model",
    "validation",
    "policy",
    "tool",
    "limit",
    "storage",
    "cancelled",
]


class ToolstoneError(Exception):
    """Whatever toolstone raises is one of these.

    Attributes:
        kind: The failure in one word, one of `Kind`.
        retryable: Whether doing the same again may succeed.
    """

    kind: Kind = "config"
    retryable: bool = False
    _kept: ClassVar[tuple[str, ...]] = ("kind", "retryable")
    """What a pickle or a copy carries besides the message: never bodies, keys or a run."""

    def __reduce__(self) -> tuple[Callable[..., ToolstoneError], tuple[Any, ...]]:
        kept = {name: getattr(self, name) for name in self._kept if hasattr(self, name)}
        return _rebuild, (type(self), str(self), kept)


def _rebuild(kind: type[ToolstoneError], message: str, kept: dict[str, Any]) -> ToolstoneError:
    error = kind.__new__(kind, message)
    error.args = (message,)
    error.__dict__.update(kept)
    return error


class UsageError(ToolstoneError):
    """Something in the calling code is wrong."""


class DefinitionError(UsageError, TypeError):
    """A tool, a schema or an agent that cannot be; says which, and the mend."""

    kind: Kind = "validation"


class InputError(UsageError, ValueError):
    """An argument that cannot be: of `run`, `settle`, `Toolbox.pick` ..."""

    kind: Kind = "validation"


class Unsupported(UsageError):  # noqa: N818  it says what the endpoint does not do
    """The endpoint cannot do this; nothing was sent. The message names the alternative."""


class SetupError(ToolstoneError):
    """Something around the code is wrong: environment, installation, disk."""


class ConfigError(SetupError):
    """A model string, key, URL or extra that is missing or malformed. Values are not echoed."""


class StorageError(SetupError):
    """A ledger cannot be read or written."""

    kind: Kind = "storage"


class ConflictError(StorageError):
    """Somebody else has written this session meanwhile; nothing of this write was kept."""

    retryable = True


class ServiceError(ToolstoneError):
    """The other side did not answer as it should.

    Attributes:
        phase: Where it happened: `connect`, `send`, `headers`, `body`, `stream` or `response`.
        outcome: `none` (nothing was done), `partial` (something arrived) or `unknown`.
        attempts: How many times the request was sent.
        elapsed: Seconds from the first attempt to this error.
        request_id: The service's own id of the request, for its support.
        status: The HTTP status, if one arrived.
        code: The service's error code, if it gave one.
        retry_after: Seconds the service asked to wait.
        body: The start of what arrived, out of `repr` and pickles.
        notes: What each failed attempt was and is known to have cost, for the ledger.
        partial: What had arrived of the answer, as a `Response` that is not whole; out of `repr`
            and pickles.
    """

    kind: Kind = "transport"
    _kept = (
        *ToolstoneError._kept,  # noqa: SLF001  a subclass extends the list
        "phase",
        "outcome",
        "attempts",
        "elapsed",
        "request_id",
        "status",
        "code",
        "retry_after",
    )
    body: bytes = b""
    notes: tuple[Any, ...] = ()
    partial: Any = None

    def __init__(
        self,
        message: str,
        *,
        phase: str = "response",
        outcome: Literal["none", "partial", "unknown"] = "none",
        retryable: bool | None = None,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        body: bytes = b"",
    ) -> None:
        from toolstone._secrets import redact, redact_bytes  # noqa: PLC0415  only when one is made

        super().__init__(redact(message))
        self.phase = phase
        self.outcome = outcome
        if retryable is not None:
            self.retryable = retryable
        self.status = status
        self.code = code
        self.request_id = request_id and redact(request_id)
        self.retry_after = retry_after
        self.body = redact_bytes(body)
        self.attempts = 1
        self.elapsed = 0.0
        self.notes: tuple[Any, ...] = ()
        self.partial: Any = None


class TransportError(ServiceError):
    """No whole answer arrived: refused, reset, cut off, TLS, a proxy in between."""

    retryable = True


class DeadlineError(TransportError, TimeoutError):
    """No whole answer arrived in time; the message names the deadline that passed."""


class ProtocolError(ServiceError):
    """An answer arrived that is not what was asked for."""

    kind: Kind = "protocol"


class LimitError(ServiceError):
    """More arrived than a limit allows; the message names the limit in `toolstone.limits`."""

    kind: Kind = "limit"


class StatusError(ServiceError):
    """The service said no: an HTTP status, an `error` event or `response.failed`.

    Attributes:
        means: What it is about, in one word, where that is known: `auth`, `permission`,
            `wrong-route`, `model`, `gate`, `context`, `throttled`, `transient`, `state-lost` or
            `malformed`.
        mend: What may be tried once before it is final; empty if nothing.
        param: The parameter it names, if it names one.
    """

    kind: Kind = "model"
    means: str = ""
    mend: str = ""
    param: str = ""
    _kept = (*ServiceError._kept, "means", "param")  # noqa: SLF001  a subclass extends the list


class AuthError(StatusError):
    """The service does not know who asks, or does not let them (401, 403)."""

    kind: Kind = "auth"


class RateLimitError(StatusError):
    """Too much asked at once, or a quota used up (429)."""

    retryable = True


class ServerError(StatusError):
    """The service broke or is overloaded (5xx and its like)."""

    retryable = True


class RunError(ToolstoneError):
    """A run that did not complete. It carries the run so far, and says how to go on.

    Attributes:
        result: The run so far as a `Result`: facts, items, partial text, usage of all attempts,
            the calls that took effect. Out of `repr` and pickles.
        session: The session to hand to `resume`.
        outcome: The outcome in one word.
    """

    kind: Kind = "model"
    outcome: ClassVar[str] = "failed"
    result: Any = None
    session: str | None = None
    _kept = (*ToolstoneError._kept, "session")  # noqa: SLF001  a subclass extends the list

    def __init__(self, message: str, *, result: Any = None, session: str | None = None) -> None:
        super().__init__(message)
        self.result = result
        self.session = session


class TruncatedError(RunError):
    """The answer was cut at a token limit. Nothing of it was executed."""

    outcome = "truncated"


class RefusedError(RunError):
    """The model, or a content filter, declined."""

    outcome = "refused"


class EmptyError(RunError):
    """The service reported success without text or calls, also when asked again."""

    outcome = "empty"


class FailedError(RunError):
    """The other side failed for good; `__cause__` tells why."""

    outcome = "failed"


class OutputError(FailedError):
    """The answer did not fit the output type, also when told where.

    Attributes:
        problems: One sentence for each thing wrong: path and reason.
    """

    kind: Kind = "validation"
    problems: tuple[str, ...] = ()

    def __init__(
        self,
        message: str,
        *,
        result: Any = None,
        session: str | None = None,
        problems: Sequence[str] = (),
    ) -> None:
        super().__init__(message, result=result, session=session)
        self.problems = tuple(problems)


class DroppedError(RunError):
    """The answer broke off on its way: there was no terminal event."""

    kind: Kind = "transport"
    outcome = "dropped"
    retryable = True


class StoppedError(RunError):
    """A limit stopped the run: its budget, or the same calls again and again.

    Attributes:
        limit: What of the budget is used up: `requests`, `tokens`, `seconds` or `dollars`; empty
            if it is not the budget.
    """

    kind: Kind = "limit"
    outcome = "stopped"
    limit: str = ""
    _kept = (*RunError._kept, "limit")  # noqa: SLF001  a subclass extends the list

    def __init__(
        self,
        message: str,
        *,
        result: Any = None,
        session: str | None = None,
        limit: str = "",
    ) -> None:
        super().__init__(message, result=result, session=session)
        self.limit = limit


class RunCancelled(RunError):  # noqa: N818  it is told apart from asyncio.CancelledError by name
    """The run was stopped through its own cancel token."""

    kind: Kind = "cancelled"
    outcome = "cancelled"


class ToolError(ToolstoneError):
    """Raise it in a tool: its text reaches the model word for word.

    Example:
        raise ToolError("no such city; known are Paris and Rome")
    """

    kind: Kind = "tool"
