"""How often the small local model is right: `local_quality.py [--half fresh] [--demo]`.

The prompts were written and split into halves before anything was tuned; the figures to publish are
those of the held-out half. Beside them stands a brain that picks uniformly within the same grammar:
any offered tool or none, any run of words or number of the request.
"""

import argparse
import json
import random
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from jsonschema import Draft202012Validator

from toolstone.local.brains.llama.spans import span_rules
from toolstone.local.brains.llama.words import dates, numbers, words
from toolstone.local.spawn import endpoint, stop

DATA = Path(__file__).parents[1] / "tests" / "data"
DRAWS = 400  # of the uniform brain, for each prompt
TURNS = 4  # of a flow

JSON = dict[str, Any]
Calls = list[tuple[str, Any]]


@dataclass
class Tally:
    """How often it was right, in one kind of prompts."""

    prompts: int = 0
    valid: int = 0
    tools: int = 0
    right: int = 0
    chance: float = 0.0
    wrong: list[str] = field(default_factory=list)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description="How often the small local model is right.")
    parser.add_argument("--half", choices=("held_out", "fresh", "tune"), default="held_out")
    parser.add_argument("--demo", action="store_true", help="the demo's twenty requests instead")
    parser.add_argument("--wrong", action="store_true", help="print what went wrong")
    options = parser.parse_args()
    try:
        if options.demo:
            sys.exit(demo(wrong=options.wrong))
        measure(options.half, wrong=options.wrong)
    finally:
        stop()


def measure(half: str, *, wrong: bool) -> None:
    """Ask every prompt of a half."""
    shared = json.loads((DATA / "local_prompts_tools.json").read_text())
    prompts = json.loads((DATA / f"local_prompts_{half}.json").read_text())
    began = time.monotonic()
    asked = Asked(endpoint("smollm2"), shared["tools"], shared["schemas"])
    print(f"{half} half                  prompts  valid  right tool  tool and values  by chance")
    for kind, rows in prompts.items():
        tally = Tally()
        for row in rows:
            asked.prompt(kind, row, tally)
        tools = "-" if kind == "extraction" else tally.tools
        chance = "-" if kind == "flows" else f"{tally.chance:.1f}"
        print(f"{kind:26}{tally.prompts:9}{tally.valid:7}{tools:>12}{tally.right:17}{chance:>11}")
        for line in tally.wrong if wrong else ():
            print(f"    {line}")
    print(f"in {time.monotonic() - began:.0f} s")


class Asked:
    """The endpoint, and the tools and schemas that prompts name."""

    def __init__(self, base_url: str, tools: JSON, schemas: JSON) -> None:
        self.http = httpx.Client(base_url=base_url, timeout=120, trust_env=False)
        self.tools = tools
        self.schemas = schemas

    def prompt(self, kind: str, row: JSON, tally: Tally) -> None:
        """Ask one prompt and count what came."""
        tally.prompts += 1
        match kind:
            case "extraction":
                self.extraction(row, tally)
            case "flows":
                self.flow(row, tally)
            case _:
                self.call(row, tally)

    def call(self, row: JSON, tally: Tally) -> None:
        """Count whether the right calls came, and no others."""
        tools = self.tools[row["tools"]]
        response = self.ask(input=row["input"], tools=tools, max_output_tokens=128)
        got = calls_of(response)
        wanted = [(call["name"], call["arguments"]) for call in row["calls"]]
        tally.valid += all(fits(tools, name, arguments) for name, arguments in got)
        tally.tools += sorted(name for name, _ in got) == sorted(name for name, _ in wanted)
        right = same_calls(wanted, got)
        tally.right += right
        draws = (uniform_calls(tools, row["input"], len(wanted)) for _ in range(DRAWS))
        tally.chance += sum(same_calls(wanted, drawn) for drawn in draws) / DRAWS
        if not right:
            tally.wrong.append(f"{row['input']} -> {got}")

    def extraction(self, row: JSON, tally: Tally) -> None:
        """Count whether the right values came."""
        schema = self.schemas[row["schema"]]
        got = json.loads(text_of(self.ask(input=row["input"], text=wanted_format(schema))))
        tally.valid += Draft202012Validator(schema).is_valid(got)
        right = same(row["output"], got)
        tally.right += right
        drawn = (uniform(schema, row["input"]) for _ in range(DRAWS))
        tally.chance += sum(same(row["output"], value) for value in drawn) / DRAWS
        if not right:
            tally.wrong.append(f"{row['input']} -> {got}")

    def flow(self, row: JSON, tally: Tally) -> None:
        """Count whether the loop of calls and outputs ends with the right answer."""
        tools = self.tools[row["tools"]]
        schema = self.schemas.get(row["schema"])
        items: list[Any] = [{"type": "message", "role": "user", "content": row["input"]}]
        extra = {"text": wanted_format(schema)} if schema else {}
        called: list[str] = []
        response: JSON = {"output": []}
        for _ in range(TURNS):
            response = self.ask(input=items, tools=tools, **extra)
            items += response["output"]
            outputs = list(outputs_for(response, row["returns"]))
            called += [name for name, _ in calls_of(response)]
            if not outputs:
                break
            items += outputs
        said = text_of(response)
        got = json.loads(said) if schema and said else said
        tally.valid += Draft202012Validator(schema or {}).is_valid(got)
        tally.tools += sorted(called) == sorted(row["returns"])
        right = same(row["output"], got)
        tally.right += right
        if not right:
            tally.wrong.append(f"{row['input']} -> {called} -> {got}")

    def ask(self, **body: Any) -> JSON:
        """Send one request."""
        reply = self.http.post("/responses", json={"model": "smollm2", "store": False, **body})
        reply.raise_for_status()
        response: JSON = reply.json()
        return response


def wanted_format(schema: JSON) -> JSON:
    """Ask for a schema."""
    return {"format": {"type": "json_schema", "name": "out", "strict": True, "schema": schema}}


def calls_of(response: JSON) -> Calls:
    """Give the calls of a response."""
    items = [item for item in response["output"] if item["type"] == "function_call"]
    return [(item["name"], json.loads(item["arguments"])) for item in items]


def text_of(response: JSON) -> str:
    """Give the text of a response."""
    items = [item for item in response["output"] if item["type"] == "message"]
    return "".join(part["text"] for item in items for part in item["content"])


def outputs_for(response: JSON, returns: Mapping[str, str]) -> Iterator[JSON]:
    """Answer the calls of a response."""
    for item in response["output"]:
        if item["type"] == "function_call":
            output = returns.get(item["name"], "unknown")
            yield {"type": "function_call_output", "call_id": item["call_id"], "output": output}


def fits(tools: Sequence[JSON], name: str, arguments: object) -> bool:
    """Tell whether a call is of an offered tool, with arguments that fit."""
    schemas = {tool["name"]: tool["parameters"] for tool in tools}
    return name in schemas and Draft202012Validator(schemas[name]).is_valid(arguments)


def same_calls(wanted: Calls, got: Calls) -> bool:
    """Tell whether the same calls were made, in any order."""
    left = list(got)
    for name, arguments in wanted:
        match = next((call for call in left if call[0] == name and same(arguments, call[1])), None)
        if match is None:
            return False
        left.remove(match)
    return not left


def same(wanted: Any, got: Any) -> bool:
    """Tell whether a value is the one that is wanted; `{"has": [...]}` wants words in a text."""
    match wanted:
        case {"has": parts}:
            text = got.lower() if isinstance(got, str) else ""
            return all(any(w in text for w in part.lower().split("|")) for part in parts)
        case dict():
            return isinstance(got, dict) and all(same(v, got.get(k)) for k, v in wanted.items())
        case list():
            return isinstance(got, list) and len(got) == len(wanted) and all(map(same, wanted, got))
        case str():
            return isinstance(got, str) and got.lower() == wanted.lower()
        case _:
            return bool(wanted == got)


# --- the brain that picks uniformly within the grammar

CHANCE = random.Random(1)  # noqa: S311  for a baseline


def uniform_calls(tools: Sequence[JSON], text: str, at_most: int) -> Calls:
    """Pick tools, or none, and their arguments."""
    count = CHANCE.randint(0 if at_most <= 1 else 1, max(at_most, 1))
    picked = [CHANCE.choice(tools) for _ in range(count)]
    return [(tool["name"], uniform(tool["parameters"], text)) for tool in picked]


def uniform(schema: JSON, text: str) -> Any:
    """Pick a value that fits, made of the words and numbers of the text where it has any."""
    if "anyOf" in schema:
        return uniform(CHANCE.choice(schema["anyOf"]), text)
    if "enum" in schema:
        return CHANCE.choice(schema["enum"])
    kinds = schema["type"]
    match kinds if isinstance(kinds, str) else CHANCE.choice(kinds):
        case "object":
            return {name: uniform(inner, text) for name, inner in schema["properties"].items()}
        case "array":
            return [uniform(schema["items"], text) for _ in range(CHANCE.randint(1, 4))]
        case "number" | "integer":
            found = [json.loads(number.json) for number in numbers(text)]
            return CHANCE.choice(found or [CHANCE.randint(0, 99)])
        case "string" if schema.get("format") == "date":
            return CHANCE.choice(dates(text) or ["2026-01-01"])
        case "string":
            return CHANCE.choice(runs(text))
        case _:
            return None


def runs(text: str) -> list[str]:
    """Give every run of words that the grammar lets through."""
    found = words(text)
    rules = dict(rule.split(" ::= ", 1) for rule in (span_rules(text) or "").split("\n") if rule)
    out = []
    for start in rules.get("span", "").split(" | "):
        at = int(start[1:]) if start else -1
        while at >= 0:
            first = int(start[1:])
            if not found[at].empty:
                out.append(" ".join(word.text for word in found[first : at + 1]))
            at = at + 1 if f"w{at + 1}" in rules[f"w{at}"].split(" ", 1)[-1] else -1
    return out or [text]


# --- the demo


def demo(*, wrong: bool) -> int:
    """Run the demo's requests through an agent; right is a report of what the tools returned."""
    from toolstone import Agent  # noqa: PLC0415  the table needs no agent
    from toolstone.local.demo import CITIES, REQUESTS, Report, population, weather  # noqa: PLC0415

    agent = Agent("local/smollm2", tools=[weather, population], output=Report)
    right, longest = 0, 0.0
    for request in REQUESTS:
        began = time.monotonic()
        result = agent.run_sync(request)
        longest = max(longest, time.monotonic() - began)
        city = next(name for name in CITIES if name in request.lower())
        temp_c, people = CITIES[city]
        report = result.output
        good = (report.city.lower(), report.temp_c, report.population) == (city, temp_c, people)
        right += good
        if wrong and not good:
            print(f"    {request} -> {report}")
    print(f"demo: {right} of {len(REQUESTS)} right; the longest run took {longest:.1f} s")
    return 0 if right >= 16 else 1  # noqa: PLR2004  the bar


if __name__ == "__main__":
    main()
