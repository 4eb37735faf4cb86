"""Everything about a job that is the same for each document, made once."""

from __future__ import annotations

import asyncio
from dataclasses import field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, TypeVar

from pydantic_core import to_json

from toolstone import limits
from toolstone._dataclass import dataclass
from toolstone.errors import ConfigError, DefinitionError
from toolstone.extract.asker import Asker
from toolstone.extract.options import Kind, check_kinds
from toolstone.extract.prompt import part_rules, rules
from toolstone.extract.records import digest
from toolstone.extract.shape import Shape, output_of_schema, quoted
from toolstone.extract.splitting import Split, pieces_of
from toolstone.extract.till import Till
from toolstone.models import check_model_string, resolve_model
from toolstone.ports import NO_SETTINGS, Model, Settings
from toolstone.runs.budget import Budget
from toolstone.runs.settings import check_values
from toolstone.usage import estimate_tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from toolstone.extract.records import Document
    from toolstone.schema.output import OutputType

__all__ = ["Grounds", "Plan", "Ungrounded"]

T = TypeVar("T")

Grounds = Literal["values", "quotes"]
"""How evidence is had: values are searched for, or the model quotes."""
Ungrounded = Literal["keep", "null"]
"""What becomes of a field that may be null and has no evidence."""

_KINDS: Final = {
    "instructions": Kind(str | None, "a text, or None"),
    "budget": Kind(Budget | None, "a Budget, such as Budget(requests=None, tokens=1_000_000)"),
    "settings": Kind(Settings, "Settings, such as Settings(max_output_tokens=400)"),
    "reasks": Kind(int, "0, or how often to ask again"),
    "split": Kind(Split | None, "a Split, such as Split(tokens=6_000)"),
    "passes": Kind(int, "1, or an odd number, so that there is a majority"),
}
_WORDS: Final[dict[str, tuple[object, ...]]] = {
    "evidence": ("values", "quotes", None),
    "ungrounded": ("keep", "null"),
}


@dataclass(eq=False)
class Plan(Generic[T]):
    """What is to be asked of each document, and of whom; see `extract_many` for each.

    It describes until `open` is called; then it holds the client that asks.

    Raises:
        DefinitionError: The type, the model string or an option cannot be.
        InputError: The settings cannot be.
    """

    type: Any
    model: str | Model
    instructions: str | None = None
    evidence: Grounds | None = "values"
    ungrounded: Ungrounded = "keep"
    budget: Budget | None = None
    settings: Settings = NO_SETTINGS
    reasks: int = limits.OUTPUT_REASKS
    split: Split | None = None
    passes: int = 1
    shape: Shape[T] = field(init=False)
    till: Till | None = field(init=False, default=None)
    _given: Settings = field(init=False, repr=False)
    """The settings before an answer was given a bound because tokens are paid for."""
    _whole: OutputType[Any] = field(init=False, repr=False)
    _model: Model | None = field(init=False, default=None, repr=False)
    _askers: dict[str, Asker] = field(init=False, default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        check_kinds(vars(self), _KINDS)
        for name, words in _WORDS.items():
            if getattr(self, name) not in words:
                said = " or ".join(map(repr, words))
                raise DefinitionError(f"{name}={getattr(self, name)!r}: give {said}")
        if self.passes < 1 or self.passes % 2 == 0:
            raise DefinitionError(f"passes={self.passes}: give {_KINDS['passes'].said}")
        if self.reasks < 0:
            raise DefinitionError(f"reasks={self.reasks}: give {_KINDS['reasks'].said}")
        if self.ungrounded == "null" and self.evidence is None:
            raise DefinitionError(
                "ungrounded='null' needs evidence='values' or 'quotes': without evidence nothing "
                "has any"
            )
        if isinstance(self.model, str):
            check_model_string(self.model)
        check_values(self.settings, ())
        self.shape = Shape.of(self.type)
        self._whole = quoted(self.shape) if self.evidence == "quotes" else self.shape.output
        self._given = self.settings
        if self.budget is not None:
            self.till = Till(self.budget, self.model_name)
            if self.till.purse.counts_tokens and self.settings.max_output_tokens is None:
                most = limits.EXTRACT_OUTPUT_TOKENS
                self.settings = replace(self.settings, max_output_tokens=most)

    @property
    def model_name(self) -> str:
        """The model's name as it was given: the key of a price table."""
        given = self.model
        return given if isinstance(given, str) else str(getattr(given, "name", ""))

    # ------------------------------------------------------------------------------- as a value

    def as_data(self) -> dict[str, Any]:
        """What makes this plan again elsewhere: `Plan(**data)`. To be pickled, if the model can be.

        A model string can be; a budget goes along, but is spent in each place by itself.
        """
        return {one.name: getattr(self, one.name) for one in fields(self) if one.init}

    def fingerprint(self) -> dict[str, str]:
        """What an answer depends on, each by name with a digest of it: for a job to compare."""
        settings = {f.name: getattr(self._given, f.name) for f in fields(self._given)}
        said = {name: value for name, value in settings.items() if value not in (None, {})}
        split = None if self.split is None else (self.split.tokens, self.split.overlap)
        told = {
            "schema": self.shape.output.format and dict(self.shape.output.format.schema),
            "model": [self.model_name, getattr(self.model, "model", None)],
            "instructions": self.instructions,
            "settings": said,
            "evidence": [self.evidence, self.ungrounded],
            "split": split,
            "passes": self.passes,
        }
        return {name: digest(to_json(one, fallback=repr).decode()) for name, one in told.items()}

    # -------------------------------------------------------------------------------- to be asked

    async def open(self, around: Callable[[Model], Model] | None = None) -> None:
        """Get hold of the model; once.

        Args:
            around: Makes of the model the one that is asked, such as a paced one; its `name` must
                be `model_name` where dollars are counted.

        Raises:
            ConfigError: A key, a region or an extra is missing.
        """
        if self._model is not None:
            return
        model = self.model
        if isinstance(model, str):
            model = await asyncio.to_thread(resolve_model, model)
        self._model = model if around is None else around(model)

    async def aclose(self) -> None:
        """Close a model that was made here; its connections close with their loop anyway."""
        close = getattr(self._model, "aclose", None)
        if close is not None and isinstance(self.model, str):
            await close()

    @property
    def whole(self) -> Asker:
        """Who is asked for a document in one piece."""
        return self._asker("whole")

    @property
    def part(self) -> Asker:
        """Who is asked for a piece of a document: every field may be null."""
        return self._asker("part")

    def _asker(self, name: str) -> Asker:
        if self._model is None:
            raise ConfigError("the plan is not open: await plan.open() before it is asked")
        found = self._askers.get(name)
        if found is None:
            told = rules(self) if name == "whole" else part_rules(self)
            output = self._whole if name == "whole" else self._partial
            found = self._askers[name] = Asker(
                self._model,
                output,
                instructions=told,
                settings=self.settings,
                reasks=self.reasks,
            )
        return found

    @cached_property
    def _partial(self) -> OutputType[Any]:
        """The shape with null allowed everywhere: a piece may say nothing of a field."""
        from toolstone.extract.merging import partial_schema  # noqa: PLC0415  for who splits

        form = self.shape.output.format
        assert form is not None  # noqa: S101  Shape.of has looked
        schema = {"title": form.name, **partial_schema(dict(form.schema))}
        return quoted(Shape.of(schema)) if self.evidence == "quotes" else output_of_schema(schema)

    def input_tokens(self, document: Document) -> int:
        """Of the largest request for this document, estimated; its re-asks are longer."""
        text = estimate_tokens(len(document.text.encode(errors="replace")))
        most = text if self.split is None else min(text, self.split.tokens)
        return most + self._told_tokens

    @cached_property
    def _told_tokens(self) -> int:
        """What goes along with each document, estimated: rules and schema."""
        form = self._whole.format
        assert form is not None  # noqa: S101  only plain text has none
        return estimate_tokens(len(part_rules(self).encode()) + len(to_json(form.schema)))

    def bodies(self, document: Document) -> list[Mapping[str, Any]]:
        """The requests that this document surely takes, in the words of the wire, for counting.

        Re-asks come on top; with `passes` a vote that is decided early takes fewer.
        """
        pieces = pieces_of(document.text, self.split)
        output = self._whole if len(pieces) == 1 else self._partial
        told = rules(self) if len(pieces) == 1 else part_rules(self)
        form = output.format
        assert form is not None  # noqa: S101  only plain text has none
        spelled = {"type": "json_schema", "name": form.name, "schema": form.schema}
        bodies: list[Mapping[str, Any]] = [
            {
                "instructions": told,
                "input": piece.text,
                "text": {"format": {**spelled, "strict": form.strict}},
            }
            for piece in pieces
        ]
        return bodies * self.passes
