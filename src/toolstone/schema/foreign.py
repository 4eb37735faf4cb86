"""A JSON Schema written by somebody else: checked and compiled once, then safe to validate with.

What makes foreign schemas dangerous is refused or bounded before the first value is seen:
references that lead out of the schema or in a circle, more nodes than a limit once references are
followed (nothing is ever inlined), patterns that need backtracking or too many states. A value is
given so many steps and no more. Read as draft 2020-12, whatever `$schema` says; `format` and
`content...` are annotations, as there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic_core import from_json, to_json

from toolstone import limits
from toolstone.errors import DefinitionError
from toolstone.schema.arguments import ArgumentsProblem
from toolstone.schema.combined import compile_checks
from toolstone.schema.look import Look, Node, ToldEnoughError, TooManyStepsError
from toolstone.schema.strictjson import JSONProblem, check_object
from toolstone.schema.wellformed import Survey, UnsafeSchema, survey

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolstone.schema.nodes import Schema

__all__ = ["ForeignSchema", "SafeSchema", "UnsafeSchema"]


class SafeSchema:
    """A schema of anything, compiled.

    Raises:
        UnsafeSchema: It is no valid schema, too large, or not safe to validate with.
    """

    def __init__(self, schema: Any) -> None:
        _check_extent(schema)
        try:
            raw = to_json(schema)
            if len(raw) <= limits.SCHEMA_BYTES:
                self.schema: Any = from_json(raw, allow_inf_nan=False)  # a copy, ours alone
        except (ValueError, RecursionError) as error:
            raise UnsafeSchema(f"its schema is not plain JSON data: {error}") from error
        if len(raw) > limits.SCHEMA_BYTES:
            raise UnsafeSchema(
                f"its schema has {len(raw)} bytes, at most {limits.SCHEMA_BYTES} are read "
                "(limits.SCHEMA_BYTES)"
            )
        self._root = _compiled(self.schema, survey(self.schema))

    def problems(self, value: Any, *, size: int = 0) -> list[str]:
        """Why a JSON value does not fit: a sentence each, eight at most; none if it fits.

        A value of many characters (`size`) is given more steps, as it needs them.
        """
        steps = limits.SCHEMA_STEPS + size // _CHARACTERS_PER_STEP
        look = Look(steps)
        try:
            self._root.fits(look, value, None, None)
        except ToldEnoughError:
            pass
        except (TooManyStepsError, RecursionError):
            return [f"too entangled to be checked in {steps} steps; send less"]
        return look.told or []


_CHARACTERS_PER_STEP: Final = 4
"""A short value, its comma included: each may be looked at once."""


class ForeignSchema:
    """A hand-written schema of an arguments object, compiled.

    Raises:
        DefinitionError: It is no valid schema, too large, or not safe to validate with.
    """

    def __init__(self, who: str, schema: Mapping[str, Any]) -> None:
        if not isinstance(schema, dict):
            raise DefinitionError(f"{who}: its schema is a {type(schema).__name__!r}; give a dict")
        try:
            self._compiled = SafeSchema(schema)
        except UnsafeSchema as problem:
            raise DefinitionError(f"{who}: {problem}") from None
        self.schema: Schema = self._compiled.schema
        if self.schema.get("type") != "object":
            raise DefinitionError(f'{who}: the root of its schema must have "type": "object"')

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
        if problems := self._compiled.problems(found, size=len(text)):
            raise ArgumentsProblem(f"invalid arguments: {'; '.join(problems)}")
        return found


def _check_extent(schema: Any) -> None:
    """Refuse what is too large to be looked at at all, or goes round in a circle of Python's."""
    level = [schema] if isinstance(schema, _HOLDERS) else []
    size = depth = 0
    while level:
        size += sum(map(len, level)) + len(level)
        if 2 * size > limits.SCHEMA_BYTES:  # two brackets each, or a comma and something
            raise UnsafeSchema(
                f"its schema has more than {limits.SCHEMA_BYTES} bytes (limits.SCHEMA_BYTES)"
            )
        if depth > 4 * limits.SCHEMA_DEPTH:  # of JSON; few levels of it are one of schema
            raise UnsafeSchema(
                f"its schema is nested deeper than {limits.SCHEMA_DEPTH} levels "
                "(limits.SCHEMA_DEPTH)"
            )
        inner = (one.values() if isinstance(one, dict) else one for one in level)
        level = [one for members in inner for one in members if isinstance(one, _HOLDERS)]
        depth += 1


_HOLDERS: Final = (dict, list, tuple)


def _compiled(schema: Any, found: Survey) -> Node:
    nodes = {id(one): Node(one) for one in found.nodes}
    always, never = Node(True), Node(False)  # noqa: FBT003  the two schemas that are booleans

    def child(one: Any) -> Node:
        if isinstance(one, bool):
            return always if one else never
        return nodes[id(one)]

    for node in (never, *nodes.values()):
        compile_checks(node, child, found.targets.get(id(node.says)))
    return child(schema)
