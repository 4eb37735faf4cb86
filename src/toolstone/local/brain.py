"""What thinks behind the local endpoint: the port, what it is asked, the pieces it answers."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import field
from typing import Any, Literal, Protocol, runtime_checkable

from toolstone._dataclass import dataclass

__all__ = [
    "Annotate",
    "Arguments",
    "Brain",
    "Call",
    "Choice",
    "Counting",
    "Custom",
    "Decline",
    "End",
    "Hosting",
    "Input",
    "Item",
    "Message",
    "Piece",
    "Reasoning",
    "RefusalError",
    "Settle",
    "Summary",
    "Text",
    "Thought",
    "Turn",
    "Usage",
]


@dataclass(frozen=True, slots=True)
class Choice:
    """What `tool_choice` comes to: whether a call may or must be made, and of which tools."""

    mode: Literal["none", "auto", "required"]
    names: tuple[str, ...]  # the function and custom tools that may be called, as offered


@dataclass(frozen=True, slots=True)
class Turn:
    """One request that passed every check, its history resolved.

    `body` is the JSON as it came; `items` is the whole conversation, oldest first, every item
    with its `type`, what `previous_response_id` stands for included.
    """

    body: Mapping[str, Any] = field(repr=False)
    items: Sequence[Mapping[str, Any]] = field(repr=False)
    choice: Choice

    @property
    def model(self) -> str:
        """The model that was asked for."""
        return str(self.body["model"])

    @property
    def instructions(self) -> str:
        """The instructions of this request, empty if it brings none."""
        return self.body.get("instructions") or ""

    @property
    def tools(self) -> list[Mapping[str, Any]]:
        """The function tools that may be called in this turn."""
        offered = self.body.get("tools") or []
        return [t for t in offered if t["type"] == "function" and t["name"] in self.choice.names]

    @property
    def custom_tools(self) -> list[Mapping[str, Any]]:
        """The custom tools, which take text as it is, that may be called in this turn."""
        offered = self.body.get("tools") or []
        return [t for t in offered if t["type"] == "custom" and t["name"] in self.choice.names]

    @property
    def parallel(self) -> bool:
        """Whether more than one call may be made."""
        return self.body.get("parallel_tool_calls") is not False

    @property
    def format(self) -> Mapping[str, Any]:
        """The `text.format` asked for; `{"type": "text"}` if none is."""
        return (self.body.get("text") or {}).get("format") or {"type": "text"}

    @property
    def max_output_tokens(self) -> int | None:
        """The cap on generated tokens, if there is one."""
        return self.body.get("max_output_tokens")


@dataclass(frozen=True, slots=True)
class Message:
    """Open a message; text that comes without one opens its own."""

    phase: str | None = None
    id: str | None = None  # None: the server makes one up


@dataclass(frozen=True, slots=True)
class Text:
    """More of the open message's text, with the likelihoods of its tokens if they are known."""

    delta: str
    logprobs: Sequence[Mapping[str, Any]] = ()  # as the wire has them; told if asked for


@dataclass(frozen=True, slots=True)
class Annotate:
    """Annotate the open text: a `url_citation`, a `file_citation`, as the wire has it."""

    annotation: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Decline:
    """More of a refusal, inside the open message."""

    delta: str


@dataclass(frozen=True, slots=True)
class Call:
    """Open a call of a function; its arguments follow."""

    name: str
    call_id: str | None = None  # None: the server makes one up
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Arguments:
    """More of the open call's arguments, as JSON text."""

    delta: str


@dataclass(frozen=True, slots=True)
class Custom:
    """Open a call of a custom tool; its input follows."""

    name: str
    call_id: str | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Input:
    """More of the open custom call's input, as it is."""

    delta: str


@dataclass(frozen=True, slots=True)
class Reasoning:
    """Open an item of reasoning; thoughts that come without one open their own."""

    id: str | None = None


@dataclass(frozen=True, slots=True)
class Thought:
    """More of the raw thoughts."""

    delta: str


@dataclass(frozen=True, slots=True)
class Summary:
    """More of the summary of the thoughts; another `part` opens the next part."""

    delta: str
    part: int = 0


@dataclass(frozen=True, slots=True)
class Item:
    """An output item that arrives whole, of any type; it needs a `type`, and gets an `id`."""

    item: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Settle:
    """Close the open item as this: it stands in the output just so, with the open one's id."""

    item: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens read and written, as the brain counted them."""

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    cache_write_tokens: int = 0


@dataclass(frozen=True, slots=True)
class End:
    """The answer is over. Nothing may follow, and no answer goes without it."""

    usage: Usage = Usage()
    status: Literal["completed", "incomplete", "failed"] = "completed"
    reason: str | None = None  # of incomplete: max_output_tokens, content_filter
    error: Mapping[str, str] | None = None  # of failed: code and message
    service_tier: str | None = None  # that served it; None: `default`


Piece = (
    Message
    | Text
    | Annotate
    | Decline
    | Call
    | Arguments
    | Custom
    | Input
    | Reasoning
    | Thought
    | Summary
    | Item
    | Settle
    | End
)


class RefusalError(Exception):
    """A request that is answered with an HTTP error in OpenAI's envelope.

    Args:
        status: The HTTP status.
        code: The machine's word for it, such as `invalid_value`.
        message: What was wrong and what would be right.
        param: The path of the field that is at fault, such as `tools[0].name`.
        kind: The envelope's `type`; from the status if not given.
        headers: Sent along, such as `retry-after`.
        body: Sent instead of the envelope, byte for byte.
    """

    def __init__(
        self,
        status: int,
        code: str | None,
        message: str,
        param: str | None = None,
        *,
        kind: str | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.param = param
        self.kind = kind or _kind(status)
        self.headers = dict(headers or {})
        self.body = body

    def envelope(self) -> dict[str, Any]:
        """Give the JSON body: `{"error": {message, type, param, code}}`."""
        return {
            "error": {
                "message": self.message,
                "type": self.kind,
                "param": self.param,
                "code": self.code,
            }
        }


def _kind(status: int) -> str:
    known = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}
    return known.get(status, "server_error" if status >= 500 else "invalid_request_error")  # noqa: PLR2004  the border HTTP draws


class Brain(Protocol):
    """Anything that can answer a turn."""

    @property
    def models(self) -> Sequence[str]:
        """The model names it answers to; empty: any name."""
        ...

    def answer(self, turn: Turn) -> AsyncIterator[Piece]:
        """Answer, piece by piece, `End` last.

        Raises:
            RefusalError: Before the first piece: the HTTP error to send. After it: the response
                fails with that code and message.
        """
        ...

    async def close(self) -> None:
        """Let go of what is held. Called once, when the server stops."""
        ...


@runtime_checkable
class Counting(Protocol):
    """A brain that can count what it would read."""

    async def count(self, turn: Turn) -> int:
        """Count the tokens of a turn: its items, instructions and tools."""
        ...


@runtime_checkable
class Hosting(Protocol):
    """A brain that runs tools itself, so that requests may declare them."""

    @property
    def hosted(self) -> Collection[str]:
        """The types of tools it runs or passes on, such as `web_search`; `*`: any.

        `*` also lets pass what points at files that are kept elsewhere (`file_id`).
        """
        ...
