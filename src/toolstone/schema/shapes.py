"""What a value may be at its place in an answer: schema nodes without references and unions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolstone.schema.nodes import resolve

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from toolstone.schema.nodes import Schema

__all__ = ["Shapes", "free_text"]


def free_text(nodes: Iterable[Schema]) -> bool:
    """Whether a string may be shown before it ends: everything it may be is free text."""
    texts = [node for node in nodes if _admits_text(node)]
    return all(
        "string" in _kinds(node) and not node.keys() & {"enum", "const", "format", "pattern"}
        for node in texts
    )


def _admits_text(node: Mapping[str, Any]) -> bool:
    if "const" in node:
        return isinstance(node["const"], str)
    if "enum" in node:
        return any(isinstance(value, str) for value in node["enum"])
    return "string" in _kinds(node)


def _kinds(node: Mapping[str, Any]) -> list[str]:
    kind = node.get("type", [])
    return [kind] if isinstance(kind, str) else kind


class Shapes:
    """What a value may be, as schema nodes without references and unions."""

    def __init__(self, defs: Mapping[str, Schema]) -> None:
        self.defs = defs
        self._known: dict[tuple[int, str], list[Schema]] = {}

    def flat(self, nodes: Iterable[Any]) -> list[Schema]:
        """The branches of unions, each once."""
        found: dict[int, Schema] = {}
        queue = list(nodes)
        seen: set[int] = set()
        while queue:
            node = resolve(queue.pop(0), self.defs)
            if not isinstance(node, dict) or id(node) in seen:
                continue
            seen.add(id(node))
            branches = [b for key in ("anyOf", "oneOf", "allOf") for b in node.get(key, ())]
            if branches:
                queue += branches
            else:
                found[id(node)] = node
        return list(found.values())

    def under(self, nodes: list[Schema], key: str | int) -> list[Schema]:
        """What the value under a key, or at a place, may be."""
        inner = [one for node in nodes for one in self._under(node, key)]
        return inner if len(nodes) < 2 else self.flat(inner)  # noqa: PLR2004

    def _under(self, node: Schema, key: str | int) -> list[Schema]:
        known = (id(node), "" if isinstance(key, int) and "prefixItems" not in node else str(key))
        if known not in self._known:
            self._known[known] = self.flat([_inner(node, key)])
        return self._known[known]


def _inner(node: Schema, key: str | int) -> Any:
    if isinstance(key, str):
        return node.get("properties", {}).get(key, node.get("additionalProperties"))
    places = node.get("prefixItems", ())
    return places[key] if key < len(places) else node.get("items")
