"""The batch: calls run side by side, each in one task, and come home one by one.

Only the caller's task tells what happened. A call's task puts its result in a list and wakes the
caller, who hands on everything that came in since the last time. One timer serves the whole batch,
and it is set only when the caller really has to wait: a batch that ends at once pays for none.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from toolstone import limits
from toolstone.errors import ToolError
from toolstone.events import Returned, ToolProgress
from toolstone.tools.context import CancelToken, ToolContext
from toolstone.tools.refusals import explain_timeout
from toolstone.tools.telling import tell_failure, tell_value
from toolstone.tools.threads import IN_TIME

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from toolstone.events import Delta
    from toolstone.items import CallKey
    from toolstone.tools.tool import Bound, Tool

__all__ = ["Pending", "call_all"]

_log: Final = logging.getLogger("toolstone.tools")


class Pending(NamedTuple):
    """One call to be made, its arguments already read."""

    key: CallKey
    tool: Tool
    bound: Bound
    context: ToolContext[Any] | Callable[[], ToolContext[Any]]
    """For a tool that wants one; a factory is asked only then."""


async def call_all(
    batch: Sequence[Pending],
    tell: Callable[[Sequence[Returned], Sequence[Delta]], Awaitable[None]],
    *,
    concurrency: int = limits.CALLS_PER_TURN,
    fatal: tuple[type[BaseException], ...] = (),
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Make all calls, side by side, and tell each as it comes home.

    Args:
        batch: The calls. They begin in this order.
        tell: Awaited on the caller's task with what came home since the last time.
        concurrency: How many run at once.
        fatal: Exceptions of tools that are raised here once all calls are home.
        sleep: How a retry waits.

    Raises:
        BaseException: A fatal one; `KeyboardInterrupt` or `SystemExit` of a tool, at once; what
            `tell` raises; `CancelledError` if the caller is cancelled. Calls that had not come home
            by then are cancelled first, and those that came home are told.
    """
    if batch:
        await _Batch(batch, concurrency, fatal, sleep).run(tell)


class _Call:
    """One call on its way."""

    __slots__ = ("cancel", "deadline", "home", "pending", "task")

    def __init__(self, pending: Pending) -> None:
        self.pending = pending
        self.task: asyncio.Task[None] | None = None
        self.deadline: float | None = None
        self.home = False
        self.cancel: CancelToken | None = None


class _Batch:
    def __init__(
        self,
        batch: Sequence[Pending],
        concurrency: int,
        fatal: tuple[type[BaseException], ...],
        sleep: Callable[[float], Awaitable[None]],
    ) -> None:
        self.loop = asyncio.get_running_loop()
        # What `create_task` comes to if nobody has set a factory, without asking again each time.
        bare = self.loop.get_task_factory() is None
        self.new_task = partial(asyncio.Task, loop=self.loop) if bare else self.loop.create_task
        self.batch = batch
        self.begun = 0
        self.more = True
        self.filling = False
        self.free = max(1, concurrency)
        self.fatal = fatal
        self.sleep = sleep
        self.left = len(batch)  # not home yet
        self.running = 0  # tasks that have not ended
        self.calls: list[_Call] = []
        self.returned: list[Returned] = []
        self.deltas: list[Delta] = []
        self.raised: dict[CallKey, BaseException] = {}
        self.abort: BaseException | None = None
        self.wake: asyncio.Future[None] | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.closed = False

    async def run(
        self, tell: Callable[[Sequence[Returned], Sequence[Delta]], Awaitable[None]]
    ) -> None:
        try:
            self._fill()
            while self.left and self.abort is None:
                if not self.returned and not self.deltas:
                    await self._news()
                await self._hand_on(tell)
        except asyncio.CancelledError:
            await self._cancel()
            await self._hand_on_shielded(tell)
            raise
        except GeneratorExit:
            raise  # collected after its loop was closed: nothing can be waited for any more
        except BaseException:
            await self._cancel()
            raise
        finally:
            if self.timer is not None:
                self.timer.cancel()
        await self._end(tell)

    async def _end(
        self, tell: Callable[[Sequence[Returned], Sequence[Delta]], Awaitable[None]]
    ) -> None:
        if await self._cancel():
            await self._hand_on_shielded(tell)
            raise asyncio.CancelledError
        if self.returned:
            await self._hand_on(tell)
        if self.abort is not None:
            raise self.abort
        if self.raised:
            raise min(self.raised.items())[1]

    async def _hand_on(
        self, tell: Callable[[Sequence[Returned], Sequence[Delta]], Awaitable[None]]
    ) -> None:
        returned, self.returned = self.returned, []
        deltas, self.deltas = self.deltas, []
        if returned or deltas:
            await tell(returned, deltas)

    async def _hand_on_shielded(
        self, tell: Callable[[Sequence[Returned], Sequence[Delta]], Awaitable[None]]
    ) -> None:
        """Tell what came home, though the caller is being cancelled, perhaps again."""
        telling = asyncio.ensure_future(self._hand_on(tell))
        while not telling.done():
            try:
                await asyncio.shield(telling)
            except asyncio.CancelledError:
                if telling.cancelled():
                    return

    # ------------------------------------------------------------------- beginning and waiting

    def _fill(self) -> None:
        """Begin calls while there is room. A task may run at once, and even come home."""
        if self.filling:
            return
        self.filling = True
        now = self.loop.time()
        while self.more and self.free > 0:
            begin = self.batch[self.begun : self.begun + self.free]
            begun = len(begin)
            self.begun += begun
            self.more = self.begun < len(self.batch)
            self.free -= begun
            self.running += begun
            for pending in begin:
                call = _Call(pending)
                self.calls.append(call)
                tool = pending.tool
                if tool.timeout is not None and tool.gate is None:
                    call.deadline = now + tool.timeout
                    if self.timer is not None and call.deadline < self.timer.when():
                        self._set_timer(call.deadline)
                call.task = self.new_task(self._one(call), name=tool.spec.name)
        self.filling = False

    async def _news(self) -> None:
        """Wait until something comes in."""
        self.wake = self.loop.create_future()
        if self.timer is None:  # after the tasks' first step, when most batches have ended
            self.loop.call_soon(self._watch)
        await self.wake

    def _rouse(self) -> None:
        wake = self.wake
        if wake is not None:
            self.wake = None
            if not wake.done():
                wake.set_result(None)

    def _watch(self) -> None:
        """Set the timer for the next deadline, if there is one."""
        due = [c.deadline for c in self.calls if c.deadline is not None and not c.home]
        if due and not self.closed:
            self._set_timer(min(due))

    def _set_timer(self, when: float) -> None:
        if self.timer is not None:
            self.timer.cancel()
        self.timer = self.loop.call_at(when, self._expire)

    def _expire(self) -> None:
        self.timer = None
        now = self.loop.time()
        for call in self.calls:
            if not call.home and call.deadline is not None and call.deadline <= now:
                self._time_out(call)
        self._watch()

    def _time_out(self, call: _Call) -> None:
        timeout = call.pending.tool.timeout or 0
        self._home(
            call, Returned(call.pending.key, explain_timeout(timeout), failed=True, how="timeout")
        )
        if call.cancel is not None:
            call.cancel.cancel()
        if call.task is not None:
            call.task.cancel()

    # ----------------------------------------------------------------------------- one call

    async def _one(self, call: _Call) -> None:
        """A call's task: it always ends well, and says what came of the call."""
        pending = call.pending
        tool = pending.tool
        try:
            context = self._context(call) if tool.wants_context else None
            try:
                if tool.direct is not None:
                    value = await tool.direct(**pending.bound.arguments)
                elif tool.gate is None:
                    value = await tool.invoke(pending.bound, context)
                else:
                    value = await self._gated(call, tool, pending.bound, context)
            except Exception as error:
                given_up = self.closed or call.home or not tool.retries
                if given_up or isinstance(error, (ToolError, *self.fatal)):
                    raise
                value = await self._again(call, tool, context)
            if not call.home:
                self._home(call, tell_value(pending.key, value))
        except asyncio.CancelledError as error:
            if not self.closed and not call.home:  # raised by the tool, not sent by us
                self._failed(call, error)
        except BaseException as error:  # whatever a tool raises is the call's result
            if self.loop.is_closed():
                raise  # nobody raised it: the loop was closed under us, and this is the end
            self._failed(call, error)
        call.task = None
        self.running -= 1

    async def _gated(
        self, call: _Call, tool: Tool, bound: Bound, context: ToolContext[Any] | None
    ) -> Any:
        """Wait for a place first; the call's time begins only then."""
        gate = tool.gate
        if gate is not None:
            await gate.acquire()
            if call.deadline is None and tool.timeout is not None:
                call.deadline = self.loop.time() + tool.timeout
                if self.timer is None or call.deadline < self.timer.when():
                    self._set_timer(call.deadline)
        return await tool.invoke(bound, context, gate)

    async def _again(self, call: _Call, tool: Tool, context: ToolContext[Any] | None) -> Any:
        import tenacity  # noqa: PLC0415  loads at the first retry of a tool

        wait = tenacity.wait_exponential(
            multiplier=limits.TOOL_RETRY_WAIT, max=limits.TOOL_RETRY_WAIT_MAX
        )
        await self.sleep(limits.TOOL_RETRY_WAIT)
        retrying = tenacity.AsyncRetrying(
            stop=tenacity.stop_after_attempt(tool.retries),
            wait=lambda state: 2 * wait(state),
            retry=tenacity.retry_if_exception(
                lambda error: (
                    isinstance(error, Exception) and not isinstance(error, (ToolError, *self.fatal))
                )
            ),
            sleep=self.sleep,
            reraise=True,
        )
        async for attempt in retrying:
            with attempt:
                bound = tool.read(call.pending.bound.text)  # anew: the tool may have changed them
                return await self._gated(call, tool, bound, context)
        raise AssertionError  # pragma: no cover  tenacity raises or returns

    def _context(self, call: _Call) -> ToolContext[Any]:
        given = call.pending.context
        context = given if isinstance(given, ToolContext) else given()
        call.cancel = CancelToken(context.cancel)
        return replace(context, cancel=call.cancel, listener=self._progress)

    def _progress(self, key: CallKey, value: Any) -> None:
        delta = ToolProgress(key, value)
        try:
            inside = asyncio.get_running_loop() is self.loop
        except RuntimeError:
            inside = False
        if inside:
            self._put(delta)
            return
        try:
            self.loop.call_soon_threadsafe(self._put, delta)
        except RuntimeError:  # the loop is closed: nobody watches
            return

    def _put(self, delta: Delta) -> None:
        if not self.closed:
            self.deltas.append(delta)
            self._rouse()

    # ---------------------------------------------------------------------------- coming home

    def _home(self, call: _Call, returned: Returned) -> None:
        if call.home:
            return
        call.home = True
        self.left -= 1
        self.free += 1
        self.returned.append(returned)
        if self.more and not self.closed:
            self._fill()
        if self.wake is not None:
            self._rouse()

    def _failed(self, call: _Call, error: BaseException) -> None:
        if isinstance(error, KeyboardInterrupt | SystemExit):
            if self.abort is None:
                self.abort = error
            call.home = True
            self._rouse()
            return
        if call.home:
            return
        key = call.pending.key
        if isinstance(error, self.fatal):
            self.raised[key] = error
        self._home(call, tell_failure(key, call.pending.tool.name, error))

    async def _cancel(self) -> bool:
        """End what still runs: cancelled, waited for a moment, named if it will not stop.

        Returns:
            Whether the caller was cancelled meanwhile.
        """
        self.closed = True
        if not self.running:
            return False
        running = {c.task: c for c in self.calls if c.task is not None}
        for task in running:
            task.cancel(IN_TIME)  # first: of what has not begun nothing does, now
        for call in running.values():
            if call.cancel is not None:
                call.cancel.cancel()
        stubborn, cancelled = await _wait(set(running), self.loop)
        for task in stubborn:
            task.cancel()  # the task of a blocking tool ends so, its thread does not
            _log.warning("tool %s does not stop; left running", running[task].pending.tool.name)
        return cancelled


async def _wait(
    tasks: set[asyncio.Task[None]], loop: asyncio.AbstractEventLoop
) -> tuple[set[asyncio.Task[None]], bool]:
    """Wait for tasks within the grace; what is left of them, and whether we were cancelled."""
    cancelled = False
    end = loop.time() + limits.CANCEL_GRACE
    while tasks and (left := end - loop.time()) > 0:
        try:
            _, tasks = await asyncio.wait(tasks, timeout=left)
        except asyncio.CancelledError:
            cancelled = True
    return tasks, cancelled
