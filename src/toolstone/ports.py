"""What can be plugged in: Model, Ledger, Observer; and the Request and Response between them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import field, fields, replace
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, runtime_checkable

from toolstone._dataclass import dataclass
from toolstone.items import FunctionCall, Message
from toolstone.usage import Usage

if TYPE_CHECKING:
    from toolstone.events import Accepted, Delta, Fact, Noted, Record
    from toolstone.items import Item

__all__ = [
    "Emit",
    "Ledger",
    "Model",
    "Observer",
    "OutputFormat",
    "Profile",
    "Request",
    "Response",
    "Settings",
    "ToolSpec",
]

Emit = Callable[[Sequence["Delta | Accepted"]], Awaitable[None]]
"""Where a model puts what is fleeting: all deltas of one network read at once.

`Accepted`, alone in its batch, is no delta: it is kept, so that another process can go on waiting.
"""


@dataclass(frozen=True, slots=True, eq=False)
class ToolSpec:
    """A tool as the model sees it. Compared by identity, so that renderings can be cached."""

    name: str
    description: str
    parameters: Mapping[str, Any]
    """JSON Schema of the arguments object."""
    strict: bool
    raw: Mapping[str, Any] | None = None
    """The whole definition as the wire has it, for a tool that is no function: custom, hosted."""


@dataclass(frozen=True, slots=True, eq=False)
class OutputFormat:
    """The schema an answer must fit, for endpoints that enforce one (`text.format`)."""

    name: str
    schema: Mapping[str, Any]
    strict: bool
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """Parameters of a request; what is None is not sent (responses-api.md §2).

    Attributes:
        temperature: 0 to 2.
        top_p: 0 to 1.
        max_output_tokens: At least 16; hidden reasoning counts too.
        tool_choice: `auto`, `none`, `required`, a tool's name, or the object of §7. A choice that
            forces a call is reset to `auto` once the call has happened.
        parallel_tool_calls: Whether the model may make several calls in one turn.
        effort: Reasoning effort: `none`, `low`, `medium`, `high` ...
        summary: Reasoning summary: `auto`, `concise`, `detailed`.
        verbosity: `low`, `medium`, `high`.
        json_mode: Whether the answer must be some JSON object; the input must say "JSON" (§8). For
            one of a known shape give the agent an output type instead.
        service_tier: `auto`, `default`, `flex`, `priority` ...; what was used stands in the result.
        background: Whether the service works on it without a connection held open: it is polled,
            and another process may go on waiting for it (§10). Implies `store`.
        store: Whether the service keeps the response; False unless said otherwise.
        state: `local` replays the history each turn; `server` sends only what is new and names the
            previous response (implies `store`).
        conversation: Id of a conversation that the service keeps (OpenAI); excludes `state`.
        compact_threshold: Tokens beyond which the service itself compacts the history (OpenAI §13).
        include: Extra output, such as `reasoning.encrypted_content`.
        top_logprobs: 0 to 20, beside `include=["message.output_text.logprobs"]`.
        max_tool_calls: How many tool calls of one response are carried out, at least 1. Each side
            counts its own: the service those of its hosted tools (§2; Bedrock does not), toolstone
            those of yours, on every endpoint: the model is told that the others were not.
        truncation: `auto` or `disabled`.
        metadata: Up to 16 pairs of text.
        safety_identifier: Who the end user is, opaque, up to 64 characters.
        prompt_cache_key: A hint for cache hits, up to 64 characters.
        prompt_cache_options: `{"mode": "explicit", "ttl": "30m"}` and the like (§2);
            breakpoints are set in the content, see `toolstone.Text`.
        stream: Whether HTTP streams also when nobody watches; None decides by the door used.
        extra: Body fields of your own, sent as they are and last.
    """

    temperature: float | None = None
    top_p: float | None = None
    max_output_tokens: int | None = None
    tool_choice: str | Mapping[str, Any] | None = None
    parallel_tool_calls: bool | None = None
    effort: str | None = None
    summary: str | None = None
    verbosity: str | None = None
    json_mode: bool | None = None
    service_tier: str | None = None
    background: bool | None = None
    store: bool | None = None
    state: Literal["local", "server"] | None = None
    conversation: str | None = None
    compact_threshold: int | None = None
    include: Sequence[str] | None = None
    top_logprobs: int | None = None
    max_tool_calls: int | None = None
    truncation: str | None = None
    metadata: Mapping[str, str] | None = None
    safety_identifier: str | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: Mapping[str, Any] | None = None
    stream: bool | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __or__(self, other: Settings | None) -> Settings:
        """These settings, with whatever `other` sets in their place."""
        if other is None:
            return self
        said = {f.name: v for f in fields(other) if (v := getattr(other, f.name)) is not None}
        said["extra"] = {**self.extra, **other.extra}
        return replace(self, **said)


NO_SETTINGS: Final = Settings()
ONE_REQUEST: Final = Usage(requests=1)


@dataclass(frozen=True, slots=True)
class Profile:
    """What an endpoint can and cannot do, as data.

    Attributes:
        name: The endpoint's name, for messages.
        output: How it gives structured output: `native` (enforces `text.format`), `tool` (calls a
            final-answer tool) or `prompted` (is told the schema and trusted to follow).
        refuses: Parameters the server refuses although toolstone always sends them, such as
            `store` or `strict`; they are left out.
        idle: Seconds of silence between semantic events of a stream that are still normal.
        keeps_item_ids: Whether items go back with the ids they came with.
        replays_thoughts: Whether raw thoughts (`content` of reasoning items) go back; llama.cpp
            wants them, Open Responses refuses them.
        junk: Trailing text after a call's arguments that this endpoint is known to add.
        output_with_tools: The same where tools are offered beside, if that makes a difference: some
            servers enforce a schema from the first word on, and no call can be made.
        schema_field: The body field that a schema goes into: `text` (as `text.format`), or
            `response_format` as in Chat Completions.
        ignores: Parameters that it takes without effect; a `tool_choice` that names tools is then
            said by offering those alone.
        hides_cuts: Whether it says `completed` of an answer that `max_output_tokens` cut off; an
            answer of that length then counts as cut off.
        reads_arguments: Whether it reads the arguments of calls in the history, and breaks on those
            that are no JSON; these go back as `{}`.
        spelt: How it calls what Chat Completions calls otherwise: roles and body fields, such as
            `{"max_completion_tokens": "max_tokens"}`. Two words count only if they stand here:
            `developer` (else such a message is said as `system`, which every server knows) and
            `allowed_tools` (else the other tools are not offered).
        thought_tag: The tag that raw thoughts stand in before the text, in Chat Completions, such
            as `reasoning` or `think`; they become a reasoning item.
        resumes: Whether a broken stream of a background response can be taken up where it stopped
            (`GET ...?stream=true&starting_after=N`); where it cannot, the response is polled.
        unsupported: What it cannot do, by the names in `docs/capabilities.md`, each with what to do
            instead; a request that needs it raises `Unsupported` before anything is sent.
    """

    name: str = "responses"
    output: Literal["native", "tool", "prompted"] = "native"
    output_with_tools: Literal["native", "tool", "prompted"] | None = None
    schema_field: Literal["text", "response_format"] = "text"
    refuses: frozenset[str] = frozenset()
    idle: float | None = None
    keeps_item_ids: bool = True
    replays_thoughts: bool = False
    junk: tuple[str, ...] = ()
    ignores: frozenset[str] = frozenset()
    hides_cuts: bool = False
    reads_arguments: bool = False
    spelt: Mapping[str, str] = field(default_factory=dict)
    thought_tag: str = ""
    resumes: bool = False
    unsupported: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Request:
    """What goes to a model."""

    items: Sequence[Item]
    """The history in order; each item's bytes are rendered once and spliced."""
    instructions: str | None = None
    tools: tuple[ToolSpec, ...] = ()
    """The same tuple object every turn as long as the tools are the same."""
    tool_choice: str | Mapping[str, Any] | None = None
    output: OutputFormat | None = None
    settings: Settings = NO_SETTINGS
    stream: bool = False
    """Whether HTTP streams. The response is the same either way."""
    previous: str | None = None
    """Id of the response to go on from; `items` then holds only what is new."""
    whole: Sequence[Item] | None = None
    """The whole history beside `previous`, for when the server has lost that response."""
    accepted: str | None = None
    """Id of a background response that was taken already: it is waited for, not asked for anew."""


@dataclass(frozen=True, slots=True)
class Response:
    """What comes back: whole, with a terminal status, or an exception was raised instead."""

    id: str
    status: str
    """`completed`, `incomplete`, `failed`, `cancelled`, or a word we do not know."""
    items: tuple[Item, ...]
    usage: Usage = ONE_REQUEST
    model: str = ""
    reason: str | None = None
    """`incomplete_details.reason`."""
    error: Mapping[str, Any] | None = field(default=None, repr=False)
    service_tier: str | None = None
    """The tier that was used, as the server says; not always the one asked for."""
    endpoint: str = ""
    """The origin that answered: encrypted reasoning is of use there alone."""
    notes: tuple[Noted, ...] = ()
    """What the client noticed on the way: failed attempts, parameters dropped, junk stripped."""
    sent: bytes = field(default=b"", repr=False)
    """The exact body of the request that was answered."""
    received: bytes = field(default=b"", repr=False)
    """The exact body of the answer; of a stream, the response in its terminal event."""

    @property
    def text(self) -> str:
        """The answer: the messages marked `final_answer`, else all of them, joined."""
        said = [item for item in self.items if type(item) is Message]
        final = [message for message in said if message.phase == "final_answer"]
        return "".join(message.text for message in final or said)

    @property
    def calls(self) -> tuple[FunctionCall, ...]:
        """The function calls, in order."""
        return tuple(item for item in self.items if type(item) is FunctionCall)


@runtime_checkable
class Model(Protocol):
    """Something that answers a request. It may carry a `profile`; without one, the default.

    What else a model may have: `origin` (where it is: encrypted reasoning of other origins is not
    sent to it), `cancel(response_id)` (stops a background response), `aclose()`.
    """

    async def respond(self, request: Request, emit: Emit, /) -> Response:
        """Answer the request.

        Whole or not at all: a response has a terminal status. Deltas go to `emit` as they arrive,
        also when the request does not stream (then none or all at once). Of a background response
        the id goes there first (`Accepted`); a request with `accepted` is only waited for.

        Raises:
            ServiceError: The other side did not answer as it should. Its `outcome` is `unknown` if
                the response may still be coming: then it is not asked for again.
        """
        ...


@runtime_checkable
class Ledger(Protocol):
    """Where facts are kept. `toolstone.testing.check_ledger` is its contract as tests.

    What else a ledger may have: `hold(session)`, which raises ConflictError while somebody else
    runs the session, and `release(session)`.
    """

    async def load(self, session: str, /) -> Sequence[Record]:
        """All records of a session in order; empty if there is none.

        Raises:
            StorageError: It cannot be read.
        """
        ...

    async def append(self, session: str, records: Sequence[Record], /) -> None:
        """Keep records, all or none; the first one's `seq` must be the session's length.

        Returns when they survive what the ledger promises to survive.

        Raises:
            ConflictError: Somebody else has appended meanwhile.
            StorageError: It cannot be written.
        """
        ...


@runtime_checkable
class Observer(Protocol):
    """Somebody who watches. What an observer raises is logged and changes nothing."""

    def observe(self, run: str, event: Fact | Delta, /) -> None:
        """See one event; called in order, on the run's event loop: be quick."""
        ...
