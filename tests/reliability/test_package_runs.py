"""Block L: how light an import is, and an agent in odd interpreters."""

import os
import subprocess
import sys

import pytest

# -------------------------------------------------------------------------- L12: odd interpreters

RUN = """
import os, sys
SEEN = []
def watch(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "subprocess.Popen"):
        SEEN.append((event, str(args[1:])))
    if event == "open" and not isinstance(args[0], int):
        writes = set(args[1]) & set("wax+") if args[1] else args[2] & (os.O_RDWR | os.O_WRONLY)
        if writes and "__pycache__" not in str(args[0]):
            SEEN.append((event, str(args[0])))
sys.addaudithook(watch)
import typing
import pydantic, toolstone
from toolstone import Agent, tool
from toolstone.testing import Scripted, call

class Report(pydantic.BaseModel):
    city: str
    temp: float

@tool(repeatable=True)
def temp(city: str, unit: typing.Literal["c", "f"] = "c") -> float:
    "Temperature."
    return 14.5

async def people(city: str) -> int:
    "Inhabitants."
    return 2

model = Scripted(
    [call("temp", city="Paris"), call("people", city="Paris"), call("temp", city=3)],
    {"city": "Paris", "temp": "14"},
    {"city": "Paris", "temp": 14.5},
)
result = Agent(model, tools=[temp, people], output=Report).run_sync("go")
assert_that = [c.output[:14] for c in result.calls]
print(result.output, assert_that, SEEN)
"""
SAID = "city='Paris' temp=14.5 ['14.5', '2', 'invalid argume'] []\n"


def output(*arguments, **options):
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, timeout=120, **options
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr[-2000:]
    return done.stdout


MODES = {
    "isolated": (["-I"], {}),
    "optimised twice": (["-OO"], {}),
    "warnings are errors": (["-W", "error"], {}),
    "development mode": (["-X", "dev", "-W", "error"], {"PYTHONDEVMODE": "1"}),
    "no environment": (["-B"], None),
    "without site": (["-I", "-S"], {}),
}
"""What is run, and what its environment has besides; None for an empty one."""
LOCKED = """
import sys
def refuse(event, args):
    writes = event == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+")
    if writes or event in ("os.mkdir", "os.rename", "os.remove", "socket.connect"):
        raise PermissionError(event)
sys.addaudithook(refuse)
"""


@pytest.mark.parametrize("mode", MODES)
def test_l12_an_agent_runs_the_same_in_an_odd_interpreter(mode, tmp_path):
    options, more = MODES[mode]
    code = f"import sys; sys.path += {[p for p in sys.path if p]!r}\n{RUN}"
    environment = {} if more is None else {**os.environ, **more}
    assert output(*options, "-c", code, env=environment, cwd=tmp_path) == SAID


def test_l12_an_agent_runs_where_nothing_can_be_written_and_nobody_reached():
    """Read-only packages, without a home and a network; byte code cannot be kept either."""
    assert output("-c", LOCKED + RUN, env={"HOME": "/nonexistent"}, cwd="/") == SAID


# ------------------------------------------------------------------------------- L03: how light


def test_l03_an_import_takes_at_most_150_ms_of_a_processor_and_200_modules():
    # The clock of the process, the best of five: the machine may be busy.
    timed = (
        "import sys, time; began = time.process_time(); import toolstone;"
        "print(time.process_time() - began, len(sys.modules))"
    )
    runs = [output("-I", "-c", timed).split() for _ in range(5)]

    assert min(float(seconds) for seconds, _ in runs) <= 0.150
    assert max(int(modules) for _, modules in runs) <= 200
