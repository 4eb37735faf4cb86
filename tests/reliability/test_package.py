"""Block L: what an import does, what is installed with the package, and what a release must be."""

import json
import re
import tomllib
import zipfile
from datetime import date
from importlib.metadata import distributions
from pathlib import Path

import audit
import lock
import pytest
from banned import ALLOWED, find_banned
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from toolstone_test_import import probe

ROOT = Path(__file__).parent.parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

# ------------------------------------------------------------------------------- L01: the import

DOES = {
    "a socket": "import socket; socket.socket()",
    "a child": "import subprocess; subprocess.run(['true'])",
    "a thread": "import threading; threading.Thread(target=print).start()",
    "a file": "open('/dev/null', 'w')",
    "the environment": "import os; os.environ['X'] = 'y'",
}


@pytest.mark.parametrize("code", DOES.values(), ids=DOES)
def test_l01_an_import_that_did_something_would_be_seen(code):
    with pytest.raises(AssertionError):
        assert probe(code)["events"] == []


# ------------------------------------------------------------- L02: counting, building, showing

QUIET = """
from toolstone import Agent, Budget, MemoryLedger, Tool, tool
from toolstone.items import parse_item, user
from toolstone.usage import estimate_tokens
from toolstone.testing import Scripted

url = "https://example.com/x.png"
history = [
    parse_item({"type": "message", "role": "user", "content": [
        {"type": "input_image", "image_url": url}, {"type": "input_file", "file_url": url}]}),
    user("hi"),
]
for item in history:
    estimate_tokens(len(item.json)), repr(item), str(item), item.json

@tool(repeatable=True)
def look(at: str, deep: bool = False) -> str:
    '''Look.

    Args:
        at: What.
    '''
    return at

made = Tool.of(look)
by_hand = Tool.from_schema("t", {"type": "object", "properties": {"u": {"format": "uri"}}})
made.read('{"at": "' + url + '"}'), by_hand.read('{"u": "' + url + '"}')
agent = Agent(Scripted("x"), tools=[look, by_hand], budget=Budget(tokens=1000))
repr(agent), repr(made), repr(by_hand), repr(MemoryLedger())
"""


def test_l02_counting_building_and_showing_open_nothing():
    assert probe(QUIET)["events"] == []


def test_l02_a_count_that_fetched_would_be_seen():
    fetching = QUIET.replace(
        "estimate_tokens(len(item.json))",
        "__import__('socket').socket(), estimate_tokens(len(item.json))",
    )
    with pytest.raises(AssertionError):
        assert probe(fetching)["events"] == []


# ----------------------------------------------------------------------------- L04: dependencies


def test_l04_there_are_five_dependencies_and_each_has_its_reason_and_a_known_licence():
    assert len(audit.direct()) == 5
    assert audit.unjustified(audit.JUSTIFIED.read_text(), audit.direct()) == []
    found = audit.closure(audit.direct())
    assert len(found) >= len(audit.direct())
    assert audit.odd_licences(found) == []


def test_l04_a_dependency_without_reason_or_licence_is_found(tmp_path):
    page = audit.JUSTIFIED.read_text()
    assert audit.unjustified(page, [*audit.direct(), "left-pad"]) == ["left-pad: no reason given"]
    assert audit.unjustified(page, audit.direct()[1:]) == ["httpx: a reason, and no dependency"]
    odd = next(iter(distributions()))
    assert audit.odd_licences({"odd": FakeDistribution(odd.metadata)}) == ["odd: licence 'Custom'"]


class FakeDistribution:
    def __init__(self, metadata):
        self.metadata = FakeMetadata(Name="odd", License="Custom")


class FakeMetadata(dict):
    def get_all(self, _name):
        return []


# ------------------------------------------------------------------------------ L05, L10: locked


def locked(text):
    """Each line that asks for a package, and its hashes."""
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        if line and not line.lstrip().startswith("#"):
            wanted, *hashes = line.partition(" #")[0].split("--hash=sha256:")
            found.append((Requirement(wanted), [one.strip() for one in hashes]))
    return found


def check_locked(text, wanted):
    entries = locked(text)
    assert all(hashes for _, hashes in entries), "without a hash"
    assert all(re.fullmatch("[0-9a-f]{64}", one) for _, hashes in entries for one in hashes)
    assert not re.search(r"https?://|index-url| @ ", text), "names where it comes from"
    versions = {canonicalize_name(one.name): one for one, _ in entries}
    for one in wanted:
        there = [r for r, _ in entries if canonicalize_name(r.name) == canonicalize_name(one.name)]
        assert there, f"{one} is not locked: python tools/lock.py"
        for found in there:
            (pin,) = found.specifier
            assert (pin.operator, one.specifier.contains(pin.version)) == ("==", True), (one, found)
    assert len(versions) > 10


def wanted(lock_file):
    """What a lock file must satisfy: with the extras that it is made of."""
    found = [Requirement(line) for line in PROJECT["dependencies"]]
    extras = ["dev"] if lock_file == ".ci/dev.lock" else []
    for extra in extras:  # grows by the extras that an extra is made of
        for one in map(Requirement, PROJECT["optional-dependencies"][extra]):
            extras.extend(one.extras) if one.name == "toolstone" else found.append(one)
    return found


@pytest.mark.parametrize("name", lock.LOCKS)
def test_l05_all_that_ci_installs_is_locked_with_hashes(name):
    check_locked((ROOT / name).read_text(), wanted(name))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (r"    --hash=sha256:[0-9a-f]+( \\)?\n", ""),
        (r"^httpx==[0-9.]+", "httpx==0.1"),
        (r"^httpx==", "other=="),
        (r"^httpx==[0-9.]+", "httpx @ https://example.com/httpx.whl"),
    ],
)
def test_l05_a_lock_that_lets_something_else_in_is_found(before, after):
    text = re.sub(before, after, (ROOT / ".ci/plain.lock").read_text(), flags=re.MULTILINE)
    with pytest.raises(AssertionError):
        check_locked(text, wanted(".ci/plain.lock"))


def test_l05_ci_installs_by_hash_and_builds_with_what_is_locked():
    installs = [
        line
        for line in (ROOT / ".ci" / "run").read_text().splitlines()
        if "install" in line and not line.startswith("#")
    ]

    assert ["--require-hashes" in line or "--no-deps" in line for line in installs] == [True, True]
    assert "--only-binary :all:" in installs[0]
    assert "--no-build-isolation" in installs[1]


def test_l10_no_version_younger_than_a_week_is_taken():
    made = lock.command(".ci/dev.lock", date(2027, 3, 20))

    assert made[made.index("--exclude-newer") + 1] == "2027-03-13T00:00:00Z"
    assert all(f"{name}=2027-03-13T00:00:00Z" in made for name in lock.CHOSEN)
    for name in lock.LOCKS:
        assert "nothing younger than 7 days" in (ROOT / name).read_text().partition("\n")[0]


def test_l10_what_is_taken_younger_somebody_has_asked_for_by_its_version():
    asked = {r.name: r.specifier for r in wanted(".ci/dev.lock")}

    assert all(any(s.operator in ("==", ">=") for s in asked[name]) for name in lock.CHOSEN)


# ------------------------------------------------------------------------------------ L06: wheel


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    pytest.importorskip("hatchling", reason="builds the wheel; CI has it")
    return audit.build(tmp_path_factory.mktemp("wheel"), audit.tracked())


def test_l06_two_builds_are_the_same_and_hold_what_the_tree_holds(wheel, tmp_path):
    again = audit.build(tmp_path, reversed(audit.tracked()))

    assert again.read_bytes() == wheel.read_bytes()
    assert audit.wheel_faults(wheel, audit.tracked()) == []


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("toolstone.pth", "is not in the tree"),
        ("toolstone/extra.py", "is not in the tree"),
        ("toolstone-0.1.0.data/scripts/x", "is not in the tree"),
        ("toolstone-0.1.0.dist-info/entry_points.txt", "a script beyond the command line"),
        ("toolstone-0.1.0.dist-info/top_level.txt", "is none of ours"),
    ],
)
def test_l06_a_wheel_with_something_else_in_it_is_found(wheel, tmp_path, name, says):
    doctored = tmp_path / wheel.name
    with zipfile.ZipFile(wheel) as whole, zipfile.ZipFile(doctored, "w") as made:
        for one in whole.namelist():
            if one != name:
                made.writestr(one, whole.read(one))
        made.writestr(name, "import os")

    assert says in "\n".join(audit.wheel_faults(doctored, audit.tracked()))


def test_l06_a_wheel_without_a_file_or_with_another_is_found(wheel, tmp_path):
    doctored = tmp_path / wheel.name
    with zipfile.ZipFile(wheel) as whole, zipfile.ZipFile(doctored, "w") as made:
        for one in whole.namelist():
            if one != "toolstone/agent.py":
                made.writestr(one, b"1" if one == "toolstone/limits.py" else whole.read(one))

    assert audit.wheel_faults(doctored, audit.tracked()) == [
        "wheel: toolstone/limits.py is not what the tree has",
        "wheel: toolstone/agent.py is missing",
    ]


# ------------------------------------------------------------------------------------- L07: SBOM


def check_sbom(told):
    here = {(canonicalize_name(one.metadata["Name"]), one.version) for one in distributions()}
    listed = {(canonicalize_name(one["name"]), one["version"]) for one in told["components"]}
    root = told["metadata"]["component"]
    assert listed | {(root["name"], root["version"])} == here


def test_l07_the_bill_of_materials_is_what_is_installed(tmp_path):
    pytest.importorskip("cyclonedx_py", reason="writes the bill of materials; CI has it")
    audit.write_sbom(tmp_path / "sbom.json")
    told = json.loads((tmp_path / "sbom.json").read_text())

    assert (told["bomFormat"], "serialNumber" in told) == ("CycloneDX", False)
    check_sbom(told)
    told["components"].pop()
    with pytest.raises(AssertionError):
        check_sbom(told)


# ------------------------------------------------------------------------- L08, L11: what is banned


def test_l08_no_line_is_banned():
    assert audit.banned_lines(audit.tracked()) == []


BANNED = {
    "import pickle": "module",
    "from marshal import loads": "module",
    "import shelve as s": "module",
    "import yaml\nyaml.load(x)": "module",
    "eval(x)": "call",
    "exec(x)": "call",
    "compile(x, 'f', 'exec')": "call",
    "__import__(x)": "call",
    "import os\nos.system(x)": "call",
    "import tempfile\ntempfile.mktemp()": "call",
    "from tempfile import mktemp": "call",
    "subprocess.run(x, shell=True)": "shell",
    "subprocess.run(x, shell=wanted)": "shell",
    "httpx.Client(verify=False)": "certificate",
    "context.verify_mode = ssl.CERT_NONE": "certificate",
    "assert allowed(user)": "assert",
    "template.format(user=user)": "template",
    "self.text.format_map(given)": "template",
    "re.compile(pattern)": "pattern",
    "re.search(given + 'x', text)": "pattern",
}


@pytest.mark.parametrize("code", BANNED)
def test_l08_a_banned_line_is_found(code):
    assert BANNED[code] in {hit.rule for hit in find_banned("src/toolstone/planted.py", code)}


@pytest.mark.parametrize(
    "code",
    [
        "re.compile(r'a+')",
        "re.fullmatch(_NAME, text)",
        "re.compile(f'x{_NAME}' + limits.TOOL_NAME)",
        "'{x}'.format(x=1)",
        "assert isinstance(x, int)",
        "assert x is not None",
        "subprocess.run(x, shell=False)",
        "pattern.compile()",
    ],
)
def test_l08_a_line_like_it_is_let_through(code):
    assert find_banned("src/toolstone/planted.py", code) == []


def test_l08_what_is_let_through_is_there_and_says_why():
    for (path, rule), why in ALLOWED.items():
        source = (ROOT / path).read_text()
        rules = {hit.rule for hit in find_banned("src/elsewhere.py", source)}
        assert (path, rule in rules, bool(why)) == (path, True, True)


def test_l11_no_key_stands_in_the_tree():
    assert audit.tree_secrets(audit.tracked()) == []


@pytest.mark.parametrize(
    "planted",
    [
        "AKIA" + "QWERTYUIOPASDFGH",
        "sk-proj-" + "a1B2" * 8,
        "ghp_" + "a1B2" * 9,
        "-----BEGIN RSA " + "PRIVATE KEY-----",
        "eyJ" + "a1B2" * 8 + ".eyJ" + "a1B2" * 8 + ".sig",
        "bedrock-api-key-" + "a1B2" * 20,
        "aws_secret_access_key = " + "a1B2/+c3D4" * 4,
    ],
)
def test_l11_a_planted_key_is_found_and_not_shown(planted):
    (told,) = audit.find_secrets("x.py", f"key = '{planted}'".encode())

    assert planted not in told


def test_l11_names_that_are_not_ours_are_documented():
    assert "## Names that are not ours" in audit.JUSTIFIED.read_text()
