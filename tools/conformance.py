"""The Open Responses compliance suite against our endpoint: the script brain and the small model.

python tools/conformance.py --suite DIR [--brain script|llama] [--verbose]

DIR is a checkout of github.com/openresponses/openresponses with its one dependency beside it
(`npm install zod@3.25.76`) and Bun (`npm install bun@1.3.12`), or tsx for Node.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolstone.local import Script, call, serve
from toolstone.local.weights import NAME

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from toolstone.local import Piece, Turn

ENTRY = Path("bin/compliance-test.ts")
CASES = 17
SECONDS = 300
HOW = f"""tools/conformance.py needs a checkout of the Open Responses suite, which no registry has:
  git clone https://github.com/openresponses/openresponses DIR
  cd DIR && npm install --no-save --ignore-scripts zod@3.25.76 bun@1.3.12
  python tools/conformance.py --suite DIR
The {CASES} cases in our own words need none of it: python -m pytest tests/conformance"""


class Polite:
    """Two scripts in one brain: a call where tools are offered, words elsewhere."""

    models: Sequence[str] = ()

    def __init__(self) -> None:
        self._calls = Script([call("get_weather", location="San Francisco, CA"), "It is mild."])
        self._words = Script(["Hello there, friend."])

    def answer(self, turn: Turn) -> AsyncIterator[Piece]:
        """Say the one or the other."""
        return (self._calls if turn.choice.names else self._words).answer(turn)

    async def close(self) -> None:
        """Close both."""
        await self._calls.close()
        await self._words.close()


def main(arguments: list[str]) -> int:
    """Run the suite against each brain; 0 if all passed, 1 if not, 2 if there is no suite."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--suite", type=Path, metavar="DIR")
    parser.add_argument("--brain", choices=("script", "llama"), action="append")
    parser.add_argument("--verbose", action="store_true", help="show what failed tests saw")
    options = parser.parse_args(arguments)
    if options.suite is None or not (options.suite / ENTRY).is_file():
        print(HOW, file=sys.stderr)
        return 2
    command = _runner(options.suite)
    if command is None:
        print(f"neither bun nor tsx is in {options.suite} or on the PATH\n{HOW}", file=sys.stderr)
        return 2
    brains = options.brain or ["script", "llama"]
    return max(_judge(brain, command, options.suite, verbose=options.verbose) for brain in brains)


def _runner(suite: Path) -> list[str] | None:
    """The command that runs TypeScript: the suite's own first."""
    own = suite.resolve() / "node_modules" / ".bin"
    path = f"{own}{os.pathsep}{os.environ.get('PATH', '')}"
    if bun := shutil.which("bun", path=path):
        return [bun, "run"]
    tsx = shutil.which("tsx", path=path)
    return [tsx] if tsx else None


def _judge(brain: str, command: list[str], suite: Path, *, verbose: bool) -> int:
    from toolstone.local.brains.llama import Llama  # noqa: PLC0415  only if it is asked for

    results: list[dict[str, Any]] = []
    with serve(Polite() if brain == "script" else Llama()) as endpoint:
        where = ["--base-url", endpoint.base_url, "--api-key", "none", "--model", NAME]
        # The suite starts all cases at once and gives each turn 30 seconds; one small model
        # on a busy machine wants them one after the other.
        for chosen in [[]] if brain == "script" else _one_by_one(command, suite):
            done = _run([*command, str(ENTRY), *where, *chosen, "--json"], suite)
            try:
                results += json.loads(done.stdout)["results"]
            except (ValueError, KeyError):
                print(
                    f"{brain}: the suite itself failed\n{done.stdout}{done.stderr}", file=sys.stderr
                )
                return 1
    return _report(brain, results, verbose=verbose)


def _one_by_one(command: list[str], suite: Path) -> list[list[str]]:
    """Options for one case each, as the suite names them to one who asks for a case it has not."""
    asked = ["--base-url", "http://127.0.0.1:9", "--api-key", "none", "--filter", "?"]
    listed = _run([*command, str(ENTRY), *asked], suite).stderr.rpartition(":")[2]
    return [["--filter", case.strip()] for case in listed.split(",")]


def _run(command: list[str], suite: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=suite,
        env={**os.environ, "NODE_OPTIONS": "--experimental-websocket"},  # for tsx on Node 20
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )


def _report(brain: str, results: list[dict[str, Any]], *, verbose: bool) -> int:
    passed = sum(result["status"] == "passed" for result in results)
    print(f"{brain}: {passed} of {len(results)} passed")
    for result in sorted(results, key=lambda result: str(result["id"])):
        print(f"  {result['status']:8}{result['id']}")
        for error in result.get("errors") or ():
            print(f"          {error}")
        if verbose and result["status"] != "passed":
            seen = {key: result.get(key) for key in ("request", "response")}
            print(json.dumps(seen, indent=2)[:4000])
    return 0 if passed == len(results) >= CASES else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
