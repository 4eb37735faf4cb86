"""The same faults for other toolkits and for ours, as one Markdown table.

python tools/stress/run.py [--env DIR] [--only PEER ...] [--rows ID ...] [--kills N]

Each toolkit has an environment of its own in DIR, made when it is not there. The fault peer and
each driver are processes of their own; a driver that is late is killed. What is right stands in
rules.toml, and was written before anything was measured.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from pathlib import Path
from typing import Any, Final, Self

sys.path.insert(0, str(Path(__file__).parent.parent))

from stress import judge, kills, table
from stress.peers import PEERS, Driver, Peer

SECONDS: Final = 25
"""For one scenario; then the driver is killed."""
_SETTLE: Final = 0.05
_GIVEN: Final = ("door", "tools", "typed", "do", "timeout")


class Faulty:
    """The fault peer, in a process of its own."""

    def __init__(self) -> None:
        command = [sys.executable, str(Path(__file__).parent / "peer.py")]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._met: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._strayed: list[int] = []
        self._answered = threading.Event()
        where = json.loads(self._process.stdout.readline()) if self._process.stdout else {}
        self.origin, self._refused = where["origin"], where["refused"]
        self._numbers = itertools.count()
        threading.Thread(target=self._listen, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def word(self, scenario: str) -> str:
        """The scenario with a count of its own."""
        return f"{scenario}~{next(self._numbers)}"

    def base_url(self, word: str) -> str:
        """Where it is met."""
        there = self._refused if word.startswith("H01") else self.origin
        return f"{there}/{word}/v1"

    def seen(self, word: str) -> dict[str, Any]:
        """The requests that came, and what the model was told in the last of them."""
        time.sleep(_SETTLE)
        met = self._met.pop(word, [])
        told: list[str] = max((one["told"] for one in met), key=len, default=[])
        return {"requests": len(met), "told": told, "strayed": self._look()}

    def _look(self) -> int:
        self._answered.clear()
        if self._process.stdin is not None:
            self._process.stdin.write("?\n")
            self._process.stdin.flush()
        self._answered.wait(5)
        return self._strayed.pop() if self._strayed else 0

    def _listen(self) -> None:
        for line in self._process.stdout or ():
            said = json.loads(line)
            if "strayed" in said:
                self._strayed.append(said["strayed"])
                self._answered.set()
            else:
                self._met[said["word"]].append(said)


def main(arguments: list[str]) -> int:
    """Drive every toolkit that is named through every scenario; 0 if ours is right in all."""
    given = _options(arguments)
    rows = [row for row in judge.rows() if not given.rows or row["id"] in given.rows]
    peers = [peer for peer in PEERS if not given.only or peer.name in given.only]
    given.env.mkdir(parents=True, exist_ok=True)
    found: table.Found = {}
    versions: dict[str, dict[str, str]] = {}
    with Faulty() as faulty:
        for peer in peers:
            with Driver(peer, given.env, given.env / f"{peer.name}.log") as driver:
                found[peer.name] = _scenarios(peer, driver, faulty, rows)
                if given.kills:
                    found[peer.name]["kills"] = kills.kill(driver, faulty, given.kills, given.seed)
                versions[peer.name] = driver.versions
    if given.json:
        given.json.write_text(json.dumps(found, indent=1))
    print(table.render(rows, found, versions))
    ours = found.get("toolstone", {})
    return 1 if any(judge.judge(row, ours[row["id"]]) for row in rows if ours) else 0


def _options(arguments: list[str]) -> argparse.Namespace:
    names = [peer.name for peer in PEERS]
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    there = Path(tempfile.gettempdir()) / "toolstone-stress"
    parser.add_argument("--env", type=Path, default=there, help=f"environments, here: {there}")
    parser.add_argument("--only", nargs="+", choices=names, metavar="PEER", help=", ".join(names))
    parser.add_argument("--rows", nargs="+", metavar="ID", help="rows of rules.toml")
    parser.add_argument("--kills", type=int, default=100, help="kill -9 of each; 0 for none")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--json", type=Path, help="also write everything that was seen")
    return parser.parse_args(arguments)


def _scenarios(
    peer: Peer, driver: Driver, faulty: Faulty, rows: list[judge.Rule]
) -> dict[str, judge.Seen]:
    found = {}
    for row in rows:
        word = faulty.word(row["scenario"])
        wanted: dict[str, Any] = {name: row[name] for name in _GIVEN if name in row}
        seen = driver.ask({"base_url": faulty.base_url(word), **wanted}, SECONDS)
        seen |= faulty.seen(word)
        found[row["id"]] = seen
        print(f"{peer.name:14} {row['id']:20} {judge.judge(row, seen) or 'right'}", file=sys.stderr)
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
