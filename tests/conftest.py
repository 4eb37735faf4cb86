"""What every test shares: an `async def` test runs in an event loop of its own."""

import asyncio
import inspect

import pytest
from hypothesis import settings

settings.register_profile("toolstone", deadline=None)  # the machine may be busy
settings.load_profile("toolstone")


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    """Run a coroutine test to its end, within a minute, in debug-free asyncio."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    wanted = {name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}

    async def bounded():
        async with asyncio.timeout(60):
            await pyfuncitem.obj(**wanted)

    asyncio.run(bounded())
    return True
