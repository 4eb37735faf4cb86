"""The Berkeley function-calling leaderboard's calls at the real boundary: `python tools/bfcl.py`.

Its function docs become tools, its ground-truth calls are dispatched and must arrive as they were
written, and mutations of them must be refused. The data is fetched with pip into a folder of yours
or a temporary one, and is never kept here; the calls that do not fit their own docs are listed in
tests/data/bfcl_defects.toml. Java and JavaScript are left out: their values are source code.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import bfcl_mutations

from toolstone.items import FunctionCall
from toolstone.tools import Tool, dispatch
from toolstone.tools.aliases import alias

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ROOT: Final = Path(__file__).parent.parent
DEFECTS: Final = ROOT / "tests" / "data" / "bfcl_defects.toml"
_SETS: Final = (
    *("simple_python", "multiple", "parallel", "parallel_multiple"),
    *("live_simple", "live_multiple", "live_parallel", "live_parallel_multiple"),
)
_TYPES: Final = {"dict": "object", "float": "number", "tuple": "array"}
_BATCH: Final = 100


def main(arguments: Sequence[str]) -> int:
    """Fetch the data, judge it, print the counts; 0 if all is as it should be."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", help="where the wheel is or is put")
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--mutations", type=int, default=50_000, help="generated at random")
    parser.add_argument("--freeze", action="store_true", help="write the list of defects anew")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as made:
        cases, version = read_cases(given.folder or Path(made))
    return asyncio.run(_judge(cases, version, given))


async def _judge(cases: list[Case], version: str, given: argparse.Namespace) -> int:
    refused = await put_all(cases)
    if given.freeze:
        _freeze(version, refused)
    frozen = tomllib.loads(DEFECTS.read_text())
    known = frozen["defects"].keys()
    sound = [case for case in cases if case.name not in refused]
    made = bfcl_mutations.Mutations(given.seed)
    each = [(case, one) for case in sound for one in made.every(case.schema, case.arguments)]
    at_random = list(made.generated(sound, given.mutations))
    counts, let_in = await refuse_all([*each, *at_random])
    print(f"bfcl-eval {version} (the list of defects is of {frozen['version']})")
    print(f"{len(cases)} ground-truth calls: {len(sound)} arrive as they were written,")
    print(f"  {len(refused)} do not fit their own docs; the list has {len(known)}")
    print(
        "\n".join(f"  not in the list: {name}: {refused[name]}" for name in refused.keys() - known)
    )
    print("\n".join(f"  only in the list: {name}" for name in known - refused.keys()))
    print(f"{len(each)} mutations of them and {len(at_random)} generated (seed {given.seed}):")
    print(f"  {counts.total()} refused, {len(let_in)} let in")
    for kind, count in sorted(counts.items()):
        print(f"  {count:6} {kind}")
    print("\n".join(let_in[:20]))
    return 0 if refused.keys() == known and not let_in and sound else 1


def _freeze(version: str, refused: Mapping[str, str]) -> None:
    lines = [
        "# Ground-truth calls of BFCL that do not fit the function docs they come with, and why.",
        "# Written by `python tools/bfcl.py --freeze`; a validator that is not ours agrees.",
        f"version = {json.dumps(version)}",
        "",
        "[defects]",
        *(
            f"{json.dumps(name)} = {json.dumps(_brief(why))}"
            for name, why in sorted(refused.items())
        ),
    ]
    DEFECTS.write_text("\n".join(lines) + "\n")


def _brief(why: str) -> str:
    """A reason without what it quotes of the data."""
    return re.sub(r" enum \[.*?\](?=;|\Z)", " its enum", why)


# ------------------------------------------------------------------------------------- the data


class Case:
    """One ground-truth call, and the tool it calls."""

    def __init__(
        self, name: str, function: Mapping[str, Any], values: Mapping[str, list[Any]]
    ) -> None:
        self.name = name
        self.schema = schema_of(function["parameters"])
        self.arguments = chosen(values, self.schema)
        self.received: list[dict[str, Any]] = []
        # Descriptions of some functions are longer than a request should carry again and again.
        said = function.get("description", "").encode()[:4_000].decode(errors="ignore")
        self.tool = Tool.from_schema(
            alias(function["name"]), self.schema, self.received.append, description=said
        )


def read_cases(folder: Path) -> tuple[list[Case], str]:
    """Every ground-truth call of the data, which is fetched if it is not there."""
    if not (wheels := sorted(folder.glob("bfcl_eval-*.whl"))):
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "bfcl-eval"]
        subprocess.run([*command, "--dest", str(folder)], check=True)
        wheels = sorted(folder.glob("bfcl_eval-*.whl"))
    with zipfile.ZipFile(wheels[-1]) as wheel:
        cases = [case for name in _SETS for case in _cases(wheel, name)]
    return cases, wheels[-1].name.split("-")[1]


def _cases(wheel: zipfile.ZipFile, name: str) -> Iterator[Case]:
    asked = _lines(wheel, f"BFCL_v4_{name}.json")
    answers = {one["id"]: one for one in _lines(wheel, f"possible_answer/BFCL_v4_{name}.json")}
    for one in asked:
        yield from cases_of(one, answers[one["id"]])


def cases_of(asked: Mapping[str, Any], answer: Mapping[str, Any]) -> Iterator[Case]:
    """The calls that answer one question."""
    functions = {one["name"]: one for one in asked["function"]}
    for number, call in enumerate(answer["ground_truth"]):
        for name, values in call.items():
            yield Case(f"{asked['id']}#{number}", functions[name], values)


def _lines(wheel: zipfile.ZipFile, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in wheel.read(f"bfcl_eval/data/{name}").splitlines()]


def chosen(values: Mapping[str, list[Any]], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Of the values that are listed for each argument, the first that fits its doc.

    `""` is listed where the argument may be left out. What fits, a validator says that is not
    ours; where none does, the first listed stands, and the call is a defect of the data.
    """
    properties, required = schema.get("properties", {}), schema.get("required", ())
    told = {}
    for name, listed in values.items():
        inner = properties.get(name, {})
        given = [_settled(one, inner) for one in listed if one != ""]
        fitting = [one for one in given if _fits(inner, one)]
        if "" in listed and name in required and _fits(inner, ""):
            fitting.append("")
        if fitting or ("" not in listed and given):
            told[name] = (fitting or given)[0]
    return told


def _settled(value: Any, schema: Mapping[str, Any]) -> Any:
    """A value; inside an object, values are listed too."""
    if isinstance(value, dict):
        listed = {key: one if isinstance(one, list) else [one] for key, one in value.items()}
        return chosen(listed, schema)
    if isinstance(value, list):
        return [_settled(one, schema.get("items", {})) for one in value]
    return value


def _fits(schema: Mapping[str, Any], value: Any) -> bool:
    """What a validator says that is not ours."""
    from jsonschema import Draft202012Validator  # noqa: PLC0415  a developer's tool alone

    return bool(Draft202012Validator(schema).is_valid(value))


def schema_of(said: Any) -> dict[str, Any]:
    """A function doc's parameters as JSON Schema: its own names for types translated, closed."""
    if not isinstance(said, dict):
        return {}
    kind = _TYPES.get(said.get("type", ""), said.get("type"))
    told = {key: said[key] for key in ("description", "enum") if key in said}
    if kind in {"string", "integer", "number", "boolean", "array", "object"}:
        told["type"] = kind
    if isinstance(said.get("items"), dict):
        told["items"] = schema_of(said["items"])
    if isinstance(properties := said.get("properties"), dict) and properties:
        told["properties"] = {name: schema_of(one) for name, one in properties.items()}
        told["required"] = [name for name in said.get("required") or () if name in properties]
        told["additionalProperties"] = False
    return told


# --------------------------------------------------------------------------------- the boundary


async def put_all(cases: Sequence[Case]) -> dict[str, str]:
    """Dispatch every ground-truth call; why those that do not arrive as they are do not."""
    refused = {}
    for case in cases:
        [told] = await dispatch([_call(case, json.dumps(case.arguments))], [case.tool])
        arrived = case.received == [case.arguments]
        if not arrived:
            refused[case.name] = str(told.raw["output"]).removeprefix("invalid arguments: ")
        if arrived != _fits(case.schema, case.arguments):
            refused[case.name] = f"TWO VALIDATORS DISAGREE: {told.raw['output']}"
        case.received.clear()
    return refused


async def refuse_all(
    mutations: Sequence[tuple[Case, tuple[str, str]]],
) -> tuple[Counter[str], list[str]]:
    """Dispatch texts that must be refused: how many of each kind were, and those let in."""
    counts: Counter[str] = Counter()
    let_in = []
    for start in range(0, len(mutations), _BATCH):
        for case, (kind, text) in mutations[start : start + _BATCH]:
            [told] = await dispatch([_call(case, text)], [case.tool])
            if case.received or not str(told.raw["output"]).startswith("invalid arguments: "):
                let_in.append(f"{case.name}: {kind}: {text[:200]}")
                case.received.clear()
            else:
                counts[kind] += 1
    return counts, let_in


def _call(case: Case, text: str) -> FunctionCall:
    raw = {"type": "function_call", "call_id": "c", "name": case.tool.name, "arguments": text}
    return FunctionCall(raw)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
