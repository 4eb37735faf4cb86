"""Other people's clients against our endpoint, each in an environment of its own.

python tools/outsiders.py --env DIR [openai-agents] [pydantic-ai] [ai-sdk]

The environments are made in DIR when they are not there yet (pip, npm). Each client runs a plain
two-tool program of its own kind, once at once and once streamed; nothing in it knows of toolstone.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from toolstone.local import Script, call, serve

REPORT = {"city": "Paris", "temp_c": 14.5, "population": 2100000}
SECONDS = 120
"""For one program; making an environment may take longer."""

OPENAI_AGENTS = '''
import asyncio, json
from pydantic import BaseModel
from agents import Agent, Runner, function_tool, set_tracing_disabled

set_tracing_disabled(True)

class Report(BaseModel):
    city: str
    temp_c: float
    population: int

@function_tool
def weather(city: str) -> float:
    """Current temperature in Celsius."""
    return 14.5

@function_tool
def population(city: str) -> int:
    """Number of inhabitants."""
    return 2100000

agent = Agent(name="Reporter", model="local", tools=[weather, population], output_type=Report)

async def main():
    at_once = await Runner.run(agent, "Report on Paris")
    streamed = Runner.run_streamed(agent, "Report on Paris")
    deltas = 0
    async for event in streamed.stream_events():
        deltas += event.type == "raw_response_event" and event.data.type.endswith(".delta")
    outputs = [item.output for item in at_once.new_items if item.type == "tool_call_output_item"]
    answers = [at_once.final_output.model_dump(), streamed.final_output.model_dump()]
    print(json.dumps({"answers": answers, "outputs": outputs, "deltas": deltas}))

asyncio.run(main())
'''

PYDANTIC_AI = '''
import asyncio, json
from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput

class Report(BaseModel):
    city: str
    temp_c: float
    population: int

agent = Agent("openai-responses:local", output_type=NativeOutput(Report))

@agent.tool_plain
def weather(city: str) -> float:
    """Current temperature in Celsius."""
    return 14.5

@agent.tool_plain
def population(city: str) -> int:
    """Number of inhabitants."""
    return 2100000

async def main():
    at_once = await agent.run("Report on Paris")
    parts = [part for message in at_once.all_messages() for part in message.parts]
    outputs = [part.content for part in parts if part.part_kind == "tool-return"]
    deltas = 0
    async with agent.run_stream("Report on Paris") as streamed:
        async for _ in streamed.stream_output(debounce_by=None):
            deltas += 1
        last = await streamed.get_output()
    answers = [at_once.output.model_dump(), last.model_dump()]
    print(json.dumps({"answers": answers, "outputs": outputs, "deltas": deltas}))

asyncio.run(main())
'''

AI_SDK = """
import { generateText, stepCountIs, streamText, tool } from 'ai';
import { createOpenResponses } from '@ai-sdk/open-responses';
import { z } from 'zod';

const provider = createOpenResponses({
  name: 'local',
  url: `${process.env.OPENAI_BASE_URL}/responses`,
  apiKey: process.env.OPENAI_API_KEY,
});
const city = z.object({ city: z.string() });
const outputs = [];
const said = value => { outputs.push(value); return value; };
const asked = {
  model: provider('local'),
  prompt: 'Report on Paris',
  stopWhen: stepCountIs(4),
  tools: {
    weather: tool({ description: 'Celsius now', inputSchema: city, execute: async () => said(14.5) }),
    population: tool({ description: 'Inhabitants', inputSchema: city, execute: async () => said(2100000) }),
  },
};
const atOnce = await generateText(asked);
const outputsOfOne = outputs.splice(0);
const streamed = streamText(asked);
let deltas = 0, text = '';
for await (const delta of streamed.textStream) { deltas += 1; text += delta; }
const answers = [JSON.parse(atOnce.text), JSON.parse(text)];
console.log(JSON.stringify({ answers, outputs: outputsOfOne, deltas }));
"""  # noqa: E501  a program of its own


@dataclass(frozen=True)
class Outsider:
    """A client: what to install, and the program it runs."""

    name: str
    packages: tuple[str, ...]
    shown: tuple[str, ...]
    program: str
    node: bool = False

    def prepare(self, folder: Path) -> None:
        """Make its environment, if it is not there."""
        if (folder / "ready").exists():
            return
        folder.mkdir(parents=True, exist_ok=True)
        if self.node:
            (folder / "package.json").write_text('{"type": "module", "private": true}')
            npm = shutil.which("npm") or "npm"
            _quietly([npm, "install", "--no-audit", "--no-fund", *self.packages], folder)
        else:
            _quietly([sys.executable, "-m", "venv", "venv"], folder)
            _quietly(["venv/bin/python", "-m", "pip", "install", "-q", *self.packages], folder)
        (folder / "ready").touch()

    def run(self, folder: Path, base_url: str) -> str:
        """Run its program; what it prints last."""
        program = folder / ("program.mjs" if self.node else "program.py")
        program.write_text(self.program)
        command = [shutil.which("node") or "node"] if self.node else ["venv/bin/python"]
        kept = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
        env = {**kept, "OPENAI_BASE_URL": base_url, "OPENAI_API_KEY": "none"}
        done = _run([*command, program.name], folder, env=env, seconds=SECONDS)
        if done.returncode:
            raise SystemExit(f"{self.name} failed:\n{done.stderr[-4000:]}")
        return done.stdout.strip().splitlines()[-1]

    def versions(self, folder: Path) -> str:
        """What is installed."""
        if self.node:
            read = (folder / "node_modules" / name / "package.json" for name in self.shown)
            found = [json.loads(path.read_text())["version"] for path in read]
        else:
            code = f"from importlib.metadata import version as v; print(*map(v, {self.shown!r}))"
            found = _run(["venv/bin/python", "-c", code], folder).stdout.split()
        return ", ".join(
            f"{name} {version}" for name, version in zip(self.shown, found, strict=True)
        )


OUTSIDERS = (
    Outsider("openai-agents", ("openai-agents",), ("openai-agents", "openai"), OPENAI_AGENTS),
    Outsider(
        "pydantic-ai",
        ("pydantic-ai-slim[openai]",),
        ("pydantic-ai-slim", "openai"),
        PYDANTIC_AI,
    ),
    Outsider(
        "ai-sdk",
        ("ai", "@ai-sdk/open-responses", "zod"),
        ("ai", "@ai-sdk/open-responses"),
        AI_SDK,
        node=True,
    ),
)


def main(arguments: list[str]) -> int:
    """Run the clients that are named, or all; 0 if each did its work."""
    names = [outsider.name for outsider in OUTSIDERS]
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--env", type=Path, metavar="DIR", required=True)
    parser.add_argument("clients", nargs="*", choices=[*names, []], default=[])
    options = parser.parse_args(arguments)
    chosen = [each for each in OUTSIDERS if each.name in (options.clients or names)]
    return max(_try(outsider, options.env.resolve() / outsider.name) for outsider in chosen)


def _try(outsider: Outsider, folder: Path) -> int:
    outsider.prepare(folder)
    calls = [call("weather", city="Paris"), call("population", city="Paris")]
    began = time.monotonic()
    with serve(Script([calls, REPORT])) as endpoint:
        found = json.loads(outsider.run(folder, endpoint.base_url))
    seconds = time.monotonic() - began
    right = found["answers"] == [REPORT, REPORT] and set(map(str, found["outputs"])) == {
        str(REPORT["temp_c"]),
        str(REPORT["population"]),
    }
    verdict = "ok" if right and found["deltas"] else f"WRONG: {found}"
    print(f"{outsider.name:15}{outsider.versions(folder):50}{seconds:6.1f} s  {verdict}")
    return 0 if verdict == "ok" else 1


def _quietly(command: list[str], folder: Path) -> None:
    done = _run(command, folder, seconds=600)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{done.stderr[-4000:]}")


def _run(
    command: list[str], folder: Path, *, env: dict[str, str] | None = None, seconds: int = 60
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=folder, env=env, capture_output=True, text=True, timeout=seconds, check=False
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
