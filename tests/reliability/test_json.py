"""The JSON boundaries against texts that are JSON, are not, or leave a choice (M04 to M09, Z11, Z12)."""

import json
import tomllib

import pytest
import toolstone_rows as rows

from toolstone.errors import ProtocolError
from toolstone.responses.decode import decode
from toolstone.schema.strictjson import JSONProblem, check_object, find_problem

CASES = tomllib.loads((rows.DATA / "json.toml").read_text())


def raw(case):
    if isinstance(case, str):
        return case.encode()
    if "hex" in case:
        return bytes.fromhex(case["hex"])
    times = case.get("times", 1)
    return (case["text"] * times + case.get("then", "") * times).encode()


def strict(data):
    """The boundary of arguments and outputs: text comes to it decoded."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return "refuse"
    return "accept" if find_problem(text, root=None) is None else "refuse"


def wire(data):
    """The boundary of what a server sends."""
    try:
        decode(data)
    except ProtocolError:
        return "refuse"
    return "accept"


def as_object(data):
    """What `check_object`, the quick reader of arguments, says of an object with the text in it."""
    try:
        check_object('{"k":' + data.decode() + "}")
    except (JSONProblem, UnicodeDecodeError):
        return "refuse"
    return "accept"


BOUNDARIES = pytest.mark.parametrize("boundary", [strict, wire, as_object])


@BOUNDARIES
def test_z11_what_is_json_is_read(boundary):
    wrong = [case for case in CASES["accept"] if boundary(raw(case)) != "accept"]

    assert (len(CASES["accept"]) >= 95, wrong) == (True, [])


@BOUNDARIES
def test_z11_what_is_not_json_is_refused(boundary):
    cases = [*CASES["refuse"], *({"hex": one} for one in CASES["refuse_hex"])]
    wrong = [case for case in cases if boundary(raw(case)) != "refuse"]

    assert (len(cases) >= 188, wrong) == (True, [])


@pytest.mark.parametrize("case", CASES["either"], ids=lambda c: c.get("text", c.get("hex"))[:30])
def test_z11_where_there_is_a_choice_it_is_the_documented_one(case):
    data = raw(case)

    assert (strict(data), wire(data)) == (case["strict"], case["wire"])


@BOUNDARIES
@pytest.mark.parametrize("case", CASES["deep"], ids=lambda c: c["text"])
def test_z11_depth_is_refused_and_never_a_recursion_error(case, boundary):
    assert boundary(raw(case)) == "refuse"


def test_z11_every_cut_of_every_text_is_read_or_refused_and_nothing_else():
    for case in [*CASES["accept"], *CASES["refuse"]]:
        data = raw(case)
        for end in range(len(data)):
            for boundary in (strict, wire, as_object):
                assert boundary(data[:end]) in ("accept", "refuse")


@pytest.mark.parametrize("case", CASES["number"], ids=lambda c: f"{c['text']}x{c.get('times', 1)}")
def test_z12_a_number_is_exact_or_refused(case):
    text = case["text"] * case.get("times", 1)
    if "refused" in case:
        with pytest.raises(JSONProblem, match=case["refused"]):
            check_object('{"n":' + text + "}")
        return
    found = json.loads(check_object('{"n":' + text + "}"))["n"]
    assert repr(found) == case["value"] * case.get("times", 1)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"a":1,"b":{"x":1,"x":1}}', "(at b.x): the key 'x' stands twice"),
        ('{"é":1,"\\u00e9":2}', "stands twice"),
        ('{"a\\u0000":1,"a\\u0000":2}', "stands twice"),
        ('{"a":1,"\\u0061":2}', "the key 'a' stands twice"),
        ('[{"a":1,"a":1}]', "the key 'a' stands twice"),
    ],
)
def test_m06_a_key_that_stands_twice_is_found_wherever_it_is(text, says):
    assert says in find_problem(text, root=None)


@pytest.mark.parametrize(
    "text",
    [
        '{"a":1,"A":2}',
        '{"\\u00e9":1,"e\\u0301":2}',
        '{"a":1,"a\\u0000":2}',
        '{"a":1,"\\uff41":2}',
        '{"a":1,"a ":2}',
    ],
)
def test_m07_keys_that_only_look_alike_are_different(text):
    assert find_problem(text, root=None) is None
    assert len(json.loads(check_object(text))) == 2
