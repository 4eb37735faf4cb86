"""The targets by name, what each must keep to, and where its small corpus is."""

# ruff: noqa: S101  a target fails by an assertion

from __future__ import annotations

import json
import resource
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from campaigns._fuzz.data import read_arguments, read_schema
from campaigns._fuzz.stored import read_ledger
from campaigns._fuzz.streams import read_events, read_stream
from campaigns._fuzz.words import read_command_line, read_error_body, read_model_string

if TYPE_CHECKING:
    from collections.abc import Callable

CORPUS: Final = Path(__file__).parent.parent.parent.parent / "tests" / "data" / "fuzz"
SECONDS: Final = 1.0
"""Of CPU for one input."""
TRIES: Final = 3
"""An input is slow if it is slow each time: once it may be the machine, or a thread beside it."""
GROWTH: Final = 64 * 1024
"""KiB that one input may add to what the process ever held."""


class Target(NamedTuple):
    """What is fuzzed, and with what in hand."""

    run: Callable[[bytes], None]
    says: str
    words: tuple[bytes, ...] = ()
    """What inputs of it are made of, for a fuzzer's dictionary."""


_VALUES: Final[tuple[Any, ...]] = ("a", "x-1", "\\", 1.5, -0.0, 10**400, None, True, [], {})
_JSON: Final = (
    *(json.dumps(one).encode() for one in _VALUES),
    b"\\u",
    b"\\ud83d",
    b"NaN",
    b"-Infinity",
    b"1e999",
    b'{"a":1,"b":"x","c":[]}',
    b'"a":',
    b",",
)
_SSE: Final = (
    b"data: ",
    b"event: ",
    b"id: ",
    b"retry: 5",
    b"\n\n",
    b"\r\n",
    b"\xef\xbb\xbf",
    b":\n",
)

TARGETS: Final[dict[str, Target]] = {
    "sse": Target(read_stream, "bytes to events", _SSE),
    "arguments": Target(read_arguments, "a model's arguments to values", _JSON),
    "events": Target(read_events, "events to the response", _SSE),
    "schema": Target(read_schema, "a schema written by others to a validator"),
    "ledger": Target(read_ledger, "stored records to a session that goes on", _JSON),
    "models": Target(read_model_string, "a model string to a model"),
    "cli": Target(read_command_line, "words to a command and its exit code"),
    "errors": Target(read_error_body, "a stranger's error to what is shown of it", _JSON),
}


def feed(target: Target, data: bytes) -> None:
    """Give a target one input.

    Raises:
        AssertionError: It took too long or too much, or what must hold does not.
    """
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for _ in range(TRIES):
        began = time.process_time()
        target.run(data)
        spent = time.process_time() - began
        if spent <= SECONDS:
            break
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - held
    assert spent <= SECONDS, f"{spent:.1f} s of CPU for {len(data)} bytes"
    assert grown <= GROWTH, f"{grown} KiB more for {len(data)} bytes"


def kept(name: str) -> list[Path]:
    """The corpus in the tree, in order."""
    return sorted((CORPUS / name).glob("*"))
