"""Marks that stand for secrets and content, and a search for them however they are written.

Nothing here is toolstone's: what hides and what finds share no code.
"""

from __future__ import annotations

import base64
import html
import json
import random
import re
import string
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CONTENT", "ENCODINGS", "Canaries", "written"]

CONTENT: Final = frozenset({"prompt", "argument", "output", "answer"})
"""Marks of what users, models and tools say; every other mark is of a secret."""
ENCODINGS: Final = ("plain", "base64", "URL-encoded", "split", "JSON", "hexadecimal")
_HALF: Final = 10
"""Half of a mark is looked for where it has so many characters."""
_SEAMS: Final = re.compile(
    r"""(?:['"]\s*[,)\]]*\s*[(\[]*\s*b?['"])|\\n|\\r|\s|data:|\\u001b\[\d+m"""
)


@dataclass
class Canaries:
    """The marks of one sweep, all different for each seed.

    Attributes:
        values: Each mark by its name.
    """

    seed: int
    values: dict[str, str] = field(default_factory=dict, repr=False)
    _seen: dict[str, frozenset[tuple[str, str]]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Draw the marks."""
        draw = random.Random(self.seed)  # noqa: S311  marks, no keys
        letters = string.ascii_letters + string.digits

        def text(size: int, of: str = letters) -> str:
            return "".join(draw.choices(of, k=size))

        self.values.update(
            {
                "API key": f"canary-{text(30)}/+{text(6)}=",
                "access key": f"AKIA{text(16, string.ascii_uppercase + string.digits)}",
                "secret key": f"{text(20)}+/{text(18)}",
                "session token": f"IQoJ{text(60)}+/{text(60)}==",
                "header": f"h-{text(30)}",
                "tool token": f"t-{text(30)}",
                "proxy password": f"pw-{text(24)}",
                "serve key": f"srv-{text(30)}",
                "prompt": f"prompt {text(12)} {text(12)}",
                "argument": f"argument {text(12)} {text(12)}",
                "output": f"output {text(12)} {text(12)}",
                "answer": f"answer {text(12)} {text(12)}",
            }
        )

    def __getitem__(self, name: str) -> str:
        """A mark by its name."""
        return self.values[name]

    def learn(self, name: str, value: str) -> None:
        """Add a mark that came about on the way, such as a key that was minted."""
        self.values[name] = value
        self._seen.clear()

    def found(self, shown: str | bytes) -> frozenset[tuple[str, str]]:
        """Which marks stand in it, in which encoding."""
        text = shown.decode("utf-8", "replace") if isinstance(shown, bytes) else shown
        known = self._seen.get(text)
        if known is None:
            known = self._seen[text] = frozenset(self._look(text))
        return known

    def _look(self, text: str) -> Iterator[tuple[str, str]]:
        joined = _SEAMS.sub("", text)
        for name, value in self.values.items():
            for encoding in ENCODINGS:
                if encoding != "split":
                    stands = any(one in text for one in written(value, encoding))
                else:
                    stands = any(one in text for one in _halves(value))
                    stands = stands or _SEAMS.sub("", value) in joined
                if stands:
                    yield name, encoding


@cache
def written(value: str, encoding: str) -> list[str]:
    """The ways of writing a value in an encoding; any one of them tells it."""
    raw = value.encode()
    match encoding:
        case "plain":
            return [value]
        case "base64":
            return [piece for start in range(3) for piece in _aligned(raw, start)]
        case "URL-encoded":
            bytewise = "".join(f"%{byte:02x}" for byte in raw)
            quoted = quote(value, safe="")
            return [quoted, quoted.lower(), quoted.replace("%20", "+"), bytewise, bytewise.upper()]
        case "JSON":
            told = json.dumps(value)[1:-1]
            return [told, told.replace("/", "\\/"), html.escape(value), repr(value)[1:-1]]
        case "hexadecimal":
            return [raw.hex(), raw.hex().upper(), raw.hex(" "), "".join(f"\\x{b:02x}" for b in raw)]
    raise ValueError(encoding)


@cache
def _halves(value: str) -> list[str]:
    half = len(value) // 2
    return [value[:half], value[half:]] if half >= _HALF else []


def _aligned(raw: bytes, start: int) -> list[str]:
    """Base64 of it behind so many other bytes, without what depends on its neighbours."""
    whole = base64.b64encode(b"\0" * start + raw).decode().rstrip("=")
    own = whole[(0, 2, 3)[start] : -2]
    return [own, own.replace("+", "-").replace("/", "_")]
