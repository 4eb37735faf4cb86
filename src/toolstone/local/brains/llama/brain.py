"""The brain that is a real small model: what to do in a turn, and the pieces it is told in."""

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

from toolstone import limits
from toolstone.local.brain import (
    Arguments,
    Call,
    Custom,
    End,
    Input,
    Message,
    Piece,
    RefusalError,
    Text,
    Turn,
    Usage,
)
from toolstone.local.brains.llama.choose import (
    Planned,
    best_call,
    plan_calls,
)
from toolstone.local.brains.llama.custom import (
    as_function,
    callable_tools,
    check_tools,
    input_of,
    is_custom,
)
from toolstone.local.brains.llama.engine import Engine
from toolstone.local.brains.llama.fill import Filler, is_valid
from toolstone.local.brains.llama.fit import fills, own_words
from toolstone.local.brains.llama.grammar import (
    InexpressibleError,
    answer_grammar,
    json_grammar,
    resolve,
)
from toolstone.local.brains.llama.history import Conversation, check_read, read_conversation
from toolstone.local.brains.llama.prompts import (
    arguments_prompt,
    chat_prompt,
    extraction_prompt,
    facts_prompt,
)
from toolstone.local.weights import NAME, model_file

__all__ = ["Llama"]

Schema = Mapping[str, Any]

_NO_PARAMETERS: Schema = {"type": "object", "properties": {}}


class Llama:
    """SmolLM2-135M-Instruct, or any other GGUF, held to tools and schemas by grammars of our own.

    A turn is either text or calls of offered tools with arguments that fit; `tool_choice`,
    `parallel_tool_calls` and `text.format` are obeyed by construction. Greedy: the same request
    has the same answer.

    Args:
        model: The GGUF file; the pinned small model, fetched once, if not given.
        name: What it answers to; the file's own name if not given.

    Raises:
        ConfigError: The extra is missing, or there is no model file and it cannot be fetched.
    """

    def __init__(self, model: Path | None = None, *, name: str | None = None) -> None:
        self.models: Sequence[str] = (name or (model.stem if model else NAME),)
        self._engine = Engine(model_file() if model is None else model)
        self._compiled: set[str] = set()

    async def close(self) -> None:
        """Unload the model."""
        await self._engine.close()

    async def count(self, turn: Turn) -> int:
        """Count what would be read, in the model's own tokens; the usage says the same number."""
        check_tools(turn)
        return await self._count(read_conversation(turn).transcript)

    async def answer(self, turn: Turn) -> AsyncIterator[Piece]:
        """Say text, or make calls."""
        check_tools(turn)
        unread = check_read(turn)
        await self._check_schemas(turn)
        conversation = read_conversation(turn)
        read = await self._count(conversation.transcript)
        meter = _Meter(self._engine, read, turn.max_output_tokens or limits.LOCAL_ANSWER_TOKENS)
        if meter.left <= 0 or read > limits.LOCAL_CONTEXT_TOKENS - 1024:
            raise RefusalError(
                400,
                "context_length_exceeded",
                f"the input has {read} tokens; this model reads "
                f"{limits.LOCAL_CONTEXT_TOKENS - 1024}",
                "input",
            )
        said = self._pieces(turn, conversation) if unread is None else _confess(unread)
        async for piece in meter.metered(said):
            yield piece

    async def _pieces(self, turn: Turn, conversation: Conversation) -> AsyncIterator[Piece | End]:
        calls = await self._calls(turn, conversation)
        if calls:
            for call in calls:
                async for said in self._call(call, calls, conversation):
                    yield said
            return
        yield Message()
        if turn.format["type"] == "text":
            async for text in self._prose(turn, conversation):
                yield text
            return
        async for piece in self._json(turn, conversation):
            yield Text(piece)

    async def _calls(self, turn: Turn, conversation: Conversation) -> Sequence[Planned]:
        """Decide what is still to be called: what the request comes to, less what was called."""
        tools = callable_tools(turn)
        if turn.choice.mode == "none" or not tools:
            return ()
        planned = await plan_calls(self._engine, conversation.request, tools, needs=_needs(turn))
        left = _left(planned, conversation.called)
        if not left and turn.choice.mode == "required":
            left = [await best_call(self._engine, conversation.request, tools)]
        return left if turn.parallel else left[:1]

    async def _call(
        self, call: Planned, calls: Sequence[Planned], conversation: Conversation
    ) -> AsyncIterator[Piece]:
        name = call.tool["name"]
        if is_custom(call.tool):
            filled = [piece async for piece in self._arguments(call, calls, conversation)]
            yield Custom(name)
            yield Input(input_of("".join(filled)))
            return
        yield Call(name)
        async for piece in self._arguments(call, calls, conversation):
            yield Arguments(piece)

    async def _arguments(
        self, call: Planned, calls: Sequence[Planned], conversation: Conversation
    ) -> AsyncIterator[str]:
        schema = call.tool.get("parameters") or _NO_PARAMETERS
        clause = call.clause if fills(call.tool, call.clause) else conversation.request
        prompt = arguments_prompt(call.tool, clause)
        asking = [word for each in calls for word in own_words(each.tool, clause)]
        filler = Filler(self._engine, prompt, schema, clause, without=asking)
        async for piece in filler.fill():
            yield piece
        _check(filler.said, schema)

    async def _json(self, turn: Turn, conversation: Conversation) -> AsyncIterator[str]:
        schema = turn.format.get("schema") or {"type": "object", "additionalProperties": True}
        filler = Filler(
            self._engine,
            extraction_prompt(conversation.request),
            schema,
            conversation.request,
            conversation.facts,
        )
        async for piece in filler.fill():
            yield piece
        _check(filler.said, schema)

    async def _prose(self, turn: Turn, conversation: Conversation) -> AsyncIterator[Text | End]:
        tokens = turn.max_output_tokens or limits.LOCAL_ANSWER_TOKENS
        grammar = None
        if conversation.returned:
            prompt = facts_prompt(conversation.request, conversation.returned, turn.instructions)
            grammar = answer_grammar(conversation.values, conversation.request)
        else:
            prompt = chat_prompt(conversation.messages, turn.instructions)
        said, last = 0, ""
        async with aclosing(self._engine.stream(prompt, grammar, tokens=tokens)) as written:
            async for piece in written:
                if not isinstance(piece, str):
                    if not piece.ended:
                        yield End(status="incomplete", reason="max_output_tokens")
                    return
                enough = turn.max_output_tokens is None and said >= limits.LOCAL_PROSE_TOKENS
                if enough and last.endswith((".", "!", "?", '"')) and piece[:1].isspace():
                    return  # nobody has said how long it may be: a sentence is over
                yield Text(piece)
                said, last = said + 1, piece

    async def _count(self, text: str) -> int:
        return len(await self._engine.tokens(text))

    async def _check_schemas(self, turn: Turn) -> None:
        """Refuse what cannot be said in a grammar, before anything is answered."""
        offered = turn.body.get("tools") or ()
        for index, tool in enumerate(offered):
            schema = as_function(tool).get("parameters") or _NO_PARAMETERS
            await self._compile(schema, "invalid_function_parameters", f"tools[{index}].parameters")
        if turn.format["type"] == "json_schema":
            await self._compile(turn.format["schema"], "invalid_json_schema", "text.format.schema")

    async def _compile(self, schema: Schema, code: str, param: str) -> None:
        try:
            grammar = json_grammar(schema)
        except InexpressibleError as error:
            raise RefusalError(400, code, f"{param}: {error}", param) from error
        if grammar in self._compiled:
            return
        try:
            await self._engine.write("", grammar, tokens=1)
        except RuntimeError as error:
            raise RefusalError(400, code, f"{param}: the grammar is too large", param) from error
        self._compiled.add(grammar)


async def _confess(unread: str) -> AsyncIterator[Piece | End]:
    """What it has to say of what it cannot read; a guess would be worse."""
    yield Message()
    yield Text(f"I read text only: there is {unread} here that I cannot see. Say it in words.")


class _Meter:
    """Counts what is said in the model's own tokens, and cuts it at the cap."""

    def __init__(self, engine: Engine, read: int, cap: int) -> None:
        self._engine = engine
        self._read = read
        self._written = 0
        self.left = cap

    async def metered(self, pieces: AsyncIterator[Piece]) -> AsyncIterator[Piece]:
        """Hand the pieces on as far as the cap allows, and end with the counts."""
        end = End()
        async for piece in pieces:
            if isinstance(piece, End):
                end = piece
                continue
            tokens = await self._engine.tokens(_said(piece))
            self._written += min(len(tokens), self.left)
            if len(tokens) > self.left:
                end = End(status="incomplete", reason="max_output_tokens")
                async for rest in self._cut(piece, tokens):
                    yield rest
                break
            self.left -= len(tokens)
            yield piece
        yield End(Usage(self._read, self._written), end.status, end.reason)

    async def _cut(self, piece: Piece, tokens: list[int]) -> AsyncIterator[Piece]:
        text = await self._engine.text(tokens[: self.left])
        if isinstance(piece, Text):
            yield Text(text)
        elif isinstance(piece, Arguments):
            yield Arguments(text)
        elif isinstance(piece, Input):
            yield Input(text)


def _said(piece: Piece) -> str:
    match piece:
        case Text(delta) | Arguments(delta) | Input(delta):
            return delta
        case Call(name) | Custom(name):
            return name
        case _:
            return ""


def _check(text: str, schema: Schema) -> None:
    """Let nothing out that does not fit."""
    if not is_valid(json.loads(text), schema, schema):
        raise RefusalError(500, "server_error", "what the model wrote does not fit the schema")


def _needs(turn: Turn) -> dict[str, str]:
    """Give the fields of the output that is asked for, each with its description."""
    schema = turn.format.get("schema") or {}
    properties = resolve(schema, schema).get("properties", {})
    return {name: str(inner.get("description", "")) for name, inner in properties.items()}


def _left(planned: Sequence[Planned], called: Sequence[str]) -> list[Planned]:
    """Take off as many calls of each tool as were made already."""
    done = list(called)
    left = []
    for plan in planned:
        name = plan.tool["name"]
        if name in done:
            done.remove(name)
        else:
            left.append(plan)
    return left
