"""Answers that are too much: what they cost a client in memory, in a process of its own."""

import json
import subprocess
import sys

import pytest

CLIENT = """
import asyncio, json, resource, sys

from toolstone.errors import LimitError
from toolstone.items import user
from toolstone.ports import Request
from toolstone.responses import Responses
from toolstone.wire import AiohttpTransport, HttpxTransport

origin, kind = sys.argv[1:]
transport = {"httpx": HttpxTransport, "aiohttp": AiohttpTransport}[kind]()

async def emit(deltas):
    pass

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

async def ask(scenario, stream):
    model = Responses(model="m", base_url=f"{origin}/{scenario}/v1", transport=transport)
    try:
        return (await model.respond(Request((user("hi"),), stream=stream), emit)).status
    except LimitError as error:
        return str(error)

async def main():
    for stream in (False, True):
        await ask("H44", stream)
    for scenario, stream in (("S10", True), ("H30", False), ("H32", False)):
        before = peak()
        said = await ask(scenario, stream)
        print(json.dumps([scenario, said, peak() - before]))

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def origin():
    command = [sys.executable, "-m", "toolstone.testing.faults", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        yield json.loads(process.stdout.readline())["base_url"]
        process.terminate()
        assert process.wait(10) == 0
        process.stdout.read()


@pytest.mark.parametrize("kind", ["httpx", "aiohttp"])
def test_h30_bombs_end_at_their_limit_and_memory_stays_small(kind, origin):
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, origin, kind], capture_output=True, text=True, timeout=120
    )
    found = [json.loads(line) for line in done.stdout.splitlines()]

    assert [scenario for scenario, _, _ in found] == ["S10", "H30", "H32"], done.stderr
    assert [said.rpartition("limits.")[2][:5] for _, said, _ in found] == [
        "EVENT",
        "DECOM",
        "BODY_",
    ]
    mebibytes = {scenario: grown for scenario, _, grown in found}
    assert mebibytes["S10"] < 2 * 8
    assert mebibytes["H30"] < 80
    assert mebibytes["H32"] < 80


def test_h30_without_the_limit_the_bomb_is_seen_to_go_off(origin):
    """The alarm's own test: a client that reads on has all 200 MB of it."""
    import httpx

    with httpx.stream("POST", f"{origin}/H30/v1/responses", json={}, timeout=30) as answer:
        size = sum(len(piece) for piece in answer.iter_bytes())

    assert size > 200 << 20


def test_the_log_tells_names_and_lengths_and_no_secret():
    command = [sys.executable, "-m", "toolstone.testing.faults", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        import httpx

        url = json.loads(process.stdout.readline())["base_url"]
        key = {"authorization": "Bearer sk-canary"}
        httpx.post(f"{url}/v1/responses", json={"model": "faults/H18-503"}, headers=key)
        told = process.stdout.readline()
        listed = httpx.get(f"{url}/v1/models").json()["data"]
        process.terminate()
        process.wait(10)
        rest = process.stdout.read()

    said = json.loads(told)
    assert (said["method"], said["target"], said["body"]) == ("POST", "/v1/responses", 26)
    assert said["headers"]["authorization"] == len("Bearer sk-canary")
    assert "canary" not in told + rest
    assert {"H07", "S14", "E11", "M25"} < {one["id"] for one in listed}
