"""The small model in a child process, started when it is first asked for; it never outlives us."""

import atexit
import json
import os
import subprocess
import sys
import threading
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from toolstone import limits
from toolstone.errors import ConfigError
from toolstone.local.surroundings import surroundings
from toolstone.local.weights import NAME, model_file

__all__ = ["endpoint", "stop"]


class _Children:
    """The children of this process, by model name. A forked copy of the process starts anew."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.running: dict[str, tuple[subprocess.Popen[bytes], str]] = {}

    def forget(self) -> None:
        """Let go, in a forked copy, of children that are the original's."""
        for process, _ in self.running.values():
            _close(process.stdin)
            _close(process.stdout)
            process.returncode = 0  # not ours to wait for
        self.__init__()  # type: ignore[misc]  # the lock may be held by a thread that is not here


_children = _Children()


def endpoint(name: str) -> str:
    """Give the base URL of a local model, starting it if it does not run yet.

    Args:
        name: `smollm2`, or the path of a GGUF file.

    Raises:
        ConfigError: There is no such model, an extra is missing, or it does not start.
    """
    with _children.lock:
        process, base_url = _children.running.get(name, (None, ""))
        if process is not None and process.poll() is None:
            return base_url
        if process is not None:
            _end(process)
        process, base_url = _start(name)
        _children.running[name] = (process, base_url)
        return base_url


def stop() -> None:
    """Stop every model this process started. The next `endpoint` starts anew."""
    with _children.lock:
        ended = [process for process, _ in _children.running.values()]
        _children.running.clear()
    for process in ended:
        _end(process)


def _start(name: str) -> tuple[subprocess.Popen[bytes], str]:
    _check_extra()
    model = _model(name)
    command = [sys.executable, "-m", "toolstone.local", "--watch-stdin"]
    process = subprocess.Popen(  # noqa: S603  our own module
        [*command, "--model", str(model), "--name", name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=surroundings(),
        start_new_session=True,  # Ctrl-C is for us; the end of stdin is for the child
    )
    line = process.stdout.readline() if process.stdout else b""
    if not line:
        _end(process)
        raise ConfigError(
            f"the local model {name!r} did not start (exit code {process.returncode}); "
            "it said why on stderr. Try: python -m toolstone.local"
        )
    return process, str(json.loads(line)["base_url"])


def _check_extra() -> None:
    """See that the model can run before it is fetched."""
    missing = [n for n in ("xllamacpp", "starlette", "uvicorn") if find_spec(n) is None]
    if missing:
        raise ConfigError(
            f"the local model needs {', '.join(map(repr, missing))}; "
            "run: pip install 'toolstone[llama]'"
        )


def _model(name: str) -> Path:
    if name == NAME:
        return model_file()
    path = Path(name).expanduser()
    if path.suffix == ".gguf" and path.is_file():
        return path.absolute()
    raise ConfigError(
        f"there is no local model {name!r}; write 'local/{NAME}', or 'local/PATH.gguf' "
        "with the path of a GGUF file that is there"
    )


def _end(process: "subprocess.Popen[bytes]") -> None:
    _close(process.stdin)
    try:
        process.wait(limits.LOCAL_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    _close(process.stdout)


def _close(pipe: IO[bytes] | None) -> None:
    if pipe is not None:
        pipe.close()


atexit.register(stop)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_children.forget)
