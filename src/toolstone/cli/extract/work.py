"""`toolstone extract`: documents in, rows out, a summary and an exit code.

What the iterator gives is shown; what is written is what the job has kept and not yet seen in the
output. So a row is written once, whichever process of however many wrote it.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

from toolstone.cli.extract.choice import Chosen, read_gold
from toolstone.cli.extract.view import Tally, choose_progress, put_summary
from toolstone.cli.extract.wanted import Wanted
from toolstone.cli.failures import FAILED
from toolstone.cli.words import clean, put_count
from toolstone.errors import StorageError
from toolstone.extract.files.columns import value_schema
from toolstone.extract.files.outbox import Outbox
from toolstone.extract.files.read import read_documents
from toolstone.extract.files.write import check_output
from toolstone.extract.job import Job
from toolstone.extract.many import extract_many

if TYPE_CHECKING:
    from toolstone.cli.extract.view import Progress
    from toolstone.extract.plan import Plan
    from toolstone.extract.score import Score

__all__ = ["Wanted", "extract_all"]

_SECONDS: Final = 1.0  # between two times that rows are brought to the disk


def extract_all(wanted: Wanted) -> int:
    """Carry the command out; the exit code: 1 if more documents failed than are allowed.

    Raises:
        ToolstoneError: A mistake in the command, or what ends a job: a spent budget, a wrong key.
    """
    kind = wanted.checked()
    plan = wanted.plan(kind)
    source = read_documents(wanted.source, **wanted.columns, leave_out=wanted.own_files())
    documents = Chosen(source, wanted.limit, wanted.sample)
    if wanted.dry_run:
        from toolstone.cli.extract.dry import look_ahead  # noqa: PLC0415  only then

        return look_ahead(wanted, plan, documents)
    check_output(wanted.output)
    gold = None if wanted.score is None else read_gold(wanted.score, **wanted.columns)
    with Job(wanted.job_file, restart=wanted.restart) as job:
        tally = _write_all(wanted, kind, plan, documents, job)
        score = None if gold is None else _score(wanted, plan, job, gold)
    _tell(wanted, tally, score)
    return FAILED if tally.failed > wanted.allowed(tally.done) else 0


def _write_all(wanted: Wanted, kind: Any, plan: Plan[Any], documents: Chosen, job: Job) -> Tally:
    """Have the documents read and the rows written; what it came to."""
    job.begin(plan.fingerprint())
    total = documents.count()
    tally = Tally(wanted.prices(), earlier=job.kept)
    with Outbox(job, wanted.output, value_schema(plan.shape.output), anew=wanted.restart) as outbox:
        progress = choose_progress(total, quiet=wanted.as_json)
        try:
            asyncio.run(_go(wanted, kind, documents, job, outbox, tally, progress))
        except BaseException as error:
            if tally.done:
                done = put_count(tally.done, "document")
                error.add_note(f"done: {done}; the same command goes on")
            raise
        finally:
            progress.close()
            outbox.finish()
            tally.usage = job.usage
    return tally


async def _go(
    wanted: Wanted,
    kind: Any,
    documents: Chosen,
    job: Job,
    outbox: Outbox,
    tally: Tally,
    progress: Progress,
) -> None:
    due = tally.seconds + _SECONDS
    records = extract_many(documents, kind, **wanted.options(job))
    async with aclosing(records):
        async for record in records:
            tally.add(record)
            progress.show(tally)
            if tally.seconds >= due:
                outbox.drain()
                due = tally.seconds + _SECONDS


def _score(wanted: Wanted, plan: Plan[Any], job: Job, gold: dict[str, Any]) -> Score:
    """Compare with the right values, and write the page.

    Raises:
        StorageError: It cannot be written.
    """
    from toolstone.extract.report import render_report  # noqa: PLC0415  for who scores
    from toolstone.extract.score import score  # noqa: PLC0415

    found = score(job.rows(), gold, value_schema(plan.shape.output))
    page = render_report(found, f"{wanted.output.name}: {found.documents:,} documents")
    try:
        wanted.report_file.write_text(page, encoding="utf-8", errors="replace")
    except OSError as error:
        name = wanted.report_file.name
        raise StorageError(f"the report {name!r} cannot be written: {error.strerror}") from error
    return found


def _tell(wanted: Wanted, tally: Tally, score: Score | None) -> None:
    if wanted.as_json:
        data = {**tally.as_data(), "output": str(wanted.output), "job": str(wanted.job_file)}
        if score is not None:
            data["score"] = {**_score_data(score), "report": str(wanted.report_file)}
        sys.stdout.write(json.dumps(data, ensure_ascii=False) + "\n")
        return
    sys.stdout.write(put_summary(tally))
    if score is not None:
        sys.stdout.write(_put_score(score) + f"report: {wanted.report_file}\n")
    sys.stdout.write(f"rows: {wanted.output}\n")


def _score_data(score: Score) -> dict[str, Any]:
    fields = {
        one.path: {"precision": one.precision, "recall": one.recall, "f1": one.f1}
        for one in score.fields
    }
    total = score.total
    return {
        "documents": score.documents,
        "all_right": score.exact,
        "precision": total.precision,
        "recall": total.recall,
        "f1": total.f1,
        "f1_mean_of_fields": score.macro_f1,
        "fields": fields,
    }


def _put_score(score: Score) -> str:
    """Precision, recall and F1 of each field, as a table."""
    rows = [
        (clean(one.path), *map(_share, (one.precision, one.recall, one.f1)))
        for one in (*score.fields, score.total)
    ]
    wide = max(len(row[0]) for row in rows)
    lines = [f"{path:<{wide}}  {p:>9}  {r:>6}  {f:>6}" for path, p, r, f in rows]
    head = f"{'':<{wide}}  precision  recall      F1"
    exact = f"all right: {score.exact:,} of {put_count(score.documents, 'document')}"
    return "".join(f"{line}\n" for line in (head, *lines, exact))


def _share(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
