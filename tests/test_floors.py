"""The plan of the house: an import goes down, never up, never sideways between folders."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "toolstone"

GROUND = {"_dataclass"}
WORDS = {"errors", "items", "events", "outcomes", "limits", "usage", "parts", "_portal", "_secrets"}
FLOORS = [
    GROUND,
    WORDS,
    {"ports"},
    {"schema"},
    {"tools", "ledgers", "observers"},
    {"wire"},
    {"runs", "responses", "chat"},
    {"bedrock"},
    {"local"},
    {"models", "sessions", "delegate", "rulings", "turns", "viewing", "workshop", "agent"},
    {"testing", "extract"},
    {"cli"},
    {"__init__", "__main__"},
]
SIDEWAYS = {
    ("chat", "responses"),
    ("workshop", "models"),
    ("workshop", "sessions"),
    ("workshop", "viewing"),
    ("viewing", "models"),
    ("delegate", "sessions"),
    ("rulings", "sessions"),
    ("turns", "rulings"),
    ("turns", "sessions"),
    ("turns", "workshop"),
    ("agent", "turns"),
    ("agent", "workshop"),
    ("agent", "delegate"),
    ("agent", "sessions"),
}
"""What may meet on one floor: both protocols share the exchange over HTTP; an agent has a workshop
and sessions, a workshop a model."""

LEVEL = {name: level for level, floor in enumerate(FLOORS) for name in floor}
PURE = [
    "schema",
    "runs/state.py",
    "runs/steps.py",
    "runs/budget.py",
    "runs/plan.py",
    "runs/request.py",
    "runs/transcript.py",
    "runs/views.py",
    "runs/choice.py",
    "runs/settings.py",
    "runs/origins.py",
    "responses/render.py",
    "responses/parse.py",
    "responses/stream.py",
    "responses/failures.py",
    "responses/slots.py",
    "responses/numbering.py",
    "responses/terminal.py",
    "responses/decode.py",
    "responses/mending.py",
    "responses/missed.py",
    "responses/contradictions.py",
    "responses/kinds.py",
    "responses/bodies.py",
    "responses/objects.py",
    "responses/capabilities.py",
    "responses/misread.py",
    "extract/files/columns.py",
    "extract/dates.py",
    "extract/evidence.py",
    "extract/grounding.py",
    "extract/merging.py",
    "extract/numbers.py",
    "extract/paths.py",
    "extract/prompt.py",
    "extract/records.py",
    "extract/score.py",
    "extract/shape.py",
    "extract/splitting.py",
    "chat/answer.py",
    "chat/bounds.py",
    "chat/content.py",
    "chat/fold.py",
    "chat/parse.py",
    "chat/render.py",
    "chat/stream.py",
    "chat/tags.py",
    "bedrock/checks/case.py",
    "bedrock/checks/keys.py",
    "bedrock/checks/offline.py",
    "bedrock/checks/statements.py",
    "responses/address.py",
    "wire/sse.py",
    "wire/retry_after.py",
    "bedrock/advice.py",
    "bedrock/dialect.py",
    "bedrock/endpoint.py",
    "bedrock/names.py",
    "bedrock/gating.py",
    "bedrock/junk.py",
    "bedrock/mending.py",
]
LAZY = {"httpx", "jsonschema", "tenacity", "sqlite3", "boto3", "botocore", "aiohttp", "starlette",
        "uvicorn", "xllamacpp", "typer", "rich", "pypdf", "lxml", "markdownify", "pyarrow", "ray"}  # fmt: skip


def files():
    return sorted(SOURCE.rglob("*.py"))


def name_of(path):
    """The folder, or file at the top, that a file belongs to."""
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imports(path, *, hidden=True):
    """Every module a file imports: at the top, in functions, under TYPE_CHECKING."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree) if hidden else tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def own(module):
    parts = module.split(".")
    return parts[1] if parts[0] == "toolstone" and len(parts) > 1 else None


@pytest.mark.parametrize("path", files(), ids=lambda p: str(p.relative_to(SOURCE)))
def test_a_file_imports_only_from_floors_below_and_its_own_folder(path):
    here = name_of(path)
    assert here in LEVEL, f"{here} has no floor"
    for module in imports(path):
        there = own(module)
        if there is None or there == here or (here in WORDS & {here} and there in WORDS):
            continue
        if module == "toolstone.limits" or there not in LEVEL:
            assert there in LEVEL or there == "__version__", f"{module} has no floor"
            continue
        below = LEVEL[there] < LEVEL[here]
        assert below or (here, there) in SIDEWAYS, f"{here} must not import {module}"


def test_runs_never_meets_the_protocol():
    for path in (SOURCE / "runs").rglob("*.py"):
        assert not [m for m in imports(path) if own(m) in {"responses", "chat", "wire"}], path


def test_only_bedrock_knows_aws():
    for path in files():
        if name_of(path) != "bedrock":
            found = [m for m in imports(path) if m.split(".")[0] in {"boto3", "botocore"}]
            assert not found, path


@pytest.mark.parametrize("place", PURE)
def test_the_middle_is_pure(place):
    found = SOURCE / place
    assert found.exists(), f"{place} is in the plan and not in the house"
    for path in [found] if found.is_file() else found.rglob("*.py"):
        bad = [m for m in imports(path) if m.split(".")[0] in {"asyncio", "httpx", "threading"}]
        assert not bad, f"{path}: {bad}"


def test_what_costs_at_import_is_imported_inside_functions():
    allowed = {"cli", "local"}  # loaded only for who asks for them
    for path in files():
        if name_of(path) not in allowed:
            found = {m.split(".")[0] for m in imports(path, hidden=False)} & LAZY
            assert not found, f"{path} imports {found} at its top"


def test_every_default_limit_stands_in_limits():
    """A number with a name in capitals elsewhere must not be a limit: they have one home."""
    for path in files():
        if path.name == "limits.py":
            continue
        for node in ast.parse(path.read_text()).body:
            targets = node.targets if isinstance(node, ast.Assign) else []
            names = [t.id for t in targets if isinstance(t, ast.Name)]
            assert not [n for n in names if n.startswith("MAX_") or n.endswith("_MAX")], path


def test_files_fit_in_the_mind():
    long = {p.name: n for p in files() if (n := len(p.read_text().splitlines())) > 400}
    assert not long
