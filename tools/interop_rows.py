"""What is asked of every server, row by row: our client as users have it, unmodified.

A row returns nothing if all is well, or in what it was degraded; what it raises is why it fails.
Nothing depends on what the model says, only on what the protocol makes of it.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from interop_relay import cutting
from pydantic import BaseModel

from toolstone import (
    Agent,
    FailedError,
    OutputError,
    Request,
    Responses,
    ServiceError,
    Settings,
    StatusError,
    TransportError,
    TruncatedError,
    Unsupported,
)
from toolstone.bedrock import Dialect
from toolstone.chat import ChatCompletions
from toolstone.items import parse_item, user
from toolstone.parts import Image

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from interop_servers import Served

    from toolstone.events import Accepted, Delta
    from toolstone.items import Item
    from toolstone.ports import Profile, Response

SETTINGS = Settings(temperature=0, max_output_tokens=128)
TIMES = "Multiply 3 and 4."
TWICE = "Multiply 3 and 4. Multiply 6 and 2."
STORY = "Tell me a long story about a dog."
LONG_TURNS = 12
TOO_LONG = "word " * 9000
CUT_BYTES = 4000

TOO_SMALL = "the answer did not fit, also when asked again: a typed OutputError"
ROWS: dict[str, Callable[[Column], Awaitable[str | None]]] = {}


@dataclass(frozen=True)
class Column:
    """A server, asked by one of its two protocols."""

    served: Served
    api: Any

    @property
    def name(self) -> str:
        """Server and protocol."""
        return f"{self.served.name} {self.api}"

    def client(self, *, base_url: str = "", model: str = "", **changes: Any) -> Any:
        """The client, by the profile of the server's kind, some of it changed."""
        dialect, kind = Dialect.load(), self.served.name
        profile: Profile = replace(dialect.profile(kind, self.api), **changes)
        speaks = Responses if self.api == "responses" else ChatCompletions
        client = speaks(
            model=model or self.served.model,
            base_url=base_url or self.served.base_url,
            profile=profile,
        )
        client.failures = dialect.failures_of(kind)
        return client

    def agent(self, output: Any = str, *, client: Any = None, **options: Any) -> Agent[Any]:
        """An agent on it."""
        settings = SETTINGS | options.pop("settings", None)
        return Agent(client or self.client(), output=output, settings=settings, **options)

    async def respond(self, *items: Item, client: Any = None, **settings: Any) -> Response:
        """One request, without an agent."""
        request = Request(items=items, settings=SETTINGS | Settings(**settings))
        found: Response = await (client or self.client()).respond(request, nobody)
        return found


async def nobody(_deltas: Sequence[Delta | Accepted]) -> None:
    """Nobody watches."""


def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    return a * b


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


class Person(BaseModel):
    """Somebody."""

    name: str
    age: int


class Product(BaseModel):
    """What two numbers make."""

    product: int


def row(label: str) -> Callable[[Any], Any]:
    """Ask this of every server, under that name."""

    def keep(function: Callable[[Column], Awaitable[str | None]]) -> Any:
        ROWS[label] = function
        return function

    return keep


def must(holds: object, why: str) -> None:
    """What does not hold fails the row."""
    if not holds:
        raise AssertionError(why)


# ------------------------------------------------------------------------------------------ text


@row("plain text")
async def plain_text(column: Column) -> None:
    """An answer, whole."""
    result = await column.agent(instructions="Be brief.").run("Say hello.")
    must(result.output, "the answer is empty")


@row("streamed text")
async def streamed_text(column: Column) -> str | None:
    """The pieces add up to the answer."""
    async with column.agent().stream("Say hello.") as stream:
        pieces = [piece async for piece in stream.text()]
        result = await stream.result()
    must("".join(pieces) == result.output, "the pieces do not add up to the answer")
    return None if len(pieces) > 1 else "in one piece"


@row("usage, plain and streamed")
async def usage(column: Column) -> str | None:
    """Tokens are counted, and alike."""
    counts = []
    for stream in (False, True):
        result = await column.agent(settings=Settings(stream=stream)).run("Say hello.")
        counts.append((result.usage.input_tokens, result.usage.output_tokens))
    must(all(counts[0]), f"plain: {counts[0]} tokens in and out")
    must(all(counts[1]), f"streamed: {counts[1]} tokens in and out")
    return None if counts[0] == counts[1] else f"{counts[0]} plain, {counts[1]} streamed"


# ----------------------------------------------------------------------------------------- tools


def ran(result: Any, least: int = 1) -> list[Any]:
    """The calls that were carried out; the loop has ended."""
    done = [call for call in result.calls if not call.failed]
    must(len(done) >= least, f"{len(done)} of {len(result.calls)} calls were carried out")
    must(result.outcome == "complete" and result.output, "the loop did not end with an answer")
    return done


@row("one tool")
async def one_tool(column: Column) -> None:
    """A valid call, its output, an answer."""
    ran(await column.agent(tools=[multiply, add]).run(TIMES))


@row("one tool, streamed")
async def one_tool_streamed(column: Column) -> None:
    """The same as a stream."""
    async with column.agent(tools=[multiply, add]).stream(TIMES) as stream:
        ran(await stream.result())


async def _side_by_side(column: Column, *, stream: bool) -> str | None:
    settings = Settings(parallel_tool_calls=True, stream=stream)
    result = await column.agent(tools=[multiply, add], settings=settings).run(TWICE)
    calls = ran(result, 2)
    first = [call for call in calls if call.key.response == calls[0].key.response]
    return None if len(first) > 1 else "one call a turn"


@row("two calls at once")
async def parallel(column: Column) -> str | None:
    """Two calls of one response."""
    return await _side_by_side(column, stream=False)


@row("two calls at once, streamed")
async def parallel_streamed(column: Column) -> str | None:
    """The same as a stream."""
    return await _side_by_side(column, stream=True)


@row("history of several turns")
async def history(column: Column) -> None:
    """Each run goes on from the one before, its calls and their outputs included."""
    agent = column.agent(tools=[multiply, add])
    first = await agent.run(TIMES)
    second = await agent.run("Add 2 and 3.", after=first)
    third = await agent.run("Good morning!", after=second)
    ran(first)
    ran(second)
    must(third.output, "the last answer is empty")
    kinds = [item.type for item in third.items]
    must(kinds.count("function_call_output") >= 2, "calls of earlier runs are missing")  # noqa: PLR2004


@row("forced tool")
async def forced(column: Column) -> str | None:
    """The tool that is named is called, though another fits better."""
    settings = Settings(tool_choice="add")
    try:
        result = await column.agent(tools=[multiply, add], settings=settings).run(TIMES)
    except FailedError as error:
        if isinstance(error.__cause__, ServiceError):
            raise
        return "it cannot force, and the model went its own way: a typed FailedError"
    must(ran(result)[0].name == "add", "another tool was called")
    return None


@row("tools, but none to be called")
async def none_of_them(column: Column) -> None:
    """`tool_choice="none"` leaves an answer in words."""
    settings = Settings(tool_choice="none")
    result = await column.agent(tools=[multiply], settings=settings).run(TIMES)
    must(not result.calls and result.output, f"{len(result.calls)} calls")


# -------------------------------------------------------------------------------- structured output


async def _structured(column: Column, **changes: Any) -> str | None:
    agent = column.agent(Person, client=column.client(**changes))
    try:
        result = await agent.run("Ann is 30 years old. Give her name and age as JSON.")
    except OutputError:
        return TOO_SMALL
    must(isinstance(result.output, Person), "no object")
    asked = len(result.requests)
    return None if asked == 1 else f"asked {asked} times"


@row("object, as the profile has it")
async def as_known(column: Column) -> str | None:
    """Whatever works best here."""
    return await _structured(column)


@row("object, by schema")
async def by_schema(column: Column) -> str | None:
    """`text.format` or `response_format`."""
    return await _structured(column, output="native")


@row("object, by a tool")
async def by_tool(column: Column) -> str | None:
    """A final-answer tool."""
    return await _structured(column, output="tool")


@row("object, prompted")
async def prompted(column: Column) -> str | None:
    """The model is told the schema, and its answer is checked here."""
    return await _structured(column, output="prompted")


@row("object after a tool")
async def object_after_tool(column: Column) -> str | None:
    """Tools and an output type in one agent, as the profile has it."""
    try:
        result = await column.agent(Product, tools=[multiply]).run(TIMES)
    except OutputError:
        return TOO_SMALL
    called = any(call.name == "multiply" and not call.failed for call in result.calls)
    return None if called else "without the call"


# ------------------------------------------------------------------------------------------ limits


async def _cut(column: Column, *, stream: bool) -> None:
    settings = Settings(max_output_tokens=16, stream=stream)
    try:
        await column.agent(settings=settings).run(STORY)
    except TruncatedError as error:
        must(error.result is not None and error.result.partial, "what had arrived is not kept")
        return
    raise AssertionError("an answer that was cut off passes for whole")


@row("cut off by max_output_tokens")
async def truncated(column: Column) -> None:
    """It is told from a whole answer."""
    await _cut(column, stream=False)


@row("cut off, streamed")
async def truncated_streamed(column: Column) -> None:
    """The same as a stream."""
    await _cut(column, stream=True)


@row("long history")
async def long_history(column: Column) -> None:
    """Many turns go through."""
    told = "A dog went out, saw a cat, and came home again. " * 4
    turns = [item for _ in range(LONG_TURNS) for item in (user(told), said("I see."))]
    response = await column.respond(*turns, user("Say hello."))
    must(response.text, "the answer is empty")


def said(text: str) -> Item:
    """What the model said earlier."""
    part = {"type": "output_text", "text": text, "annotations": []}
    return parse_item({"type": "message", "role": "assistant", "content": [part]})


@row("more than the context holds")
async def too_long(column: Column) -> str | None:
    """A typed refusal."""
    if column.served.name == "transformers":
        return "not asked: so many words take it minutes"
    try:
        await column.respond(user(TOO_LONG), max_output_tokens=16)
    except StatusError as error:
        return None if error.means == "context" else f"{error.status}, not told from other errors"
    return "answered, with more than its model can read"


# ------------------------------------------------------------------------------------------ errors


@row("a wrong model name")
async def wrong_model(column: Column) -> str | None:
    """A typed refusal."""
    try:
        await column.respond(user("hi"), client=column.client(model="no-such-model"))
    except StatusError as error:
        return None if error.means == "model" else f"{error.status}, not told from other errors"
    return "answers whatever the name"


BROKEN: tuple[dict[str, Any], ...] = (
    {"type": "function_call", "call_id": "call_1", "name": "add", "arguments": '{"a":'},
    {"type": "function_call_output", "call_id": "call_1", "output": "not valid JSON"},
)


@row("a broken call in the history, mended")
async def broken_history(column: Column) -> None:
    """It goes back as the server can read it."""
    items = [parse_item(raw) for raw in BROKEN]
    response = await column.respond(user(TIMES), *items)
    must(response.status == "completed", response.status)


@row("a broken call, not mended")
async def broken_as_it_came(column: Column) -> str | None:
    """Without the profile's help: a typed refusal, at once."""
    client = column.client(reads_arguments=False)
    try:
        await column.respond(user(TIMES), *[parse_item(raw) for raw in BROKEN], client=client)
    except StatusError as error:
        return f"refused: {error.status}" + (", asked again in vain" if error.attempts > 1 else "")
    return None


@row("reasoning of another service")
async def foreign_reasoning(column: Column) -> None:
    """It does not break the request."""
    raw = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAA"}
    response = await column.respond(user("hi"), parse_item(raw), said("Hello."), user("Say hello."))
    must(response.text, "the answer is empty")


PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c4944415408d763f8cf"
    "c000000301010018dd8db00000000049454e44ae426082"
)


@row("an image, to a model without eyes")
async def image(column: Column) -> str | None:
    """A typed refusal."""
    try:
        await column.respond(user(["What is this?", Image(data=PIXEL)]))
    except (Unsupported, StatusError) as error:
        kind = getattr(error, "means", "gate")
        return None if kind == "gate" else f"{getattr(error, 'status', '')}, not told from others"
    return "answered without having seen it"


@row("state kept by the server")
async def state(column: Column) -> str | None:
    """It works, or is refused before anything is sent."""
    agent = column.agent(settings=Settings(state="server"))
    try:
        first = await agent.run("My name is Ann.")
        await agent.run("What is my name?", after=first)
    except Unsupported:
        return "not there: refused before sending"
    return None


# ------------------------------------------------------------------------------ broken connections


@row("a stream that breaks off")
async def broken_stream(column: Column) -> str | None:
    """Never taken for an answer; what had arrived is kept."""
    async with cutting(column.served.base_url, CUT_BYTES) as base_url:
        request = Request(items=(user(STORY),), settings=SETTINGS, stream=True)
        client = column.client(base_url=base_url)
        client.retry = replace(client.retry, attempts=1)
        try:
            await client.respond(request, nobody)
        except TransportError as error:
            return None if error.partial is not None else "what had arrived is not kept"
        except ServiceError as error:
            return f"told as {type(error).__name__}"
    raise AssertionError("an answer that broke off passes for whole")


@row("a running stream is cancelled")
async def cancelled(column: Column) -> None:
    """The connection is closed, and the server goes on serving."""
    agent = column.agent(settings=Settings(max_output_tokens=400))
    async with agent.stream(STORY) as stream:
        async for _ in stream.text():
            break
    async with asyncio.timeout(30):
        result = await column.agent().run("Say hello.")
    must(result.output, "the answer is empty")
