"""The process that is killed: a real extraction into a real file, from an endpoint that counts."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import traceback
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from pydantic import BaseModel

from campaigns._killed import Marks, Trap
from toolstone import Responses
from toolstone.extract import Document, extract_many
from toolstone.extract.files.outbox import Outbox
from toolstone.extract.job import Answer, Job
from toolstone.wire import AiohttpTransport

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from toolstone.local import Turn
    from toolstone.ports import Emit, Request, Response

KINDS: Final = ("ask", "answered", "begin", "commit", "kept", "drain", "synced", "noted")
DOCUMENTS: Final = 40
_SAME: Final = 8  # the first so many have the text of others
_STUBBORN: Final = 13  # each such is answered badly, however often it is asked
_DRAIN: Final = 7  # records between two looks at the outbox
_AT_ONCE: Final = 6
_TEXT: Final = re.compile(r"case (\d+), letter (\d+):")


class Letter(BaseModel):
    """What is read out of each document."""

    number: int
    words: list[str]


SCHEMA: Final = Letter.model_json_schema()


def documents(case: int) -> Iterator[Document]:
    """Forty, of which eight say the same as others."""
    for number in range(DOCUMENTS):
        said = number + _SAME if number < _SAME else number
        yield Document(f"letter-{number}", f"case {case}, letter {said}: so many words, {said}")


def text_number(name: str) -> int:
    """Which text a document has."""
    number = int(name.removeprefix("letter-"))
    return number + _SAME if number < _SAME else number


def value(number: int) -> dict[str, Any] | None:
    """What should be read out of a text; None where the answer is never right."""
    return None if number % _STUBBORN == 0 else {"number": number, "words": ["so", str(number)]}


class Counting:
    """The endpoint's brain: it writes down what it was asked before it answers."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    async def __call__(self, turn: Turn) -> Any:
        """Say what stands in the text."""
        found = _TEXT.findall(json.dumps(turn.items[0]))
        (case, number) = found[0]
        os.write(self._file, f"{case} {number}\n".encode())
        await asyncio.sleep(0.001 * (int(number) % 4))  # so that they come home in another order
        return value(int(number)) or "no JSON at all"


class WatchedJob(Job):
    """The job's file, with a trap before each write, inside it, and after it."""

    def __init__(self, path: Path, trap: Trap, marks: Marks, *, careless: bool) -> None:
        self.trap = trap
        self.marks = marks
        self._careless = careless
        self._late: list[Answer] = []
        super().__init__(path)

    def keep_all(self, answers: Sequence[Answer]) -> None:
        """Keep, and mark what was acknowledged."""
        self.trap.reach("begin")
        if self._careless:
            late, self._late = self._late, list(answers)
            super().keep_all(late)
        else:
            super().keep_all(answers)
        for answer in answers:
            self.marks.add("acknowledged", id=answer.row["id"])
        self.trap.reach("kept")

    def unwritten(self, limit: int = 3) -> list[tuple[int, dict[str, Any]]]:
        """Few at once: more places where it may die."""
        self.trap.reach("drain")
        return super().unwritten(min(limit, 3))

    def written(self, number: int, offset: int) -> None:
        """Note what has reached the disk."""
        self.trap.reach("synced")
        super().written(number, offset)
        self.trap.reach("noted")

    def close(self) -> None:
        """Keep what a careless job still holds."""
        super().keep_all(self._late)
        super().close()

    def _open(self, *, restart: bool) -> sqlite3.Connection:
        connection = super()._open(restart=restart)
        connection.set_trace_callback(
            lambda statement: self.trap.reach("commit") if statement == "COMMIT" else None
        )
        return connection


class Watched:
    """The model, with a trap before it is asked and after it has answered."""

    def __init__(self, url: str, trap: Trap) -> None:
        transport = AiohttpTransport()  # it reads no certificates for a plain address
        self._model = Responses(base_url=url, api_key="k", model="m", transport=transport)
        self._trap = trap
        self.profile = self._model.profile
        self.name = "m"

    async def respond(self, request: Request, emit: Emit, /) -> Response:
        """Ask."""
        self._trap.reach("ask")
        response = await self._model.respond(request, emit)
        self._trap.reach("answered")
        return response

    async def aclose(self) -> None:
        """Close the connections."""
        await self._model.aclose()


async def _extract(folder: Path, url: str, case: int, trap: Trap, *, careless: bool) -> None:
    marks = Marks()
    marks.folder = folder
    model = Watched(url, trap)
    with (
        WatchedJob(folder / "letters.job", trap, marks, careless=careless) as job,
        Outbox(job, folder / "letters.jsonl", SCHEMA) as outbox,
    ):
        records = extract_many(
            documents(case), Letter, model=model, job=job, concurrency=_AT_ONCE, reasks=0
        )
        async with aclosing(records):
            count = 0
            async for _ in records:
                count += 1
                if count % _DRAIN == 0:
                    outbox.drain()
        outbox.finish()
    await model.aclose()
    marks.add("done", records=count)


def live(folder: Path, url: str, case: int, trap: Trap, *, careless: bool, learn: bool) -> None:
    """The whole life of a forked child; it never returns. `learn`: what did it need?"""
    status, marks = 1, Marks()
    marks.folder = folder
    try:
        asyncio.run(_extract(folder, url, case, trap, careless=careless))
        if learn:
            marks.add("learnt", reached=trap.reached, modules=list(sys.modules))
        status = 0
    except BaseException:  # noqa: BLE001  a child says what it died of, and goes
        marks.add("errors", said=traceback.format_exc())
    finally:
        os._exit(status)
