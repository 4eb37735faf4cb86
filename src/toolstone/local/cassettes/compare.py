"""Whether two requests are the same for a cassette, and where they differ. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

__all__ = ["VOLATILE", "VOLATILE_IN_ITEMS", "canonical", "differences"]

JSON = dict[str, Any]

VOLATILE: Final = frozenset({"model"})
"""Fields of a request that are kept and not compared: a cassette is of one model."""
VOLATILE_IN_ITEMS: Final = frozenset({"id", "status"})
"""Fields of input items that are not compared; `call_id` counts by its place, not its text."""

_WIRE: Final = frozenset({"type", "role", "phase"})
"""Words of the protocol, which may be quoted out of the input."""
_SAID: Final = frozenset({"input", "instructions"})
_SHOWN: Final = 60


def canonical(kept: Mapping[str, Any]) -> JSON:
    """Give what is compared of a request, of which `keep_request` has kept what it keeps."""
    same = {key: value for key, value in kept.items() if key not in VOLATILE}
    said = same.get("input")
    if isinstance(said, str):
        same["input"] = [{"type": "message", "role": "user", "content": said}]
    elif isinstance(said, list):
        same["input"] = _items(said)
    return same


def _items(items: list[Any]) -> list[Any]:
    """Name calls by their place: ids are made up anew each time, and Bedrock's repeat."""
    places: dict[Any, str] = {}
    out: list[Any] = []
    for item in items:
        if not isinstance(item, Mapping):
            out.append(item)
            continue
        same = {key: value for key, value in item.items() if key not in VOLATILE_IN_ITEMS}
        if "role" in same:
            same.setdefault("type", "message")
        call_id = same.get("call_id")
        if isinstance(call_id, str):
            if str(same.get("type")).endswith("_call"):
                places[call_id] = f"call {len(out)}"
            same["call_id"] = places.get(call_id, "no call")
        out.append(same)
    return out


def differences(recorded: JSON, asked: JSON) -> list[str]:
    """Say where a request differs from a recorded one: paths, and no word of anybody's."""
    return list(_objects(recorded, asked, "", secret=False))


def _differ(recorded: Any, asked: Any, path: str, *, secret: bool) -> Iterator[str]:
    if isinstance(recorded, Mapping) and isinstance(asked, Mapping):
        yield from _objects(recorded, asked, path, secret=secret)
    elif isinstance(recorded, list) and isinstance(asked, list):
        for n, (one, other) in enumerate(zip(recorded, asked, strict=False)):
            yield from _differ(one, other, f"{path}[{n}]", secret=secret)
        if len(recorded) != len(asked):
            yield f"{path}: {len(asked)} of them, recorded {len(recorded)}"
    elif recorded != asked:
        yield f"{path}: {_told(recorded, asked, secret=secret)}"


def _objects(
    recorded: Mapping[str, Any], asked: Mapping[str, Any], path: str, *, secret: bool
) -> Iterator[str]:
    for key in sorted(recorded.keys() | asked.keys()):
        there = f"{path}.{key}" if path else key
        if key not in asked:
            yield f"{there} is missing"
        elif key not in recorded:
            yield f"{there} is new"
        else:
            hidden = (secret or (not path and key in _SAID)) and key not in _WIRE
            yield from _differ(recorded[key], asked[key], there, secret=hidden)


def _told(recorded: Any, asked: Any, *, secret: bool) -> str:
    if not secret:
        return f"{_quoted(asked)}, recorded {_quoted(recorded)}"
    if isinstance(recorded, str) and isinstance(asked, str):
        pairs = enumerate(zip(recorded, asked, strict=False))
        place = next((n for n, (a, b) in pairs if a != b), min(len(recorded), len(asked)))
        return (
            f"text of {len(asked)} characters, recorded {len(recorded)}, "
            f"different from character {place} on"
        )
    return f"{_kind(asked)}, recorded {_kind(recorded)}"


def _quoted(value: Any) -> str:
    if isinstance(value, Mapping | list):
        return _kind(value)
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _kind(value: Any) -> str:
    return "null" if value is None else type(value).__name__
