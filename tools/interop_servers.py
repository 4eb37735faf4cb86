"""The real servers that `interop.py` meets: made with pip when asked, started, and ended.

llama.cpp comes with the development environment. The others live in environments of their own,
outside the repository: `DIR/litellm` and `DIR/transformers`.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx

from toolstone.local.weights import model_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

TEMPLATE = Path(__file__).parents[1] / "tests" / "data" / "smollm2-tools.jinja"
"""With the template in the model's file the small model never calls a tool."""
NAME = "smollm2"
PACKAGES: Mapping[str, Sequence[str]] = {
    "litellm": ("litellm[proxy]==1.106.2",),
    # A build of torch for the CPU, where the installer finds one, first: else several GB of CUDA.
    "transformers": ("torch==2.13.0", "transformers[serving]==5.23.0", "gguf==0.19.0"),
}
CONTEXT = 8192  # of two slots together
READY_SECONDS = 180.0
END_SECONDS = 15.0


@dataclass(frozen=True)
class Served:
    """A server that answers."""

    name: str
    version: str
    base_url: str
    model: str


# ------------------------------------------------------------------------------------- llama.cpp


@contextlib.contextmanager
def llama_cpp(gguf: Path | None = None, template: Path = TEMPLATE) -> Iterator[Served]:
    """llama.cpp's own HTTP server, in this process, on a port of its own choice."""
    import xllamacpp  # noqa: PLC0415  an extra, loaded at first use

    settings = xllamacpp.CommonParams()
    settings.model.path = str(gguf or model_file())
    settings.hostnames, settings.port = ["127.0.0.1"], 0
    settings.n_ctx, settings.n_parallel = CONTEXT, 2
    settings.cpuparams.n_threads = settings.cpuparams_batch.n_threads = 1
    settings.sampling.temp, settings.n_predict = 0.0, 512
    settings.chat_template, settings.use_jinja = template.read_text(), True
    settings.fit_params, settings.offline, settings.ui = False, True, False
    settings.verbosity = -1
    server = xllamacpp.Server(settings)
    try:
        yield Served("llama.cpp", _llama_version(), f"{server.listening_address}/v1", NAME)
    finally:
        del server


def _llama_version() -> str:
    from importlib.metadata import version  # noqa: PLC0415  asked once

    found = version("xllamacpp")
    return f"b{found.rpartition('.')[2]} (xllamacpp {found})"


# --------------------------------------------------------------------------- LiteLLM, transformers


@contextlib.contextmanager
def litellm(environment: Path, behind: Served) -> Iterator[Served]:
    """LiteLLM's proxy in front of another server's Chat Completions."""
    config = environment / "interop.yaml"
    behind_it = {"model": f"llamafile/{NAME}", "api_base": behind.base_url, "api_key": "none"}
    text = {
        "model_list": [{"model_name": NAME, "litellm_params": behind_it}],
        "litellm_settings": {"telemetry": False, "drop_params": True},
    }
    config.write_text(json.dumps(text))  # JSON is YAML
    variables = {
        "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
        "LITELLM_TELEMETRY": "False",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }
    port = free_port()
    command = ["litellm", "--config", str(config), "--host", "127.0.0.1", "--port", str(port)]
    with _running(environment, command, variables, f"http://127.0.0.1:{port}/health/liveliness"):
        yield Served("litellm", _version(environment), f"http://127.0.0.1:{port}/v1", NAME)


@contextlib.contextmanager
def transformers(environment: Path) -> Iterator[Served]:
    """`transformers serve`, with the model that `make` has converted for it."""
    model = environment / "model"
    port = free_port()
    command = ["transformers", "serve", str(model), "--host", "127.0.0.1", "--port", str(port)]
    variables = {
        "HF_HUB_OFFLINE": "1",
        "HF_HOME": str(environment / "cache"),
        "OMP_NUM_THREADS": "1",
    }
    command += ["--device", "cpu", "--dtype", "float32"]  # most processors have no bfloat16
    with _running(environment, command, variables, f"http://127.0.0.1:{port}/health"):
        base_url = f"http://127.0.0.1:{port}/v1"
        yield Served("transformers", _version(environment), base_url, str(model))


def free_port() -> int:
    """A port of this machine that nobody listens on now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def _version(environment: Path) -> str:
    package = environment.name
    code = f"from importlib.metadata import version; print(version({package!r}))"
    done = subprocess.run(
        [environment / "bin" / "python", "-c", code], capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@contextlib.contextmanager
def _running(
    environment: Path, command: Sequence[str], variables: Mapping[str, str], health: str
) -> Iterator[None]:
    """A server's process, from its first answer to its end; what it prints is kept beside it."""
    log = environment / "interop.log"
    program = [str(environment / "bin" / command[0]), *command[1:]]
    with log.open("wb") as printed:
        process = subprocess.Popen(
            program,
            stdout=printed,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **variables},
            start_new_session=True,
        )
        try:
            _wait(process, health, log)
            yield
        finally:
            _end(process)


def _wait(process: subprocess.Popen[bytes], health: str, log: Path) -> None:
    until = time.monotonic() + READY_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args!r} ended with {process.returncode}; see {log}")
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(health, timeout=5.0, trust_env=False).status_code < 500:  # noqa: PLR2004
                return
        time.sleep(0.25)
    raise RuntimeError(f"{process.args!r} does not answer after {READY_SECONDS:g} s; see {log}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """The process and what it started: its own session, by its id."""
    for end in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, end)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(END_SECONDS)
            return


# ------------------------------------------------------------------------------------ environments


def is_made(environment: Path) -> bool:
    """Whether this server can be started from there."""
    program = environment / "bin" / environment.name
    return program.exists() and (
        environment.name != "transformers" or (environment / "model" / "config.json").exists()
    )


def make(environment: Path, gguf: Path | None = None, template: Path = TEMPLATE) -> None:
    """The server's environment, with pip; for transformers the model as well, converted."""
    python = environment / "bin" / "python"
    if not python.exists():
        _run(sys.executable, "-m", "venv", environment)
    for package in PACKAGES[environment.name]:
        _run(python, "-m", "pip", "install", "--quiet", package)
    if environment.name == "transformers":
        found = gguf or model_file()
        folder = environment / "model"
        _run(python, "-c", _CONVERT, found.parent, found.name, folder)
        (folder / "chat_template.jinja").write_text(template.read_text())
        settings = folder / "tokenizer_config.json"
        said: dict[str, Any] = json.loads(settings.read_text())
        settings.write_text(json.dumps({**said, "response_template": _CALLS}))


def _run(*command: object) -> None:
    print("interop:", *command[:6], file=sys.stderr)
    subprocess.run([str(part) for part in command], check=True)


_CONVERT = """
import sys, torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig
folder, file, target = sys.argv[1:]
whole = GgufConfig(dequantize=True)
given = {"gguf_file": file, "dtype": torch.bfloat16, "quantization_config": whole}
AutoModelForCausalLM.from_pretrained(folder, **given).save_pretrained(target)
AutoTokenizer.from_pretrained(folder, gguf_file=file).save_pretrained(target)
"""
"""A GGUF file cannot be served as it is: the configuration of the server does not find it."""

_CALLS: Mapping[str, Any] = {
    "defaults": {"role": "assistant"},
    "start_anchor": "<|im_start|>assistant\n",
    "fields": {
        "tool_calls": {
            "open_pattern": r"\s*```json",
            "close": "```",
            "repeats": True,
            "content": "json",
            "transform": {"type": "function", "function": "{content}"},
        },
        "content": {
            "close_pattern": r"\s*(?:<\|im_end\|>|<\|endoftext\|>)",
            "content": "text",
        },
    },
}
"""How the template's calls are found in what the model writes."""
