"""What every test shares: an `async def` test runs in an event loop of its own."""

import asyncio
import importlib.util
import inspect
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from toolstone.tools.telling import SPARING

settings.register_profile(  # the machine may be busy
    "toolstone", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("toolstone")

_spec = importlib.util.spec_from_file_location(
    "toolstone_reach", Path(__file__).parent / "reach.py"
)
reach = sys.modules[_spec.name] = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(reach)


def pytest_configure(config):
    """Nothing that a test does leaves this machine."""
    config.pluginmanager.register(reach.Reach(), "reach")


def pytest_runtest_setup():
    """What an earlier test wrote to the log is not counted against this one."""
    SPARING.forget()


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
