"""What a scripted answer can be, and how it is recited piece by piece."""

import asyncio
import json
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from dataclasses import field
from typing import Any, Final, Literal, TypeAlias, TypeGuard

from toolstone._dataclass import dataclass
from toolstone.errors import ConfigError
from toolstone.local import counting
from toolstone.local.brain import (
    Annotate,
    Arguments,
    Call,
    Custom,
    Decline,
    End,
    Input,
    Item,
    Message,
    Piece,
    Reasoning,
    RefusalError,
    Summary,
    Text,
    Thought,
    Turn,
    Usage,
)

__all__ = [
    "Answer",
    "Say",
    "Scripted",
    "answer",
    "call",
    "custom",
    "empty",
    "error",
    "estimate",
    "failed",
    "incomplete",
    "is_part",
    "item",
    "message",
    "pieces_of",
    "recite",
    "refusal",
    "thought",
]


CHUNK: Final = 12
"""Characters in a piece, if nothing else is said."""


@dataclass(frozen=True, slots=True)
class Scripted:
    """A call the script makes. `arguments` is the JSON text as it shall stand on the wire."""

    name: str
    arguments: str = "{}"
    call_id: str | None = None


@dataclass(frozen=True, slots=True)
class Spoken:
    """A message with more than its text; see `message`."""

    text: str
    phase: str | None = None
    annotations: Sequence[Mapping[str, Any]] = ()
    logprob: float | None = None


@dataclass(frozen=True, slots=True)
class Typed:
    """A call of a custom tool; see `custom`."""

    name: str
    text: str
    call_id: str | None = None


@dataclass(frozen=True, slots=True)
class Thinking:
    """An item of reasoning; see `thought`."""

    text: str = ""
    summary: Sequence[str] = ()


Part: TypeAlias = str | Scripted | Spoken | Typed | Thinking | Decline | Item | Mapping[str, Any]
"""Text, a call, a refusal, an item of any type, or a dict that is said as JSON text."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a script, in full.

    Args:
        parts: What it says, in order.
        status: How it ends.
        reason: Why it is incomplete.
        fault: Of a failed answer, `{"code", "message"}`.
        refused: Answer with this HTTP error instead.
        usage: The tokens to report; counted from the text's length if not given.
        delay: Seconds before the first piece.
        pause: Seconds between pieces.
        chunk: Characters in a piece.
    """

    parts: Sequence[Part] = ()
    status: Literal["completed", "incomplete", "failed"] = "completed"
    reason: str | None = None
    fault: Mapping[str, str] | None = None
    refused: RefusalError | None = field(default=None, compare=False)
    usage: Usage | None = None
    delay: float = 0.0
    pause: float = 0.0
    chunk: int = CHUNK


Say: TypeAlias = Part | Answer | Sequence[Part]
"""What may stand for an answer: one part, several, or the answer in full."""


def answer(
    *parts: Part,
    usage: Usage | None = None,
    delay: float = 0.0,
    pause: float = 0.0,
    chunk: int = CHUNK,
) -> Answer:
    """Say these parts, slowly or with these tokens reported."""
    return Answer(parts, usage=usage, delay=delay, pause=pause, chunk=chunk)


def call(name: str, /, **arguments: Any) -> Scripted:
    """Call a function: `call("weather", city="Paris")`."""
    return Scripted(name, json.dumps(arguments, ensure_ascii=False))


def custom(name: str, text: str, /, *, call_id: str | None = None) -> Typed:
    """Call a custom tool with this text, as it is."""
    return Typed(name, text, call_id)


def message(
    text: str,
    *,
    phase: str | None = None,
    annotations: Sequence[Mapping[str, Any]] = (),
    logprob: float | None = None,
) -> Spoken:
    """Say a text with what may stand beside it.

    Args:
        text: What is said.
        phase: `commentary` or `final_answer`.
        annotations: Citations and the like, as the wire has them.
        logprob: The likelihood of each piece, told to who asks for `logprobs`.
    """
    return Spoken(text, phase, annotations, logprob)


def thought(text: str = "", *, summary: str | Sequence[str] = ()) -> Thinking:
    """Think: raw thoughts, a summary of one or more parts, or both."""
    return Thinking(text, [summary] if isinstance(summary, str) else summary)


def item(**fields: Any) -> Item:
    """Say an output item as it is, of any type: `item(type="reasoning", summary=[])`."""
    return Item(fields)


def refusal(text: str) -> Decline:
    """Decline: a `refusal` part instead of text, in a response that is completed."""
    return Decline(text)


def empty() -> Answer:
    """Complete with no output at all."""
    return Answer()


def incomplete(*parts: Part, reason: str = "max_output_tokens") -> Answer:
    """Break off after these parts; the last one is incomplete."""
    return Answer(parts, status="incomplete", reason=reason)


def failed(*parts: Part, code: str = "server_error", message: str = "the script fails") -> Answer:
    """Answer 200 and fail after these parts, as `response.failed`."""
    return Answer(parts, status="failed", fault={"code": code, "message": message})


def error(
    status: int,
    code: str | None = None,
    message: str = "the script refuses",
    param: str | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
) -> Answer:
    """Answer with an HTTP error in OpenAI's envelope, or with `body` byte for byte."""
    refused = RefusalError(status, code, message, param, headers=headers, body=body)
    return Answer(refused=refused)


async def recite(said: Say, turn: Turn) -> AsyncGenerator[Piece]:
    """Give an answer piece by piece, its delays kept, `End` last."""
    whole = whole_answer(said)
    if whole.delay:
        await asyncio.sleep(whole.delay)
    if whole.refused is not None:
        raise whole.refused
    for part in whole.parts:
        for piece in pieces_of(part, whole.chunk):
            yield piece
            if whole.pause:
                await asyncio.sleep(whole.pause)
    usage = whole.usage or estimate(turn, "".join(map(str, whole.parts)))
    yield End(usage, whole.status, whole.reason, whole.fault)


def whole_answer(said: Say) -> Answer:
    """Spell out what stands for an answer.

    Raises:
        ConfigError: It is nothing a script can say.
    """
    if isinstance(said, Answer):
        return said
    if is_part(said):
        return Answer((said,))
    if isinstance(said, Sequence):
        for part in said:
            if not is_part(part):
                raise ConfigError(_unsayable(part))
        return Answer(tuple(said))
    raise ConfigError(_unsayable(said))


def is_part(said: object) -> TypeGuard[Part]:
    """Tell whether this is one thing that can be said."""
    return isinstance(said, str | Scripted | Spoken | Typed | Thinking | Decline | Item | Mapping)


def _unsayable(part: object) -> str:
    return (
        f"a script cannot say a {type(part).__name__}; "
        "give text, call(...), a dict for JSON, a list of these, or answer(...)"
    )


def pieces_of(part: Part, chunk: int = CHUNK) -> Iterator[Piece]:
    """Cut a part into pieces of so many characters."""
    match part:
        case Item():
            yield part
        case Scripted(name, arguments, call_id):
            yield Call(name, call_id)
            yield from (Arguments(cut) for cut in _cuts(arguments, chunk))
        case Typed(name, text, call_id):
            yield Custom(name, call_id)
            yield from (Input(cut) for cut in _cuts(text, chunk))
        case Thinking(text, summary):
            yield Reasoning()
            for n, each in enumerate(summary):
                yield from (Summary(cut, n) for cut in _cuts(each, chunk))
            yield from (Thought(cut) for cut in _cuts(text, chunk) if text)
        case Decline(delta):
            yield Message()
            yield from (Decline(cut) for cut in _cuts(delta, chunk))
        case Spoken(text, phase, annotations, logprob):
            yield Message(phase)
            yield from (Text(cut, _weighed(cut, logprob)) for cut in _cuts(text, chunk))
            yield from (Annotate(each) for each in annotations)
        case _:
            yield Message()
            text = part if isinstance(part, str) else json.dumps(part, ensure_ascii=False)
            yield from (Text(cut) for cut in _cuts(text, chunk))


def _weighed(cut: str, logprob: float | None) -> Sequence[Mapping[str, Any]]:
    if logprob is None:
        return ()
    spelled = list(cut.encode("utf-8", "replace"))
    return [{"token": cut, "logprob": logprob, "bytes": spelled, "top_logprobs": []}]


def _cuts(text: str, size: int) -> Iterator[str]:
    yield from (text[at : at + size] for at in range(0, len(text) or 1, max(size, 1)))


def estimate(turn: Turn, written: str) -> Usage:
    """Count four characters as one token: steady, and never zero for something said."""
    read = counting.estimate([list(turn.items), turn.instructions, turn.body.get("tools")])
    return Usage(read, -(-len(written) // 4))
