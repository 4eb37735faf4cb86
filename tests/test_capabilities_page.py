"""The page of capabilities: complete, in step with the table, and every row names what holds it."""

import ast
import re
from pathlib import Path

import pytest

from toolstone.bedrock.dialect import Dialect

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "capabilities.md").read_text()
TABLE = Dialect.load().data["capabilities"]
PLACES = ("openai", "mantle", "runtime", "local")
COLUMNS = ["Capability", "How to ask", "OpenAI", "mantle", "runtime", "local", "Example", "Test"]

SUPPORTED = """endpoint shape; model catalogue; response schema; error taxonomy; stateful continuation;
stateless continuation; background; structured outputs; json mode; reasoning effort; encrypted
reasoning; verbosity; service tier; function calling; parallel tool calls; text input and output;
chat completions; authentication; billing; data controls; safety; latency, throughput, reliability;
support path"""
LIMITED = """usage accounting; stream resume; webhooks; compaction; streaming; realtime;
audio_streaming; durable_sync; tool argument schema parity; reasoning summaries; prompt caching;
web search; file search; code interpreter; shell tool; image generation; computer use; connectors;
tool search; patch tool; server-side tools; vision; audio input; batches; fine_tuning; files;
tenancy; regions"""
"""OpenAI's list for Amazon Bedrock, supported and limited, in the page's words."""


def rows(part):
    section = PAGE.split(f"## {part}", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    cells = [re.split(r" \| ", line.strip("| ")) for line in lines]
    assert cells[0] == COLUMNS
    return cells[1:]


PARTS = ["Supported on Bedrock", "Limited on Bedrock", "The rest of the API"]
ROWS = [row for part in PARTS for row in rows(part)]


def keys(row):
    """The keys of the table that a row is about."""
    return [name for name in re.findall(r"`(\w+)`", row[0]) if name in TABLE]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_row_says_of_each_endpoint_what_the_table_says(row):
    assert len(row) == len(COLUMNS)
    assert set(row[2:6]) <= {"yes", "passed", "emulated", "no"}
    for name in keys(row):
        assert row[2:6] == [TABLE[name][place] for place in PLACES]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_row_names_an_example_and_a_test_that_are_there(row):
    example, test = row[6].strip("`"), row[7].strip("`")
    assert example == "none" or (ROOT / "examples" / example).is_file()
    file, name = test.split("::")
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    there = ast.parse((ROOT / file).read_text()).body
    assert name in {node.name for node in there if isinstance(node, functions)}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_what_is_refused_before_sending_is_in_the_table(row):
    assert (
        "no" not in row[2:6] or keys(row) or row[0] in {"tenancy", "server-side tools in general"}
    )


def test_every_capability_of_the_table_has_its_row():
    told = [name for row in ROWS for name in keys(row)]
    assert sorted(told) == sorted(TABLE)


@pytest.mark.parametrize(("part", "seed"), [(PARTS[0], SUPPORTED), (PARTS[1], LIMITED)])
def test_nothing_of_the_list_is_missing(part, seed):
    firsts = [row[0].lower().replace("`", "") for row in rows(part)]
    for name in re.split(r";\s*", seed.replace("\n", " ")):
        assert any(first.startswith(name) or name in first for first in firsts), name
