"""The rows of tests/data/reliability as parameters of tests."""

import re
import tomllib
from pathlib import Path

import pytest

DATA = Path(__file__).parent.parent / "data" / "reliability"
HERE = Path(__file__).parent
PEER = "HSEM"  # blocks whose cases are scenarios of the fault peer


def rows(block):
    return tomllib.loads((DATA / f"{block}.toml").read_text())["row"]


def cases(block, *, doors=("plain", "streamed")):
    """Each case of a block behind each door it is about; what is open is expected to fail."""
    return [
        _param(row, case, door)
        for row in rows(block)
        for case in row.get("case", ())
        for door in case.get("doors", doors)
    ]


def row_cases(name):
    """The cases of one row, as parameters of a test."""
    [row] = [one for one in rows(name[0]) if one["id"] == name]
    return [pytest.param(case, id=f"{name}-{n}") for n, case in enumerate(row["case"])]


def _param(row, case, door):
    made = {"scenario": row["id"], **case}
    name = made["scenario"] + (f"x{made['times']}" if "times" in made else "")
    marks = []
    if "open" in case and door in case.get("open_doors", [door]):
        marks = [pytest.mark.xfail(strict=True, reason=case["open"])]
    return pytest.param(made, door, marks=marks, id=f"{name}-{door}")


def settled(case, transport):
    """The case as it is for a transport, with what is deliberately different."""
    only = case.get("instead_with")
    if only and only not in transport.__module__:
        return case
    return {**case, **case.get("instead", {})}


def special():
    """Which rows have tests of their own, by the names of these."""
    found = set()
    for path in HERE.glob("test_*.py"):
        found |= set(
            re.findall(r"^(?:async )?def test_([a-z]\d\d)_", path.read_text(), re.MULTILINE)
        )
    return {name.upper() for name in found}
