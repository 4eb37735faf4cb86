"""Default limits of what comes over the wire, each at one less, at the limit, and at one more."""

import gzip
import json
import re
import tomllib

import pytest
import toolstone_rows as rows

from toolstone import Agent, limits
from toolstone.errors import RunError
from toolstone.testing.faults.saying import encode, message, narrate, reply, response
from toolstone.testing.faults.steps import CLOSE, SCENARIOS, Scenario

LIMITS = tomllib.loads((rows.DATA / "limits.toml").read_text())["row"]
ASKED = 28
AROUND = pytest.mark.parametrize("over", [-1, 0, 1])


def error_of(name):
    """What is said beyond a limit, by its row."""
    return next(row["error"] for row in LIMITS if row.get("name") == name)


# ------------------------------------------------------------------------------- the rows


def test_every_limit_that_was_asked_for_has_a_row():
    assert len(LIMITS) == ASKED
    assert len({row["says"] for row in LIMITS}) == ASKED


@pytest.mark.parametrize("row", LIMITS, ids=lambda row: row.get("name", "none"))
def test_a_limit_has_the_value_that_was_asked_for_and_a_test(row):
    if "name" not in row:
        assert row["different"]
        return
    assert getattr(limits, row["name"]) == row["value"] or row["different"]
    path, _, test = row["held"].partition("::")
    assert f"def {test}(" in (rows.HERE / path).read_text()
    assert row["raise"]


# -------------------------------------------------------------------------------- bodies
# A smaller limit stands in for each: so it is seen, too, that `toolstone.limits.NAME = ...` counts.
# Bodies beyond the real ones are in test_bombs.py, a million events in the campaign `sse`.


@pytest.fixture
def answered(meet, monkeypatch):
    """`await answered(bytes)`: a run whose model answers with these bytes; how it ends."""

    async def run(*parts, stream=False):
        play = lambda _asked: [*parts, CLOSE]  # noqa: E731  it is said once
        monkeypatch.setitem(SCENARIOS, "X01-limit", Scenario("X01-limit", "", play))
        agent = Agent(meet("X01-limit").model)
        try:
            if stream:
                async with agent.stream("go") as watched:
                    return (await watched.result()).output
            return (await agent.run("go")).output
        except RunError as error:
            return f"{error} {error.__cause__}"

    return run


def plain(size):
    """A whole response of so many bytes."""
    bare = json.dumps(response(message("")))
    return json.dumps(response(message("x" * (size - len(bare))))).encode()


def check(ended, over, name):
    """What was answered, or the error of its row."""
    if over > 0:
        assert re.search(error_of(name), ended), ended[:300]
    else:
        assert set(ended) == {"x"}, ended[:300]


@AROUND
async def test_a_body_may_have_so_many_bytes(over, answered, monkeypatch):
    monkeypatch.setattr(limits, "BODY_BYTES", 100_000)
    body = plain(limits.BODY_BYTES + over)

    ended = await answered(reply(200, body, "content-type: application/json"))

    check(ended, over, "BODY_BYTES")


@AROUND
async def test_an_answer_may_decompress_to_so_many_bytes(over, answered, monkeypatch):
    """A stream, most of it comments: a body alone may not have so much."""
    monkeypatch.setattr(limits, "DECOMPRESSED_BYTES", 1 << 20)
    events = encode(narrate(response(message("x"))))
    comment = b":" + b"." * 65_534 + b"\n"
    whole, rest = divmod(limits.DECOMPRESSED_BYTES + over - len(events), len(comment))
    padding = comment * whole + b":" * (rest - 1) + b"\n"
    squeezed = gzip.compress(padding + events, 0)  # stored: the ratio is one

    sent = reply(200, squeezed, "content-type: text/event-stream", "content-encoding: gzip")
    ended = await answered(sent, stream=True)

    check(ended, over, "DECOMPRESSED_BYTES")


@AROUND
async def test_an_answer_may_decompress_to_so_many_times_its_size(over, answered, monkeypatch):
    body = plain(2 << 20)
    squeezed = gzip.compress(body)
    ratio = len(body) / len(squeezed)
    assert ratio > limits.DECOMPRESSION_RATIO
    monkeypatch.setattr(limits, "DECOMPRESSION_RATIO", ratio - 0.01 * over)

    headers = ("content-type: application/json", "content-encoding: gzip")
    ended = await answered(reply(200, squeezed, *headers))

    check(ended, over, "DECOMPRESSION_RATIO")


@AROUND
async def test_an_event_may_have_so_many_bytes(over, answered, monkeypatch):
    monkeypatch.setattr(limits, "EVENT_BYTES", 100_000)
    first, *others = narrate(response(message("x")))
    line = b"data: " + json.dumps(first).encode()
    padding = b" " * (limits.EVENT_BYTES + over - len(line))
    body = line[:-1] + padding + b"}\n\n" + encode(others)

    sent = reply(200, body, "content-type: text/event-stream")
    ended = await answered(sent, stream=True)

    check(ended, over, "EVENT_BYTES")


@AROUND
async def test_a_response_may_have_so_many_events(over, answered, monkeypatch):
    monkeypatch.setattr(limits, "EVENTS_PER_RESPONSE", 1_000)
    events = narrate(response(message("x")))
    ping = {"type": "response.in_progress", "response": events[1]["response"]}
    pings = [ping] * (limits.EVENTS_PER_RESPONSE + over - len(events))
    body = b"".join(
        b"data: %s\n\n" % json.dumps({**one, "sequence_number": n}).encode()
        for n, one in enumerate([*events[:2], *pings, *events[2:]])
    )

    ended = await answered(reply(200, body, "content-type: text/event-stream"), stream=True)

    check(ended, over, "EVENTS_PER_RESPONSE")
