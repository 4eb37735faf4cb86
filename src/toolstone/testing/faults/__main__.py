"""`python -m toolstone.testing.faults`: the peer in a process of its own, until it is stopped."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from typing import TYPE_CHECKING

from toolstone.errors import ToolstoneError
from toolstone.testing.faults.peer import Faults
from toolstone.testing.faults.steps import SCENARIOS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolstone.testing.faults.connection import Met

__all__ = ["main", "serve"]


def main(words: Sequence[str] | None = None) -> int:
    """Read the options and serve."""
    options = argparse.ArgumentParser(prog="python -m toolstone.testing.faults")
    options.add_argument("--host", default="127.0.0.1")
    options.add_argument("--port", type=int, default=0)
    options.add_argument("--pace", type=float, default=1.0, help="real seconds of a second")
    options.add_argument("--json", action="store_true", help="one JSON object a line")
    given = options.parse_args(words)
    try:
        serve(host=given.host, port=given.port, pace=given.pace, as_json=given.json)
    except ToolstoneError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def serve(*, host: str, port: int, pace: float, as_json: bool) -> None:
    """Serve until Ctrl-C or SIGTERM; say where, and what comes.

    Raises:
        ConfigError: The address cannot be used.
    """
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    with Faults(host=host, port=port, pace=pace, log=_log if as_json else _tell) as peer:
        sys.stdout.write(_where(peer, as_json=as_json))
        sys.stdout.flush()
        stopped.wait()


def _where(peer: Faults, *, as_json: bool) -> str:
    refused = peer.base_url("H01").partition("/H01")[0]
    if as_json:
        return json.dumps({"base_url": peer.origin, "refused": refused}) + "\n"
    listed = "\n".join(f"  {one.name:14} {one.says}" for one in SCENARIOS.values())
    return (
        f"{listed}\n\nFailing at {peer.origin}/SCENARIO/v1, or by the model's name\n"
        f"  twice, then well: {peer.origin}/H06.2/v1\n"
        f"  H01:              {refused}/v1\n"
        "Ctrl-C stops it.\n"
    )


def _tell(met: Met) -> None:
    sys.stdout.write(f"{met.method} {met.target} {len(met.body)} bytes\n")
    sys.stdout.flush()


def _log(met: Met) -> None:
    """Names and lengths of headers alone: their values may be keys."""
    headers = {name: len(value) for name, value in met.headers.items()}
    said = {"method": met.method, "target": met.target, "headers": headers, "body": len(met.body)}
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
