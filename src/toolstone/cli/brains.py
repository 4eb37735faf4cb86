"""Who answers behind `toolstone serve`, from the command's words."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from toolstone._dataclass import dataclass
from toolstone.errors import InputError

if TYPE_CHECKING:
    from toolstone.local.brain import Brain
    from toolstone.ports import Model

__all__ = ["TO_KEY", "BrainPlan", "Kind"]

TO_KEY: Final = "TOOLSTONE_TO_API_KEY"
"""The environment variable with the key of the server that `--to` names by its address."""

Kind = Literal["llama", "script", "proxy", "function"]

_TARGETS: Final = {
    "script": "--brain script needs the script's file: toolstone serve FILE.toml",
    "function": "--brain function needs its name: toolstone serve MODULE:FUNCTION",
}


@dataclass(frozen=True, slots=True)
class BrainPlan:
    """A brain that is still to be made; call it, once in each process that serves.

    Args:
        kind: Who answers; None: by what is given, the small model if nothing is.
        target: The script's file, or the function's name.
        model: A GGUF file, for the small model's place.
        to: The model string of a proxy.
        record: A cassette to keep the exchanges in.
        replay: A cassette to answer from.

    Raises:
        InputError: The options do not fit each other.
    """

    kind: Kind | None = None
    target: str | None = None
    model: Path | None = None
    to: str | None = None
    record: Path | None = None
    replay: Path | None = None

    def __post_init__(self) -> None:
        if self.replay is not None:
            others = (self.kind, self.target, self.model, self.to, self.record)
            if any(other is not None for other in others):
                raise InputError("--replay answers from its file alone; leave out the rest")
            return
        kind = self.chosen
        if self.to is not None and kind != "proxy":
            less = f"--brain {kind}" + (f" and {self.target!r}" if self.target else "")
            raise InputError(f"--to MODEL asks another model: leave out {less}, or leave out --to")
        if kind in _TARGETS and self.target is None:
            raise InputError(_TARGETS[kind])
        if kind not in _TARGETS and self.target is not None:
            raise InputError(
                f"{self.target!r}: a script is for --brain script, a function for --brain "
                "function; a model is given by --model FILE.gguf or --to MODEL"
            )
        if kind != "llama" and self.model is not None:
            raise InputError(f"--model is for --brain llama; a {kind} needs no model")
        if kind == "proxy" and self.to is None:
            raise InputError("--to MODEL says whom --brain proxy asks: give both, or --to alone")
        if self.record is not None and self.record.exists() and self.record.stat().st_size:
            raise InputError(
                f"{str(self.record)!r} is there already; delete it to record anew, or name another"
            )

    @property
    def chosen(self) -> Kind:
        """Who answers."""
        return self.kind or ("llama" if self.to is None else "proxy")

    def __call__(self) -> Brain:
        """Make the brain.

        Raises:
            InputError: There is no such function.
            ConfigError: A file, an extra, a key or a model is missing.
        """
        from toolstone.local.brains.recorded import Recording, Replay  # noqa: PLC0415

        if self.replay is not None:
            return Replay(self.replay)
        brain = self._made()
        return brain if self.record is None else Recording(brain, self.record)

    def _made(self) -> Brain:
        match self.chosen:
            case "script":
                from toolstone.local.brains.script import Script  # noqa: PLC0415  the one in use

                return Script.load(self.target or "")
            case "function":
                return _function(self.target or "")
            case "proxy":
                from toolstone.local.brains.proxy import Proxy  # noqa: PLC0415  the one in use

                return Proxy(_asked(self.to or ""))
            case "llama":
                from toolstone.local.brains.llama import Llama  # noqa: PLC0415  the one in use

                return Llama(self.model)


def _asked(to: str) -> Model:
    """The model that `--to` names; of a server by its address, with the key that is its own."""
    from toolstone.models import resolve_model  # noqa: PLC0415  the one in use
    from toolstone.responses.service import Service  # noqa: PLC0415  the same

    model = resolve_model(to)
    key = os.environ.get(TO_KEY)
    if not key or not isinstance(model, Service) or not re.match(r"[^+/#]+\+https?://", to):
        return model
    keyed = type(model)(
        model=model.model, base_url=model.base_url, profile=model.profile, api_key=key
    )
    keyed.failures = model.failures
    return keyed


def _function(target: str) -> Brain:
    from toolstone.cli.find import find_target  # noqa: PLC0415  the one in use
    from toolstone.local.brains.function import Function  # noqa: PLC0415  the same

    _, found = find_target(target)
    if not callable(found):
        raise InputError(
            f"{target!r} is a {type(found).__name__}, not a function; name one: MODULE:FUNCTION"
        )
    return Function(found)
