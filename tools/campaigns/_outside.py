"""What other processes see: the command line's output, children's arguments and environments."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from toolstone.errors import ConfigError
from toolstone.local import spawn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from campaigns._canaries import Canaries
    from campaigns._spills import Spill
    from toolstone.testing.faults import Faults

__all__ = ["commands", "endpoint", "model_process"]

_PATIENCE: Final = 120.0

_PROGRAM: Final = """
import faulthandler, os, sys
from toolstone import Agent, Responses

faulthandler.enable()
if os.environ["HOW"] == "dump":
    faulthandler.dump_traceback_later(4, exit=True)
if os.environ["HOW"] == "crash":
    raise RuntimeError("key " + os.environ["MY_API_KEY"])
model = Responses(model="m", base_url=os.environ["WHERE"], api_key=os.environ["MY_API_KEY"])

def look(place: str) -> str:
    "Look there."
    return place

agent = Agent(model, tools=[look])
"""


def commands(marks: Canaries, peer: Faults, *, names: tuple[str, ...] = ()) -> Iterator[Spill]:
    """What each command writes, where it works and where it fails, and its processes' titles."""
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder, "program.py")
        program.write_text(_PROGRAM)
        for name, words, how in _commands(marks, peer, f"{program}:agent"):
            if names and name not in names:
                continue
            said = _run(words, _environment(marks, folder, how))
            yield from ((f"command {name}: {what}", seen) for what, seen in said.items())


def _commands(
    marks: Canaries, peer: Faults, agent: str
) -> Iterator[tuple[str, list[str], dict[str, str]]]:
    refused = {"HOW": "run", "WHERE": peer.base_url("K11-auth")}
    bedrock = "bedrock/openai.gpt-oss-120b@us-east-1"
    place = {"AWS_BEDROCK_BASE_URL": peer.base_url("K11-forbidden").removesuffix("/v1")}
    prompt = marks["prompt"]
    yield "run", ["run", agent, prompt], refused
    yield "run --json", ["run", agent, prompt, "--json"], refused
    yield "run --debug", ["run", agent, prompt, "--debug"], {**refused, "PYTHONASYNCIODEBUG": "1"}
    yield "crash", ["run", agent, prompt], {"HOW": "crash"}
    yield "crash --debug", ["run", agent, prompt, "--debug"], {"HOW": "crash"}
    hangs = {"HOW": "dump", "WHERE": peer.base_url("K11-hang")}
    yield "faulthandler", ["run", agent, prompt], hangs
    yield "doctor", ["doctor", bedrock], place
    yield "doctor --json", ["doctor", bedrock, "--json", "--debug"], place
    yield "doctor offline", ["doctor", bedrock, "--offline"], {}
    yield "models", ["models", "--debug"], place
    yield "tools", ["tools", agent, "--json"], refused
    url = f"responses+https://u:{marks['API key']}@h/v1#m"
    yield "URL with a key", ["serve", "--to", url], {}


def _environment(marks: Canaries, folder: str, more: Mapping[str, str]) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "OPENAI_"))}
    return {
        **kept,
        "HOME": folder,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_REGION": "us-east-1",
        "AWS_BEARER_TOKEN_BEDROCK": marks["API key"],
        "AWS_ACCESS_KEY_ID": marks["access key"],
        "AWS_SECRET_ACCESS_KEY": marks["secret key"],
        "AWS_SESSION_TOKEN": marks["session token"],
        "MY_API_KEY": marks["API key"],
        "TOOLSTONE_API_KEY": marks["serve key"],
        "TOOLSTONE_TO_API_KEY": marks["header"],
        "HTTPS_PROXY": f"http://me:{marks['proxy password']}@127.0.0.1:9",
        **more,
    }


def _run(words: list[str], environment: Mapping[str, str]) -> dict[str, str]:
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "ignore::ResourceWarning", "-m", "toolstone", *words],
        env=dict(environment),
        cwd=environment["HOME"],
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )
    return {"stdout": done.stdout, "stderr": done.stderr}


# -------------------------------------------------------------------------------------- serving


def endpoint(marks: Canaries, *, workers: int = 2) -> Iterator[Spill]:
    """What `toolstone serve` says: at its start, to strangers, on its pages, of its processes."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder, "script.toml")
        script.write_text('[[answer]]\ntext = "yes"\n')
        words = ["serve", "--brain", "script", str(script), "--json", "--debug"]
        words += ["--store", f"{folder}/store.db", "--workers", str(workers)]
        with _served(words, _environment(marks, folder, {})) as (process, base_url):
            yield "endpoint: arguments", _seen(process.pid, "cmdline")
            for name, body, key in _questions(marks):
                yield f"endpoint: {name}", _ask(f"{base_url}{name}", body, key)
            process.terminate()
            stdout, stderr = process.communicate(timeout=_PATIENCE)
        yield "endpoint: stdout", stdout
        yield "endpoint: stderr", stderr


def _questions(marks: Canaries) -> Iterator[tuple[str, bytes | None, str]]:
    right, wrong = marks["serve key"], marks["API key"]
    told = json.dumps({"model": "m", "input": marks["prompt"]}).encode()
    yield "/responses", told, wrong
    yield "/responses?again", b'{"model": 7, "input": "' + right.encode(), right
    yield "/responses/resp_none", None, right
    yield "/nothing", None, right
    yield "/models", None, right
    yield "/../openapi.json", None, wrong
    yield "/../docs", None, wrong


@contextmanager
def _served(
    words: list[str], environment: Mapping[str, str]
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    with subprocess.Popen(
        [sys.executable, "-m", "toolstone", *words],
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            line = process.stdout.readline() if process.stdout else b""
            yield process, json.loads(line)["base_url"]
        finally:
            process.terminate()


def _ask(url: str, body: bytes | None, key: str) -> str:
    url = url.replace("/v1/..", "")
    headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
    asked = urllib.request.Request(url, body, headers)  # noqa: S310  loopback
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(asked, timeout=_PATIENCE) as answer:
            return f"{answer.headers} {answer.read().decode()}"
    except urllib.error.HTTPError as error:
        with error:
            return f"{error.headers} {error.read().decode()}"


def _seen(pid: int, what: str) -> bytes:
    """A file of /proc, of a process and of all it started."""
    found = b""
    with suppress(OSError):
        found = Path(f"/proc/{pid}/{what}").read_bytes()
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += b"\n" + _seen(int(child), what)
    return found


# -------------------------------------------------------------------------------------- the model


def model_process(marks: Canaries) -> Iterator[Spill]:
    """Arguments and environment of the process that the small model runs in."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "none.gguf")
        file.write_bytes(b"GGUF")
        before = dict(os.environ)
        os.environ.update(_environment(marks, folder, {}))
        try:
            yield from _watched(lambda: spawn.endpoint(str(file)))
        finally:
            os.environ.clear()
            os.environ.update(before)


def _watched(start: Callable[[], Any]) -> list[Spill]:
    """What its child was started with; this one ends at once, as its file is no model."""
    seen: dict[str, bytes] = {}
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.002):
            for task in Path("/proc/self/task").iterdir():
                with suppress(OSError):
                    for child in (task / "children").read_text().split():
                        title = Path(f"/proc/{child}/cmdline").read_bytes()
                        if b"toolstone.local" in title:
                            seen["arguments"] = title
                            seen["environment"] = Path(f"/proc/{child}/environ").read_bytes()

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        start()
    except ConfigError as error:
        seen["error"] = str(error).encode()
    finally:
        over.set()
        watcher.join()
    return [(f"model's process: {what}", value) for what, value in seen.items()]
