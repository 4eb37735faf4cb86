"""What a release must be: no banned line, no secret, known licences, a wheel that is the tree.

python tools/audit.py                 the tree and what is installed
python tools/audit.py wheel           also builds the wheel, twice, and looks into it
python tools/audit.py sbom FILE.json  the bill of materials of this environment (CycloneDX)
"""

from __future__ import annotations

import base64
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from banned import find_banned

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT: Final = Path(__file__).parent.parent
JUSTIFIED: Final = ROOT / "docs" / "dependencies.md"
EPOCH: Final = "1767225600"
"""The time that stands in a wheel: the first of January 2026."""

# ------------------------------------------------------------------------------------ the tree


def tracked() -> list[str]:
    """The files of the repository, from its root; without git, what is there."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"],  # noqa: S607  the git that is there
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode == 0:
        return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    folders = ("src", "tools", "tests", "docs", "examples", ".ci")
    found = [path for folder in folders for path in (ROOT / folder).rglob("*") if path.is_file()]
    found += [path for path in ROOT.iterdir() if path.is_file() and path.suffix != ".sqlite"]
    return sorted(str(path.relative_to(ROOT)) for path in found if "__pycache__" not in path.parts)


def banned_lines(names: Iterable[str]) -> list[str]:
    """Where the ban-list is broken in our own code."""
    found = []
    for name in names:
        if name.endswith(".py") and name.startswith(("src/", "tools/", "examples/")):
            found += find_banned(name, (ROOT / name).read_text())
    return [f"{hit.path}:{hit.line}: {hit.says} ({hit.rule})" for hit in found]


SECRETS: Final = re.compile(
    rb"(?P<aws>\b(?:AKIA|ASIA)[A-Z0-9]{16}\b)"
    rb"|(?P<key>\bsk-(?:proj-|ant-)?[A-Za-z0-9_-]{20,})"
    rb"|(?P<host>\b(?:ghp|gho|ghs|github_pat|glpat|xox[abp]|pypi)[-_][A-Za-z0-9_-]{20,})"
    rb"|(?P<private>-----BEGIN [A-Z ]*PRIVATE KEY-----)"
    rb"|(?P<jwt>\beyJ[A-Za-z0-9_-]{20,}\.eyJ[A-Za-z0-9_-]{20,}\.)"
    rb"|(?P<bedrock>\bbedrock-api-key-[A-Za-z0-9+/=]{40,})"
    rb"|(?P<named>(?i:secret_access_key|aws_secret)\W{1,6}[A-Za-z0-9/+]{40}\b)"
)
"""What a real key looks like."""
FAKE: Final = re.compile(rb"EXAMPLE|0123456789abcdef|ABCDEFGH12345678")
"""What stands in keys that are none: AWS's own examples, and those that tests make up."""
_MINTED: Final = b"bedrock-api-key-"


def find_secrets(name: str, data: bytes) -> list[str]:
    """What looks like a key in a file; the value is not shown."""
    return [
        f"{name}: {found.lastgroup} of {len(found[0])} characters at byte {found.start()}"
        for found in SECRETS.finditer(data)
        if not _is_fake(found[0])
    ]


def _is_fake(value: bytes) -> bool:
    inside = value.removeprefix(_MINTED)
    minted = base64.b64decode(inside + b"==") if inside != value else b""
    return FAKE.search(value + minted) is not None


def tree_secrets(names: Iterable[str]) -> list[str]:
    """Keys in the tree, and files that Python would run at its start."""
    names = list(names)
    found = [line for name in names for line in find_secrets(name, (ROOT / name).read_bytes())]
    return found + [f"{name}: a .pth runs code at start" for name in names if name.endswith(".pth")]


# ------------------------------------------------------------------------------- dependencies

LICENCES: Final = re.compile(
    r"(?i)\b(MIT|BSD|Apache|PSF|Python Software Foundation|MPL|ISC|Unlicense|0BSD|CNRI)"
)
"""Licences that let a user do as they like with what they build on us."""
UNSAID: Final[dict[str, str]] = {}
"""Packages whose metadata names no licence, and which it is."""


def direct() -> list[str]:
    """The names of what a plain install needs, as pyproject.toml says."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [_name(one) for one in project["dependencies"]]


def _name(requirement: str) -> str:
    found = re.match(r"[A-Za-z0-9._-]+", requirement)
    return re.sub(r"[-_.]+", "-", found[0]).lower() if found else ""


def unjustified(page: str, names: Iterable[str]) -> list[str]:
    """Direct dependencies that the page gives no reason for, and reasons for what is gone."""
    told = set(re.findall(r"^\| `([a-z0-9-]+)` \|", page, re.MULTILINE))
    names = set(names)
    return [f"{name}: no reason given" for name in sorted(names - told)] + [
        f"{name}: a reason, and no dependency" for name in sorted(told - names)
    ]


def closure(names: Iterable[str]) -> dict[str, importlib.metadata.Distribution]:
    """What a plain install brings along, as far as it is installed here."""
    found: dict[str, importlib.metadata.Distribution] = {}
    queue = list(names)
    while queue:
        name = queue.pop()
        if name in found:
            continue
        try:
            found[name] = one = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue  # for another platform
        queue += [_name(needed) for needed in one.requires or () if "extra ==" not in needed]
    return found


def licence(one: importlib.metadata.Distribution) -> str:
    """What a package says of its licence."""
    told: Any = one.metadata
    trove = [kind for kind in told.get_all("Classifier") or () if kind.startswith("License")]
    said = (told.get("License-Expression"), *trove, told.get("License"), UNSAID.get(told["Name"]))
    return next((text[:120] for text in said if text and text != "UNKNOWN"), "")


def odd_licences(found: dict[str, importlib.metadata.Distribution]) -> list[str]:
    """Packages of a plain install whose licence is none of those we know."""
    return [
        f"{name}: licence {licence(one)!r}"
        for name, one in sorted(found.items())
        if not LICENCES.search(licence(one))
    ]


# ------------------------------------------------------------------------------------ artefacts


def build(place: Path, names: Iterable[str]) -> Path:
    """Build the wheel from a copy of these files alone."""
    for name in names:
        there = place / "tree" / name
        there.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, there)
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(place / "dist")],
        cwd=place / "tree",
        env={**os.environ, "SOURCE_DATE_EPOCH": EPOCH},
        capture_output=True,
        check=True,
    )
    return next((place / "dist").glob("*.whl"))


def wheel_faults(wheel: Path, names: Iterable[str]) -> list[str]:
    """How a wheel is not the tree: a file too many, too few, or another; a script; a .pth."""
    ours = {name.removeprefix("src/"): name for name in names if name.startswith("src/")}
    found: list[str] = []
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            data = archive.read(name)
            found += find_secrets(f"wheel: {name}", data)
            if ".dist-info/" in name:
                found += _metadata_faults(name, data)
            elif name not in ours:
                found.append(f"wheel: {name} is not in the tree")
            elif data != (ROOT / ours.pop(name)).read_bytes():
                found.append(f"wheel: {name} is not what the tree has")
    return found + [f"wheel: {name} is missing" for name in ours]


def _metadata_faults(name: str, data: bytes) -> list[str]:
    file = name.partition(".dist-info/")[2]
    if file == "entry_points.txt":
        wanted = b"[console_scripts]\ntoolstone = toolstone.__main__:main"
        return [] if data.strip() == wanted else ["wheel: a script beyond the command line"]
    known = {"METADATA", "WHEEL", "RECORD", "licenses/LICENSE"}
    return [] if file in known else [f"wheel: {name} is none of ours"]


def check_wheel(names: list[str]) -> list[str]:
    """Build it at two places, and look for what is different between them or to the tree."""
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        first, second = build(Path(one), names), build(Path(other), reversed(names))
        same = first.name == second.name and first.read_bytes() == second.read_bytes()
        return wheel_faults(first, names) + ([] if same else ["wheel: two builds are different"])


def write_sbom(place: Path) -> None:
    """The bill of materials of this environment, as CycloneDX JSON that says no time."""
    command = [sys.executable, "-m", "cyclonedx_py", "environment", sys.prefix]
    options = ["--pyproject", str(ROOT / "pyproject.toml"), "--output-reproducible"]
    options += ["--output-format", "JSON", "--output-file", str(place)]
    subprocess.run([*command, *options], check=True, capture_output=True)


def main(arguments: list[str]) -> int:
    """Look at everything and say what is wrong; 0 if nothing is."""
    if arguments[:1] == ["sbom"]:
        write_sbom(Path(arguments[1]))
        return 0
    names = tracked()
    found = banned_lines(names) + tree_secrets(names)
    found += unjustified(JUSTIFIED.read_text(), direct())
    found += odd_licences(closure(direct()))
    if arguments == ["wheel"]:
        found += check_wheel(names)
    print("\n".join(found) or f"{len(names)} files, {len(closure(direct()))} packages: nothing")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
