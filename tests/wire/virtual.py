"""An event loop whose clock jumps to the next timer as soon as nothing else is to be done."""

import asyncio
import selectors
from contextlib import asynccontextmanager


class _Selector(selectors.DefaultSelector):
    def __init__(self):
        super().__init__()
        self.now = 0.0

    def select(self, timeout=None):
        ready = super().select(0)
        if not ready and timeout is None:
            raise RuntimeError("everybody waits for ever")
        if not ready:
            self.now += max(timeout, 0)
        return ready


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self):
        self._jumping = _Selector()
        super().__init__(self._jumping)

    def time(self):
        return self._jumping.now


def run_virtually(main):
    """Run a coroutine; `asyncio.sleep` and timers take no time."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(main)


def now():
    return asyncio.get_running_loop().time()


class Scripted:
    """A transport without a network: bytes arrive after seconds, in virtual time."""

    def __init__(self, *steps, before=0.0, status=200, kind="text/event-stream"):
        self._steps, self._before = steps, before
        self.status, self.headers = status, {"content-type": kind}

    @asynccontextmanager
    async def stream(self, request):
        await asyncio.sleep(self._before)
        self.chunks = self._arrive()
        yield self
        await self.chunks.aclose()

    async def _arrive(self):
        for step in self._steps:
            if isinstance(step, bytes):
                yield step
            else:
                await asyncio.sleep(step)

    async def send(self, request):
        from toolstone.wire import HttpReply

        await asyncio.sleep(self._before)
        return HttpReply(self.status, self.headers, b"".join([c async for c in self._arrive()]))

    async def aclose(self):
        pass
