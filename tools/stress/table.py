"""What was found, as a Markdown table with counts."""

from __future__ import annotations

import datetime as dt
import platform
from typing import Any

from stress import judge, kills

Found = dict[str, dict[str, judge.Seen]]


def render(rows: list[judge.Rule], found: Found, versions: dict[str, dict[str, str]]) -> str:
    """One line for each scenario, one column for each toolkit, counts at the end."""
    names = list(found)
    lines = [_about(versions), "", f"| What happens | {' | '.join(names)} |"]
    lines.append("|---" * (len(names) + 1) + "|")
    for row in rows:
        cells = [_cell(row, found[name][row["id"]]) for name in names]
        mark = " (not counted)" if row.get("taste") else ""
        lines.append(f"| {row['says']}{mark} | {' | '.join(cells)} |")
    counted = [row for row in rows if not row.get("taste")]
    lines.append(f"| **right, of {len(counted)}** | {_counts(counted, found)} |")
    if any("kills" in one for one in found.values()):
        cells = [_killed(found[name].get("kills", {})) for name in names]
        lines.append(f"| kill -9 at a random instant, then gone on | {' | '.join(cells)} |")
    return "\n".join(lines)


def _about(versions: dict[str, dict[str, str]]) -> str:
    shown = "; ".join(
        " with ".join(f"{name} {version}" for name, version in found.items())
        for found in versions.values()
    )
    today = dt.datetime.now(tz=dt.UTC).date()
    return f"{today}, CPython {platform.python_version()}: {shown}."


def _cell(row: judge.Rule, seen: judge.Seen) -> str:
    why = judge.judge(row, seen)
    return f"**wrong**: {why}" if why else "right"


def _counts(rows: list[judge.Rule], found: Found) -> str:
    counts = [sum(not judge.judge(row, seen[row["id"]]) for row in rows) for seen in found.values()]
    return " | ".join(f"**{count}**" for count in counts)


def _killed(seen: dict[str, Any]) -> str:
    verdict, told = kills.say(seen)
    return f"**wrong**: {told}" if verdict == "wrong" else f"{verdict}: {told}"
