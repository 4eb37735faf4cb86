"""The options of `toolstone extract`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from toolstone.cli.failures import reported

__all__ = ["extract"]


class Grounds(StrEnum):
    """How evidence is had."""

    values = "values"
    quotes = "quotes"
    none = "none"


class Ungrounded(StrEnum):
    """What becomes of a value that has no evidence."""

    keep = "keep"
    null = "null"


class Engine(StrEnum):
    """Who does the work."""

    local = "local"
    ray = "ray"


def extract(  # noqa: PLR0913  its options
    schema: Annotated[
        str, typer.Argument(metavar="SCHEMA", help="MODULE:TYPE, FILE.py:TYPE, or a schema.json.")
    ],
    source: Annotated[
        str,
        typer.Argument(
            metavar="INPUT", help="A directory, a glob, a file of texts or rows; '-' reads stdin."
        ),
    ],
    *,
    out: Annotated[
        Path | None,
        typer.Option("-o", "--out", metavar="OUT", help="A .jsonl, .csv or .parquet file."),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("-m", "--model", envvar="TOOLSTONE_MODEL", help="A model string."),
    ] = None,
    instructions: Annotated[
        str | None, typer.Option(help="What else the model should know; '@FILE' reads a file.")
    ] = None,
    text: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="The text of a row; else text, or all."),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--id", metavar="COLUMN", help="The name of a row; else id."),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first so many.")] = None,
    sample: Annotated[
        int | None, typer.Option(min=1, help="Only so many by lot, each time the same.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count tokens and cost, and ask nothing.")
    ] = False,
    evidence: Annotated[
        Grounds, typer.Option(help="values are searched for, quotes are the model's.")
    ] = Grounds.values,
    ungrounded: Annotated[
        Ungrounded, typer.Option(help="What becomes of a value without evidence.")
    ] = Ungrounded.keep,
    split: Annotated[
        int | None, typer.Option(metavar="TOKENS", min=1, help="Cut texts that are longer.")
    ] = None,
    overlap: Annotated[
        int | None,
        typer.Option(metavar="TOKENS", min=0, help="Said again in the next piece."),
    ] = None,
    passes: Annotated[int, typer.Option(min=1, help="Ask so often, and vote.")] = 1,
    reasks: Annotated[int | None, typer.Option(min=0, help="If an answer does not fit.")] = None,
    max_output_tokens: Annotated[int | None, typer.Option(min=16, help="Of each answer.")] = None,
    effort: Annotated[str | None, typer.Option(help="Reasoning: none, low, medium, high.")] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Requests at once, at most.")] = 100,
    rpm: Annotated[float | None, typer.Option(help="Requests a minute, at most.")] = None,
    tpm: Annotated[float | None, typer.Option(help="Tokens a minute, at most.")] = None,
    price: Annotated[
        str | None,
        typer.Option(metavar="IN,OUT[,CACHED]", help="Dollars for a million tokens: 0.15,0.60"),
    ] = None,
    budget: Annotated[
        float | None, typer.Option(metavar="DOLLARS", help="For the whole job; needs --price.")
    ] = None,
    budget_tokens: Annotated[
        int | None, typer.Option(metavar="TOKENS", min=1, help="For the whole job.")
    ] = None,
    score: Annotated[
        Path | None, typer.Option(metavar="GOLD", help="Compare with right values: JSON lines.")
    ] = None,
    report: Annotated[
        Path | None, typer.Option(metavar="FILE.html", help="The score as a page; else beside OUT.")
    ] = None,
    job: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Keeps what is done; else beside OUT.")
    ] = None,
    restart: Annotated[
        bool, typer.Option("--restart", help="Throw OUT and the job away, and begin anew.")
    ] = False,
    failures_allowed: Annotated[
        str, typer.Option(metavar="N|N%", help="With more failures than these: exit code 1.")
    ] = "0",
    engine: Annotated[Engine, typer.Option(help="Here, or on a cluster.")] = Engine.local,
    as_json: Annotated[
        bool, typer.Option("--json", help="The summary as one JSON object.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """Read one schema out of many documents; the same command goes on where it stopped."""
    from toolstone.cli.extract.work import Wanted, extract_all  # noqa: PLC0415  only this command

    with reported(debug=debug):
        wanted = Wanted(
            schema=schema,
            source=source,
            out=out,
            model=model,
            instructions=instructions,
            text=text,
            id=name,
            limit=limit,
            sample=sample,
            dry_run=dry_run,
            evidence=evidence.value,
            ungrounded=ungrounded.value,
            split=split,
            overlap=overlap,
            passes=passes,
            reasks=reasks,
            max_output_tokens=max_output_tokens,
            effort=effort,
            concurrency=concurrency,
            rpm=rpm,
            tpm=tpm,
            price=price,
            budget=budget,
            budget_tokens=budget_tokens,
            score=score,
            report=report,
            job=job,
            restart=restart,
            failures_allowed=failures_allowed,
            engine=engine.value,
            as_json=as_json,
        )
        raise typer.Exit(extract_all(wanted))
