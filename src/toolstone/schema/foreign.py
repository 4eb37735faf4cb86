"""A JSON Schema written by somebody else: checked and compiled once, then safe to validate with.

What makes foreign schemas dangerous is refused or bounded before the first value is seen:
references that lead out of the schema or in a circle, more nodes than a limit once references are
followed (nothing is ever inlined), patterns that need backtracking. Patterns run on pydantic's
linear engine instead of `re`.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import SchemaValidator, from_json, to_json

from toolstone import limits
from toolstone.errors import DefinitionError
from toolstone.schema.arguments import ArgumentsProblem
from toolstone.schema.nodes import children, pattern_problem, step
from toolstone.schema.strictjson import JSONProblem, check_object, spell_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from toolstone.schema.nodes import Schema

__all__ = ["ForeignSchema", "metaschema_problem"]

_STEPS: Final = 200_000
"""References followed in one validation; a schema that needs more is not one for arguments."""


class ForeignSchema:
    """A hand-written schema of an arguments object, compiled.

    Raises:
        DefinitionError: It is no valid schema, too large, or not safe to validate with.
    """

    def __init__(self, who: str, schema: Mapping[str, Any]) -> None:
        if problem := _too_deep(schema):
            raise DefinitionError(f"{who}: {problem}")
        try:
            raw = to_json(schema)
        except (ValueError, RecursionError) as error:
            raise DefinitionError(f"{who}: its schema is not plain JSON data: {error}") from error
        if len(raw) > limits.SCHEMA_BYTES:
            raise DefinitionError(
                f"{who}: its schema has {len(raw)} bytes, at most {limits.SCHEMA_BYTES} are read"
            )
        self.schema: Schema = from_json(raw)  # a copy: nobody changes it under us
        problem = metaschema_problem(self.schema) or next(_dangers(self.schema), None)
        if problem:
            raise DefinitionError(f"{who}: {problem}")
        if self.schema.get("type") != "object":
            raise DefinitionError(f'{who}: the root of its schema must have "type": "object"')
        self._compiled = _Validator()(self.schema)

    def read(self, text: str) -> dict[str, Any]:
        """Read a model's arguments.

        Raises:
            ArgumentsProblem: They are not one strict JSON object that fits the schema.
        """
        try:
            found: dict[str, Any] = from_json(check_object(text))
        except JSONProblem as problem:
            raise ArgumentsProblem(f"invalid arguments: {problem}") from None
        except ValueError:
            raise ArgumentsProblem(
                "invalid arguments: a lone surrogate is not a character"
            ) from None
        _steps.clear()
        try:
            problems = [_sentence(error) for error in _first(self._compiled.iter_errors(found))]
        except (_TooLongError, RecursionError):
            raise ArgumentsProblem("invalid arguments: too entangled to be checked") from None
        if problems:
            raise ArgumentsProblem(f"invalid arguments: {'; '.join(problems)}")
        return found


def metaschema_problem(schema: Any) -> str | None:
    """Why a value is not a JSON Schema of draft 2020-12, or None if it is.

    Needs jsonschema, which loads here.
    """
    from jsonschema import Draft202012Validator, SchemaError  # noqa: PLC0415  loads at first use

    deep = _too_deep(schema)
    if deep is not None:
        return deep
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = spell_path(list(error.absolute_path)) or "the root"
        return f"its schema is invalid at {where}: {error.validator} does not hold"
    return None


def _too_deep(schema: Any) -> str | None:
    """Why a schema is too large to look at at all."""
    if not isinstance(schema, dict):
        return f"its schema is a {type(schema).__name__!r}; give a dict"
    queue: list[tuple[Any, int]] = [(schema, 0)]
    count = 0
    while queue:
        node, depth = queue.pop()
        inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        queue += [(one, depth + 1) for one in inner if isinstance(one, dict | list)]
        count += isinstance(node, dict)
        if depth > 4 * limits.SCHEMA_DEPTH:
            return f"its schema is nested deeper than {limits.SCHEMA_DEPTH} levels"
        if count > 2 * limits.SCHEMA_NODES:
            return f"its schema has more than {limits.SCHEMA_NODES} nodes"
    return None


# ----------------------------------------------------------------------- before the first value


def _dangers(schema: Schema) -> Iterator[str]:
    targets: dict[str, Any] = {}
    for node, path in _all(schema):
        at = path or "the root"
        for keyword in ("$dynamicRef", "$recursiveRef"):
            if keyword in node:
                yield f"{at}: {keyword} is not supported; use $ref"
        if "$id" in node and node is not schema:
            yield f"{at}: $id inside a schema moves its references; remove it"
        if isinstance(ref := node.get("$ref"), str):
            yield from _bad_reference(ref, schema, targets, at)
        patterns = [node.get("pattern"), *node.get("patternProperties", {})]
        for pattern in patterns:
            if isinstance(pattern, str) and (problem := pattern_problem(pattern)):
                yield f"{at}: {problem}"
    yield from _circles(targets)
    yield from _too_large(schema, targets)


def _all(schema: Schema) -> Iterator[tuple[Schema, str]]:
    queue: list[tuple[Any, str]] = [(schema, "")]
    while queue:
        node, path = queue.pop()
        if isinstance(node, dict):
            yield node, path
            queue += children(node, path)
            if isinstance(old := node.get("definitions"), dict):
                queue += [(one, step(path, name)) for name, one in old.items()]


def _bad_reference(ref: str, schema: Schema, targets: dict[str, Any], at: str) -> Iterator[str]:
    if not ref.startswith("#"):
        yield f"{at}: $ref must stay in the schema (start with '#'), and this one does not"
        return
    found: Any = schema
    for part in [p for p in ref[1:].split("/") if p]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list) and key.isdecimal() and int(key) < len(found):
            found = found[int(key)]
        elif isinstance(found, dict) and key in found:
            found = found[key]
        else:
            yield f"{at}: $ref {ref!r} leads nowhere"
            return
    targets[ref] = found


_ROOM: Final = 20 * limits.SCHEMA_DEPTH
_APPLIED: Final = ("anyOf", "oneOf", "allOf")
_APPLIED_ONE: Final = ("not", "if", "then", "else")


def _same_place(node: Any) -> Iterator[str]:
    """References applied to the very value the node is applied to."""
    if not isinstance(node, dict):
        return
    if isinstance(ref := node.get("$ref"), str):
        yield ref
    for keyword in _APPLIED:
        for one in node.get(keyword, ()):
            yield from _same_place(one)
    for keyword in _APPLIED_ONE:
        yield from _same_place(node.get(keyword))
    for one in node.get("dependentSchemas", {}).values():
        yield from _same_place(one)


def _circles(targets: Mapping[str, Any]) -> Iterator[str]:
    """Each reference is entered once: a schema may lead to one by very many ways."""
    done: set[str] = set()
    for start in targets:
        above: set[str] = set()
        queue = [(start, False)]
        while queue:
            ref, left = queue.pop()
            if left:
                above.discard(ref)
                done.add(ref)
            elif ref in above:
                yield f"$ref {ref!r} leads to itself without taking a step into the value"
                return
            elif ref not in done:
                above.add(ref)
                queue.append((ref, True))
                queue += [(one, False) for one in set(_same_place(targets.get(ref)))]


def _too_large(schema: Schema, targets: Mapping[str, Any]) -> Iterator[str]:
    sizes: dict[str, int] = {}

    def size(node: Any, room: int) -> int:
        """Nodes, references followed; a recursion counts once."""
        if not isinstance(node, dict) or room == 0:
            return 0 if room else limits.SCHEMA_NODES + 1
        total = 1
        if isinstance(ref := node.get("$ref"), str):
            if ref not in sizes:
                sizes[ref] = 0
                sizes[ref] = size(targets.get(ref), room - 1)
            total += sizes[ref]
        for inner, path in children(node, ""):
            if not path.startswith("$"):
                total += size(inner, room - 1)
        return min(total, 10 * limits.SCHEMA_NODES)

    if _depth(schema) > limits.SCHEMA_DEPTH:
        yield f"its schema is nested deeper than {limits.SCHEMA_DEPTH} levels"
    elif size({k: v for k, v in schema.items() if k != "$defs"}, _ROOM) > limits.SCHEMA_NODES:
        yield f"its schema has more than {limits.SCHEMA_NODES} nodes, references followed"


def _depth(node: Any) -> int:
    deepest = 0
    queue = [(node, 1)]
    while queue:
        one, depth = queue.pop()
        deepest = max(deepest, depth)
        if isinstance(one, dict):
            queue += [(inner, depth + 1) for inner, _ in children(one, "")]
    return deepest


# ------------------------------------------------------------------------------- the validator


class _TooLongError(Exception):
    pass


_steps: Final[list[None]] = []


@lru_cache(maxsize=1024)
def _matcher(pattern: str) -> Callable[[str], bool]:
    found = SchemaValidator({"type": "str", "pattern": pattern, "regex_engine": "rust-regex"})
    return found.isinstance_python


@cache
def _Validator() -> Any:  # noqa: N802  it stands for a class, made at first use
    from jsonschema import Draft202012Validator, ValidationError  # noqa: PLC0415  loads at first use
    from jsonschema.validators import extend  # noqa: PLC0415  as above

    follow = Draft202012Validator.VALIDATORS["$ref"]

    def reference(validator: Any, ref: Any, instance: Any, schema: Any) -> Iterator[Any]:
        _steps.append(None)
        if len(_steps) > _STEPS:
            raise _TooLongError
        yield from follow(validator, ref, instance, schema) or ()

    def pattern(_validator: Any, wanted: str, instance: Any, _schema: Any) -> Iterator[Any]:
        if isinstance(instance, str) and not _matcher(wanted)(instance):
            yield ValidationError(f"must match {wanted!r}")

    def pattern_properties(
        validator: Any, wanted: Mapping[str, Any], instance: Any, _schema: Any
    ) -> Iterator[Any]:
        if not isinstance(instance, dict):
            return
        for expression, inner in wanted.items():
            for key, value in instance.items():
                if _matcher(expression)(key):
                    yield from validator.descend(value, inner, path=key, schema_path=expression)

    return extend(  # type: ignore[no-untyped-call]
        Draft202012Validator,
        {"$ref": reference, "pattern": pattern, "patternProperties": pattern_properties},
    )


_MOST: Final = 8


def _first(errors: Iterator[Any]) -> list[Any]:
    found = []
    for error in errors:
        found.append(error)
        if len(found) == _MOST:
            break
    return found


def _sentence(error: Any) -> str:
    """One problem: path, and what the schema wants. Never the value."""
    where = spell_path(list(error.absolute_path)) or "the arguments"
    wanted = error.validator_value
    match error.validator:
        case "required":
            missing = [name for name in wanted if name not in error.instance]
            reason = f"{', '.join(missing[:_MOST])} required, but missing"
        case "additionalProperties" | "unevaluatedProperties":
            reason = _unexpected(error)
        case "type":
            reason = f"must be of type {wanted if isinstance(wanted, str) else ' or '.join(wanted)}"
        case "anyOf" | "oneOf" | "not" | "if" | "allOf" | "contains" | "$ref":
            reason = f"does not fit {error.validator}"
        case _:
            shown = to_json(wanted).decode()
            reason = f"must fit {error.validator} {shown if len(shown) < 200 else '...'}"  # noqa: PLR2004
    return f"{where}: {reason}"


def _unexpected(error: Any) -> str:
    known = error.schema.get("properties", {})
    extra = [name for name in error.instance if name not in known]
    return f"{spell_path([extra[0]]) if extra else 'a key'} not expected; remove it"
