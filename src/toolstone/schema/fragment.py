"""One annotation, described once: its JSON Schema, the strict twin of it, and its validator's core.

Functions are assembled from these. Building one costs a third of a millisecond for a nested model,
so each distinct annotation is described once for the process.
"""

from __future__ import annotations

import inspect
import re
import warnings
from functools import cache, lru_cache
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar, Union, cast, get_args, get_origin

from pydantic import PydanticUserError, TypeAdapter
from pydantic.errors import PydanticSchemaGenerationError
from pydantic.json_schema import DefsRef, GenerateJsonSchema, PydanticJsonSchemaWarning
from pydantic_core import to_json

from toolstone.errors import DefinitionError
from toolstone.schema.docstring import read_docstring
from toolstone.schema.nodes import admits_null
from toolstone.schema.strict import Tight, tighten
from toolstone.schema.typeddicts import modern

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic.json_schema import CoreModeRef, JsonSchemaValue
    from pydantic_core import CoreSchema, core_schema

    from toolstone.schema.nodes import Schema

__all__ = ["Fragment", "describe", "renamed"]


class Fragment(NamedTuple):
    """What an annotation means on the wire and here."""

    core: CoreSchema
    definitions: tuple[CoreSchema, ...]
    """What `core` refers to; lifted out, so that several fragments make one validator."""
    schema: Schema
    defs: dict[str, Schema]
    tight: Tight
    nullable: bool
    """Whether null is a value of its own."""
    size: int
    """Bytes of the schema and its definitions, about."""
    hints: str
    """What the translation says that the schema did not say in words."""


def describe(annotation: Any) -> Fragment:
    """Describe an annotation.

    Raises:
        DefinitionError: JSON Schema or pydantic cannot describe it.
    """
    if isinstance(annotation, type):
        return _described(annotation, "")
    try:
        return _described(annotation, repr(annotation))  # int | str == str | int, in other words
    except TypeError as error:
        if "unhashable" not in str(error):
            raise
    return _describe(annotation)


@lru_cache(maxsize=4096)
def _described(annotation: Any, _spelled: str) -> Fragment:
    return _describe(annotation)


def _describe(annotation: Any) -> Fragment:
    core, definitions, schema, defs = _everyday(annotation) or _by_pydantic(annotation)
    tight = tighten(schema, defs)
    said, says = schema.get("description", ""), tight.schema.get("description", "")
    return Fragment(
        core,
        definitions,
        schema,
        defs,
        tight,
        admits_null(schema, defs),
        len(to_json([schema, defs])),
        says.removeprefix(said).strip(),
    )


_Described = tuple["CoreSchema", tuple["CoreSchema", ...], "Schema", "dict[str, Schema]"]

_SCALARS: Final[dict[Any, tuple[str, str]]] = {
    str: ("str", "string"),
    int: ("int", "integer"),
    float: ("float", "number"),
    bool: ("bool", "boolean"),
}


def _everyday(annotation: Any) -> _Described | None:
    """What pydantic would say of scalars, `X | None` and `list[X]`, without asking it again."""
    if isinstance(annotation, type) and annotation in _SCALARS:
        kind, name = _SCALARS[annotation]
        return cast("CoreSchema", {"type": kind}), (), {"type": name}, {}
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is list and len(arguments) == 1 and not isinstance(arguments[0], TypeVar):
        part = describe(arguments[0])
        core = cast("CoreSchema", {"type": "list", "items_schema": part.core})
        return core, part.definitions, {"type": "array", "items": part.schema}, part.defs
    others = [one for one in arguments if one is not NoneType]
    if origin in {Union, UnionType} and len(others) == 1 and NoneType in arguments:
        part = describe(others[0])
        if part.nullable:
            return None
        core = cast("CoreSchema", {"type": "nullable", "schema": part.core})
        return core, part.definitions, {"anyOf": [part.schema, {"type": "null"}]}, part.defs
    return None


def _by_pydantic(annotation: Any) -> _Described:
    try:
        core = TypeAdapter(modern(annotation)).core_schema
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", PydanticJsonSchemaWarning)  # a default JSON cannot say
            schema, defs = _Generator().describe(core)
    except (PydanticUserError, PydanticSchemaGenerationError) as error:
        reason = str(error).splitlines()[0]
        raise DefinitionError(
            f"the type {_shown(annotation)} cannot be described to a model: {reason}"
        ) from error
    core, definitions = _lift(core)
    return core, definitions, schema, defs


def renamed(part: Fragment, names: Mapping[str, str]) -> Fragment:
    """The same with other names for its definitions, so that two of one name stand side by side."""
    tight = part.tight._replace(
        schema=_refer(part.tight.schema, names),
        defs={names.get(n, n): _refer(one, names) for n, one in part.tight.defs.items()},
    )
    defs = {names.get(n, n): _refer(one, names) for n, one in part.defs.items()}
    return part._replace(schema=_refer(part.schema, names), defs=defs, tight=tight)


def _refer(node: Any, names: Mapping[str, str]) -> Any:
    if isinstance(node, list):
        return [_refer(one, names) for one in node]
    if not isinstance(node, dict):
        return node
    ref = node.get("$ref")
    if isinstance(ref, str):
        name = ref.removeprefix("#/$defs/")
        node = {**node, "$ref": f"#/$defs/{names.get(name, name)}"}
    return {key: _refer(one, names) for key, one in node.items()}


def _shown(annotation: Any) -> str:
    return annotation.__qualname__ if isinstance(annotation, type) else str(annotation)


def _lift(core: CoreSchema) -> tuple[CoreSchema, tuple[CoreSchema, ...]]:
    if core["type"] == "definitions":
        return core["schema"], tuple(core["definitions"])
    return core, ()


_IDS: Final = re.compile(r":\d+")
_MODULES: Final = re.compile(r"(?:[^.\[\],]+\.)+")
_UPDATES: Final = frozenset({"pydantic_js_updates"})


@cache
def _method(kind: str) -> str:
    return kind.replace("-", "_") + "_schema"


class _Methods(dict[Any, Any]):
    """The generator's methods by type, each looked up when it is first needed: most never are."""

    def __init__(self, generator: GenerateJsonSchema) -> None:
        super().__init__()
        self._generator = generator

    def __missing__(self, kind: str) -> Any:
        self[kind] = found = getattr(self._generator, _method(kind))
        return found


class _Generator(GenerateJsonSchema):
    """Pydantic's generator without filler: no titles but your own, docstrings read as such."""

    def __init__(self) -> None:
        super().__init__()
        self._names: dict[str, list[str]] = {}

    def build_schema_type_to_method(self) -> dict[Any, Any]:
        return _Methods(self)

    def describe(self, core: CoreSchema) -> tuple[Schema, dict[str, Schema]]:
        """What `generate` says, with definitions named well at once and not renamed later."""
        found: Schema = self.generate_inner(core)
        counts = self.get_json_ref_counts(found)
        ref = found.get("$ref")
        if ref is not None and counts[ref] == 1 and len(found) == 1:
            found = dict(self.definitions[self.json_to_defs_refs[ref]])
            counts[ref] = 0
        kept = {name for ref, name in self.json_to_defs_refs.items() if counts.get(ref)}
        return found, {str(name): one for name, one in self.definitions.items() if name in kept}

    def get_defs_ref(self, core_mode_ref: CoreModeRef) -> DefsRef:
        """The type's own name; the second of a name gets a number."""
        core_ref = core_mode_ref[0]
        name = self.normalize_name(_MODULES.sub("", _IDS.sub("", core_ref)))
        taken = self._names.setdefault(name, [])
        if core_ref not in taken:
            taken.append(core_ref)
        number = taken.index(core_ref)
        return DefsRef(f"{name}_{number + 1}" if number else name)

    def generate_inner(self, schema: Any) -> JsonSchemaValue:
        told = schema.get("metadata")
        if "ref" not in schema and (not told or told.keys() == _UPDATES):
            # Nothing but its type speaks for it: the same methods, without the handlers between.
            found: JsonSchemaValue = getattr(self, _method(schema["type"]))(schema)
            return {**found, **told["pydantic_js_updates"]} if told else found
        if schema["type"] == "enum" and not hasattr(schema["cls"], "__get_pydantic_json_schema__"):
            # Else the class's name and docstring are put back after `enum_schema`.
            told = {**schema.get("metadata", {})}
            told.pop("pydantic_js_functions", None)
            schema = {**schema, "metadata": told}
        return super().generate_inner(schema)

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        return _plainly(super().model_schema(schema), schema["cls"])

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> JsonSchemaValue:
        return _plainly(super().dataclass_schema(schema), schema["cls"])

    def typed_dict_schema(self, schema: core_schema.TypedDictSchema) -> JsonSchemaValue:
        found = super().typed_dict_schema(schema)
        cls = schema.get("cls")
        return _plainly(found, cls) if cls is not None else found

    def enum_schema(self, schema: core_schema.EnumSchema) -> JsonSchemaValue:
        return _plainly(super().enum_schema(schema), schema["cls"])

    def is_subclass_schema(self, schema: core_schema.IsSubclassSchema) -> JsonSchemaValue:
        return self.handle_invalid_for_json_schema(schema, "a class, which JSON cannot say")

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        """A number or its text; the text's pattern runs on a linear engine."""
        number = self.float_schema({**schema, "type": "float"})  # type: ignore[typeddict-item]
        return {"anyOf": [number, {"type": "string", "pattern": r"^[+-]?\d+(\.\d+)?$"}]}


def _plainly(found: JsonSchemaValue, cls: type) -> JsonSchemaValue:
    if found.get("title") == cls.__name__:
        del found["title"]
    doc = found.get("description")
    if doc is None or cls.__doc__ is None or doc != inspect.cleandoc(cls.__doc__):
        return found
    read = read_docstring(cls.__doc__)
    found.pop("description")
    if read.text and doc != "An enumeration.":
        found["description"] = read.text
    for name, text in read.parameters.items():
        inner = found.get("properties", {}).get(name)
        if isinstance(inner, dict):
            inner.setdefault("description", text)
    return found
