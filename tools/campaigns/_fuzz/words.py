"""Model strings, the command line, and what is shown of a stranger's error: three targets."""

# ruff: noqa: S101  a target fails by an assertion

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from unittest import mock
from urllib.parse import urlsplit

from campaigns._fuzz.reader import Reader
from toolstone._secrets import Secret
from toolstone.errors import ServiceError, ToolstoneError
from toolstone.items import CallKey
from toolstone.models import check_model_string, resolve_model
from toolstone.responses.address import check_base_url, path_segment
from toolstone.responses.failures import failure, read_error
from toolstone.responses.parse import parse_response
from toolstone.responses.service import Service

if TYPE_CHECKING:
    from collections.abc import Iterator

# ---------------------------------------------------------------------------------- model strings

_PIECES: Final = (
    "responses+",
    "chat+",
    "vllm+",
    "http://",
    "https://",
    "127.0.0.1",
    "localhost",
    "[::1]",
    "api.example",
    ":8000",
    ":0",
    ":99999",
    "/v1",
    "#MODEL",
    "#",
    "@us-east-1",
    "@",
    "bedrock/",
    "bedrock-mantle/",
    "bedrock-runtime/",
    "openai.gpt-oss-120b",
    "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.x",
    "us.",
    "-1:0",
    "openai/",
    "user:pass@",
    "/../",
    "%2e%2e",
    "?q=1",
    "\\",
    "\n",
    "é",
    "\ud800",
    " ",
    ".",
)


_SERVER: Final = re.compile(r"[^+/#]+\+https?://")


def read_model_string(data: bytes) -> None:
    """A model string is a model of the host that it names, or refused typed; nothing is opened."""
    reader = Reader(data)
    text = "".join(
        reader.text() if reader.chance(4) else reader.pick(_PIECES) for _ in range(reader.below(8))
    )
    for check in (check_model_string, check_base_url, path_segment, CallKey.parse):
        with contextlib.suppress(ToolstoneError):
            check(text)
    if text.startswith("local/"):
        return  # it starts a child
    try:
        with mock.patch.dict(os.environ, {"OPENAI_API_KEY": "sk-fuzz"}, clear=True):
            model = resolve_model(text)
    except ToolstoneError:
        return
    if isinstance(model, Service) and _SERVER.match(text):
        _check_host(text, model.base_url)


def _check_host(text: str, base_url: str) -> None:
    """What is asked is what is written between `+` and `#`, and no other."""
    written = text.partition("+")[2].partition("#")[0]
    assert base_url == written.rstrip("/"), (text, base_url)
    there = urlsplit(base_url)
    assert there.hostname, base_url
    assert there.scheme == "https" or there.hostname in ("localhost", "127.0.0.1", "::1"), base_url
    assert not there.username, base_url
    assert base_url.isascii(), base_url
    assert base_url.isprintable(), base_url


# ----------------------------------------------------------------------------------- command line

_AGENTS: Final = '''
"""Agents of a test of the command line."""
from toolstone import Agent, tool
from toolstone.testing import Scripted, call


@tool(approve=True)
def pay(amount: int) -> str:
    """Pay."""
    return "paid"


def add(a: int, b: int = 2) -> int:
    """Add."""
    return a + b


adder = Agent(Scripted(call("add", a=1), "three"), tools=[add])
payer = Agent(Scripted(call("pay", amount=5), "thanks"), tools=[pay])
'''
_COMMANDS: Final = ("run", "tools", "serve", "doctor", "models", "chat", "demo", "")
_TARGETS: Final = (
    "agents.py:adder",
    "agents.py:payer",
    "agents.py",
    "agents.py:add",
    "agents.py:nobody",
    "none.py:x",
    "broken.py",
    "no_such_module",
    "..:x",
    ":",
    "agents.py:adder.tools.x",
    ".py",
    "",
)
_OPTIONS: Final = (
    "--session",
    "--resume",
    "--approve",
    "--deny",
    "--ledger",
    "--json",
    "--image",
    "--file",
    "--explain",
    "--help",
    "--version",
    "--brain",
    "--to",
    "--record",
    "--replay",
    "--profile",
    "--region",
    "--policy",
    "--host",
    "--port",
    "--api-key",
    "--store",
    "--workers",
    "--faults",
    "--offline",
    "--all-regions",
    "--responses",
    "--request",
    "--",
    "-",
    "-h",
    "--no-such",
)
_VALUES: Final = (
    "s",
    "0.0",
    "0.1",
    "9.9",
    "x.sqlite",
    "folder",
    "agents.py",
    "llama",
    "script",
    "proxy",
    "function",
    "mantle",
    "us-east-1",
    "évil",
    "0",
    "-1",
    "1" * 5000,
    "\udcff",
    "responses+http://127.0.0.1:9/v1#m",
    "openai/m",
    "hello",
    "../x",
    "policy.toml",
    "script.toml",
    "../agents.py:add",
)
_CODES: Final = frozenset({0, 1, 2, 3, 130})


def read_command_line(data: bytes) -> None:
    """Any words end in one of the five exit codes, with a sentence and without a traceback."""
    reader = Reader(data)
    words = [reader.pick(_COMMANDS)]
    if not reader.chance(4):
        words.append(reader.pick(_TARGETS))
    for _ in range(reader.below(6)):
        kind = reader.below(8)
        words.append(
            reader.pick(_OPTIONS)
            if kind < 4  # noqa: PLR2004  half of them
            else reader.pick(_VALUES)
            if kind < 7  # noqa: PLR2004  nearly all others
            else reader.text().replace("\0", "")
        )
    code, told = run_words([word for word in words if word])
    assert code in _CODES, (words, code)
    assert "Traceback (most recent" not in told, (words, told)
    assert "Where it happened" not in told, (words, told)


def run_words(words: list[str]) -> tuple[int, str]:
    """Exit code, and what was written; servers are not started and nobody is asked."""
    from toolstone.cli.app import run  # noqa: PLC0415  an extra

    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", errors="backslashreplace")
    with (
        _folder(),
        _nobody_home(),
        mock.patch("sys.argv", ["toolstone", *words]),
        mock.patch("sys.stdin", io.StringIO("typed\n")),
        mock.patch("sys.stdout", out),
        mock.patch("sys.stderr", out),
    ):
        code = run()
    out.flush()
    return code, out.buffer.getvalue().decode()


@contextlib.contextmanager
def _folder() -> Iterator[None]:
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "agents.py").write_text(_AGENTS)
        (Path(place) / "broken.py").write_text("import toolstone\n1 / 0\n")
        (Path(place) / "policy.toml").write_text("[nothing\n")
        (Path(place) / "script.toml").write_text('turn = [{say = "hi"}]\n')
        (Path(place) / "folder").mkdir()
        os.chdir(place)
        try:
            yield
        finally:
            os.chdir(before)


@contextlib.contextmanager
def _nobody_home() -> Iterator[None]:
    """What would serve until Ctrl-C, fetch a model or ask a host says that it would."""
    done = {
        "toolstone.local.server.run": None,
        "toolstone.cli.serving.serve_faults": None,
        "toolstone.cli.demo.show_demo": 0,
        "toolstone.cli.doctor.see_doctor": 0,
        "toolstone.cli.models.see_models": 0,
        "toolstone.local.brains.llama.Llama": None,
    }
    with contextlib.ExitStack() as stack:
        for name, value in done.items():
            stack.enter_context(mock.patch(name, return_value=value))
        stack.enter_context(mock.patch("sys.path", [*sys.path]))
        yield


# -------------------------------------------------------------------------------- what is redacted

_KEY: Final = "fuzz-Key_0123456789abcdef"
_LIVE: Final = Secret(_KEY)
"""Struck out as long as it is held."""
_HEADERS: Final = ("x-request-id", "location", "retry-after", "x-amzn-errortype", "content-type")
_AROUND: Final = (
    "",
    " ",
    '"',
    "<b>",
    "\\",
    "\n",
    "Bearer ",
    "x" * 490,
    "y" * 3990,
    "é",
    "\x00",
    "'",
)


def read_error_body(data: bytes) -> None:
    """The key stands in no message, repr or body, wherever the stranger has put it."""
    reader = Reader(data)
    said = "".join(
        reader.text() if reader.chance(3) else _KEY if reader.chance(3) else reader.pick(_AROUND)
        for _ in range(reader.below(8))
    )
    body, raw = _body(reader, said)
    headers = {reader.pick(_HEADERS): said for _ in range(reader.below(3))}
    secrets = (f"Bearer {_LIVE}",)
    status = reader.pick((400, 401, 404, 429, 500, 302, None))
    error = failure(read_error(raw), status=status, headers=headers, body=body, secrets=secrets)
    _check_silent(error)
    try:
        parse_response(body, headers=headers, secrets=secrets)
    except ServiceError as found:
        _check_silent(found)


def _body(reader: Reader, said: str) -> tuple[bytes, Any]:
    raw: Any = {
        reader.pick(("message", "Message", "detail", "code", "param", "type")): said,
        reader.pick(("message", "code", "id", "__type", "status")): reader.value(2),
    }
    if reader.chance(2):
        raw = {"error": said if reader.chance(3) else raw}
    form = reader.below(4)
    if form == 0:
        return said.encode("utf-8", "replace"), said
    if form == 1:
        return "".join(f"\\u{ord(one):04x}" for one in said).encode(), raw
    return json.dumps(raw, ensure_ascii=form == 2).encode("utf-8", "replace"), raw  # noqa: PLR2004


def _check_silent(error: ServiceError) -> None:
    for where, told in (
        ("str", str(error)),
        ("repr", repr(error)),
        ("vars", repr(vars(error))),
        ("body", error.body.decode("utf-8", "replace")),
    ):
        assert _KEY not in told, f"the key stands in {where} of a {type(error).__name__}"
