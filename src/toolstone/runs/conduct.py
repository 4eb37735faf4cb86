"""From the first fact to the result: begins a run, drives it, and says how it ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self, TypeVar, overload

from toolstone import limits
from toolstone.errors import DroppedError, FailedError, RunCancelled, ServiceError, ToolstoneError
from toolstone.events import Fact, Finished
from toolstone.runs.result import Result, make_result, raise_for
from toolstone.runs.steps import Stop, Wait

if TYPE_CHECKING:
    from types import TracebackType

    from toolstone.runs.loop import Rig
    from toolstone.runs.plan import Plan
    from toolstone.runs.state import Run
    from toolstone.tools.context import CancelToken

__all__ = ["conduct"]

Output = TypeVar("Output")
End = TypeVar("End")
Go = Callable[["Plan[Any]", "Run", "Rig"], Coroutine[Any, Any, End]]


@overload
async def conduct(
    plan: Plan[Output], run: Run, rig: Rig, go: Go[Stop | Wait], *first: Fact
) -> Result[Output]: ...
@overload
async def conduct(
    plan: Plan[Output], run: Run, rig: Rig, go: Go[Stop | Wait | None], *first: Fact
) -> Result[Output] | None: ...
async def conduct(
    plan: Plan[Output], run: Run, rig: Rig, go: Go[Any], *first: Fact
) -> Result[Output] | None:
    """Record `first`, go on, and give the result.

    Args:
        plan: What is to be done.
        run: What has happened.
        rig: Where it is written down.
        go: `drive`, until the run ends or waits; or `advance`, one turn.
        *first: Facts to begin with.

    Returns:
        The result; None if there is more to do.

    Raises:
        RunError: The run did not complete.
        asyncio.CancelledError: The task was cancelled; the ledger is valid.
        ToolstoneError: Your mistake or your set-up: nothing was asked, or nothing was kept.
    """
    with _Stoppable(rig.cancel) as stop:
        try:
            if first:
                await rig.journal.record(*first)
            if rig.cancel.requested:
                await asyncio.sleep(0)  # it was before we began: leaves here, nothing is paid
            end = await go(plan, run, rig)
        except ServiceError as error:
            raise _service_error(plan, run, rig, error) from error
        except ToolstoneError:
            raise
        except asyncio.CancelledError:
            if not stop.asked():
                raise
            await _stop_there(plan, run)
            await rig.journal.record(Finished("cancelled", "token"))
            raise RunCancelled(
                f"the run was stopped through its cancel token. Go on with resume({run.session!r})",
                result=make_result(plan, run, None, rig.exchanges),
                session=run.session,
            ) from None
        except Exception as error:
            await _say_failed(rig, stop, error)
            raise FailedError(
                f"{type(error).__name__} ended the run; it is the cause of this error. "
                f"Go on with resume({run.session!r})",
                result=make_result(plan, run, None, rig.exchanges),
                session=run.session,
            ) from error
    if end is None:
        return None
    result = make_result(plan, run, end, rig.exchanges)
    if isinstance(end, Stop) and end.outcome != "complete":
        raise_for(result, end)
    return result


async def _say_failed(rig: Rig, stop: _Stoppable, error: Exception) -> None:
    """Write down that the run has failed, though its token may be used at this very moment."""
    fact = Finished("failed", type(error).__name__)
    try:
        await rig.journal.record(fact)
    except asyncio.CancelledError:
        if not stop.asked():
            raise
        await rig.journal.record(fact)


async def _stop_there(plan: Plan[Any], run: Run) -> None:
    """Have the service stop what it still works on in the background."""
    cancel = getattr(plan.model, "cancel", None)
    if run.accepted is None or cancel is None:
        return
    with suppress(ServiceError, TimeoutError):  # it was wished for; the run is stopped anyhow
        async with asyncio.timeout(limits.BACKGROUND_CANCEL_SECONDS):
            await cancel(run.accepted)


def _service_error(
    plan: Plan[Any], run: Run, rig: Rig, error: ServiceError
) -> DroppedError | FailedError:
    """The run's own error for a model that did not answer."""
    partial = getattr(error, "partial", None)
    text = partial.text if partial is not None else ""
    result = make_result(plan, run, None, rig.exchanges, text)
    kind = FailedError if error.outcome == "none" else DroppedError
    mine = kind(f"{error}. Go on with resume({run.session!r})", result=result, session=run.session)
    mine.kind = error.kind
    mine.retryable = error.retryable
    return mine


class _Stoppable:
    """Turns the run's own cancel token into a cancellation of this task, and knows its own."""

    def __init__(self, token: CancelToken) -> None:
        self._token = token
        self._task: asyncio.Task[Any] | None = None
        self._sent = False
        self._forget: Callable[[], None] = lambda: None

    def __enter__(self) -> Self:
        self._task = asyncio.current_task()
        loop = asyncio.get_running_loop()
        self._forget = self._token.when_cancelled(lambda: loop.call_soon_threadsafe(self._cancel))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._forget()
        self._task = None

    def _cancel(self) -> None:
        if self._task is not None and not self._sent:
            self._sent = True
            self._task.cancel()

    def asked(self) -> bool:
        """Whether this cancellation is ours alone; then it is taken back."""
        return self._sent and self._task is not None and self._task.uncancel() == 0
