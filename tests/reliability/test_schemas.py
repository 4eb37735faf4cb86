"""Block Z: schemas from elsewhere, and what is made to cost much."""

import contextlib
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import urllib.request
import warnings

import pytest
import toolstone_rows as rows
from campaigns import bombs, suite
from jsonschema import Draft202012Validator

from toolstone import Tool, limits
from toolstone.errors import DefinitionError
from toolstone.schema import linear, wellformed
from toolstone.schema.foreign import ForeignSchema, SafeSchema, UnsafeSchema
from toolstone.tools import ArgumentsProblem

BOMBS = bombs.read_bombs()
GENEROUS = 4  # the campaign asks for 50 ms of a quiet core; here others may be at work
CASES = json.loads((rows.DATA / "schema_cases.json").read_text())


def named(text):
    return [one for one in BOMBS if re.search(text, one["name"])]


def check(bomb):
    cost = bombs.set_off(bomb)
    assert cost.right, cost.said
    assert cost.seconds < GENEROUS * bombs.SECONDS
    assert cost.mebibytes < bombs.MEBIBYTES


def test_z01_there_are_forty_bombs_and_more():
    assert len(BOMBS) >= 40
    assert len({one["name"] for one in BOMBS}) == len(BOMBS)


@pytest.mark.parametrize("bomb", BOMBS, ids=lambda one: one["name"])
def test_z01_a_bomb_is_refused_or_answered_for_little(bomb):
    check(bomb)


@pytest.mark.parametrize(
    ("name", "limit", "much"),
    [
        ("refers twice to the next, 30 deep", "SCHEMA_NODES", 10**10),
        ("anyOf of 40,000 booleans", "SCHEMA_NODES", 10**10),
        ("a long description", "SCHEMA_BYTES", 10**9),
        ("a hundred thousand states", "PATTERN_STATES", 10**9),
        ("in two ways at each step", "SCHEMA_STEPS", 400_000),
    ],
)
def test_z01_without_its_limit_a_bomb_goes_off(name, limit, much, monkeypatch):
    monkeypatch.setattr(limits, limit, much)
    monkeypatch.setattr(bombs, "TRIES", 1)

    with pytest.raises(AssertionError):
        check(named(name)[0])


@contextlib.contextmanager
def listening():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        yield server, f"http://127.0.0.1:{server.getsockname()[1]}/s.json"


def referring(url):
    return {"type": "object", "properties": {"a": {"$ref": url}}}


def test_z03_a_reference_out_of_the_schema_is_refused_and_nobody_is_asked():
    with listening() as (server, url):
        with pytest.raises(DefinitionError, match=r"\$ref must stay in the schema"):
            Tool.from_schema("t", referring(url))
        server.settimeout(0)
        with pytest.raises(BlockingIOError):
            server.accept()


def test_z03_a_validator_that_follows_references_is_seen_to_ask():
    """The alarm's own test: the same schema, a validator that is not ours."""
    body = b'{"type":"integer"}'
    with listening() as (server, url):
        server.settimeout(5)

        def answer():
            with server.accept()[0] as connection:
                connection.recv(4096)
                head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: "
                connection.sendall(head + str(len(body)).encode() + b"\r\n\r\n" + body)

        thread = threading.Thread(target=answer)
        thread.start()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            urllib.request.install_opener(urllib.request.build_opener())
            fits = Draft202012Validator(referring(url)).is_valid({"a": "x"})
        thread.join(5)
    assert not fits


WITH_RE = """
import resource, sys
resource.setrlimit(resource.RLIMIT_CPU, (1, 1))
sys.path.insert(0, {tools!r})
from campaigns import bombs
import re
from toolstone.schema import keywords
from toolstone.schema.linear import Pattern
if {off}:
    keywords.compile_pattern = lambda text: Pattern(lambda said: bool(re.search(text, said)), 1)
bomb = next(one for one in bombs.read_bombs() if one["name"] == {name!r})
print(bombs.set_off(bomb).right)
"""


def burn(name, *, off):
    code = WITH_RE.format(tools=str(bombs.ROOT / "tools"), name=name, off=off)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)


def test_z05_a_pattern_for_backtracking_runs_in_linear_time():
    bomb = next(one for one in BOMBS if one["name"] == "nested repetition, 30 characters")

    check(bomb)


def test_z05_with_the_engine_of_python_it_does_not_end():
    done = burn("nested repetition, 30 characters", off=True)

    assert (done.stdout, done.returncode) in [("", -signal.SIGXCPU), ("", -signal.SIGKILL)]


@pytest.mark.parametrize("bomb", named("look-|back-|atomic|possessive|recursion$|condition"),
                         ids=lambda one: one["name"])  # fmt: skip
def test_z06_what_a_linear_engine_cannot_do_is_refused_with_the_reason(bomb):
    check(bomb)


def test_z06_without_the_check_look_ahead_is_taken(monkeypatch):
    taken = linear.Pattern(lambda text: True, 1)
    monkeypatch.setattr(wellformed, "compile_pattern", lambda pattern: taken)
    monkeypatch.setattr("toolstone.schema.keywords.compile_pattern", lambda pattern: taken)

    with pytest.raises(AssertionError):
        check(named("^look-ahead")[0])


def test_no_pattern_of_a_schema_ever_reaches_re(monkeypatch):
    for name in ("search", "match", "fullmatch", "compile", "findall", "split", "sub"):
        monkeypatch.setattr(re, name, lambda *given, **more: pytest.fail("re was asked"))
    schema = {
        "type": "object",
        "properties": {"a": {"pattern": "^q+$", "format": "regex"}},
        "patternProperties": {"^r+$": {"type": "integer"}},
        "propertyNames": {"pattern": "^[a-z]+$"},
        "unevaluatedProperties": False,
    }
    tool = Tool.from_schema("t", schema)

    assert tool.read('{"a":"qq","rr":1}').arguments == {"a": "qq", "rr": 1}
    with pytest.raises(ArgumentsProblem):
        tool.read('{"a":"x","rr":"1","S":1}')


# ----------------------------------------------------------------------------------- right answers


def groups():
    for case in CASES:
        tests = [{"data": one, "valid": True, "description": str(one)} for one in case["fit"]]
        tests += [{"data": one, "valid": False, "description": str(one)} for one in case["not"]]
        yield {"description": case["keyword"], "schema": case["schema"], "tests": tests}


def test_z07_every_keyword_asks_what_the_draft_says():
    told = suite.judge(groups())

    assert (told.wrong, told.refused, dict(told.reasons)) == ([], 0, {})
    assert told.right == sum(len(case["fit"]) + len(case["not"]) for case in CASES) >= 150


@pytest.mark.parametrize(
    ("node", "says"),
    [
        ({"$dynamicRef": "#n"}, r"\$dynamicRef is not supported; use \$ref"),
        ({"$recursiveRef": "#"}, r"\$recursiveRef is not supported"),
        ({"dependencies": {"a": ["b"]}}, "use dependentRequired or dependentSchemas"),
        ({"additionalItems": False}, "use prefixItems and items"),
        ({"items": [{}]}, "stands in prefixItems"),
        ({"$schema": "http://x/own-dialect"}, "names a dialect that is not known"),
        ({"$id": "x", "type": "string"}, r"\$id inside a schema"),
        ({"properties": {"b": {"$anchor": "n"}, "c": {"$anchor": "n"}}}, "'n' stands twice"),
    ],
)
def test_z07_what_is_not_supported_is_refused_with_a_mend(node, says):
    with pytest.raises(DefinitionError, match=says):
        Tool.from_schema("t", {"type": "object", "properties": {"a": node}})


@pytest.mark.parametrize(
    ("node", "at"),
    [
        ({"type": "text"}, "a.type: it must be one of array"),
        ({"type": []}, "a.type"),
        ({"type": ["string", "string"]}, "a.type"),
        ({"type": 5}, "a.type"),
        ({"type": None}, "a.type"),
        ({"type": {"$ref": "#"}}, "a.type"),
        ({"properties": []}, "a.properties: it must be an object of schemas"),
        ({"properties": {"b": 3}}, "a.properties"),
        ({"required": "b"}, "a.required: it must be a list of different names"),
        ({"required": [1]}, "a.required"),
        ({"minLength": -1}, "a.minLength: it must be a whole number, 0 or more"),
        ({"minLength": 1.5}, "a.minLength"),
        ({"minLength": True}, "a.minLength"),
        ({"minimum": "1"}, "a.minimum: it must be a number"),
        ({"multipleOf": 0}, "a.multipleOf: it must be a number above 0"),
        ({"anyOf": []}, "a.anyOf: it must be a list of one or more schemas"),
        ({"enum": {}}, "a.enum: it must be a list"),
        ({"pattern": 5}, "a.pattern: it must be text"),
        ({"not": 5}, "a.not: it must be a schema"),
        ({"uniqueItems": 1}, "a.uniqueItems: it must be true or false"),
        ({"$ref": 1}, r"a.\$ref: it must be text"),
        ({"$anchor": "#x"}, r"a.\$anchor"),
        ({"dependentRequired": {"a": "b"}}, "a.dependentRequired"),
    ],
)
def test_z09_a_keyword_that_holds_what_it_must_not_is_refused_with_its_place(node, at):
    with pytest.raises(DefinitionError, match=f"its schema is invalid at {at}"):
        Tool.from_schema("t", {"type": "object", "properties": {"a": node}})


@pytest.mark.parametrize("name", ["__proto__", "constructor", "", "a\x00b", "$ref", "a.b", "é"])
def test_z09_a_property_may_have_any_name(name):
    schema = {"type": "object", "properties": {name: {"type": "integer"}}, "required": [name]}
    tool = Tool.from_schema("t", {**schema, "additionalProperties": False})

    assert tool.read(json.dumps({name: 1})).arguments == {name: 1}
    for wrong in ({name: "1"}, {}, {name: 1, name + "\x00": 1}):
        with pytest.raises(ArgumentsProblem) as caught:
            tool.read(json.dumps(wrong))
        assert "\x00" not in str(caught.value)


def test_z09_without_a_type_anything_is_taken_as_the_draft_says():
    assert SafeSchema({"properties": {"a": {}}}).problems({"a": [None]}) == []
    assert SafeSchema({}).problems(5) == []


@pytest.mark.parametrize(("key", "twin"), [("é", "e\u0301"), ("ﬁ", "fi"), ("Å", "\u212b")])
def test_z13_keys_are_compared_as_they_are_written(key, twin):
    schema = {"type": "object", "properties": {key: {"type": "integer"}}, "required": [key]}
    tool = Tool.from_schema("t", schema)

    assert list(tool.read(json.dumps({key: 1, twin: 2})).arguments) == [key, twin]
    with pytest.raises(ArgumentsProblem, match="required, but missing"):
        tool.read(json.dumps({twin: 1}))


# ----------------------------------------------------------------------------------------- limits


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_a_value_may_take_so_many_steps(over):
    schema = SafeSchema({"items": {"type": "integer"}})  # one for the list, one for each item
    said = schema.problems([1] * (limits.SCHEMA_STEPS - 1 + over))

    assert [one.partition(" in ")[0] for one in said] == (
        ["too entangled to be checked"] if over > 0 else []
    )


@pytest.mark.parametrize("over", [-1, 0, 1])
def test_a_pattern_may_have_so_many_states(over, monkeypatch):
    monkeypatch.setattr(limits, "PATTERN_STATES", 500)
    pattern = {"pattern": "(?:a{7}b{3}){41}" + "c" * (8 + over)}

    if over > 0:
        with pytest.raises(UnsafeSchema, match=r"limits\.PATTERN_STATES"):
            SafeSchema(pattern)
    else:
        assert SafeSchema(pattern).problems("x")


def test_a_long_value_of_a_plain_schema_is_not_too_entangled():
    row = {"type": "object", "properties": {"id": {"type": "integer"}, "tag": {"enum": ["a"]}}}
    rows = {"type": "object", "properties": {"rows": {"type": "array", "items": row}}}
    text = json.dumps({"rows": [{"id": n, "tag": "a"} for n in range(30_000)]})

    assert len(text) > 700_000
    assert len(ForeignSchema("save", rows).read(text)["rows"]) == 30_000
