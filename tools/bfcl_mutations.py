"""Ways a sound call is made wrong, each certainly so: by its schema, or because it is no JSON."""

from __future__ import annotations

import copy
import json
import random
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_WRONG: Final = {
    "string": (0, 1.5, True, None, [], {}),
    "integer": ("1", 1.5, True, None, [1], {}),
    "number": ("1.5", False, None, [1.5], {}),
    "boolean": ("true", 0, 1, None, [True]),
    "array": ("[]", 0, None, {}, False),
    "object": ("{}", 0, None, [], [{}], True),
}
_NO_NUMBERS: Final = ("NaN", "Infinity", "-Infinity", "1e999", "0x10", "+1", "01", "1.", "1" * 401)
Path = tuple[str | int, ...]
Kinds = tuple[str, str]
"""What was done, and the text that came of it."""


class Mutations:
    """Makes calls wrong, the same from one seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311  for repeating, not for secrets

    def every(self, schema: dict[str, Any], sound: dict[str, Any]) -> Iterator[Kinds]:
        """Each thing that can be wrong, at each place, once."""
        for path, inner, value in _places(schema, sound, ()):
            for kind, new in self._wrong(inner, value):
                yield kind, json.dumps(_replaced(sound, path, new))
        yield from self._texts(sound)

    def generated(self, cases: Sequence[Any], count: int) -> Iterator[tuple[Any, Kinds]]:
        """Two or three wrong things together, or a text cut or spoilt anywhere."""
        made = 0
        while made < count:
            case = self.random.choice(cases)
            found = self._several(case.schema, case.arguments)
            if found is not None:
                made += 1
                yield case, found

    def _several(self, schema: dict[str, Any], sound: dict[str, Any]) -> Kinds | None:
        if self.random.random() < 0.3:  # noqa: PLR2004  a share, not a meaning
            return self._spoilt(json.dumps(sound))
        wrong = copy.deepcopy(sound)
        told = []
        for _ in range(self.random.randint(1, 3)):
            places = [
                (path, kind, new)
                for path, inner, value in _places(schema, wrong, ())
                for kind, new in self._wrong(inner, value)
            ]
            if not places:
                break
            path, kind, new = self.random.choice(places)
            wrong = _replaced(wrong, path, new)
            told.append(kind)
            if not path or not isinstance(wrong, dict):
                break
        return ("generated: several things", json.dumps(wrong)) if told else None

    def _spoilt(self, text: str) -> Kinds:
        """A text that is certainly no JSON object any more."""
        at = self.random.randrange(len(text))
        return self.random.choice(
            [
                ("generated: cut short", text[:at]),
                ("generated: begins late", text[at + 1 :]),
                ("generated: a control character", text[:at] + "\x01" + text[at:]),
                ("generated: junk behind", text + self.random.choice("}],x{\"'0")),
                ("generated: twice", text + text),
            ]
        )

    def _wrong(self, schema: dict[str, Any], value: Any) -> Iterator[tuple[str, Any]]:
        """Values that do not fit where `value` does."""
        wanted = schema.get("type")
        for new in _WRONG.get(wanted, ()) if isinstance(wanted, str) else ():
            yield f"{type(new).__name__} for {wanted}", new
        if "enum" in schema:
            yield "outside the enum", "\x00 no member"
        if isinstance(value, dict):
            for name in schema.get("required", ()):
                rest = {key: one for key, one in value.items() if key != name}
                yield "missing", rest
                if name.swapcase() not in schema["properties"]:  # and so differs
                    yield "in another case", {**rest, name.swapcase(): value.get(name)}
            if schema.get("additionalProperties") is False:
                yield "one too many", {**value, "not\u0000expected": 1}
        if wanted in _WRONG:
            yield (
                "wrapped in a list and an object",
                [{"value": value}] if wanted != "array" else {"value": value},
            )

    def _texts(self, sound: dict[str, Any]) -> Iterator[Kinds]:
        text = json.dumps(sound)
        yield "a string of JSON", json.dumps(text)
        yield "in a list", f"[{text}]"
        yield "junk behind", text + "}"
        yield "cut short", text[:-1]
        yield "a comma too many", (text[:-1] + ",}") if sound else "{,}"
        yield "a comment", text + "//"
        yield "Python's own", repr(sound) if sound else "{None}"
        for name, value in sound.items():
            rest = json.dumps({key: one for key, one in sound.items() if key != name})[1:-1]
            member = f"{json.dumps(name)}: {json.dumps(value)}"
            yield "a key twice", f"{{{member}, {text[1:]}"
            yield "a key twice, escaped", f'{{"\\u{ord(name[0]):04x}{name[1:]}": 0, {text[1:]}'
            comma = ", " if rest else ""
            if isinstance(value, int | float) and not isinstance(value, bool):
                for number in _NO_NUMBERS:
                    yield (
                        f"{number[:9]} for a number",
                        f"{{{json.dumps(name)}: {number}{comma}{rest}}}",
                    )
            if isinstance(value, str):
                for bad in (r"\ud800", "\n", r"\x41"):
                    said = f'{{{json.dumps(name)}: "{bad}"{comma}{rest}}}'
                    yield f"{bad!a} in a string", said


def _places(schema: dict[str, Any], value: Any, path: Path) -> Iterator[tuple[Path, Any, Any]]:
    """Every value that a schema says something of, with that schema."""
    yield path, schema, value
    if isinstance(value, dict):
        for name, inner in schema.get("properties", {}).items():
            if name in value:
                yield from _places(inner, value[name], (*path, name))
    if isinstance(value, list) and "items" in schema:
        for number, one in enumerate(value[:3]):
            yield from _places(schema["items"], one, (*path, number))


def _replaced(value: Any, path: Path, new: Any) -> Any:
    if not path:
        return new
    made = copy.copy(value)
    made[path[0]] = _replaced(made[path[0]], path[1:], new)
    return made
