"""Whether stored facts make a run that can be gone on with: a file may have been changed. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolstone.errors import StorageError
from toolstone.outcomes import answers, asks, needs_answer
from toolstone.runs.state import Run, fold

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolstone.events import Record

__all__ = ["fold_stored"]


def fold_stored(records: Sequence[Record], session: str) -> Run:
    """The run that stored records tell of.

    Raises:
        StorageError: They contradict each other, or lead to a history that no service would take:
            somebody else has written them.
    """
    try:
        run = fold(records, session)
        problem = _problem(run)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise _unsound(session, f"a fact of another form than ours ({type(error).__name__})") from (
            error
        )
    if problem is not None:
        raise _unsound(session, problem)
    return run


def _unsound(session: str, problem: str) -> StorageError:
    return StorageError(
        f"session {session!r} cannot be gone on with: {problem}. Its facts were changed from "
        "outside; restore the ledger from a copy, or begin another session"
    )


def _problem(run: Run) -> str | None:
    if not (_is_count(run.cut, len(run.history)) and _is_count(run.kept, len(run.history))):
        return "a compaction of more than there was"
    ended = run.finished is not None and run.finished.outcome == "complete"
    if ended and run.answer is None and not run.calls:
        return "it is complete, and nobody has answered"
    open_now = {asks(call.item) for call in run.open}
    left = len(_unanswered(run) - open_now)
    return f"it has {left} calls without their output" if left else None


def _is_count(number: object, most: int) -> bool:
    return type(number) is int and 0 <= number <= most


def _unanswered(run: Run) -> set[str | None]:
    """The ids of the calls that no later item answers; a call without an id cannot be told."""
    found: set[str | None] = set()
    for item in (*run.base, *run.history):
        if (link := answers(item)) is not None:
            found.discard(link)
        elif needs_answer(item):
            found.add(asks(item))
    return found - {None}
