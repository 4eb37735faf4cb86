"""The real command, in a process of its own: through pipes, or on a pseudo-terminal."""

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

HERE = Path(__file__).parent
AGENTS = str(HERE / "agents_under_test.py")
PATIENCE = 20.0
_CLAIMS = {"NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES", "TERM"}


@pytest.fixture
def home(tmp_path):
    """An environment whose home is empty, and which claims no terminal of its own."""
    env = {k: v for k, v in os.environ.items() if k not in _CLAIMS}
    return {**env, "HOME": str(tmp_path), "XDG_STATE_HOME": str(tmp_path / "state")}


@pytest.fixture
def command(home, tmp_path):
    """Run `toolstone WORDS...` to its end, without a terminal."""

    def run(*words, stdin=""):
        return subprocess.run(
            [sys.executable, "-m", "toolstone", *words],
            cwd=tmp_path, env=home, input=stdin, capture_output=True, text=True, timeout=60,
        )  # fmt: skip

    return run


class Terminal:
    """A command on a terminal of 100 by 30, as a person sees and uses it."""

    def __init__(self, words, env, cwd):
        self.master, slave = pty.openpty()
        subprocess.run(["stty", "rows", "30", "columns", "100"], stdin=slave, check=True)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "toolstone", *words],
            stdin=slave, stdout=slave, stderr=slave, cwd=cwd,
            env={"TERM": "xterm-256color", **env}, start_new_session=True,
            preexec_fn=lambda: _make_controlling(slave),  # noqa: PLW1509  calls ioctl alone
        )  # fmt: skip
        os.close(slave)
        self.raw = b""
        self.waited = 0

    @property
    def text(self):
        """All that was written so far, without what moves and colours it."""
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self.raw.decode(errors="replace"))

    def wait_for(self, *texts):
        """Read until these have been shown, one after another, since the last wait."""
        end = time.monotonic() + PATIENCE
        for text in texts:
            while (found := self.text.find(text, self.waited)) < 0:
                assert time.monotonic() < end, f"{text!r} not in {self.text!r}"
                assert self._read(end - time.monotonic()), f"{text!r} not in {self.text!r}"
            self.waited = found + len(text)

    def type(self, text):
        os.write(self.master, text.encode())

    def interrupt(self):
        """What Ctrl-C does."""
        self.type("\x03")

    def interrupt_question(self):
        """Ctrl-C at a prompt, again if need be: libc may miss one just before it reads."""
        end = time.monotonic() + PATIENCE
        while "stopped" not in self.text and time.monotonic() < end:
            self.interrupt()
            heard = time.monotonic() + 2.0
            while "stopped" not in self.text and time.monotonic() < heard:
                self._read(0.1)
        return self.end()

    def end(self):
        """Read to the end; the exit code."""
        end = time.monotonic() + PATIENCE
        while self._read(max(0.0, end - time.monotonic())):
            pass
        return self.process.wait(PATIENCE)

    def close(self):
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGKILL)
            self.process.wait()
        os.close(self.master)

    def _read(self, seconds):
        ready, _, _ = select.select([self.master], [], [], seconds)
        if not ready:
            return False
        try:
            found = os.read(self.master, 65536)
        except OSError:  # the other end is closed
            return False
        self.raw += found
        return bool(found)


def _make_controlling(slave):
    import fcntl
    import termios

    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)


@pytest.fixture
def terminal(home, tmp_path):
    """Start `toolstone WORDS...` on a terminal."""
    opened = []

    def start(*words, **more):
        opened.append(Terminal(words, {**home, **more}, tmp_path))
        return opened[-1]

    yield start
    for one in opened:
        one.close()
