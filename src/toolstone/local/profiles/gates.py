"""What a host refuses, ignores or lets pass in a request, by model family. Pure."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from toolstone._dataclass import dataclass
from toolstone.local.brain import RefusalError
from toolstone.local.profiles.observed import Observed, Where

__all__ = ["Gates", "Unproven"]

Unproven = Literal["accept", "refuse"]
"""What becomes of a value that nobody has tried: the page has a dash there."""

_ONE_BY_ONE = bytes([0, 0, 0, 1]) * 2
"""Width and height, where a PNG has them."""
_DOCUMENTED = {
    "message": {"type", "role", "content", "phase", "id"},
    "function_call": {"type", "id", "call_id", "name", "arguments"},
    "function_call_output": {"type", "id", "call_id", "output"},
    "reasoning": {"type", "id", "summary", "encrypted_content"},
}
"""The input shape that a closed host takes; nothing beside it."""


@dataclass(frozen=True, slots=True)
class Gates:
    """The gates of one host for one family.

    Args:
        known: The data file.
        where: The host.
        family: The column of the page's table.
        unproven: What becomes of a value that nobody has tried.
        closed_items: Whether input items may have nothing but the documented keys.
    """

    known: Observed
    where: Where
    family: str
    unproven: Unproven = "accept"
    closed_items: bool = False

    def check(self, body: Mapping[str, Any]) -> None:
        """Look at every parameter.

        Raises:
            RefusalError: The first gate that is shut, in the host's own words.
        """
        for refusal in self._refusals(body):
            raise refusal

    def ignored(self, body: Mapping[str, Any]) -> bool:
        """Say whether the `tool_choice` is taken and not obeyed."""
        row = self._row("tool_choice")
        return row.get("outcome") == "ignored" or (
            row.get("named") == "ignored" and isinstance(body.get("tool_choice"), dict)
        )

    def _row(self, gate: str) -> Mapping[str, Any]:
        gates = self.known.data["gates"][gate]
        row = self.known.families(gates, self.family)
        return {"error": gates.get("error"), **row}

    def _refusals(self, body: Mapping[str, Any]) -> Iterator[RefusalError]:
        yield from self._background(body)
        yield from self._cap(body)
        yield from self._sampling(body)
        yield from self._reasoning(body)
        yield from self._listed("service_tier", body.get("service_tier"))
        yield from self._choice(body.get("tool_choice"))
        yield from self._verbosity(body)
        yield from self._cache(body)
        yield from self._tools(_list(body, "tools"))
        yield from self._items(_list(body, "input"))

    def _background(self, body: Mapping[str, Any]) -> Iterator[RefusalError]:
        row = self.known.data["everywhere"]["background"]
        if body.get("background") and row["hosts"][self.where.kind] == "refused":
            yield self.known.refuse(row["error"])

    def _cap(self, body: Mapping[str, Any]) -> Iterator[RefusalError]:
        row = self.known.data["everywhere"]["max_output_tokens"]
        cap = body.get("max_output_tokens")
        if isinstance(cap, int) and cap < row["least"]:
            yield self.known.refuse(row["error"], param="max_output_tokens", value=cap)

    def _sampling(self, body: Mapping[str, Any]) -> Iterator[RefusalError]:
        for name in ("temperature", "top_p"):
            value, row = body.get(name), self._row(name)
            if value is None or value in row.get("values", row.get("otherwise", ())):
                continue
            effort = _inner(body, "reasoning").get("effort")
            met = row.get("when", {}).get("effort") in (None, effort)
            if row.get("outcome") in ("refused", "only") or not met:
                yield self.known.refuse(row["error"], param=name, value=value)

    def _reasoning(self, body: Mapping[str, Any]) -> Iterator[RefusalError]:
        reasoning = _inner(body, "reasoning")
        yield from self._listed("reasoning.effort", reasoning.get("effort"))
        row = self.known.data["everywhere"]["reasoning.summary"]
        summary = reasoning.get("summary")
        if summary is not None and summary not in row["values"]:
            yield self._unsupported("reasoning.summary", summary, row["values"])

    def _listed(self, gate: str, value: object) -> Iterator[RefusalError]:
        row = self._row(gate)
        if value is None or value in row.get("values", (value,)):
            return
        if value in row.get("unknown", ()) and self.unproven == "accept":
            return
        yield self._unsupported(gate, value, row.get("listed", row["values"]))

    def _unsupported(self, param: str, value: object, listed: Sequence[str]) -> RefusalError:
        quoted = " and ".join(f"'{each}'" for each in listed)
        return self.known.refuse("unsupported_value", param=param, value=repr(value), listed=quoted)

    def _choice(self, choice: object) -> Iterator[RefusalError]:
        row = self._row("tool_choice")
        allowed = row["values"] if row.get("outcome") == "only" else (choice,)
        if isinstance(choice, str) and choice not in allowed:
            yield self.known.refuse(row["error"], value=choice)

    def _verbosity(self, body: Mapping[str, Any]) -> Iterator[RefusalError]:
        tried = self.known.data["everywhere"]["verbosity"]["families"]
        given = _inner(body, "text").get("verbosity") is not None
        if given and self.family.partition("-without-")[0] not in tried + self._proven():
            yield self.known.refuse("unsupported_parameter", param="text.verbosity")

    def _proven(self) -> list[str]:
        return [self.family] if self.unproven == "accept" else []

    def _cache(self, body: Mapping[str, Any]) -> Iterator[RefusalError]:
        options, row = body.get("prompt_cache_options"), self._row("prompt_cache_options")
        if options is not None:
            ttl = options.get("ttl") if isinstance(options, dict) else None
            if self._shut(row):
                yield self.known.refuse(row["error"])
            elif ttl is not None and ttl not in row.get("ttl", (ttl,)):
                yield self._unsupported("prompt_cache_options.ttl", ttl, row["ttl"])
        row = self._row("prompt_cache_key")
        if body.get("prompt_cache_key") is not None and self._shut(row):
            yield self.known.refuse(row["error"], param="prompt_cache_key")

    def _shut(self, row: Mapping[str, Any]) -> bool:
        outcome = row.get("outcome")
        return outcome == "refused" or (outcome == "unknown" and self.unproven == "refuse")

    def _tools(self, tools: Sequence[Any]) -> Iterator[RefusalError]:
        row = self.known.data["tools"][self.where.kind]
        search = self.known.data["tools"]["web_search"]
        for index, tool in enumerate(tools):
            kind = tool.get("type") if isinstance(tool, dict) else None
            if kind not in row["types"]:
                listed = ", ".join(f"`{each}`" for each in row["types"])
                yield self.known.refuse(
                    row["error"], where=f"tools[{index}].type", value=kind, listed=listed
                )
            elif kind == "web_search" and not self._searches(search):
                yield self.known.refuse(search["error"])
            elif kind == "web_search" and (given := set(tool) & set(search["refused_fields"])):
                param = f"tools[{index}].{min(given)}"
                yield self.known.refuse("unsupported_parameter", param=param)
            elif kind == "mcp" and "server_url" in tool:
                yield self.known.refuse("no_variant", where=f"tools[{index}]")

    def _searches(self, row: Mapping[str, Any]) -> bool:
        family = self.family.partition("-without-")[0]
        return family in row["families"] and self.where.region in row["regions"]

    def _items(self, items: Sequence[Any]) -> Iterator[RefusalError]:
        image = self._row("image")
        for index, item in enumerate(items):
            if not isinstance(item, dict):
                continue
            documented = _DOCUMENTED.get(item.get("type", "message"))
            if self.closed_items and documented and (extra := sorted(item.keys() - documented)):
                where = f"input[{index}]"
                yield self.known.refuse("unknown_field", where=where, value=extra[0])
            for picture in _images(item):
                if image.get("outcome") == "refused":
                    yield self.known.refuse(image["error"], where=f"input[{index}].content")
                if _is_dot(picture):
                    yield self.known.refuse("invalid_image", param=f"input[{index}].content")


def _inner(body: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Give the object at a key; what is none is for the shared checks to refuse."""
    value = body.get(key)
    return value if isinstance(value, dict) else {}


def _list(body: Mapping[str, Any], key: str) -> Sequence[Any]:
    value = body.get(key)
    return value if isinstance(value, list) else ()


def _images(item: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    parts = item.get("content") or item.get("output")
    said = parts if isinstance(parts, list) else []
    return [p for p in said if isinstance(p, dict) and p.get("type") == "input_image"]


def _is_dot(picture: Mapping[str, Any]) -> bool:
    """Say whether an image is a PNG of one pixel, which is too small to be taken."""
    kind, _, data = str(picture.get("image_url")).partition(";base64,")
    try:
        size = base64.b64decode(data)[16:24]
    except ValueError:
        return False
    return kind == "data:image/png" and size == _ONE_BY_ONE
