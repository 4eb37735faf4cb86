"""What happens in a run: facts, which are kept, and deltas, which are fleeting.

Facts are a stored format: plain JSON in an envelope `{v, seq, at, run, type, ...}`, versioned from
the first day, without class names. `Run` is these facts folded; nothing else is ever stored.
"""

from __future__ import annotations

import json
from dataclasses import field
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from toolstone._dataclass import dataclass
from toolstone.errors import StorageError
from toolstone.items import CallKey, Item  # noqa: TC001  pydantic reads the annotations
from toolstone.usage import Usage

if TYPE_CHECKING:
    from pydantic import TypeAdapter

__all__ = [
    "FORMAT",
    "Accepted",
    "Answered",
    "ArgumentsDelta",
    "Asked",
    "Began",
    "Delta",
    "Fact",
    "Finished",
    "Noted",
    "ReasoningDelta",
    "Record",
    "RefusalDelta",
    "Retrying",
    "Returned",
    "Ruled",
    "Said",
    "Started",
    "TextDelta",
    "ToolProgress",
    "decode_record",
    "encode_record",
]

FORMAT = 1
"""The version of the stored format; a reader refuses a newer one."""

OutcomeName = Literal[
    "complete",
    "waiting",
    "truncated",
    "refused",
    "empty",
    "failed",
    "dropped",
    "stopped",
    "cancelled",
]

NO_USAGE: Final = Usage()

# ---------------------------------------------------------------------------------------- facts


@dataclass(frozen=True, slots=True)
class Began:
    """A run began, or (`resumed`) went on after it had ended without completing."""

    input: tuple[Item, ...]
    agent: str = ""
    """Fingerprint of model, instructions, tools and output type."""
    budget: dict[str, Any] = field(default_factory=dict)
    resumed: bool = False
    type: Literal["began"] = "began"


@dataclass(frozen=True, slots=True)
class Said:
    """We said something to the model of our own accord."""

    items: tuple[Item, ...]
    why: Literal["output", "loop", "empty"]
    type: Literal["said"] = "said"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request is about to be sent: what it reserved of the budget is spent until answered."""

    number: int
    """The n-th request of the run, from 1."""
    input_tokens: int = 0
    """Estimated from bytes; 0 where no budget needs it."""
    output_tokens: int = 0
    """`max_output_tokens` as sent; 0 where none was."""
    type: Literal["asked"] = "asked"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The service took a background request; `response` is the id to ask for it by."""

    response: str
    type: Literal["accepted"] = "accepted"


@dataclass(frozen=True, slots=True)
class Answered:
    """A response arrived, whole: it has a terminal status."""

    response: str
    status: str
    items: tuple[Item, ...]
    usage: Usage = NO_USAGE
    model: str = ""
    reason: str | None = None
    """Why it is incomplete: `max_output_tokens`, `content_filter`, ..."""
    error: dict[str, Any] | None = field(default=None, repr=False)
    service_tier: str | None = None
    """The tier that was used."""
    endpoint: str = ""
    """The origin that answered."""
    type: Literal["answered"] = "answered"


@dataclass(frozen=True, slots=True)
class Started:
    """These calls are about to run; one without `Returned` has an unknown outcome."""

    calls: tuple[CallKey, ...]
    type: Literal["started"] = "started"


@dataclass(frozen=True, slots=True)
class Returned:
    """A call came home; `output` is what the model is told."""

    call: CallKey
    output: str | list[dict[str, Any]] = field(repr=False)
    failed: bool = False
    how: Literal[
        "ran", "raised", "timeout", "arguments", "unknown", "limit", "denied", "settled", "final"
    ] = "ran"
    usage: Usage | None = None
    """What a sub-agent in it spent."""
    type: Literal["returned"] = "returned"


@dataclass(frozen=True, slots=True)
class Ruled:
    """A person (or the calling program) decided about a waiting call."""

    call: CallKey
    ruling: Literal["approve", "deny", "again", "result", "failed"]
    output: str | list[dict[str, Any]] = field(default="", repr=False)
    """The reason of a denial or failure; the result, if that was given."""
    type: Literal["ruled"] = "ruled"


@dataclass(frozen=True, slots=True)
class Noted:
    """Worth knowing: a failed attempt and its usage, a dropped parameter, stripped junk."""

    what: str
    """One word: `attempt`, `dropped_parameter`, `stripped`, `warning`, `dropped` ..."""
    text: str
    usage: Usage | None = None
    data: dict[str, Any] = field(default_factory=dict)
    type: Literal["noted"] = "noted"


@dataclass(frozen=True, slots=True)
class Finished:
    """The run ended; anything but *complete* may be resumed."""

    outcome: OutcomeName
    why: str = ""
    type: Literal["finished"] = "finished"


Fact = Began | Said | Asked | Accepted | Answered | Started | Returned | Ruled | Noted | Finished


@dataclass(frozen=True, slots=True)
class Record:
    """A fact in its envelope, as a ledger keeps it."""

    seq: int
    """Its place in the session, from 0."""
    at: float
    """Unix seconds, for people to read; order is by `seq` alone."""
    run: str
    fact: Fact


# --------------------------------------------------------------------------------------- deltas


@dataclass(frozen=True, slots=True)
class TextDelta:
    """More text of the answer; `item` is its place in the response's output."""

    text: str
    item: int = 0


@dataclass(frozen=True, slots=True)
class RefusalDelta:
    """More of the model's refusal."""

    text: str
    item: int = 0


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """More of what the model thinks, or of its summary."""

    text: str
    item: int = 0
    summary: bool = False


@dataclass(frozen=True, slots=True)
class ArgumentsDelta:
    """More of a call's arguments. For the eye only: nothing runs before the call is whole."""

    text: str
    item: int = 0
    name: str = ""


@dataclass(frozen=True, slots=True)
class ToolProgress:
    """A running tool says how far it is (`ToolContext.progress`)."""

    call: CallKey
    value: Any


@dataclass(frozen=True, slots=True)
class Retrying:
    """The request is sent again; the deltas since the last fact are void."""

    attempt: int
    """The number of the attempt that follows."""
    wait: float
    """Seconds until then."""
    why: str
    status: int | None = None
    """Of the answer that was no answer, such as 429; None if none came."""


Delta = TextDelta | RefusalDelta | ReasoningDelta | ArgumentsDelta | ToolProgress | Retrying

# ---------------------------------------------------------------------------------- stored form


@cache
def _facts() -> TypeAdapter[Fact]:
    from pydantic import ConfigDict, Field, TypeAdapter  # noqa: PLC0415  first use of a ledger file

    return TypeAdapter(
        Annotated[Fact, Field(discriminator="type")], config=ConfigDict(extra="ignore")
    )


_REPLACED: Final = "\ufffd".encode()
"""What pydantic writes in a key for what is no character; elsewhere it raises."""


def encode_record(record: Record) -> bytes:
    """A record as one line of JSON.

    Raises:
        StorageError: It holds text that is not valid Unicode.
    """
    from pydantic_core import PydanticSerializationError, to_json  # noqa: PLC0415

    try:
        fact = _facts().dump_python(record.fact, mode="json")
        line = to_json({"v": FORMAT, "seq": record.seq, "at": record.at, "run": record.run, **fact})
        if _REPLACED in line:
            given = _facts().dump_python(record.fact)
            json.dumps(given, ensure_ascii=False, default=_raw).encode()  # half a character raises
    except (PydanticSerializationError, UnicodeEncodeError) as error:
        raise StorageError(
            f"a {record.fact.type!r} fact cannot be written as JSON ({type(error).__name__}); "
            "text must be valid Unicode"
        ) from error
    return line


def _raw(value: Any) -> Any:
    return getattr(value, "raw", None) or str(value)


def decode_record(line: bytes | str) -> Record:
    """Read what `encode_record` wrote.

    Raises:
        StorageError: It is no record of ours, or of a newer version.
    """
    from pydantic import ValidationError  # noqa: PLC0415
    from pydantic_core import from_json  # noqa: PLC0415

    try:
        data = from_json(line)
    except ValueError as error:
        raise StorageError(f"a stored fact of {len(line)} bytes is not JSON") from error
    if not isinstance(data, dict) or not isinstance(data.get("v"), int):
        raise StorageError("a stored fact has no version 'v'; it was not written by toolstone")
    if data["v"] > FORMAT:
        raise StorageError(
            f"a stored fact has version {data['v']}; this toolstone reads up to {FORMAT}: upgrade"
        )
    seq, at, run = data.get("seq"), data.get("at"), data.get("run")
    if not (
        type(seq) is int
        and isinstance(at, int | float)
        and -_FAR < at < _FAR
        and isinstance(run, str)
    ):
        raise StorageError("a stored fact has a malformed envelope (seq, at, run)")
    try:
        fact = _facts().validate_python(data)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        raise StorageError(f"stored fact {seq}: {where}: {first['msg']}") from error
    return Record(seq, float(at), run, fact)


_FAR: Final = 1e15
"""No time is so many seconds away; NaN is no time either."""
