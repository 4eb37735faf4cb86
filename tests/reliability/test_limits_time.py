"""Default limits of time and of attempts, in virtual time: just before, at, and just after."""

import asyncio
import json
import re
import tomllib

import httpx
import pytest
import toolstone_rows as rows
from toolstone_virtual import Scripted as Wire
from toolstone_virtual import now, run_virtually

from toolstone import Agent, limits
from toolstone.errors import RunError
from toolstone.responses import Responses
from toolstone.testing import Scripted, call
from toolstone.testing.faults.saying import encode, message, narrate, reply_json, response
from toolstone.testing.faults.steps import SCENARIOS, Scenario
from toolstone.wire import HttpxTransport, Retry

ERRORS = {
    row["name"]: row["error"]
    for row in tomllib.loads((rows.DATA / "limits.toml").read_text())["row"]
    if "name" in row
}
AROUND = pytest.mark.parametrize("over", [-1, 0, 1])
EVENTS = [encode([event]) for event in narrate(response(message("x")))]


def run(transport, *, stream):
    """How a run over this transport ends, and when, in virtual time."""
    model = Responses(
        model="m",
        base_url="https://x.example",
        api_key="none",
        transport=transport,
        retry=Retry(attempts=1),
    )

    async def main():
        agent = Agent(model)
        try:
            if not stream:
                return (await agent.run("go")).output, now()
            async with agent.stream("go") as watched:
                return (await watched.result()).output, now()
        except RunError as error:
            return f"{error} {error.__cause__}", now()

    return run_virtually(main())


def check(found, over, name, seconds):
    """At the limit itself either may come first."""
    ended, when = found
    if over < 0:
        assert ended == "x"
    if over > 0:
        assert re.search(ERRORS[name], ended)
    assert when == pytest.approx(seconds + min(over, 0), abs=0.2)


@AROUND
def test_a_stream_may_be_silent_so_long(over):
    silence = limits.IDLE_SECONDS + over
    found = run(Wire(*EVENTS[:3], silence, *EVENTS[3:]), stream=True)

    check(found, over, "IDLE_SECONDS", 300)


@AROUND
@pytest.mark.parametrize("stream", [True, False])
def test_an_attempt_may_take_so_long(over, stream):
    total = limits.TOTAL_SECONDS + over
    if stream:
        steps = [step for event in EVENTS for step in (total / len(EVENTS), event)]
        found = run(Wire(*steps), stream=True)
    else:
        body = json.dumps(response(message("x"))).encode()
        found = run(Wire(body, before=total, kind="application/json"), stream=False)

    check(found, over, "TOTAL_SECONDS", 600)


class Slow(httpx.AsyncBaseTransport):
    """A network whose connect takes so long, by the time-out that httpx was given."""

    def __init__(self, seconds):
        self.seconds = seconds

    async def handle_async_request(self, request):
        most = request.extensions["timeout"]["connect"]
        await asyncio.sleep(min(self.seconds, most))
        if self.seconds > most:
            raise httpx.ConnectTimeout("too late", request=request)
        body = json.dumps(response(message("x"))).encode()
        kind = {"content-type": "application/json"}
        return httpx.Response(200, headers=kind, stream=httpx.ByteStream(body))


@AROUND
def test_connecting_may_take_so_long(over):
    client = httpx.AsyncClient(transport=Slow(limits.CONNECT_SECONDS + over))
    found = run(HttpxTransport(client), stream=False)

    check(found, over, "CONNECT_SECONDS", 5)


@AROUND
def test_a_tool_may_take_so_long(over):
    async def wait() -> str:
        """Wait."""
        await asyncio.sleep(limits.TOOL_SECONDS + over)
        return "x"

    async def main():
        result = await Agent(Scripted(call("wait"), "ok"), tools=[wait]).run("go")
        return result.calls[0].output, now()

    check(run_virtually(main()), over, "TOOL_SECONDS", 60)


@AROUND
async def test_a_request_is_tried_so_often(over, meet):
    failures = limits.ATTEMPTS - 1 + over
    met = meet("H18-503", times=failures)
    try:
        ended = (await Agent(met.model).run("go")).output
    except RunError as error:
        ended = f"{error.__cause__.attempts} attempts"

    assert len(met.peer.met) == min(failures + 1, limits.ATTEMPTS)
    assert re.search(ERRORS["ATTEMPTS"], ended) if over > 0 else "21 °C" in ended


async def test_a_client_tries_again_so_often(meet):
    """500 of quota at 14 a retry: the 35th retry of an outage is made, the 36th is not."""
    met = meet("H18-503")
    agent = Agent(met.model)
    made = []
    for _ in range(20):
        before = len(met.peer.met)
        with pytest.raises(RunError):
            await agent.run("go")
        made.append(len(met.peer.met) - before)

    assert made == [3] * 17 + [2] + [1] * 2
    assert sum(made) - 20 == limits.RETRY_QUOTA // limits.RETRY_COST


async def test_the_retry_quota_is_changed_for_the_process(meet, monkeypatch):
    monkeypatch.setattr(limits, "RETRY_QUOTA", limits.RETRY_COST)
    met = meet("H18-503")
    for _ in range(2):
        with pytest.raises(RunError):
            await Agent(met.model).run("go")

    assert len(met.peer.met) == 2 + 1


@AROUND
async def test_a_server_may_ask_to_wait_so_long(over, meet, monkeypatch):
    seconds = int(limits.RETRY_AFTER_MAX) + over
    body = reply_json(429, {"error": {"message": "slow down"}}, f"retry-after: {seconds}")
    monkeypatch.setitem(SCENARIOS, "X01-wait", Scenario("X01-wait", "", lambda _: [body]))
    met = meet("X01-wait", times=1)
    try:
        ended = (await Agent(met.model).run("go")).output
    except RunError as error:
        ended = f"{error} {error.__cause__}"

    if over > 0:
        assert re.search(ERRORS["RETRY_AFTER_MAX"], ended)
        assert met.time.slept == []
    else:
        assert "21 °C" in ended
        assert met.time.slept == [pytest.approx(seconds, abs=0.5)]
