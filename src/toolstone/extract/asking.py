"""One document: its parts are asked for, merged, voted on, its evidence found; its record made."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext
from dataclasses import field
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast

from toolstone import limits
from toolstone._dataclass import dataclass
from toolstone.errors import (
    AuthError,
    InputError,
    OutputError,
    RateLimitError,
    RunError,
    StatusError,
    StoppedError,
    ToolstoneError,
    TruncatedError,
)
from toolstone.extract.evidence import Quotes, grounds_of
from toolstone.extract.merging import merged, same, voted
from toolstone.extract.paths import called, get_at, spell, with_null_at
from toolstone.extract.records import Failure, Record, as_json
from toolstone.extract.splitting import pieces_of
from toolstone.extract.till import Tally
from toolstone.schema.output import OutputProblem

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager

    from toolstone.extract.asker import Asker
    from toolstone.extract.paths import Steps
    from toolstone.extract.plan import Plan
    from toolstone.extract.records import Document, Evidence
    from toolstone.extract.splitting import Piece

__all__ = ["ask"]

T = TypeVar("T")

_BAD_REQUEST: Final = 400
_DOCUMENT: Final = ("input", "messages")
"""The parameters of a request that differ from document to document."""
_FOR_ALL: Final = frozenset({"auth", "permission", "model", "gate", "wrong-route"})
"""What the service says of whoever asks, not of what is asked."""


async def ask(plan: Plan[T], document: Document) -> Record[T]:
    """Read one document.

    Args:
        plan: What is asked of each; open.
        document: It.

    Returns:
        Its record; one with an error if there is no value.

    Raises:
        ToolstoneError: What concerns all documents: the key, the model, the schema, the budget.
    """
    if not document.text.strip():
        return Record(document.id, error=Failure("validation", "the document holds no text"))
    reading = _Reading(plan, document)
    try:
        async with reading.room():
            value = await reading.value()
    except OutputProblem as problem:
        told = f"the parts do not make a whole: {problem}"
        failure = Failure.of(OutputError(told, problems=problem.problems))
    except ToolstoneError as error:
        if (end := _end_of_job(error)) is not None:
            raise end from (None if end is error.__cause__ else error.__cause__)
        failure = Failure.of(error)
    else:
        return await reading.record(value)
    return Record(
        document.id, error=failure, usage=reading.tally.usage, attempts=reading.tally.attempts
    )


@dataclass()
class _Reading(Generic[T]):
    """One document while it is read."""

    plan: Plan[T]
    document: Document
    tally: Tally = field(default_factory=Tally)
    pieces: tuple[Piece, ...] = field(init=False)
    quotes: Quotes = field(default_factory=Quotes)
    warnings: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pieces = pieces_of(self.document.text, self.plan.split)

    def room(self) -> AbstractAsyncContextManager[None]:
        """Hold what this document may cost, if the job has a budget."""
        plan = self.plan
        if plan.till is None:
            return nullcontext()
        return plan.till.room(
            self.tally,
            plan.input_tokens(self.document),
            plan.settings.max_output_tokens or 0,
            times=plan.passes * len(self.pieces),
            reasks=plan.reasks,
        )

    async def value(self) -> T:
        """What most passes say; a vote that is decided is not gone on with.

        Raises:
            OutputProblem: The parts do not make a whole.
            RunError: No pass has an answer.
        """
        plan, found = self.plan, list[T]()
        last: RunError | OutputProblem | None = None
        for _ in range(plan.passes):
            try:
                found.append(await self._pass())
            except (RunError, OutputProblem) as error:
                if plan.passes == 1 or _end_of_job(error) is not None:
                    raise
                last = error
            if 2 * len(found) > plan.passes > 1 and _alike(found):
                break
        if not found:
            assert last is not None  # noqa: S101  there is at least one pass
            raise last
        return found[0] if plan.passes == 1 else self._voted(found, failed=last is not None)

    def _voted(self, found: list[T], *, failed: bool) -> T:
        if failed:
            self.warnings.append(f"only {len(found)} of {self.plan.passes} passes have an answer")
        data, warnings = voted([as_json(one) for one in found])
        try:
            value = self.plan.shape.read(data)
        except OutputProblem:
            self.warnings.append(
                "what most passes say of each field makes no whole; kept the first"
            )
            return found[0]
        self.warnings += warnings
        return value

    async def _pass(self) -> T:
        plan, pieces = self.plan, self.pieces
        if len(pieces) == 1:
            value, quotes = await self._asked(plan.whole, pieces[0])
            self.quotes.add(as_json(value) if quotes else None, as_json(quotes), 0)
            return cast("T", value)
        parts = []
        for piece, (said, quotes) in zip(pieces, await self._parts(pieces), strict=True):
            parts.append(said["value"] if plan.shape.output.wrapped else said)
            self.quotes.add(parts[-1], quotes, piece.start)
        data, warnings = merged(parts)
        self.warnings += warnings
        return plan.shape.read(data)

    async def _parts(self, pieces: Sequence[Piece]) -> list[tuple[Any, Any]]:
        """What the model reads out of each piece: side by side, unless each is to be paid for."""
        part = self.plan.part
        if self.plan.till is not None:
            return [await self._asked(part, piece) for piece in pieces]
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._asked(part, piece)) for piece in pieces]
        except ExceptionGroup as errors:
            first, *_ = sorted(errors.exceptions, key=lambda one: _end_of_job(one) is None)
            raise first from first.__cause__
        return [task.result() for task in tasks]

    async def _asked(self, asker: Asker, piece: Piece) -> tuple[Any, Any]:
        """What the model reads out of a piece, and what it quotes."""
        plan = self.plan
        purse = None if plan.till is None else plan.till.purse
        try:
            said = await asker.read(piece.text, self.tally, purse)
        except TruncatedError as error:
            if plan.till is not None and self.tally.clipped:
                raise plan.till.over("tokens" if plan.till.price is None else "dollars") from error
            raise
        return _taken(said) if plan.evidence == "quotes" else (said, ())

    async def record(self, value: T) -> Record[T]:
        """The record of a value, with its evidence; that of a long text is looked for aside."""
        if len(self.document.text) > limits.EXTRACT_INLINE_CHARACTERS:
            return await asyncio.to_thread(self._record, value)
        return self._record(value)

    def _record(self, value: T) -> Record[T]:
        plan, document = self.plan, self.document
        evidence: tuple[Evidence, ...] = ()
        if plan.evidence is not None:
            quotes = self.quotes if plan.evidence == "quotes" else None
            data = as_json(value)
            grounds = grounds_of(document.text, data, plan.shape, quotes)
            evidence = grounds.evidence
            self.warnings += grounds.warnings
            if plan.ungrounded == "null" and grounds.airy:
                value, gone = self._without(value, data, grounds.airy)
                evidence = tuple([one for one in evidence if one.path not in gone])
        return Record(
            document.id,
            value,
            evidence=evidence,
            usage=self.tally.usage,
            attempts=self.tally.attempts,
            warnings=tuple(self.warnings),
        )

    def _without(self, value: T, data: Any, airy: Sequence[Steps]) -> tuple[T, set[str]]:
        """The value with null where there is no evidence, and where that is.

        It stays as it is where it would not be one of its type; a default stays a default.
        """
        try:
            emptied = self.plan.shape.read(with_null_at(data, airy))
        except OutputProblem:
            named = ", ".join(map(called, airy))
            self.warnings.append(f"{named}: without evidence, and the type needs it; kept")
            return value, set()
        found = as_json(emptied)
        gone = [s for s in airy if get_at(found, s) != get_at(data, s)]
        if gone:
            self.warnings.append(f"{', '.join(map(called, gone))}: without evidence; made null")
        return emptied, set(map(spell, gone))


def _alike(found: Sequence[Any]) -> bool:
    return len({same(as_json(one)) for one in found}) == 1


def _taken(said: Any) -> tuple[Any, Any]:
    """The value and its quotes, out of a dict or an object of both."""
    if isinstance(said, dict):
        return said["value"], said["evidence"]
    return said.value, said.evidence


def _end_of_job(error: Exception) -> ToolstoneError | None:
    """The error that ends the job, if this one is about more than its document."""
    match error:
        case StoppedError():
            if error.result is None:  # the till has said so
                return error
            return StoppedError(
                f"the budget's {error.limit} are used up, and it is the whole job's; what is "
                f"finished is kept. Raise Budget({error.limit}=...)",
                limit=error.limit,
            )
        case RunError(__cause__=StatusError() as cause) if _concerns_all(cause):
            return cause
        case RunError() | OutputProblem() | InputError():
            return None
        case ToolstoneError():
            return error
    return None


def _concerns_all(error: StatusError) -> bool:
    """Whether the service has refused who asks, whom or how, a parameter: not the document."""
    how = error.status == _BAD_REQUEST and error.means != "context" and bool(error.param)
    used_up = isinstance(error, RateLimitError) and not error.retryable  # the account's quota
    return (
        isinstance(error, AuthError)
        or error.means in _FOR_ALL
        or used_up
        or (how and not error.param.startswith(_DOCUMENT))
    )
