"""What a tool is told of the run it stands in, and how it is told to stop."""

from __future__ import annotations

import threading
from dataclasses import field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from toolstone._dataclass import dataclass
from toolstone.errors import RunCancelled

if TYPE_CHECKING:
    from collections.abc import Callable

    from toolstone.items import CallKey

__all__ = ["BudgetLeft", "CancelToken", "ToolContext"]

Deps = TypeVar("Deps")


@dataclass(frozen=True, slots=True)
class BudgetLeft:
    """What a run may still spend; None is without limit."""

    requests: int | None = None
    tokens: int | None = None
    seconds: float | None = None
    dollars: float | None = None


class _Once:
    """Tells once, whoever asks first: a token or its parent."""

    __slots__ = ("_tell",)

    def __init__(self, tell: Callable[[], object]) -> None:
        self._tell: Callable[[], object] | None = tell

    def __call__(self) -> None:
        tell, self._tell = self._tell, None
        if tell is not None:
            tell()


class CancelToken:
    """A wish to stop, for any thread to express and any tool to see.

    A token made with a parent is requested as soon as the parent is.

    Example:
        for page in pages:
            context.cancel.check()
            ...
    """

    __slots__ = ("_event", "_listeners", "_lock", "_parent")

    def __init__(self, parent: CancelToken | None = None) -> None:
        self._parent = parent
        self._event = False
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], object]] = []

    def cancel(self) -> None:
        """Ask for a stop. More than once is the same as once."""
        with self._lock:
            if self._event:
                return
            self._event = True
            listeners, self._listeners = self._listeners, []
        for tell in listeners:
            tell()

    @property
    def requested(self) -> bool:
        """Whether somebody asked for a stop."""
        return self._event or (self._parent is not None and self._parent.requested)

    def check(self) -> None:
        """Stop here if somebody asked for it.

        Raises:
            RunCancelled: A stop was asked for.
        """
        if self.requested:
            raise RunCancelled("the run was asked to stop")

    def when_cancelled(self, tell: Callable[[], object]) -> Callable[[], None]:
        """Have `tell` called once, on the thread that cancels; at once if that has happened.

        Returns:
            What takes the wish back.
        """
        once = _Once(tell)
        forget = None if self._parent is None else self._parent.when_cancelled(once)
        with self._lock:
            told = self._event
            if not told:
                self._listeners.append(once)
        if told:
            once()

        def take_back() -> None:
            self._forget(once)
            if forget is not None:
                forget()

        return take_back

    def _forget(self, tell: Callable[[], object]) -> None:
        with self._lock:
            if tell in self._listeners:
                self._listeners.remove(tell)

    def __repr__(self) -> str:
        return f"<CancelToken {'requested' if self.requested else 'quiet'}>"


def _nobody(_call: CallKey, _value: Any) -> None:
    """Progress that nobody listens to."""


@dataclass(frozen=True, slots=True)
class ToolContext(Generic[Deps]):
    """Given to a parameter annotated with it, and absent from the schema.

    Attributes:
        run: The run's id.
        call: Which call this is: response and position.
        deps: What the caller handed to `run(deps=...)`.
        cancel: Whether the call should stop: the run was cancelled, or the call timed out.
        budget: What the run may still spend; None where nothing is limited.

    Example:
        def search(query: str, context: ToolContext[Database]) -> list[str]:
            context.progress("searching")
            return context.deps.find(query)
    """

    __toolstone_context__: ClassVar[bool] = True

    run: str
    call: CallKey
    deps: Deps
    cancel: CancelToken = field(default_factory=CancelToken)
    budget: BudgetLeft | None = None
    listener: Callable[[CallKey, Any], None] = field(default=_nobody, repr=False, compare=False)
    """Where progress goes; safe to call from any thread."""

    def progress(self, value: Any) -> None:
        """Say how far the call is, to whoever watches the run. From any thread; costs nothing else.

        Args:
            value: Anything JSON can say.
        """
        self.listener(self.call, value)
