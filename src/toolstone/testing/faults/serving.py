"""The peer for other programs: said where it is, and what comes, until it is stopped."""

from __future__ import annotations

import json
import signal
import sys
import threading
from typing import TYPE_CHECKING

from toolstone.testing.faults.peer import Faults
from toolstone.testing.faults.steps import SCENARIOS

if TYPE_CHECKING:
    from toolstone.testing.faults.connection import Met

__all__ = ["serve"]


def serve(*, host: str, port: int, pace: float, as_json: bool) -> None:
    """Serve until Ctrl-C or SIGTERM; say where, and what comes.

    Args:
        host: A loopback address.
        port: 0 takes a free one.
        pace: How many real seconds a second of a scenario lasts.
        as_json: One JSON object a line: first where it is, then each request.

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
    listed = "\n".join(f"  {one.name:14} {one.says}" for _, one in sorted(SCENARIOS.items()))
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
