"""Block S: what a client makes of odd streams; the decoder against every vector, however cut."""

import os
import random
import tomllib
import tracemalloc
from datetime import UTC, datetime
from itertools import pairwise

import pytest
import toolstone_rows as rows
from toolstone_meeting import check

from toolstone.errors import ProtocolError
from toolstone.wire import SseDecoder

SEED = int(os.environ.get("TOOLSTONE_SEED") or datetime.now(tz=UTC).toordinal())
VECTORS = tomllib.loads((rows.DATA / "sse.toml").read_text())["vector"]
LONG = 2000
FAST = pytest.mark.parametrize("fast", [True, False], ids=["fast", "slow"])


@pytest.mark.parametrize(("case", "door"), rows.cases("S"))
async def test_a_stream_is_read_as_its_row_says(case, door, meet):
    met = meet(case["scenario"])
    ended = await met.ask(door)

    check(case, ended, met.time)
    if case["ends"] == "answer":
        assert met.text == ended.text


# --------------------------------------------------------------------------------------- vectors


def sent(vector):
    if "hex" in vector:
        return bytes.fromhex(vector["hex"])
    text = vector["text"] * vector.get("times", 1) + vector.get("then", "")
    return text.encode()


def expected(vector):
    times = vector.get("times", 1)
    events = [tuple(event) for event in vector["events"]]
    if "each" in vector:
        events += [tuple(vector["each"])] * times
    if "joined" in vector:
        events.append(("", "\n".join([vector["joined"]] * times), ""))
    return events


def cuts(data, rng):
    """The whole; in two, at every place (of what is long, at both ends); by bytes; at random."""
    yield [data]
    places = range(len(data) + 1)
    if len(data) > LONG:
        places = [*places[:8], *places[-8:]]
    else:
        yield [data[n : n + 1] for n in range(len(data))]
    yield from ([data[:n], data[n:]] for n in places)
    for _ in range(5 if len(data) > LONG else 20):
        edges = sorted(rng.randint(0, len(data)) for _ in range(rng.randint(2, 12)))
        yield [data[a:b] for a, b in pairwise([0, *edges, len(data)])]


def decode(chunks, *, fast):
    decoder = SseDecoder(fast=fast)
    found = [event for chunk in chunks for event in decoder.feed(chunk)]
    return [tuple(part.decode() for part in event) for event in found], decoder.retry


@FAST
@pytest.mark.parametrize("vector", VECTORS, ids=lambda v: f"{v['from']}: {v['name']}")
def test_s01_a_vector_gives_its_events_however_it_is_cut(vector, fast):
    rng = random.Random(f"{SEED} {vector['name']}")
    for chunks in cuts(sent(vector), rng):
        if "offset" in vector:
            with pytest.raises(ProtocolError, match=f"at byte {vector['offset']};"):
                decode(chunks, fast=fast)
        else:
            told = f"seed {SEED}, cut at {[len(chunk) for chunk in chunks][:40]}"
            assert decode(chunks, fast=fast) == (expected(vector), vector.get("retry")), told


def test_s01_there_are_vectors_from_every_source():
    sources = [vector["from"] for vector in VECTORS]

    assert len(VECTORS) >= 75
    assert {"standard", "platform", "contract", "own"} == set(sources)
    assert len({vector["name"] for vector in VECTORS}) == len(VECTORS)


@pytest.mark.parametrize("noise", [b":\n\n", b"\n", b"data\n\n", b"id: 1\n\n"])
def test_s11_nothing_without_end_needs_no_memory(noise):
    """100,000 here, and a million in `tools/campaign.py sse`, where memory is measured outside."""
    decoder = SseDecoder()
    block = noise * 1000
    decoder.feed(block)
    tracemalloc.start()
    try:
        for _ in range(100):
            decoder.feed(block)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert kept < 1 << 20


async def test_s11_a_million_comments_before_the_answer_cost_it_nothing(meet):
    met = meet("S11")

    assert (await met.ask("streamed")).text == met.text != ""
