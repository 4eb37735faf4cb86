"""Whether what was seen is right, by the rules of rules.toml, and in a few words why not."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

RULES: Final = Path(__file__).parent / "rules.toml"
_SHOWN: Final = 60

Seen = dict[str, Any]
Rule = dict[str, Any]


def rows() -> list[Rule]:
    """Every scenario with what is right."""
    found: list[Rule] = tomllib.loads(RULES.read_text())["row"]
    return found


def judge(row: Rule, seen: Seen) -> str:
    """Empty if it is right; else why it is wrong, by the way of ending well that it came nearest.

    Args:
        row: Of rules.toml.
        seen: What driver and peer saw.
    """
    if seen["ended"] in {"hung", "died"}:
        stray = _strayed(0, seen) if any("strayed" in rule for rule in row["right"]) else ""
        late = "not ended" if seen["ended"] == "hung" else "the process died"
        return stray or f"{late} after {seen['seconds']:.0f} s"
    missed = [_missed(rule, seen) for rule in row["right"]]
    return "" if None in missed else max(filter(None, missed))[1]


def _missed(rule: Rule, seen: Seen) -> tuple[int, str] | None:
    """How far it came, and the first condition that is not met; None if all are."""
    for number, (name, check) in enumerate(_CHECKS):
        if name in rule and (why := check(rule[name], seen)):
            return number, why
    return None


def _ends(wanted: list[str], seen: Seen) -> str:
    if seen["ended"] == "error" and not seen["typed"]:
        return f"raw `{seen['error']}`"
    if seen["ended"] in wanted:
        return ""
    if seen["ended"] == "error":
        return f"the run died: `{seen['error'].rpartition('.')[2]}`"
    if seen["ended"] == "answer":
        return f"success: {_quoted(seen.get('text', ''))}"
    return f"ended as {seen['ended']}"


def _bounds(wanted: int | list[int]) -> list[int]:
    return wanted if isinstance(wanted, list) else [wanted, wanted]


def _ran_too_many(wanted: int | list[int], seen: Seen) -> str:
    _, most = _bounds(wanted)
    count = len(seen["ran"])
    if count <= most:
        return ""
    given = f" with {_quoted(seen['ran'][0][1])}" if not most else ""
    return f"{count} calls ran{given}" if count > 1 else f"the tool ran{given}"


def _ran_too_few(wanted: int | list[int], seen: Seen) -> str:
    count = len(seen["ran"])
    return f"{count} calls ran" if count < _bounds(wanted)[0] else ""


def _given(pattern: str, seen: Seen) -> str:
    other = [given for _, given in seen["ran"] if not re.search(pattern, given)]
    return f"the tool was given {_quoted(other[0])}" if other else ""


def _told(pattern: str, seen: Seen) -> str:
    if any(re.search(pattern, one) for one in seen["told"]):
        return ""
    return f"model told {_quoted(seen['told'][0])}" if seen["told"] else "model told nothing"


def _told_not(pattern: str, seen: Seen) -> str:
    return "the secret was told to the model" if re.search(pattern, str(seen["told"])) else ""


def _requests(wanted: list[int], seen: Seen) -> str:
    return "" if wanted[0] <= seen["requests"] <= wanted[1] else f"{seen['requests']} requests"


def _seconds(most: float, seen: Seen) -> str:
    return "" if seen["seconds"] <= most else f"after {seen['seconds']:.0f} s"


def _strayed(wanted: int, seen: Seen) -> str:
    return "" if seen["strayed"] == wanted else "the prompt went to another origin"


def _text(pattern: str, seen: Seen) -> str:
    if seen["ended"] != "answer" or re.search(pattern, seen.get("text", "")):
        return ""
    return f"answered {_quoted(seen.get('text', ''))}"


def _said(pattern: str, seen: Seen) -> str:
    if seen["ended"] != "error" or re.search(pattern, seen.get("said", "")):
        return ""
    return f"says {_quoted(seen['said'])}"


def _facts(wanted: dict[str, Any], seen: Seen) -> str:
    for name, value in wanted.items():
        if (
            seen.get(name) != value
            if not isinstance(value, str)
            else not re.search(value, str(seen.get(name)))
        ):
            return _FACTS[name].format(**{"found": seen.get(name), **seen})
    return ""


_FACTS: Final = {
    "overlap": "one after the other",
    "finished": "{found} came to their end",
    "went_on": "{found} tool ran to its end",
    "named": "not reported",
    "left_running": "not reported",
    "again": "the next run: `{found:.80}`",
    "answers": "{found} of 4 answered",
    "grown_less_than_80": "memory grew by {grown_mib} MiB",
}
_CHECKS: Final[list[tuple[str, Callable[[Any, Seen], str]]]] = [
    ("strayed", _strayed),
    ("told_not", _told_not),
    ("ran", _ran_too_many),
    ("ends", _ends),
    ("ran", _ran_too_few),
    ("given", _given),
    ("text", _text),
    ("said", _said),
    ("told", _told),
    ("facts", _facts),
    ("requests", _requests),
    ("seconds", _seconds),
]
"""In the order of harm."""


def _quoted(text: str) -> str:
    flat = " ".join(text.split())
    cut = flat if len(flat) <= _SHOWN else f"{flat[:_SHOWN]}…"
    return f"`{cut}`".replace("|", "\\|") if cut else "nothing"
