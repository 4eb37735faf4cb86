"""Default limits of what a tool is made of, each at one less, at the limit, and at one more."""

import re
import tomllib

import pytest
import toolstone_rows as rows

from toolstone import Agent, Tool, limits
from toolstone.errors import DefinitionError, InputError
from toolstone.testing import Scripted, call

ERRORS = {
    row["name"]: row["error"]
    for row in tomllib.loads((rows.DATA / "limits.toml").read_text())["row"]
    if "name" in row
}
AROUND = pytest.mark.parametrize("over", [-1, 0, 1])


def takes(schema, name="t", **options):
    """A handwritten tool is offered and called, or the error says why not."""
    try:
        one = Tool.from_schema(name, schema, lambda _given: "ran", **options)
    except DefinitionError as error:
        return str(error)
    model = Scripted(call(name, "{}"), "ok")
    return Agent(model, tools=[one]).run_sync("go").calls[0].output


def check(found, over, name):
    if over > 0:
        assert re.search(ERRORS[name], found), found[:300]
    else:
        assert found == "ran"


def of_bytes(size):
    """A schema of so many bytes of JSON."""
    schema = {"type": "object", "description": "", "additionalProperties": True}
    bare = len('{"type":"object","description":"","additionalProperties":true}')
    schema["description"] = "x" * (size - bare)
    return schema


def of_depth(levels):
    """A schema of so many levels: each is the `properties` of the one around it."""
    node = {"type": "string"}
    for _ in range(levels - 1):
        node = {"type": "object", "properties": {"a": node}}
    return node


def of_nodes(count):
    """A schema of so many nodes, references followed: each of its references counts two."""
    half, one = divmod(count - 1, 2)
    inner = {f"p{n}": {"$ref": "#/$defs/a"} for n in range(half)}
    inner |= {"last": {"type": "string"}} if one else {}
    return {"type": "object", "properties": inner, "$defs": {"a": {"type": "string"}}}


@AROUND
def test_a_schema_may_have_so_many_bytes(over):
    check(takes(of_bytes(limits.SCHEMA_BYTES + over)), over, "SCHEMA_BYTES")


@AROUND
def test_a_schema_may_be_so_deep(over):
    check(takes(of_depth(limits.SCHEMA_DEPTH + over)), over, "SCHEMA_DEPTH")


@AROUND
def test_a_schema_may_have_so_many_nodes(over):
    check(takes(of_nodes(limits.SCHEMA_NODES + over)), over, "SCHEMA_NODES")


@pytest.mark.parametrize("ref", ["https://a.example/s.json", "file:///etc/passwd", "other.json#/a"])
def test_a_reference_out_of_a_schema_is_refused(ref):
    assert "$ref" in takes({"type": "object", "properties": {"a": {"$ref": ref}}})


@AROUND
def test_a_pattern_may_have_so_many_characters(over):
    pattern = "a" * (limits.PATTERN_CHARACTERS + over)
    schema = {"type": "object", "properties": {"a": {"type": "string", "pattern": pattern}}}

    check(takes(schema), over, "PATTERN_CHARACTERS")


@AROUND
def test_a_description_may_have_so_many_bytes(over):
    text = "é" + "x" * (limits.DESCRIPTION_BYTES + over - 2)

    check(takes({"type": "object"}, description=text), over, "DESCRIPTION_BYTES")


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65])
def test_a_tool_name_may_have_so_many_characters(size):
    over = 0 if 1 <= size <= 64 else 1

    check(takes({"type": "object"}, name="x" * size), over, "TOOL_NAME")


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65])
def test_a_session_name_may_have_so_many_characters(size):
    agent = Agent(Scripted("ok"))

    if 1 <= size <= 64:
        assert agent.run_sync("go", session="x" * size).session == "x" * size
    else:
        with pytest.raises(InputError, match=ERRORS["SESSION_NAME"]):
            agent.run_sync("go", session="x" * size)


def test_limits_that_have_no_parameter_are_changed_for_the_process(monkeypatch):
    """As a user would: `toolstone.limits.SCHEMA_DEPTH = ...`."""
    at_most = {
        "SCHEMA_BYTES": of_bytes(limits.SCHEMA_BYTES + 1),
        "SCHEMA_DEPTH": of_depth(limits.SCHEMA_DEPTH + 1),
        "SCHEMA_NODES": of_nodes(limits.SCHEMA_NODES + 1),
    }
    for name, schema in at_most.items():
        assert takes(schema) != "ran"
        monkeypatch.setattr(limits, name, 2 * getattr(limits, name))
        assert takes(schema) == "ran"
    monkeypatch.setattr(limits, "PATTERN_CHARACTERS", 3)
    monkeypatch.setattr(limits, "DESCRIPTION_BYTES", 3)
    patterned = {"type": "object", "properties": {"a": {"type": "string", "pattern": "aaaa"}}}
    assert "longer than 3" in takes(patterned)
    assert "at most 3" in takes({"type": "object"}, description="four")
