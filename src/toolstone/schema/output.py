"""The answer a run is asked for: a type, how a model is told of it, and how its text is read."""

from __future__ import annotations

import json
import re
from dataclasses import field
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast, overload

from pydantic_core import SchemaValidator, core_schema

from toolstone import limits
from toolstone._dataclass import dataclass
from toolstone.ports import OutputFormat, ToolSpec
from toolstone.schema.explain import validate
from toolstone.schema.fragment import Fragment, describe
from toolstone.schema.strict import Tight, Wish, decide, tighten
from toolstone.schema.strictjson import check_object

if TYPE_CHECKING:
    from toolstone.schema.nodes import Schema

__all__ = ["FINAL_ANSWER", "OutputProblem", "OutputType"]

T = TypeVar("T")
Out = TypeVar("Out")

FINAL_ANSWER: Final = "final_answer"
"""The name of the tool that takes the answer where an endpoint has no structured output."""

_NAMES: Final = re.compile(r"[^A-Za-z0-9_-]+")


class OutputProblem(ValueError):  # noqa: N818  it is told to the model, not raised to a caller
    """An answer that does not fit. Its text is not in the message.

    Attributes:
        problems: One sentence for each thing wrong: path and reason.
    """

    def __init__(self, problems: tuple[str, ...]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class OutputType(Generic[T]):
    """A type that answers are read as.

    Attributes:
        annotation: The type itself.
        format: Its schema for endpoints that enforce one; None for plain text.
        strict: Whether the schema stands in the strict subset.
        reasons: Why it is not strict, or what was translated to make it so.
        instructions: What to tell a model that is only asked to follow; empty for plain text.
        tool: The tool that takes the answer, where there is no structured output; None for text.
        wrapped: Whether the answer stands under the key `value`: a schema's root is an object.
    """

    annotation: Any
    format: OutputFormat | None = None
    strict: bool = False
    reasons: tuple[str, ...] = ()
    instructions: str = ""
    tool: ToolSpec | None = None
    wrapped: bool = False
    _validator: SchemaValidator | None = field(default=None, repr=False, compare=False)
    _bare: SchemaValidator | None = field(default=None, repr=False, compare=False)

    @overload
    @staticmethod
    def of(annotation: type[Out], *, strict: Wish = "auto") -> OutputType[Out]: ...
    @overload
    @staticmethod
    def of(annotation: Any, *, strict: Wish = "auto") -> OutputType[Any]: ...
    @staticmethod
    def of(annotation: Any, *, strict: Wish = "auto") -> OutputType[Any]:
        """Describe an output type.

        Args:
            annotation: A Pydantic model, dataclass, TypedDict, union, list, scalar, `Literal`
                or `str`; an output type stays as it is.
            strict: Strict, not strict, or strict where that keeps Python's meaning.

        Raises:
            DefinitionError: It cannot be described, or cannot be strict as asked.
        """
        if isinstance(annotation, OutputType):
            return annotation
        if annotation is str:
            return OutputType(str, reasons=("plain text has no schema",))
        part = describe(annotation)
        wrapped = not _is_object(part)
        name = _name(annotation)
        loose = _root(part.schema, part.defs, wrapped=wrapped)
        tight = _tight_root(part, wrapped=wrapped)
        chosen, reasons = decide(strict, f"output type {name}", tight)
        schema, defs = (tight.schema, tight.defs) if chosen else (loose, part.defs)
        if defs:
            schema = {**schema, "$defs": defs}
        bare = _validator(part, wrapped=False)
        return OutputType(
            annotation,
            OutputFormat(name, schema, chosen),
            chosen,
            reasons,
            _instructions(schema),
            ToolSpec(FINAL_ANSWER, "Give the final answer.", schema, chosen),
            wrapped,
            _validator(part, wrapped=True) if wrapped else bare,
            bare,
        )

    def read(self, text: str) -> T:
        """Read an answer.

        Raises:
            OutputProblem: It does not fit; says where and why, without its content.
        """
        return self.read_with_notes(text)[0]

    def read_with_notes(self, text: str) -> tuple[T, str | None]:
        """Read an answer, and tell what had to be repaired, if anything.

        A code fence, prose around one JSON value and trailing junk are set aside first.

        Raises:
            OutputProblem: It does not fit; says where and why, without its content.
        """
        if self._validator is None:
            return cast("T", text), None
        try:
            raw = check_object(text, limits.OUTPUT_CHARACTERS)
            found = self._validator.validate_json(
                raw, strict=True, extra="forbid" if self.strict else None
            )
        except Exception:  # noqa: BLE001  looked at closely, where it is told
            return self._read_closely(text)
        return self._unwrap(found), None

    def _read_closely(self, text: str) -> tuple[T, str | None]:
        """The slow way: find the JSON, put defaults for nulls, take a bare value."""
        most = limits.OUTPUT_CHARACTERS
        if len(text) > most:
            why = f"{len(text)} characters; at most {most} are read (limits.OUTPUT_CHARACTERS)"
            raise OutputProblem((why,))
        from toolstone.schema.repair import find_json  # noqa: PLC0415  for what does not fit

        said, note, problem = find_json(text)
        if problem is not None:
            raise OutputProblem((problem,)) from None
        found, problems = self._validated(self._validator, said)
        if not problems:
            return self._unwrap(found), note
        if self.wrapped:
            bare, others = self._validated(self._bare, said)
            if not others:
                return cast("T", bare), _and(note, "took the bare value for one under 'value'")
        raise OutputProblem(problems) from None

    def _validated(
        self, validator: SchemaValidator | None, said: str
    ) -> tuple[Any, tuple[str, ...]]:
        assert validator is not None  # noqa: S101  only plain text has none
        return validate(validator, said, closed=self.strict, most=limits.BODY_BYTES)

    def _unwrap(self, found: Any) -> T:
        return cast("T", found["value"] if self.wrapped else found)


def _and(note: str | None, more: str) -> str:
    return f"{note}; {more}" if note else more


def _is_object(part: Fragment) -> bool:
    node = part.schema
    if "$ref" in node:
        node = part.defs.get(node["$ref"].removeprefix("#/$defs/"), {})
    return node.get("type") == "object"


def _root(schema: Schema, defs: dict[str, Schema], *, wrapped: bool) -> Schema:
    """The schema with an object at its root: wrapped, or a reference followed."""
    if wrapped:
        return {
            "type": "object",
            "properties": {"value": schema},
            "required": ["value"],
            "additionalProperties": False,
        }
    if "$ref" in schema:
        target = defs[schema["$ref"].removeprefix("#/$defs/")]
        return {**target, **{key: value for key, value in schema.items() if key != "$ref"}}
    return schema


def _tight_root(part: Fragment, *, wrapped: bool) -> Tight:
    return tighten(_root(part.schema, part.defs, wrapped=wrapped), part.defs).limited()


def _name(annotation: Any) -> str:
    found = getattr(annotation, "__name__", "") if isinstance(annotation, type) else ""
    return _NAMES.sub("_", found)[:64].strip("_") or "output"


def _validator(part: Fragment, *, wrapped: bool) -> SchemaValidator:
    found: Any = part.core
    if wrapped:
        found = core_schema.typed_dict_schema(
            {"value": core_schema.typed_dict_field(found, required=True)}, extra_behavior="forbid"
        )
    if part.definitions:
        found = core_schema.definitions_schema(found, list(part.definitions))
    return SchemaValidator(found)


def _instructions(schema: Schema) -> str:
    shown = json.dumps(schema, ensure_ascii=False, separators=(",", ":"))
    return (
        "Give the final answer as one JSON object that fits the JSON Schema below: "
        f"no other text, no code fence.\n{shown}"
    )
