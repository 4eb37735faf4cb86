"""`extract_many`: one type over many documents, a record for each as they finish."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Iterable, Mapping
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import (
    TYPE_CHECKING,
    Any,
    Final,
    Literal,
    Required,
    TypedDict,
    TypeVar,
    Unpack,
    overload,
)

from toolstone import limits
from toolstone._portal import block
from toolstone.errors import DefinitionError, InputError
from toolstone.extract.files.read import Unread, row_document
from toolstone.extract.job import Job
from toolstone.extract.options import Kind, check_kinds
from toolstone.extract.pace import Pace
from toolstone.extract.plan import Plan
from toolstone.extract.records import Document, Failure, Record, sayable
from toolstone.ports import NO_SETTINGS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from toolstone.extract.plan import Grounds, Ungrounded
    from toolstone.extract.splitting import Split
    from toolstone.ports import Model, Settings
    from toolstone.runs.budget import Budget

__all__ = ["ExtractOptions", "Given", "extract_many", "extract_many_sync"]

T = TypeVar("T")

Given = str | Path | Mapping[str, Any] | Document | Unread
"""A document as it may be given: a text, a file, a row, or made already."""
Documents = Iterable[Given] | AsyncIterable[Given]
Engine = Literal["local", "ray"]


class ExtractOptions(TypedDict, total=False):
    """How a job goes; see `extract_many`."""

    model: Required[str | Model]
    instructions: str | None
    evidence: Grounds | None
    ungrounded: Ungrounded
    ordered: bool
    concurrency: int
    pace: Pace | None
    budget: Budget | None
    settings: Settings
    reasks: int
    split: Split | None
    passes: int
    job: str | Path | Job | None
    engine: Engine


_KINDS: Final = {
    "concurrency": Kind(int, "how many documents are asked at once, at most"),
    "pace": Kind(Pace | None, "a Pace, such as Pace(requests_per_minute=600)"),
    "job": Kind(str | Path | Job | None, "the path of a file, or a Job"),
}


@overload
def extract_many(
    documents: Documents, type: type[T], **options: Unpack[ExtractOptions]
) -> AsyncGenerator[Record[T], None]: ...
@overload
def extract_many(
    documents: Documents, type: Any, **options: Unpack[ExtractOptions]
) -> AsyncGenerator[Record[Any], None]: ...
def extract_many(  # noqa: PLR0913  the whole of what a job is
    documents: Documents,
    type: Any,  # noqa: A002  what it is
    *,
    model: str | Model,
    instructions: str | None = None,
    evidence: Grounds | None = "values",
    ungrounded: Ungrounded = "keep",
    ordered: bool = False,
    concurrency: int = limits.EXTRACT_CONCURRENCY,
    pace: Pace | None = None,
    budget: Budget | None = None,
    settings: Settings = NO_SETTINGS,
    reasks: int = limits.OUTPUT_REASKS,
    split: Split | None = None,
    passes: int = 1,
    job: str | Path | Job | None = None,
    engine: Engine = "local",
) -> AsyncGenerator[Record[Any], None]:
    """Read many documents into one type: a record for each, as they finish.

    What becomes of one document never ends the job: its record has an `error`. What concerns all of
    them does, after the records that are finished have been given out. Leave the iterator early
    with `contextlib.aclosing`: what is still being asked is then cancelled.

    Args:
        documents: Texts, `Path`s of files, rows (mappings with a `text`), `Document`s; any iterable
            or async iterable of them, drawn from as they are needed. A plain one is drawn from on
            the event loop: give an async one if it waits.
        type: A Pydantic model, dataclass, TypedDict, list of these ..., or the JSON Schema of an
            object as a dict; then values are dicts.
        model: As for `Agent`.
        instructions: What the model should know of these documents; said after our own rules and
            before each document.
        evidence: `values` looks for each value in the document, without a token more; `quotes`
            has the model quote the words for each value, and checks that they are there; or None.
        ungrounded: What becomes of a value without evidence whose field may be null: `keep` it,
            or `null`. Yes-or-no values and those of a closed choice are always kept.
        ordered: Whether records come in the order of the documents.
        concurrency: How many documents are asked at once, at most; the pace finds what is right.
        pace: Requests and tokens a minute; without one it still slows down when told to.
        budget: What the whole job may spend. Its `requests` are 32 unless you say otherwise: write
            `Budget(requests=None, dollars=5, prices=...)`.
        settings: Parameters of every request. With a budget of tokens or dollars an answer has at
            most `limits.EXTRACT_OUTPUT_TOKENS` unless `max_output_tokens` says otherwise.
        reasks: How often an answer that does not fit the type is asked for again, with the fields.
        split: How a text that is too long is cut; None sends it whole.
        passes: An odd number: each document is read so often, and each field is what most say.
        job: A SQLite file that remembers what was answered: run the same again, and it goes on.
        engine: `local`, or `ray` for a cluster (extra `ray`).

    Returns:
        An async iterator of records.

    Raises:
        DefinitionError: The type or an option cannot be; at once.
        ConfigError: No key, or the job file is of another job.
        AuthError: The service does not know who asks.
        StatusError: The service refuses a parameter that all requests have.
        StoppedError: The budget is spent.
        FailedError: Nobody answers: more documents in a row than are asked at once had no answer.
        InputError: Something among the documents is none.

    Example:
        async for record in extract_many(texts, Invoice, model="bedrock/openai.gpt-oss-120b"):
            print(record.id, record.value if record.ok else record.error)
    """
    given = {"pace": pace, "job": job, "concurrency": concurrency, "ordered": ordered}
    check_kinds(given, _KINDS)
    if concurrency < 1:
        raise DefinitionError(f"concurrency={concurrency}: at least 1 document must be asked")
    if engine not in {"local", "ray"}:
        raise DefinitionError(f"engine={engine!r}: give 'local' or 'ray'")
    if not isinstance(documents, Iterable | AsyncIterable) or isinstance(documents, _ONE):
        raise DefinitionError(
            f"extract_many({_kind(documents)}): give an iterable of documents, such as a list"
        )
    plan: Plan[Any] = Plan(
        type,
        model,
        instructions=instructions,
        evidence=evidence,
        ungrounded=ungrounded,
        budget=budget,
        settings=settings,
        reasks=reasks,
        split=split,
        passes=passes,
    )
    return _records(plan, documents, engine, given)


@overload
def extract_many_sync(
    documents: Documents, type: type[T], **options: Unpack[ExtractOptions]
) -> Generator[Record[T], None, None]: ...
@overload
def extract_many_sync(
    documents: Documents, type: Any, **options: Unpack[ExtractOptions]
) -> Generator[Record[Any], None, None]: ...
def extract_many_sync(
    documents: Documents,
    type: Any,  # noqa: A002  what it is
    **options: Unpack[ExtractOptions],
) -> Generator[Record[Any], None, None]:
    """`extract_many`, blocking: a plain iterator.

    The job goes on between two records, as far as its bounds let it. The documents are drawn from
    on a thread of toolstone's own.
    """
    return _blocking(extract_many(documents, type, **options))


def _blocking(records: AsyncGenerator[Record[T], None]) -> Generator[Record[T], None, None]:
    async def following() -> Record[T] | None:
        return await anext(records, None)

    try:
        while (record := block(following)) is not None:
            yield record
    finally:
        block(records.aclose)


async def _records(
    plan: Plan[Any], documents: Documents, engine: Engine, options: Mapping[str, Any]
) -> AsyncGenerator[Record[Any], None]:
    run = _engine(engine)
    try:
        async with (
            aclosing(_readied(documents)) as readied,
            aclosing(run(plan, readied, **options)) as records,
        ):
            async for record in records:
                yield record
    finally:
        await plan.aclose()


def _engine(name: Engine) -> Any:
    if name == "ray":
        from toolstone.extract.cluster.ray import run_ray  # noqa: PLC0415  an extra

        return run_ray
    from toolstone.extract.local import run_local  # noqa: PLC0415  with its own needs

    return run_local


# ------------------------------------------------------------------------------------- documents

_ONE: Final = (str, bytes, Mapping, Path)
"""One document, or none: to go through its letters or keys is surely not meant."""


async def _readied(documents: Documents) -> AsyncGenerator[Document | Record[Any], None]:
    """The documents, made of what was given; a record for each file that cannot be read."""
    async with aclosing(_drawn(documents)) as drawn:
        async for given in drawn:
            yield await _ready(given)


async def _drawn(documents: Documents) -> AsyncGenerator[Given, None]:
    if isinstance(documents, AsyncIterable):
        async for given in documents:
            yield given
    else:
        for given in documents:
            yield given


async def _ready(given: Given) -> Document | Record[Any]:
    """A document of what was given.

    Raises:
        InputError: It is none; this ends the job.
    """
    match given:
        case Document():
            return given
        case str():
            return Document.of(given)
        case Path():
            return await _read(Unread(str(given), given))
        case Unread():
            return await _read(given)
        case Mapping():
            return row_document(given)
        case _:
            raise InputError(
                f"a document given as {_kind(given)}: give a text, a Path, a mapping with 'text', "
                "or a toolstone.extract.Document"
            )


async def _read(file: Unread) -> Document | Record[Any]:
    try:
        return await asyncio.to_thread(file.read)
    except InputError as error:
        failure = replace(Failure.of(error), kind="unreadable")
        return Record(sayable(file.id), error=failure)


def _kind(value: object) -> str:
    return value.__class__.__name__
