"""The arguments of a function: the schema a model is shown, and the reader of what it sends."""

from __future__ import annotations

from dataclasses import field
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple, cast

from pydantic_core import (
    PydanticSerializationError,
    SchemaValidator,
    from_json,
    to_json,
)

from toolstone import limits
from toolstone._dataclass import dataclass
from toolstone.errors import DefinitionError
from toolstone.schema.explain import validate
from toolstone.schema.fragment import Fragment, describe, renamed
from toolstone.schema.lint import Totals
from toolstone.schema.signature import REQUIRED, Parameter
from toolstone.schema.strict import UNSAID, Tight, Wish, decide, optional, under
from toolstone.schema.strictjson import JSONProblem, check_object

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from toolstone.schema.nodes import Schema

__all__ = ["Arguments", "ArgumentsProblem", "describe_arguments"]


class ArgumentsProblem(ValueError):  # noqa: N818  it is told to the model, not raised to a caller
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
        except Exception:  # noqa: BLE001  a wrong value, or a validator of the user's that broke
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
    parts = _apart([_part(who, p, texts.get(p.name)) for p in parameters])
    loose, tight = _assembled(parts)
    chosen, reasons = decide(strict, who, tight)
    schema, defs = (tight.schema, tight.defs) if chosen else (loose, _defs(parts))
    if defs:
        schema = {**schema, "$defs": defs}
    _check_size(who, parts, schema)
    validator = _validator(parts)
    return Arguments(
        schema,
        chosen,
        reasons,
        validator.validate_json,
        validator,
        tuple(one.name for one in parts if one.optional and not one.fragment.nullable),
    )


class _Part(NamedTuple):
    """One parameter, described."""

    name: str
    fragment: Fragment
    optional: bool
    default: Any
    """As JSON."""
    text: str | None


def _part(who: str, parameter: Parameter, text: str | None) -> _Part:
    try:
        found = describe(parameter.annotation)
    except DefinitionError as error:
        raise type(error)(f"{who}: parameter {parameter.name!r}: {error}") from error
    optional = parameter.default is not REQUIRED
    default = _default(who, parameter) if optional else UNSAID
    return _Part(parameter.name, found, optional, default, text)


def _default(who: str, parameter: Parameter) -> Any:
    """The default as JSON."""
    default = parameter.default
    if default is None or type(default) in {str, bool, int}:
        return default
    if type(default).__name__ == "FieldInfo":
        raise DefinitionError(
            f"{who}: parameter {parameter.name!r} has a Field(...) as its default; write "
            f"{parameter.name}: Annotated[TYPE, Field(...)] = DEFAULT"
        )
    try:
        return from_json(to_json(default, inf_nan_mode="constants"), allow_inf_nan=False)
    except (PydanticSerializationError, ValueError, RecursionError) as error:
        raise DefinitionError(
            f"{who}: parameter {parameter.name!r} has a default of type "
            f"{type(default).__name__!r} that JSON cannot say; "
            "use None as the default and put the value in inside the function"
        ) from error


def _apart(parts: list[_Part]) -> list[_Part]:
    """The parts, with definitions of one name and different content given different names."""
    taken: dict[str, Schema] = {}
    told: list[_Part] = []
    for one in parts:
        names = {}
        for name, schema in one.fragment.defs.items():
            if taken.setdefault(name, schema) != schema:
                own = one.fragment.defs
                number = next(n for n in count(2) if f"{name}_{n}" not in {**taken, **own})
                names[name] = f"{name}_{number}"
        apart = renamed(one.fragment, names) if names else one.fragment
        taken.update(apart.defs)
        told.append(one._replace(fragment=apart) if names else one)
    return told


def _assembled(parts: Sequence[_Part]) -> tuple[Schema, Tight]:
    """The schema as Python means it, and the one translated for strict mode."""
    loose: Schema = {}
    strict: Schema = {}
    changed: list[str] = []
    obstacles: list[str] = []
    for one in parts:
        name, part = one.name, one.fragment
        changed += [under(name, text) for text in part.tight.changed]
        obstacles += [under(name, text) for text in part.tight.obstacles]
        loose[name] = _loose(one)
        inner = _worded(one)
        if one.optional:
            inner, change, obstacle = optional(
                inner, one.default, name, null_is_a_value=part.nullable
            )
            changed += [change] if change else []
            obstacles += [obstacle] if obstacle else []
        strict[name] = inner
    root = {"type": "object", "properties": loose, "required": [], "additionalProperties": False}
    root["required"] = [one.name for one in parts if not one.optional]
    tight = {**root, "properties": strict, "required": list(strict)}
    totals = _totals(parts)
    obstacles += totals.problems()
    defs = {name: inner for one in parts for name, inner in one.fragment.tight.defs.items()}
    return root, Tight(tight, defs, tuple(changed), tuple(obstacles), totals)


def _loose(one: _Part) -> Schema:
    inner = one.fragment.schema
    shown = one.optional and (one.default is not None or one.fragment.nullable)
    if not one.text and not shown:
        return inner
    inner = dict(inner)
    if one.text:
        inner["description"] = one.text
    if shown:
        inner["default"] = one.default
    return inner


def _worded(one: _Part) -> Schema:
    """The translated schema, described in the words of the function's docstring."""
    inner = one.fragment.tight.schema
    if not one.text:
        return inner
    if "$ref" in inner:
        return {"anyOf": [inner], "description": one.text}
    hints = one.fragment.hints
    return {**inner, "description": f"{one.text} {hints}" if hints else one.text}


def _totals(parts: Sequence[_Part]) -> Totals:
    found = [one.fragment.tight.totals for one in parts]
    return Totals(
        len(parts) + sum(one.properties for one in found),
        sum(one.enum_values for one in found),
        sum(one.characters for one in found) + sum(len(one.name) for one in parts),
        1 + max((one.depth for one in found), default=0),
    )


def _defs(parts: Sequence[_Part]) -> dict[str, Schema]:
    return {name: inner for one in parts for name, inner in one.fragment.defs.items()}


def _validator(parts: Sequence[_Part]) -> SchemaValidator:
    """One validator over the parts' own; null is let through where it stands for a default."""
    fields: dict[str, Any] = {}
    definitions: dict[str, Any] = {}
    for one in parts:
        inner: Any = one.fragment.core
        if one.optional and not one.fragment.nullable:
            inner = {"type": "nullable", "schema": inner}
        fields[one.name] = {
            "type": "typed-dict-field",
            "schema": inner,
            "required": not one.optional,
        }
        for definition in one.fragment.definitions:
            definitions[cast("Any", definition)["ref"]] = definition
    found: Any = {"type": "typed-dict", "fields": fields, "extra_behavior": "forbid"}
    if definitions:
        found = {"type": "definitions", "schema": found, "definitions": list(definitions.values())}
    return SchemaValidator(found)


def _check_size(who: str, parts: Sequence[_Part], schema: Schema) -> None:
    if sum(one.fragment.size + len(one.text or "") for one in parts) < limits.SCHEMA_BYTES // 4:
        return  # translation adds words, but never so many
    if (size := len(to_json(schema))) > limits.SCHEMA_BYTES:
        raise DefinitionError(
            f"{who}: its schema has {size} bytes, at most {limits.SCHEMA_BYTES} are sent; "
            "make the types smaller (limits.SCHEMA_BYTES)"
        )
