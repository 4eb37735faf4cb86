"""What the two sides say: message, call, output, reasoning, other. Lossless.

An item keeps the JSON object it came as; the names below are views of it. Whatever we do not
know goes back to the server unchanged (responses-api.md §4). An item is never changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic_core import PydanticSerializationError, core_schema, from_json, to_json

from toolstone import limits
from toolstone.errors import InputError
from toolstone.parts import Part, render_content

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import GetCoreSchemaHandler

__all__ = [
    "CallKey",
    "Content",
    "FunctionCall",
    "FunctionCallOutput",
    "Given",
    "Item",
    "Message",
    "Other",
    "Reasoning",
    "assistant",
    "developer",
    "input_items",
    "parse_item",
    "user",
]

JSON = dict[str, Any]


class CallKey(NamedTuple):
    """The identity of a call: which response of the session it stands in, and where.

    Wire ids repeat (Bedrock restarts `call_0` in every response); this does not.
    """

    response: int
    """The n-th answered response of the session, from 0."""
    position: int
    """The n-th call of that response, from 0."""

    def __str__(self) -> str:
        return f"{self.response}.{self.position}"

    @classmethod
    def parse(cls, text: str) -> CallKey:
        """Read what `str` wrote: `"3.1"`.

        Raises:
            InputError: It is not two numbers with a dot between.
        """
        response, dot, position = text.partition(".")
        if not (dot and response.isdecimal() and position.isdecimal()):
            raise InputError(f"call {text!r}: a call is named RESPONSE.POSITION, such as '3.1'")
        return cls(int(response), int(position))


class _Raw:
    """One JSON object of the conversation, and its bytes, rendered once."""

    __slots__ = ("raw", "rendered")

    def __init__(self, raw: JSON) -> None:
        self.raw = raw
        self.rendered: bytes | None = None
        """What `json` gave, once it was asked."""

    @property
    def json(self) -> bytes:
        """The item as JSON, ready to be spliced into a request body.

        Raises:
            InputError: It holds something JSON cannot say, such as a lone surrogate.
        """
        if self.rendered is None:
            try:
                self.rendered = to_json(self.raw, inf_nan_mode="constants")
                if b"NaN" in self.rendered or b"Infinity" in self.rendered:
                    from_json(self.rendered, allow_inf_nan=False)
            except (PydanticSerializationError, ValueError) as error:
                raise InputError(
                    f"an item of type {self.raw.get('type')!r} cannot be written as JSON: "
                    f"{type(error).__name__}; use plain JSON values and valid Unicode text"
                ) from error
        return self.rendered

    @property
    def type(self) -> str:
        """The item's type on the wire; a message may leave it out."""
        return str(self.raw.get("type", "message"))

    @property
    def id(self) -> str | None:
        """The server's name for the item, if it gave one."""
        found = self.raw.get("id")
        return found if isinstance(found, str) else None

    @property
    def status(self) -> str | None:
        """`in_progress`, `completed` or `incomplete`, if the server said."""
        found = self.raw.get("status")
        return found if isinstance(found, str) else None

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Raw) and self.raw == other.raw

    __hash__ = None  # type: ignore[assignment]  # an item is a JSON object, and those are not hashable

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.type}>"  # never its content

    @classmethod
    def __get_pydantic_core_schema__(
        cls, _source: Any, _handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(
            parse_item,
            core_schema.dict_schema(core_schema.str_schema(), core_schema.any_schema()),
            serialization=core_schema.plain_serializer_function_ser_schema(lambda item: item.raw),
        )


class Message(_Raw):
    """Somebody said something: `user`, `assistant`, `system` or `developer`."""

    __slots__ = ()

    @property
    def role(self) -> str:
        """Who speaks."""
        return str(self.raw.get("role", ""))

    @property
    def phase(self) -> str | None:
        """`commentary` or `final_answer`, where the model says so."""
        found = self.raw.get("phase")
        return found if isinstance(found, str) else None

    @property
    def parts(self) -> list[JSON]:
        """The content parts that are JSON objects, as they came."""
        content = self.raw.get("content")
        if isinstance(content, str):
            kind = "output_text" if self.role == "assistant" else "input_text"
            return [{"type": kind, "text": content}]
        return [p for p in content if isinstance(p, dict)] if isinstance(content, list) else []

    @property
    def text(self) -> str:
        """All text of the message, joined; a refusal is not text."""
        return "".join(part["text"] for part in self.parts if isinstance(part.get("text"), str))

    @property
    def refusal(self) -> str | None:
        """Why the model declined, if it did."""
        said = [p["refusal"] for p in self.parts if isinstance(p.get("refusal"), str)]
        return "".join(said) if said else None


class FunctionCall(_Raw):
    """The model wants a function called.

    Attributes:
        call_id: The wire's id of the call: echoed, never trusted.
        name: The function's name as the model wrote it.
        arguments: JSON text as the model wrote it, unchecked.
    """

    __slots__ = ("arguments", "call_id", "name")

    def __init__(self, raw: JSON) -> None:
        self.raw = raw
        self.rendered = None
        call_id, name, arguments = raw.get("call_id"), raw.get("name"), raw.get("arguments")
        self.call_id = call_id if type(call_id) is str else ""
        self.name = name if type(name) is str else ""
        self.arguments = arguments if type(arguments) is str else ""


class FunctionCallOutput(_Raw):
    """What came of a call: a string, or a list of content parts."""

    __slots__ = ()

    @property
    def call_id(self) -> str:
        """The wire's id of the call it answers."""
        return str(self.raw.get("call_id", ""))

    @property
    def output(self) -> str | list[JSON]:
        """Text, or content parts (`input_text`, `input_image`, `input_file`)."""
        found: str | list[JSON] = self.raw.get("output", "")
        return found


class Reasoning(_Raw):
    """What the model thought: a summary, raw text, or an opaque blob to replay."""

    __slots__ = ()

    @property
    def text(self) -> str:
        """The summary, or else the raw thoughts, as far as they are readable."""
        for key in ("summary", "content"):
            parts = self.raw.get(key)
            if isinstance(parts, list) and parts:
                return "\n".join(
                    p["text"]
                    for p in parts
                    if isinstance(p, dict) and isinstance(p.get("text"), str)
                )
        return ""


class Other(_Raw):
    """Anything else, carried unchanged."""

    __slots__ = ()


Item = Message | FunctionCall | FunctionCallOutput | Reasoning | Other

_TYPES: dict[str, type[Message | FunctionCall | FunctionCallOutput | Reasoning]] = {
    "message": Message,
    "function_call": FunctionCall,
    "function_call_output": FunctionCallOutput,
    "reasoning": Reasoning,
}


def parse_item(raw: JSON) -> Item:
    """Wrap a JSON object of the conversation in the view that fits it."""
    kind = raw.get("type")
    if kind is None and "role" in raw:
        return Message({"type": "message", **raw})  # Open Responses refuses a message without type
    return _TYPES[kind](raw) if type(kind) is str and kind in _TYPES else Other(raw)


Content = str | Part | Sequence[str | Part | JSON]
"""What a message may hold: text, a part, or several; a dict is a part as the wire has it."""


def user(content: Content) -> Message:
    """A user message from text or parts: `user(["What is this?", Image(path="x.png")])`.

    Raises:
        InputError: A file of it cannot be read, or something in it is too large or no part.
    """
    return _message("user", content)


def developer(content: Content) -> Message:
    """A developer message from text or parts; see `user`."""
    return _message("developer", content)


def assistant(text: str) -> Message:
    """An assistant message, for a history of your own making."""
    return _message("assistant", text)


def _message(role: str, content: Content) -> Message:
    plain = isinstance(content, str) and len(content) <= limits.TEXT_CHARACTERS
    said = content if plain else render_content(content)
    return Message({"type": "message", "role": role, "content": said})


Given = Item | Mapping[str, Any] | str | Part


def input_items(given: Given | Iterable[Given]) -> tuple[Item, ...]:
    """What a caller hands in as input, as items: text, one item, or several.

    Text and parts that stand side by side in a list are one user message.

    Raises:
        InputError: It is none of these, or a file cannot be read.
    """
    if isinstance(given, str):
        return (user(given),)
    if isinstance(given, _Raw | dict):
        return (_input_item(given),)
    if isinstance(given, Part):
        return (user([given]),)
    try:
        return tuple(_gathered(given))
    except TypeError as error:
        raise InputError(
            f"input of type {type(given).__name__!r}: give text, an item, or a list of items"
        ) from error


def _gathered(given: Iterable[Any]) -> Iterator[Item]:
    """The items of a list; what a user says in it in several pieces is one message."""
    said: list[str | Part | JSON] = []
    for one in given:
        if isinstance(one, str | Part):
            said.append(one)
            continue
        if said:
            yield user(said)
            said = []
        yield _input_item(one)
    if said:
        yield user(said[0] if len(said) == 1 and isinstance(said[0], str) else said)


def _input_item(one: object) -> Item:
    if isinstance(one, Message | FunctionCall | FunctionCallOutput | Reasoning | Other):
        return one
    if isinstance(one, dict):
        return parse_item(one)
    raise InputError(
        f"input holds a {type(one).__name__!r}: give text, items, Image, File, or dicts such as "
        '{"role": "user", "content": "..."}'
    )
