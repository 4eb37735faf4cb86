"""Strict mode that keeps Python's meaning.

Strict decoding (responses-api.md §8.1) makes a model's arguments fit the schema by construction,
but it knows less than Python: every property is required, and there are no maps, no tuples, no
string lengths. So a schema is *translated*, and the translation is undone when arguments come back.

Optional.  A parameter with a default may be left out in Python; in strict mode nothing may be left
    out. It becomes required and nullable, and null is read as "take the default": by the validator
    at the top, and below it by removing the key and letting Python's own default stand
    (`explain.py`). This keeps the meaning only if null meant nothing before. Of a type that already
    admits None there are two cases. If its default *is* None, null and absence mean the same, and
    it is merely made required. If it is anything else (`x: int | None = 5`, a default factory, a
    key that may be missing), null would have two readings. That is an obstacle.

Said elsewhere.  `minLength`, `maxLength`, `uniqueItems`, formats the service does not know: leaving
    them out admits more than Python does, never less, and arguments are validated here anyway.
    They move into the description, so that the model still reads them. A `oneOf` of a
    discriminated union becomes `anyOf`: its branches exclude each other already. A tuple of one
    type and fixed length becomes an array of that length. A `$ref` beside other keywords is
    wrapped.

Not sayable.  Free dicts, models that allow extra fields, mixed tuples, `Any`, patterns that need
    backtracking, and the size limits. No translation keeps these, so they are obstacles.

`"auto"` chooses strict when there are no obstacles, and otherwise sends the schema as Python means
it, not strict, with the obstacles as the reason. `True` refuses at definition. Either way the
reasons are data on the tool: what stood in the way, or what was translated.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from toolstone.errors import DefinitionError
from toolstone.schema.lint import FORMATS, Totals, fragment_problems, measure
from toolstone.schema.nodes import Schema, admits_null, nullable, step

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["UNSAID", "Tight", "Wish", "decide", "optional", "tighten", "under"]

Wish = bool | Literal["auto"]
"""What is asked for: strict, not strict, or strict where it keeps the meaning."""

SHOWN_DEFAULT: Final = 60
"""Characters; a longer default is not spelled out in a description."""


class Tight(NamedTuple):
    """A schema translated for strict mode."""

    schema: Schema
    defs: dict[str, Schema]
    changed: tuple[str, ...]
    """What was translated: path and reason."""
    obstacles: tuple[str, ...]
    """What could not be: path and reason."""
    totals: Totals

    def limited(self) -> Tight:
        """The same as a whole schema, where the size limits count."""
        return self._replace(obstacles=(*self.obstacles, *self.totals.problems()))


def decide(wish: Wish, who: str, tight: Tight) -> tuple[bool, tuple[str, ...]]:
    """Strict or not, and why.

    Raises:
        DefinitionError: Strict was asked for and cannot be.
    """
    if wish is False:
        return False, ("strict=False was asked for",)
    if not tight.obstacles:
        return True, tight.changed
    if wish is True:
        raise DefinitionError(
            f"{who} cannot be strict: {'; '.join(tight.obstacles[:5])}; "
            'change the type, or give strict="auto" or False'
        )
    return False, tight.obstacles


def tighten(schema: Schema, defs: Mapping[str, Schema]) -> Tight:
    """Translate a schema and its definitions."""
    work = _Translation(defs)
    root = work.node(schema, "")
    inner = {name: work.node(one, f"type {name}") for name, one in defs.items()}
    problems = fragment_problems(root, inner)
    return Tight(
        root,
        inner,
        tuple(dict.fromkeys(work.changed)),
        tuple(dict.fromkeys([*work.obstacles, *problems])),
        measure(root, inner),
    )


UNSAID: Final = object()
"""Stands where a default is not known, or not to be shown."""


def optional(
    tight: Schema, default: Any, path: str, *, null_is_a_value: bool
) -> tuple[Schema, str | None, str | None]:
    """An optional property made required.

    Args:
        tight: Its schema, translated.
        default: Its default as JSON, or `UNSAID`.
        path: Where it stands.
        null_is_a_value: Whether its type admits null.

    Returns:
        Its schema, what was changed, and what stands in the way.
    """
    if not null_is_a_value:
        return _with_default(nullable(tight), default), f"{path}: null stands for the default", None
    if default is None:
        return tight, f"{path}: required, since null is its default", None
    shown = "absence" if default is UNSAID else _shown(default)
    reason = f"null is a value of its own, so it cannot stand for the default ({shown})"
    return tight, None, f"{path}: {reason}"


def _with_default(node: Schema, default: Any) -> Schema:
    shown = "" if default is UNSAID or default is None else _shown(default)
    if not shown or len(shown) > SHOWN_DEFAULT:
        return node
    return _saying(node, f"Null means {shown}.")


def _shown(default: Any) -> str:
    return json.dumps(default, ensure_ascii=False)


def _saying(node: Schema, more: str) -> Schema:
    said = node.get("description", "")
    return {**node, "description": f"{said} {more}" if said else more}


class _Translation:
    """The walk. Everything it changes or cannot change is written down with its path."""

    def __init__(self, defs: Mapping[str, Schema]) -> None:
        self.defs = defs
        self.changed: list[str] = []
        self.obstacles: list[str] = []

    def node(self, node: Any, path: str) -> Any:
        if not isinstance(node, dict):
            return node
        out = {key: value for key, value in node.items() if key not in _DROPPED}
        if "$ref" in out:
            return self._reference(out)
        self._said_elsewhere(out, path)
        self._union(out, path)
        if "prefixItems" in out:
            self._tuple(out, path)
        if isinstance(out.get("items"), dict):
            out["items"] = self.node(out["items"], f"{path}[]")
        if "anyOf" in out:
            out["anyOf"] = [self.node(branch, path) for branch in out["anyOf"]]
        if out.get("type") == "object" or "properties" in out:
            self._object(out, path)
        hints = out.pop(_HINTS, None)
        return _saying(out, " ".join(hints)) if hints else out

    @staticmethod
    def _reference(out: Schema) -> Schema:
        ref = {"$ref": out.pop("$ref")}
        return {"anyOf": [ref], **out} if out else ref

    def _said_elsewhere(self, out: Schema, path: str) -> None:
        hints: list[str] = []
        least, most = out.pop("minLength", None), out.pop("maxLength", None)
        if least is not None or most is not None:
            hints.append(_length(least, most))
            self.changed.append(f"{_at(path)}: length is checked here, not by the service")
        if out.pop("uniqueItems", False):
            hints.append("No duplicates.")
            self.changed.append(f"{_at(path)}: duplicates are removed here, not by the service")
        if (form := out.get("format")) is not None and form not in FORMATS:
            del out["format"]
            self.changed.append(f"{_at(path)}: format {form!r} is checked here, not by the service")
        if hints:
            out[_HINTS] = hints

    def _union(self, out: Schema, path: str) -> None:
        if "oneOf" in out and "discriminator" in out and "anyOf" not in out:
            del out["discriminator"]
            out["anyOf"] = out.pop("oneOf")
            self.changed.append(f"{_at(path)}: a discriminated union, said with anyOf")
        if len(out.get("allOf", ())) == 1:
            out.update(out.pop("allOf")[0])

    def _tuple(self, out: Schema, path: str) -> None:
        members = out["prefixItems"]
        same = all(one == members[0] for one in members)
        if same and out.get("minItems") == out.get("maxItems") == len(members):
            out["items"] = out.pop("prefixItems")[0]
            self.changed.append(f"{_at(path)}: a tuple of one type, said as an array")

    def _object(self, out: Schema, path: str) -> None:
        if "properties" not in out:
            return
        out.setdefault("additionalProperties", False)
        needed = frozenset(out.get("required", ()))
        properties: Schema = {}
        for name, inner in out["properties"].items():
            where = step(path, name)
            tight = self.node(inner, where)
            if name not in needed:
                tight, changed, obstacle = optional(
                    tight,
                    inner.get("default", UNSAID) if isinstance(inner, dict) else UNSAID,
                    where,
                    null_is_a_value=admits_null(inner, self.defs),
                )
                self.changed += [changed] if changed else []
                self.obstacles += [obstacle] if obstacle else []
            properties[name] = tight
        out["properties"] = properties
        out["required"] = list(properties)


_HINTS: Final = "\0hints"
_DROPPED: Final = frozenset(
    {"default", "examples", "deprecated", "readOnly", "writeOnly", "contentMediaType"}
    | {"contentEncoding", "contentSchema", "$comment"}
)


def _at(path: str) -> str:
    return path or "the value"


def _length(least: int | None, most: int | None) -> str:
    if most is None:
        return f"At least {least} characters."
    return f"At most {most} characters." if not least else f"{least} to {most} characters."


def under(name: str, text: str) -> str:
    """A reason of a part, told of the whole."""
    if text.startswith("type "):  # of a definition: its name says where
        return text
    if text.startswith("the value: "):
        return f"{name}: {text.removeprefix('the value: ')}"
    return name + text if text[:1] == "[" else step(name, text)
