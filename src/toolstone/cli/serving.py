"""`toolstone serve`: a Responses endpoint on this machine until Ctrl-C."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from toolstone.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from toolstone.local.brain import Brain

__all__ = ["open_brain", "serve_until_stopped"]


def open_brain(kind: str, script: Path | None, model: Path | None) -> Brain:
    """The brain that answers: a script from a file, or a real small model.

    Raises:
        InputError: The options do not fit the brain.
        ConfigError: The script, the extra or the model is missing.
    """
    if kind == "script":
        from toolstone.local.brains.script import Script  # noqa: PLC0415  only the brain in use

        if script is None:
            raise InputError("--brain script needs the script's file: toolstone serve FILE.toml")
        if model is not None:
            raise InputError("--model is for --brain llama; a script needs no model")
        return Script.load(script)
    if script is not None:
        raise InputError(
            f"{str(script)!r}: a script is for --brain script; a model is given by --model"
        )
    from toolstone.local.brains.llama import Llama  # noqa: PLC0415  only the brain in use

    return Llama(model)


def serve_until_stopped(brain: Brain, *, host: str, port: int, as_json: bool) -> None:
    """Serve it, say where, and stop on Ctrl-C or SIGTERM.

    Raises:
        ConfigError: The extra is missing, or the address cannot be used.
    """
    from toolstone.local.server import run  # noqa: PLC0415  needs the extra

    def ready(base_url: str, _stop: Callable[[], None]) -> None:
        sys.stdout.write(_say(base_url, brain.models, as_json=as_json))
        sys.stdout.flush()

    run(brain, host=host, port=port, ready=ready)


def _say(base_url: str, models: Sequence[str], *, as_json: bool) -> str:
    if as_json:
        return json.dumps({"base_url": base_url}) + "\n"
    model = models[0] if models else "any"
    return (
        f"Serving the Responses API at {base_url}\n"
        f'  toolstone: Agent("responses+{base_url}#{model}")\n'
        f"  others:    OPENAI_BASE_URL={base_url} OPENAI_API_KEY=none\n"
        "Ctrl-C stops it.\n"
    )
