"""`python -m toolstone.local`: serve a brain, say where on one line, stop with the parent."""

import argparse
import json
import os
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from toolstone.errors import ToolstoneError
from toolstone.local.brain import Brain
from toolstone.local.server import run


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal comes, or until stdin ends if it is watched."""
    options = _parser().parse_args(arguments)

    def ready(base_url: str, stop: Callable[[], None]) -> None:
        sys.stdout.write(json.dumps({"base_url": base_url}) + "\n")
        sys.stdout.flush()
        if options.watch_stdin:
            threading.Thread(target=_watch, args=(stop,), daemon=True).start()

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

    return Llama(options.model)


def _watch(stop: Callable[[], None]) -> None:
    """Wait for the end of stdin: the parent has closed it, or is gone, however it went."""
    while os.read(0, 4096):
        pass
    stop()


if __name__ == "__main__":
    sys.exit(main())
