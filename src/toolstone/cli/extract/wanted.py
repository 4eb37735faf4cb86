"""What the words of `toolstone extract` ask for: files, a plan, a budget."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from toolstone._dataclass import dataclass
from toolstone.cli.extract.choice import find_schema
from toolstone.errors import InputError
from toolstone.extract.pace import Pace
from toolstone.extract.plan import Plan
from toolstone.extract.splitting import Split
from toolstone.ports import Settings
from toolstone.runs.budget import Budget, Price

if TYPE_CHECKING:
    from toolstone.extract.job import Job
    from toolstone.extract.many import ExtractOptions

__all__ = ["Wanted"]

_TAILS: Final = ("", "-wal", "-shm", "-journal", "-lock")
"""What SQLite and the lease put beside a job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The options, as `command` has them."""

    schema: str
    source: str
    out: Path | None
    model: str | None
    instructions: str | None
    text: str | None
    id: str | None
    limit: int | None
    sample: int | None
    dry_run: bool
    evidence: Literal["values", "quotes", "none"]
    ungrounded: Literal["keep", "null"]
    split: int | None
    overlap: int | None
    passes: int
    reasks: int | None
    max_output_tokens: int | None
    effort: str | None
    concurrency: int
    rpm: float | None
    tpm: float | None
    price: str | None
    budget: float | None
    budget_tokens: int | None
    score: Path | None
    report: Path | None
    job: Path | None
    restart: bool
    failures_allowed: str
    engine: Literal["local", "ray"]
    as_json: bool

    @property
    def job_file(self) -> Path:
        """Where what is done is kept: beside the output, unless another place is named."""
        return self.job or Path(f"{self.output}.job")

    @property
    def output(self) -> Path:
        """The output.

        Raises:
            InputError: None is named.
        """
        if self.out is None:
            raise InputError("say where to: -o OUT.jsonl, .csv or .parquet; or look: --dry-run")
        return self.out

    @property
    def report_file(self) -> Path:
        """The page of the score."""
        return self.report or self.output.with_suffix(".score.html")

    def own_files(self) -> list[Path]:
        """What lies among the documents, it may be, and is none: what is written, and GOLD."""
        gold = [] if self.score is None else [self.score]
        if self.out is None:
            return gold
        jobs = [Path(f"{self.job_file}{tail}") for tail in _TAILS]
        return [*gold, self.out, self.report_file, *jobs]

    @property
    def columns(self) -> dict[str, Any]:
        """Which columns of a row are its text and its name."""
        return {"text": self.text, "id": self.id}

    def checked(self) -> Any:
        """The type or schema that is to be read.

        Raises:
            InputError: Options that do not go together, or there is no such type.
        """
        if self.model is None:
            raise InputError("say which model: -m MODEL, or the variable TOOLSTONE_MODEL")
        if self.budget is not None and self.price is None:
            raise InputError("--budget counts dollars: add --price IN,OUT (for a million tokens)")
        if self.overlap is not None and self.split is None:
            raise InputError("--overlap is that of two pieces: add --split TOKENS")
        if self.limit is not None and self.sample is not None:
            raise InputError("give --limit or --sample: the first ones, or some by lot")
        if self.report is not None and self.score is None:
            raise InputError("--report is the page of a score: add --score GOLD")
        if self.report is not None and not self.report.parent.is_dir():
            raise InputError(f"--report: the directory {str(self.report.parent)!r} is not there")
        if self.out is not None:
            self._check_files()
        self.allowed(1)
        return find_schema(self.schema)

    def options(self, job: Job) -> ExtractOptions:
        """How `extract_many` is called, with this job.

        Raises:
            InputError: A price or a file of instructions cannot be read.
            DefinitionError: A number is out of its range.
        """
        how = {"pace": self._pace(), "concurrency": self.concurrency, "engine": self.engine}
        return cast("ExtractOptions", {**self._asked(), **how, "job": job})

    def plan(self, kind: Any) -> Plan[Any]:
        """The same as a plan, for looking at it.

        Raises:
            InputError: A price or a file of instructions cannot be read.
            DefinitionError: The type, or an option, cannot be.
        """
        return Plan(kind, **self._asked())

    def prices(self) -> Price | None:
        """What the model costs, if that was said.

        Raises:
            InputError: It is no price.
        """
        if self.price is None:
            return None
        numbers = self.price.replace(" ", "").split(",")
        known = all(re.fullmatch(r"\d*\.?\d+", number) for number in numbers)
        if not known or len(numbers) not in {2, 3}:
            raise InputError(
                f"--price {self.price!r}: two or three numbers, dollars for a million tokens: "
                "IN,OUT or IN,OUT,CACHED, such as 0.15,0.60"
            )
        return Price(*map(float, numbers))

    def allowed(self, documents: int) -> int:
        """How many of so many documents may be without a value.

        Raises:
            InputError: It is neither a number nor a share.
        """
        found = re.fullmatch(r"(\d+)(\.\d+)?(%?)", self.failures_allowed)
        if found is None or (found[2] and not found[3]):
            raise InputError(
                f"--failures-allowed {self.failures_allowed!r}: a number, or a share such as 2%"
            )
        number = Decimal(f"{found[1]}{found[2] or ''}")
        return int(documents * number / 100) if found[3] else int(number)

    def _check_files(self) -> None:
        """No file has two parts to play: what is read would be written over."""
        files = {
            "INPUT": Path(self.source),
            "GOLD": self.score,
            "OUT": self.output,
            "the report": self.report_file,
            "the job": self.job_file,
        }
        parts: dict[Path, str] = {}
        for part, path in files.items():
            other = None if path is None else parts.setdefault(path.resolve(), part)
            if other not in {None, part} and {part, other} != {"INPUT", "GOLD"}:
                raise InputError(f"{part} is {other}: it would be written over; name another file")

    def _asked(self) -> dict[str, Any]:
        most = self.max_output_tokens
        asked = {
            "model": self.model,
            "instructions": self._instructions(),
            "evidence": None if self.evidence == "none" else self.evidence,
            "ungrounded": self.ungrounded,
            "budget": self._budget(),
            "settings": Settings(max_output_tokens=most, effort=self.effort),
            "split": self._split(),
            "passes": self.passes,
        }
        return asked if self.reasks is None else {**asked, "reasks": self.reasks}

    def _budget(self) -> Budget | None:
        if self.budget is None and self.budget_tokens is None:
            return None
        price = self.prices()
        return Budget(
            requests=None,
            tokens=self.budget_tokens,
            dollars=self.budget,
            prices={} if price is None else {str(self.model): price},
        )

    def _pace(self) -> Pace | None:
        if self.rpm is None and self.tpm is None:
            return None
        return Pace(requests_per_minute=self.rpm, tokens_per_minute=self.tpm)

    def _split(self) -> Split | None:
        if self.split is None:
            return None
        overlap = min(Split().overlap, self.split // 2) if self.overlap is None else self.overlap
        return Split(self.split, overlap)

    def _instructions(self) -> str | None:
        told = self.instructions
        if told is None or not told.startswith("@"):
            return told
        try:
            return Path(told[1:]).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "no UTF-8 text"
            raise InputError(f"--instructions {told!r} cannot be read: {why}") from error
