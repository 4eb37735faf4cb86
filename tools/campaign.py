"""The long campaigns of docs/reliability.md, and its table.

python tools/campaign.py sse               throughput and memory over 1,000,000 events
python tools/campaign.py json FOLDER       the public JSON parsing suite, from your own clone of it
python tools/campaign.py table             write the table of docs/reliability.md anew
"""

from __future__ import annotations

import argparse
import platform
import re
import sys
import time
import tomllib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT: Final = Path(__file__).parent.parent
PAGE: Final = ROOT / "docs" / "reliability.md"
DATA: Final = ROOT / "tests" / "data" / "reliability"
BLOCKS: Final = {
    "H": "HTTP transport",
    "S": "SSE framing",
    "E": "Event semantics",
    "M": "The model",
}
BEGIN, END = "<!-- table: begin -->\n", "<!-- table: end -->\n"


def main() -> int:
    """Read the options and run one campaign; 0 if it reached its target."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = options.add_subparsers(required=True)
    sse = commands.add_parser("sse", help="throughput and memory of streams")
    sse.add_argument("--events", type=int, default=1_000_000)
    sse.set_defaults(run=lambda given: measure_sse(given.events))
    suite = commands.add_parser("json", help="the public JSON parsing suite")
    suite.add_argument("folder", type=Path, help="its test_parsing folder")
    suite.set_defaults(run=lambda given: judge_json(given.folder))
    table = commands.add_parser("table", help="write the table of docs/reliability.md anew")
    table.set_defaults(run=lambda _: write_table())
    given = options.parse_args()
    done: int = given.run(given)
    return done


# ------------------------------------------------------------------------------------------- sse

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


def measure_sse(events: int) -> int:
    """Decode so many events, alone, with JSON, and put together; print events per CPU second."""
    print(f"{platform.python_implementation()} {platform.python_version()}, {platform.machine()}")
    print(f"{events:,} events of {len(_DELTA % 100_000)} bytes, in chunks of {_CHUNK}")
    print(f"of {_RUNS} runs the fastest, and the one that kept the most memory")
    reached = {}
    for name, make in (
        ("decoder", _decoder),
        ("decoder and JSON", _decoder_json),
        ("decoder, JSON, assembler", _assembler),
    ):
        rates, drifts = zip(*(_timed(make(), events) for _ in range(_RUNS)), strict=True)
        reached[name] = (max(rates), max(drifts))
        print(f"{name:26} {max(rates):>12,.0f} events/s   memory {max(drifts):+.2f} MiB")
    print("the assembler keeps the answer's text: its memory is that text")
    fast = reached["decoder, JSON, assembler"][0] >= _TARGET
    flat = max(reached["decoder"][1], reached["decoder and JSON"][1]) < _DRIFT
    print(f"target: {_TARGET:,} events/s with JSON, drift below {_DRIFT} MiB: {fast and flat}")
    return 0 if fast and flat else 1


def _timed(feed: Callable[[bytes], object], events: int) -> tuple[float, float]:
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
    from toolstone.wire import SseDecoder  # noqa: PLC0415  only this campaign

    return SseDecoder().feed


def _decoder_json() -> Callable[[bytes], object]:
    from toolstone.responses.decode import decode  # noqa: PLC0415  only this campaign
    from toolstone.wire import SseDecoder  # noqa: PLC0415  only this campaign

    decoder = SseDecoder()

    def feed(chunk: bytes) -> None:
        for _, data, _ in decoder.feed(chunk):
            decode(data)

    return feed


def _assembler() -> Callable[[bytes], object]:
    from toolstone.responses.stream import Assembler  # noqa: PLC0415  only this campaign
    from toolstone.wire import SseDecoder  # noqa: PLC0415  only this campaign

    decoder, assembler = SseDecoder(), Assembler()

    def feed(chunk: bytes) -> None:
        assembler.feed(decoder.feed(chunk))

    return feed


# ------------------------------------------------------------------------------------------ json


def judge_json(folder: Path) -> int:
    """Put every file of the suite to both boundaries, and count."""
    from toolstone.errors import ProtocolError  # noqa: PLC0415  only this campaign
    from toolstone.responses.decode import decode  # noqa: PLC0415  only this campaign
    from toolstone.schema.strictjson import find_problem  # noqa: PLC0415  only this campaign

    counts: Counter[tuple[str, str, str]] = Counter()
    unlike: list[str] = []
    for path in sorted(folder.glob("*.json")):
        data, kind = path.read_bytes(), path.name[0]
        try:
            strict = find_problem(data.decode(), root=None) is None
        except UnicodeDecodeError:
            strict = False
        try:
            decode(data)
        except ProtocolError:
            wire = False
        else:
            wire = True
        for boundary, read in (("strict", strict), ("wire", wire)):
            counts[kind, boundary, "read" if read else "refused"] += 1
            if (kind, read) in {("y", False), ("n", True)}:
                unlike.append(f"{boundary} {'reads' if read else 'refuses'} {path.name}")
    for (kind, boundary, what), count in sorted(counts.items()):
        print(f"{kind} {boundary:6} {what:8} {count}")
    print("\n".join(unlike))
    return 0 if counts else 1


# ----------------------------------------------------------------------------------------- table


def write_table() -> int:
    """Write the table into the page."""
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(before + BEGIN + render_table() + END + after)
    return 0


def render_table() -> str:
    """Counts, and a table for each block, from the rows of tests/data/reliability."""
    blocks = {block: tomllib.loads((DATA / f"{block}.toml").read_text())["row"] for block in BLOCKS}
    counts = {block: Counter(_result(row)[0] for row in rows) for block, rows in blocks.items()}
    kinds = ["pass", "deliberate difference", "not applicable", "open"]
    lines = [f"| Block | {' | '.join(kinds)} |", "|---|---|---|---|---|"]
    for block, title in BLOCKS.items():
        numbers = " | ".join(str(counts[block][kind]) for kind in kinds)
        lines.append(f"| {block}: {title} | {numbers} |")
    total = sum(counts.values(), Counter())
    lines.append(f"| together | {' | '.join(str(total[kind]) for kind in kinds)} |")
    for block, title in BLOCKS.items():
        lines += ["", f"### {block}: {title}", "", "| | What is asked | Result |", "|---|---|---|"]
        lines += [_line(row) for row in blocks[block]]
    return "\n".join(["", *lines, "", ""])


def _line(row: dict[str, Any]) -> str:
    kind, why = _result(row)
    said = re.sub(r"\|", r"\\|", row["says"])
    return f"| {row['id']} | {said} | {kind}{f': {why}' if why else ''} |"


def _result(row: dict[str, Any]) -> tuple[str, str]:
    """What became of a row, and why it is not simply passed."""
    told = [row, *row.get("case", ())]
    for key, kind in (
        ("missing", "not applicable"),
        ("open", "open"),
        ("difference", "deliberate difference"),
    ):
        whys = list(dict.fromkeys(one[key] for one in told if key in one))
        if whys:
            return kind, "; ".join(whys)
    return "pass", ""


if __name__ == "__main__":
    sys.exit(main())
