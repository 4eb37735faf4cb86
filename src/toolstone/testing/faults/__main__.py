"""`python -m toolstone.testing.faults`: the peer in a process of its own, until it is stopped."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from toolstone.errors import ToolstoneError
from toolstone.testing.faults.serving import serve

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]


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


if __name__ == "__main__":
    sys.exit(main())
