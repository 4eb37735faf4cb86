"""What went wrong, as one readable message and an exit code."""

from __future__ import annotations

import os
import re
import sys
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import typer

from toolstone._secrets import Secret, redact
from toolstone.cli.words import clean
from toolstone.errors import RunCancelled, ToolstoneError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["FAILED", "INTERRUPTED", "USAGE", "WAITING", "exit_code", "reported"]

FAILED: Final = 1
USAGE: Final = 2
WAITING: Final = 3
INTERRUPTED: Final = 130


def exit_code(error: BaseException) -> int:
    """130 for Ctrl-C, 2 for a mistake in what was asked, 1 for everything else."""
    if isinstance(error, KeyboardInterrupt | RunCancelled):
        return INTERRUPTED
    return USAGE if isinstance(error, UsageError) else FAILED


@contextmanager
def reported(*, debug: bool, told: Any = None) -> Iterator[None]:
    """Say what went wrong inside on stderr, and exit with its code.

    Args:
        debug: With the traceback.
        told: A view that is to show the error too, before the message.

    Raises:
        typer.Exit: Something went wrong.
    """
    try:
        yield
    except typer.Exit:
        raise
    except BrokenPipeError:
        _stop_writing()
        raise typer.Exit(FAILED) from None
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  told, and then we end
        keys = environment_secrets(os.environ)  # held until all is said
        if debug:
            sys.stderr.write(redact(traceback.format_exc()))
        if told is not None and isinstance(error, Exception):
            told.fail(error)
        sys.stderr.write(redact(_message(error)) + "\n")
        del keys
        raise typer.Exit(exit_code(error)) from None


_PRIVATE: Final = re.compile(
    r"(?i)(?!.*_(file|uri|url|path)$).*(key|token|secret|passw|credential)"
)


def environment_secrets(environment: Mapping[str, str]) -> list[Secret]:
    """The variables that hold keys, by their names: while these are kept, `redact` finds them."""
    return [Secret(value) for name, value in environment.items() if _PRIVATE.match(name)]


def _message(error: BaseException) -> str:
    notes = "".join(f"\n{clean(note)}" for note in getattr(error, "__notes__", ()))
    if isinstance(error, KeyboardInterrupt | RunCancelled):
        return f"stopped{notes}"
    if isinstance(error, ToolstoneError):
        return f"{type(error).__name__}: {clean(str(error))}{_cause(error)}{notes}"
    return f"{type(error).__name__}: {clean(str(error))}{notes}\nWhere it happened: --debug"


def _cause(error: BaseException) -> str:
    """What was behind it, where the message does not say so already."""
    cause = error.__cause__
    if cause is None or isinstance(cause, ToolstoneError):
        return ""
    texts = (str(cause), getattr(cause, "strerror", None))
    if any(text and text in str(error) for text in texts):
        return ""
    return f"\nbecause of {type(cause).__name__}: {clean(str(cause))}"


def _stop_writing() -> None:
    """Nobody reads stdout any more: let the interpreter's last flush go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
