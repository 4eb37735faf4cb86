"""`python -m toolstone.local`: serve a brain, say where on one line, stop with the parent."""

import argparse
import json
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from toolstone import limits
from toolstone.errors import ToolstoneError
from toolstone.local.brain import Brain
from toolstone.local.server import run


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal comes, or until stdin ends if it is watched."""
    options = _parser().parse_args(arguments)
    watch = _Watch()
    if options.watch_stdin:
        threading.Thread(target=watch.keep, daemon=True).start()

    def ready(base_url: str, stop: Callable[[], None]) -> None:
        watch.stop = stop
        sys.stdout.write(json.dumps({"base_url": base_url}) + "\n")
        sys.stdout.flush()

    try:
        run(_brain(options), host=options.host, port=options.port, ready=ready)
    except ToolstoneError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m toolstone.local", description="Serve the Responses API on this machine."
    )
    parser.add_argument("--brain", choices=("llama", "script"), default="llama")
    parser.add_argument("--script", type=Path, help="a script in TOML, for --brain script")
    parser.add_argument("--model", type=Path, help="any other model, for --brain llama: FILE.gguf")
    parser.add_argument("--name", help="what that model is called in requests")
    parser.add_argument("--host", default="127.0.0.1", help="a loopback address")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--watch-stdin", action="store_true", help="stop when stdin ends")
    return parser


def _brain(options: argparse.Namespace) -> Brain:
    if options.brain == "script":
        from toolstone.local.brains.script import Script  # noqa: PLC0415  only the brain in use

        if options.script is None:
            _parser().error("--brain script needs --script FILE.toml")
        return Script.load(options.script)
    from toolstone.local.brains.llama import Llama  # noqa: PLC0415  only the brain in use

    return Llama(options.model, name=options.name)


class _Watch:
    """Ends the process when stdin ends: the parent has closed it, or is gone, however it went."""

    def __init__(self) -> None:
        self.stop: Callable[[], None] | None = None  # None: still starting

    def keep(self) -> None:
        """Wait for the end of stdin; stop in good order if that is quick, else at once."""
        while os.read(0, 4096):
            pass
        if self.stop is not None:
            self.stop()
            time.sleep(limits.LOCAL_STOP_SECONDS / 2)
        os._exit(0)


if __name__ == "__main__":
    sys.exit(main())
