"""Schemas, patterns and values made to cost much: what each costs here."""

from __future__ import annotations

import json
import re
import resource
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from toolstone import Tool
from toolstone.errors import DefinitionError
from toolstone.tools import ArgumentsProblem

if TYPE_CHECKING:
    import argparse

ROOT: Final = Path(__file__).parent.parent.parent
DATA: Final = ROOT / "tests" / "data" / "reliability" / "bombs.toml"
SECONDS, MEBIBYTES = 0.050, 20
TRIES = 3
"""The cheapest counts: what others do on the machine is not the bomb's cost."""


def options(parser: argparse.ArgumentParser) -> None:
    """None."""


def run(given: argparse.Namespace) -> int:  # noqa: ARG001  every campaign is given its options
    """Set off every bomb, and print the costs; 0 if all are as their rows say."""
    found = [set_off(bomb) for bomb in read_bombs()]
    for one in sorted(found, key=lambda one: -one.seconds):
        said = "ok   " if one.good else "WRONG"
        print(
            f"{said} {one.seconds * 1e3:6.1f} ms {one.mebibytes:3} MiB  {one.name}: {one.said[:90]}"
        )
    print(f"{sum(one.good for one in found)} of {len(found)} as they should be")
    return 0 if all(one.good for one in found) else 1


@dataclass(frozen=True)
class Cost:
    """What one bomb did."""

    name: str
    said: str
    right: bool
    seconds: float
    mebibytes: int

    @property
    def good(self) -> bool:
        """Whether it said what its row says, at a small cost."""
        return self.right and self.seconds < SECONDS and self.mebibytes < MEBIBYTES


def read_bombs() -> list[dict[str, Any]]:
    """The bombs, small as they are written."""
    found: list[dict[str, Any]] = tomllib.loads(DATA.read_text())["bomb"]
    return found


def set_off(bomb: dict[str, Any]) -> Cost:
    """Register the schema, send the value, and see what that costs."""
    schema = {"type": "object", "properties": {"a": grown(json.loads(bomb.get("schema", "{}")))}}
    if "root" in bomb:
        schema = grown(json.loads(bomb["root"]))
    text = json.dumps({"a": grown(json.loads(bomb["value"]))}) if "value" in bomb else None
    before, seconds, said = _peak(), [], ""
    for _ in range(TRIES):
        started = time.process_time()
        said = _outcome(schema, text)
        seconds.append(time.process_time() - started)
    wanted = bomb.get("refused") or bomb["answer"]
    right = said.startswith("refused: ") == ("refused" in bomb) and bool(re.search(wanted, said))
    return Cost(bomb["name"], said, right, min(seconds), _peak() - before)


def _outcome(schema: dict[str, Any], text: str | None) -> str:
    try:
        tool = Tool.from_schema("bomb", schema)
    except DefinitionError as error:
        return f"refused: {error}"
    try:
        tool.read(text or "{}")
    except ArgumentsProblem as problem:
        return f"answered: {problem}"
    return "fits"


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


def grown(small: Any) -> Any:
    """A bomb as large as it says."""
    if isinstance(small, list):
        return [grown(one) for one in small]
    if not isinstance(small, dict):
        return small
    if len(small) == 1 and (kind := next(iter(small))).startswith("@"):
        return _GROW[kind](grown(small[kind]))
    return {key: grown(one) for key, one in small.items()}


def _deep(said: list[Any]) -> Any:
    holder, times = said
    made: Any = {}
    for _ in range(times):
        made = _put(holder, made)
    return made


def _put(holder: Any, inner: Any) -> Any:
    """The holder with something in its place; where it stands twice, it is the same object."""
    if holder == "@":
        return inner
    if isinstance(holder, list):
        return [_put(one, inner) for one in holder]
    if isinstance(holder, dict):
        return {key: _put(one, inner) for key, one in holder.items()}
    return holder


def _chain(said: list[Any]) -> Any:
    node, times = said
    made = {f"d{n}": _put(node, f"#/$defs/d{n + 1}") for n in range(times)}
    return {**made, f"d{times}": {"type": "string"}}


_GROW: Final = {
    "@text": lambda said: said[0] * said[1],
    "@join": "".join,
    "@list": lambda said: [said[0]] * said[1],
    "@count": lambda said: [said[0] * n for n in range(1, said[1] + 1)],
    "@keys": lambda said: {f"k{n}": said[0] for n in range(said[1])},
    "@deep": _deep,
    "@chain": _chain,
}
