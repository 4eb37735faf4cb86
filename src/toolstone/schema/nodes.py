"""Small questions asked of a JSON Schema node: does it admit null, may it grow, is it linear."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Schema", "admits_null", "children", "nullable", "resolve", "step"]

Schema = dict[str, Any]

NULL: Final[Schema] = {"type": "null"}


def resolve(node: Any, defs: Mapping[str, Any]) -> Any:
    """Follow `$ref` to `$defs` until something else stands there; a cycle ends as `{}`."""
    seen: set[str] = set()
    while isinstance(node, dict) and isinstance(node.get("$ref"), str):
        ref = node["$ref"]
        if ref in seen:
            return {}
        seen.add(ref)
        node = defs.get(ref.removeprefix("#/$defs/"), {})
    return node


def admits_null(node: Any, defs: Mapping[str, Any], seen: frozenset[str] = frozenset()) -> bool:
    """Whether null is a valid value of its own; in doubt, it is."""
    if not isinstance(node, dict):
        return node is not False
    if isinstance(ref := node.get("$ref"), str):
        if ref in seen:
            return False
        return admits_null(defs.get(ref.removeprefix("#/$defs/"), {}), defs, seen | {ref})
    if "const" in node:
        return node["const"] is None
    if "enum" in node:
        return None in node["enum"]
    for keyword in ("anyOf", "oneOf"):
        if keyword in node:
            return any(admits_null(branch, defs, seen) for branch in node[keyword])
    if "allOf" in node:
        return all(admits_null(branch, defs, seen) for branch in node["allOf"])
    kind = node.get("type")
    return kind is None or kind == "null" or (isinstance(kind, list) and "null" in kind)


def nullable(node: Schema) -> Schema:
    """The node, or null. What names and describes it stays outermost."""
    names: Schema = {key: node[key] for key in ("title", "description") if key in node}
    bare = {key: value for key, value in node.items() if key not in names}
    kind = bare.get("type")
    if set(bare) & {"enum", "const"}:
        return {"anyOf": [bare, NULL], **names}
    if isinstance(kind, str) and kind in {"string", "integer", "number", "boolean"}:
        return {**bare, "type": [kind, "null"], **names}
    if set(bare) == {"anyOf"}:
        return {"anyOf": [*bare["anyOf"], NULL], **names}
    return {"anyOf": [bare, NULL], **names}


def step(path: str, name: str) -> str:
    """The path of a property."""
    return f"{path}.{name}" if path else name


_SHAPES: Final = {
    **dict.fromkeys(("properties", "$defs", "patternProperties", "dependentSchemas"), "named"),
    **dict.fromkeys(("items", "contains", "unevaluatedItems"), "items"),
    **dict.fromkeys(("anyOf", "oneOf", "allOf", "prefixItems"), "listed"),
    **dict.fromkeys(("additionalProperties", "propertyNames", "unevaluatedProperties"), "same"),
    **dict.fromkeys(("not", "if", "then", "else"), "same"),
}


def children(node: Schema, path: str) -> Iterator[tuple[Any, str]]:
    """The nodes directly inside, each with its path."""
    for keyword, inner in node.items():
        shape = _SHAPES.get(keyword)
        if shape is None:
            continue
        if shape == "named" and isinstance(inner, dict):
            for name, one in inner.items():
                yield one, step(path, name)
        elif shape == "listed" and isinstance(inner, list):
            for one in inner:
                yield one, path
        elif isinstance(inner, dict):
            yield inner, f"{path}[]" if shape == "items" else path
