"""What is to be read: the type that SCHEMA names, and which of the documents."""

from __future__ import annotations

import itertools
import json
import random
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from toolstone._dataclass import dataclass
from toolstone.cli.find import find_target
from toolstone.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolstone.extract.files.read import Documents, Unread
    from toolstone.extract.records import Document

__all__ = ["Chosen", "find_schema", "read_gold"]

_LOT: Final = 20_260_101
"""The same sample each time: a job that goes on must meet the same documents."""


def find_schema(target: str) -> Any:
    """The type that `MODULE:TYPE` names, or the JSON Schema in a file.

    Raises:
        InputError: There is none.
    """
    if target.endswith(".json"):
        return _schema_in(Path(target))
    module, found = find_target(target)
    if found is not module:
        return found
    own = {
        name: one
        for name, one in vars(module).items()
        if isinstance(one, type) and one.__module__ == module.__name__
    }
    there = ", ".join(f"{target}:{name}" for name in own) or "none"
    raise InputError(f"{target!r} names a module; say which type of it: {there}")


def _schema_in(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path.name!r} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path.name!r} is no JSON: {type(error).__name__}") from error
    if not isinstance(found, dict):
        raise InputError(f"{path.name!r} is JSON of type {type(found).__name__}, and no schema")
    return found


@dataclass(frozen=True, slots=True)
class Chosen:
    """The documents that were asked for: all, the first ones, or some by lot."""

    documents: Documents
    limit: int | None = None
    sample: int | None = None

    def __iter__(self) -> Iterator[Document | Unread]:
        if self.sample is not None:
            yield from _drawn(self.documents, self.sample)
        else:
            yield from itertools.islice(self.documents, self.limit)

    def count(self) -> int | None:
        """How many; None if only reading would tell."""
        most, all_of_them = self.limit or self.sample, self.documents.count()
        if all_of_them is None or most is None:
            return all_of_them
        return min(most, all_of_them)


def _drawn(documents: Documents, count: int) -> Iterator[Document | Unread]:
    """So many of all, each as likely as the other, in their order; no more than these are held."""
    lot = random.Random(_LOT)  # noqa: S311  a sample is no secret
    kept: list[tuple[int, Document | Unread]] = []
    for n, document in enumerate(documents):
        if n < count:
            kept.append((n, document))
        elif (place := lot.randint(0, n)) < count:
            kept[place] = (n, document)
    kept.sort(key=lambda pair: pair[0])
    yield from (document for _, document in kept)


def read_gold(path: Path, *, text: str | None = None, id: str | None = None) -> dict[str, Any]:  # noqa: A002  as in `read_documents`
    """The right values by document, from JSON lines.

    A line names its document as a row of the input does, or by `id` or `text`. The value stands
    under `gold` or `value`; else it is all there is beside them.

    Raises:
        InputError: It cannot be read, a line is no such object, or two say different things of one
            document.
    """
    from toolstone.extract.files.read import row_document  # noqa: PLC0415  for who scores
    from toolstone.extract.files.tables import rows_of  # noqa: PLC0415

    if path.suffix.lower() not in {".jsonl", ".ndjson"}:
        raise InputError(f"{path.name!r}: right values are read from JSON lines (.jsonl)")
    names, texts = (id, "id"), (text, "text")
    gold: dict[str, Any] = {}
    for number, row in enumerate(rows_of(path), 1):
        if isinstance(row, str) or not row.keys() & {*names, *texts}:
            raise InputError(f"{path.name!r}, row {number}: an object with an 'id' is needed")
        named, said = (next((key for key in keys if key in row), None) for keys in (names, texts))
        known = row_document({"text": "", **row}, text=said, id=named).id
        rest = {key: one for key, one in row.items() if key not in {*names, *texts}}
        value = next((rest[key] for key in ("gold", "value") if key in rest), rest)
        if gold.setdefault(known, value) != value:
            raise InputError(f"{path.name!r}, row {number}: another says otherwise of this 'id'")
    return gold
