"""The arguments of a function: the schema a model is shown, and the reader of what it sends."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pydantic_core import (
    PydanticSerializationError,
    SchemaValidator,
    ValidationError,
    core_schema,
    from_json,
    to_json,
)

from toolstone import limits
from toolstone.errors import DefinitionError
from toolstone.schema.explain import validate
from toolstone.schema.fragment import Fragment, describe
from toolstone.schema.lint import Totals
from toolstone.schema.signature import REQUIRED, Parameter
from toolstone.schema.strict import Tight, Wish, combined, decide, optional
from toolstone.schema.strictjson import JSONProblem, check_object

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from toolstone.schema.nodes import Schema

__all__ = ["Arguments", "ArgumentsProblem", "describe_arguments"]


class ArgumentsProblem(ValueError):
    """Arguments that do not fit. The message is one sentence for the model: path and reason."""


@dataclass(frozen=True, slots=True)
class Arguments:
    """The arguments of one function.

    Attributes:
        schema: JSON Schema of the arguments object, as it goes to the model.
        strict: Whether it stands in the strict subset.
        reasons: Why it is not strict, or what was translated to make it so.
    """

    schema: Schema
    strict: bool
    reasons: tuple[str, ...]
    _validate: Callable[..., dict[str, Any]] = field(repr=False)
    _validator: SchemaValidator = field(repr=False)
    _optional: tuple[str, ...] = field(repr=False)
    """Parameters whose null stands for the default."""

    def read(self, text: str) -> dict[str, Any]:
        """Read a model's arguments. What is left out, or null in its place, is absent.

        Raises:
            ArgumentsProblem: They are not one strict JSON object that fits the schema.
        """
        try:
            raw = check_object(text)
            values = self._validate(raw, strict=True, extra="forbid" if self.strict else None)
        except JSONProblem as problem:
            raise ArgumentsProblem(_sentence((str(problem),))) from None
        except ValidationError:
            values = self._read_again(raw)
        for name in self._optional:
            if name in values and values[name] is None:
                del values[name]
        return values

    def _read_again(self, raw: bytes) -> dict[str, Any]:
        values, problems = validate(
            self._validator, raw, closed=self.strict, most=limits.ARGUMENTS_BYTES
        )
        if problems:
            raise ArgumentsProblem(_sentence(problems)) from None
        found: dict[str, Any] = values
        return found


def _sentence(problems: Sequence[str]) -> str:
    return f"invalid arguments: {'; '.join(problems)}"


def describe_arguments(
    who: str,
    parameters: Sequence[Parameter],
    texts: Mapping[str, str],
    strict: Wish = "auto",
) -> Arguments:
    """Assemble the arguments of a function from its parameters.

    Args:
        who: The function, for messages.
        parameters: What the model fills in.
        texts: What the docstring says of each.
        strict: Strict, not strict, or strict where that keeps Python's meaning.

    Raises:
        DefinitionError: A parameter cannot be described, or cannot be strict as asked.
    """
    parts = [(p, _described(who, p), _default(who, p)) for p in parameters]
    loose = _loose(parts, texts)
    tight = _tight(parts, loose)
    chosen, reasons = decide(strict, who, tight)
    schema, defs = (tight.schema, tight.defs) if chosen else (loose, _defs(parts))
    if defs:
        schema = {**schema, "$defs": defs}
    _check_size(who, schema)
    validator = _validator(parts)
    return Arguments(
        schema,
        chosen,
        reasons,
        validator.validate_json,
        validator,
        tuple(p.name for p, part, _ in parts if p.default is not REQUIRED and not part.nullable),
    )


_Part = tuple[Parameter, Fragment, Any]


def _described(who: str, parameter: Parameter) -> Fragment:
    try:
        return describe(parameter.annotation)
    except DefinitionError as error:
        raise DefinitionError(f"{who}: parameter {parameter.name!r}: {error}") from error


def _default(who: str, parameter: Parameter) -> Any:
    """The default as JSON."""
    default = parameter.default
    if default is REQUIRED or default is None or type(default) in {str, bool, int}:
        return default
    try:
        return from_json(to_json(default, inf_nan_mode="constants"), allow_inf_nan=False)
    except (PydanticSerializationError, ValueError, RecursionError) as error:
        raise DefinitionError(
            f"{who}: parameter {parameter.name!r} has a default of type "
            f"{type(default).__name__!r} that JSON cannot say; "
            "use None as the default and put the value in inside the function"
        ) from error


def _loose(parts: Sequence[_Part], texts: Mapping[str, str]) -> Schema:
    """The schema as Python means it."""
    properties: Schema = {}
    for p, part, default in parts:
        inner = part.schema
        text = texts.get(p.name)
        if text or default is not REQUIRED:
            inner = dict(inner)
        if text:
            inner["description"] = text
        if default is not REQUIRED and (default is not None or part.nullable):
            inner["default"] = default
        properties[p.name] = inner
    return {
        "type": "object",
        "properties": properties,
        "required": [p.name for p, _, default in parts if default is REQUIRED],
        "additionalProperties": False,
    }


def _tight(parts: Sequence[_Part], loose: Schema) -> Tight:
    """The schema translated for strict mode."""
    changed, obstacles = combined([(p.name, part.tight) for p, part, _ in parts])
    properties: Schema = {}
    defs: dict[str, Schema] = {}
    totals = Totals(len(parts), 0, sum(len(p.name) for p, _, _ in parts))
    for p, part, default in parts:
        shown = loose["properties"][p.name]
        inner = _described_as(part.tight.schema, shown.get("description"))
        if default is not REQUIRED:
            inner, change, obstacle = optional(shown, inner, part.defs, p.name)
            changed += [change] if change else []
            obstacles += [obstacle] if obstacle else []
        properties[p.name] = inner
        defs.update(part.tight.defs)
        totals += part.tight.totals
    schema = {**loose, "properties": properties, "required": list(properties)}
    deeper = Totals(totals.properties, totals.enum_values, totals.characters, totals.depth + 1)
    return Tight(schema, defs, tuple(changed), (*obstacles, *deeper.problems()), deeper)


def _described_as(inner: Schema, text: str | None) -> Schema:
    if text is None or inner.get("description") == text:
        return inner
    if "$ref" in inner:
        return {"anyOf": [inner], "description": text}
    hints = inner.get("description", "")
    return {**inner, "description": text if not hints else text}


def _defs(parts: Sequence[_Part]) -> dict[str, Schema]:
    return {name: one for _, part, _ in parts for name, one in part.defs.items()}


def _validator(parts: Sequence[_Part]) -> SchemaValidator:
    """One validator over the parts' own; null is let through where it stands for a default."""
    fields = {}
    definitions: dict[str, Any] = {}
    for p, part, default in parts:
        inner = part.core
        if default is not REQUIRED and not part.nullable:
            inner = core_schema.nullable_schema(inner)
        fields[p.name] = core_schema.typed_dict_field(inner, required=default is REQUIRED)
        definitions.update({one["ref"]: one for one in part.definitions})  # type: ignore[typeddict-item]
    found: Any = core_schema.typed_dict_schema(fields, extra_behavior="forbid")
    if definitions:
        found = core_schema.definitions_schema(found, list(definitions.values()))
    return SchemaValidator(found)


def _check_size(who: str, schema: Schema) -> None:
    if (size := len(to_json(schema))) > limits.SCHEMA_BYTES:
        raise DefinitionError(
            f"{who}: its schema has {size} bytes, at most {limits.SCHEMA_BYTES} are sent; "
            "make the types smaller"
        )
