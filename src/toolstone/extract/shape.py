"""What is read out of a document: a Python type or a JSON Schema, as one thing.

A schema that somebody wrote becomes an output type like any other: translated for strict mode where
that keeps its meaning, checked here in full either way, and its answer is a dict.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import make_dataclass
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from pydantic_core import (
    InitErrorDetails,
    PydanticCustomError,
    SchemaValidator,
    ValidationError,
    core_schema,
    to_json,
)

from toolstone._dataclass import dataclass
from toolstone.errors import DefinitionError
from toolstone.extract.paths import Field, flattened, steps_of, value_at
from toolstone.ports import OutputFormat, ToolSpec
from toolstone.schema.foreign import SafeSchema, UnsafeSchema
from toolstone.schema.nodes import admits_null
from toolstone.schema.output import FINAL_ANSWER, OutputType
from toolstone.schema.strict import tighten

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolstone.schema.nodes import Schema

__all__ = ["Quote", "Shape", "output_of_schema", "quoted"]

T = TypeVar("T")

_DEFS: Final = "#/$defs/"
_NAMES: Final = re.compile(r"[^A-Za-z0-9_-]+")
_REMARKS: Final = frozenset({"$schema", "$id", "$comment", "$anchor"})
"""What a schema says of itself, and a model need not read."""


@dataclass(frozen=True, slots=True)
class Shape(Generic[T]):
    """What a document is read into.

    Attributes:
        type: The type, or the JSON Schema.
        output: It as an output type.
        root: What its schema on the wire says of each place in a value.
    """

    type: Any
    output: OutputType[T]
    root: Field

    @classmethod
    def of(cls, given: Any) -> Shape[Any]:
        """The shape of a type or a JSON Schema.

        Raises:
            DefinitionError: It cannot be described, or is plain text.
        """
        output: OutputType[Any] = (
            output_of_schema(given) if isinstance(given, Mapping) else OutputType.of(given)
        )
        if output.format is None:
            raise DefinitionError(
                "extract_many(..., str): plain text has no fields to be read; give a Pydantic "
                "model, a dataclass, a TypedDict or a JSON Schema"
            )
        whole = dict(output.format.schema)
        defs = whole.pop("$defs", {})
        schema = whole["properties"]["value"] if output.wrapped else whole
        kept = dict(given) if isinstance(given, Mapping) else given
        return Shape(kept, output, Field([schema], defs))

    def read(self, data: Any) -> T:
        """The value that this JSON data says, as an answer would.

        Raises:
            OutputProblem: It does not fit.
        """
        return self.output.read(to_json({"value": data} if self.output.wrapped else data).decode())


# ------------------------------------------------------------------------- schemas of other people


def output_of_schema(given: Mapping[str, Any]) -> OutputType[dict[str, Any]]:
    """A JSON Schema of an object as an output type.

    Raises:
        DefinitionError: It is no valid schema, no object's, too large, or not safe to check with.
    """
    name = _NAMES.sub("_", str(given.get("title", "")))[:64].strip("_") or "output"
    checked = _checked(name, _with_defs(dict(given)))
    loose = {key: value for key, value in checked.schema.items() if key not in _REMARKS}
    defs = dict(loose.pop("$defs", {}))
    named = {key: _asked_for(one, defs) for key, one in defs.items()}
    tight = tighten(_asked_for(loose, defs), named).limited()
    reasons = tight.obstacles or (
        () if _refers_to_defs(loose) else ("a reference leads elsewhere",)
    )
    schema = loose if reasons else tight.schema
    if shown := defs if reasons else tight.defs:
        schema = {**schema, "$defs": shown}
    validator = _validator(checked, loose, defs)
    told = to_json(schema).decode()
    return OutputType(
        dict,
        OutputFormat(name, schema, not reasons),
        not reasons,
        reasons or tight.changed,
        f"Give the final answer as one JSON object that fits the JSON Schema below: "
        f"no other text, no code fence.\n{told}",
        ToolSpec(FINAL_ANSWER, "Give the final answer.", schema, not reasons),
        _validator=validator,
        _bare=validator,
    )


def _checked(name: str, schema: Schema) -> SafeSchema:
    try:
        found = SafeSchema(schema)
    except UnsafeSchema as problem:
        raise DefinitionError(f"the JSON Schema {name!r}: {problem}") from None
    if found.schema.get("type") != "object":
        raise DefinitionError(
            f'the JSON Schema {name!r}: its root must have "type": "object"; put a list under a '
            "property"
        )
    return found


def _with_defs(schema: Any) -> Any:
    """The same with `definitions`, as they were called before 2019, called `$defs`."""
    if "definitions" not in schema or "$defs" in schema:
        return schema
    named = {("$defs" if key == "definitions" else key): value for key, value in schema.items()}
    return _moved(named)


def _moved(node: Any) -> Any:
    if isinstance(node, list):
        return [_moved(one) for one in node]
    if not isinstance(node, dict):
        return node
    ref = node.get("$ref")
    if isinstance(ref, str) and ref.startswith("#/definitions/"):
        node = {**node, "$ref": _DEFS + ref.removeprefix("#/definitions/")}
    return {key: _moved(one) for key, one in node.items()}


def _asked_for(node: Any, defs: Mapping[str, Schema]) -> Any:
    """The same with every field required that may be null: null says that nothing is said."""
    if not isinstance(node, dict):
        return node
    out = {key: _asked_for(one, defs) if key == "items" else one for key, one in node.items()}
    for keyword in {"anyOf", "oneOf", "allOf"} & out.keys():
        out[keyword] = [_asked_for(branch, defs) for branch in out[keyword]]
    if isinstance(fields := out.get("properties"), dict):
        out["properties"] = {name: _asked_for(one, defs) for name, one in fields.items()}
        needed = out.get("required", ())
        out["required"] = [n for n, one in fields.items() if n in needed or admits_null(one, defs)]
        out["required"] += [name for name in needed if name not in fields]
    return out


def _refers_to_defs(node: Any) -> bool:
    if isinstance(node, list):
        return all(map(_refers_to_defs, node))
    if not isinstance(node, dict):
        return True
    ref = node.get("$ref", _DEFS)
    fits = not isinstance(ref, str) or ref.startswith(_DEFS)
    return fits and all(map(_refers_to_defs, node.values()))


def _validator(checked: SafeSchema, loose: Schema, defs: Mapping[str, Schema]) -> SchemaValidator:
    def check(value: dict[str, Any]) -> dict[str, Any]:
        _drop_stand_ins(value, [loose], defs)
        if problems := checked.problems(value):
            raise ValidationError.from_exception_data("answer", _details(problems, value))
        return value

    return SchemaValidator(
        core_schema.no_info_after_validator_function(
            check, core_schema.dict_schema(core_schema.str_schema(), core_schema.any_schema())
        )
    )


def _details(problems: Sequence[str], value: Any) -> list[InitErrorDetails]:
    """Sentences such as `lines[0].due: must be ...` as errors with their place."""
    found: list[InitErrorDetails] = []
    for problem in problems:
        path, _, reason = problem.partition(": ")
        steps = steps_of(path, value)
        error = PydanticCustomError("schema", "{reason}", {"reason": reason if steps else problem})
        found.append({"type": error, "loc": steps, "input": value_at(value, steps)})
    return found


def _drop_stand_ins(value: Any, nodes: Sequence[Any], defs: Mapping[str, Schema]) -> None:
    """Remove the nulls that strict mode has stand for fields that may be left out."""
    here = flattened(nodes, defs)
    if isinstance(value, list):
        inside = [node["items"] for node in here if "items" in node]
        for one in value:
            _drop_stand_ins(one, inside, defs)
    elif isinstance(value, dict):
        for name, one in list(value.items()):
            inside = [p[name] for node in here if name in (p := node.get("properties", {}))]
            needed = any(name in node.get("required", ()) for node in here)
            if one is None and inside and not needed:
                if not any(admits_null(node, defs) for node in inside):
                    del value[name]
            else:
                _drop_stand_ins(one, inside, defs)


# ------------------------------------------------------------------------------ answers that quote


@dataclass(frozen=True, slots=True)
class Quote:
    """The words of the document that a value is read from.

    Args:
        path: The field, such as `due` or `lines[0].amount`.
        quote: Copied from the document to the letter, as few words as say it.
    """

    path: str
    quote: str


_QUOTES: Final[Schema] = {
    "type": "array",
    "description": "For each value that is not null, the words of the document it is read from.",
    "items": {
        "type": "object",
        "properties": {
            "path": {"type": "string", "description": "Such as 'due' or 'lines[0].amount'."},
            "quote": {"type": "string", "description": "Copied to the letter, few words."},
        },
        "required": ["path", "quote"],
        "additionalProperties": False,
    },
}


def quoted(shape: Shape[Any]) -> OutputType[Any]:
    """The shape and beside it the quotes: a dict, or an object, of `value` and `evidence`.

    Raises:
        DefinitionError: A reference of the JSON Schema leads elsewhere than to its definitions.
    """
    if not isinstance(shape.type, Mapping):
        holder = make_dataclass("Quoted", [("value", shape.type), ("evidence", list[Quote])])
        return OutputType.of(holder)
    given = _with_defs(shape.type)
    if not _refers_to_defs(given):
        raise DefinitionError(
            "evidence='quotes': the JSON Schema has a reference that leads elsewhere than to its "
            "$defs, and would be lost beside the quotes; use evidence='values'"
        )
    inner = {key: value for key, value in given.items() if key not in {*_REMARKS, "$defs"}}
    whole: Schema = {
        "type": "object",
        "properties": {"value": inner, "evidence": _QUOTES},
        "required": ["value", "evidence"],
        "additionalProperties": False,
    }
    if "$defs" in given:
        whole["$defs"] = given["$defs"]
    return output_of_schema(whole)
