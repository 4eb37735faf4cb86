"""Throughput and memory of event streams, over 1,000,000 events."""

from __future__ import annotations

import platform
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from toolstone.responses.decode import decode
from toolstone.responses.stream import Assembler
from toolstone.wire import SseDecoder

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

_DELTA: Final = (
    b"event: response.output_text.delta\n"
    b'data: {"type":"response.output_text.delta","sequence_number":%d,"item_id":"msg_0",'
    b'"output_index":0,"content_index":0,"delta":"seven ","logprobs":[]}\n\n'
)
_OPENING: Final = (
    b'event: response.created\ndata: {"type":"response.created","sequence_number":0,'
    b'"response":{"id":"resp_0","status":"in_progress","output":[]}}\n\n'
    b'event: response.output_item.added\ndata: {"type":"response.output_item.added",'
    b'"sequence_number":1,"output_index":0,"item":{"type":"message","id":"msg_0",'
    b'"role":"assistant","content":[]}}\n\n'
    b'event: response.content_part.added\ndata: {"type":"response.content_part.added",'
    b'"sequence_number":2,"item_id":"msg_0","output_index":0,"content_index":0,'
    b'"part":{"type":"output_text","text":""}}\n\n'
)
_TARGET: Final = 150_000
_CHUNK: Final = 16_384
_MIB: Final = 1 << 20
_DRIFT: Final = 1.0
_RUNS: Final = 3


def options(parser: argparse.ArgumentParser) -> None:
    """How many events."""
    parser.add_argument("--events", type=int, default=1_000_000)


def run(given: argparse.Namespace) -> int:
    """Decode so many events, alone, with JSON, and put together; print events per CPU second."""
    events: int = given.events
    print(f"{platform.python_implementation()} {platform.python_version()}, {platform.machine()}")
    print(f"{events:,} events of {len(_DELTA % 100_000)} bytes, in chunks of {_CHUNK}")
    print(f"of {_RUNS} runs the fastest, and the one that kept the most memory")
    reached = {}
    for name, make in (
        ("decoder", _decoder),
        ("decoder and JSON", _decoder_json),
        ("decoder, JSON, assembler", _assembler),
    ):
        rates, drifts = zip(*(timed(make(), events) for _ in range(_RUNS)), strict=True)
        reached[name] = (max(rates), max(drifts))
        print(f"{name:26} {max(rates):>12,.0f} events/s   memory {max(drifts):+.2f} MiB")
    print("the assembler keeps the answer's text: its memory is that text")
    fast = reached["decoder, JSON, assembler"][0] >= _TARGET
    flat = max(reached["decoder"][1], reached["decoder and JSON"][1]) < _DRIFT
    print(f"target: {_TARGET:,} events/s with JSON, drift below {_DRIFT} MiB: {fast and flat}")
    return 0 if fast and flat else 1


def timed(feed: Callable[[bytes], object], events: int) -> tuple[float, float]:
    """Events per CPU second, and what memory grew by after the first tenth."""
    warm, spent, settled = events // 10, 0.0, 0.0
    for number, chunk in _chunks(events):
        began = time.process_time()
        feed(chunk)
        spent += time.process_time() - began
        if not settled and number >= warm:
            settled = _resident()
    return events / spent, _resident() - settled


def _chunks(events: int) -> Iterator[tuple[int, bytes]]:
    yield 0, _OPENING
    pending = bytearray()
    for number in range(3, events):
        pending += _DELTA % number
        if len(pending) >= _CHUNK:
            yield number, bytes(pending[:_CHUNK])
            del pending[:_CHUNK]
    yield events, bytes(pending)


def _resident() -> float:
    """MiB of memory now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / _MIB


def _decoder() -> Callable[[bytes], object]:
    return SseDecoder().feed


def _decoder_json() -> Callable[[bytes], object]:
    decoder = SseDecoder()

    def feed(chunk: bytes) -> None:
        for _, data, _ in decoder.feed(chunk):
            decode(data)

    return feed


def _assembler() -> Callable[[bytes], object]:
    decoder, assembler = SseDecoder(), Assembler()

    def feed(chunk: bytes) -> None:
        assembler.feed(decoder.feed(chunk))

    return feed
