"""The columns of the bench: what is measured, in which environment, with which packages."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parent.parent))
from environments import python_with

ROOT: Final = Path(__file__).parent.parent.parent
DRIVEN: Final = (
    "first-agent",
    "cold",
    "sequential",
    "at-once",
    "wide",
    "blocking-32",
    "blocking-64",
    "bulk",
    "paced",
    "schemas",
    "results",
    "long",
)
ALL: Final = frozenset(DRIVEN)

_SIZES: Final = """
import importlib.metadata, json, pathlib, sys
found = [one for one in importlib.metadata.distributions() if one.name not in {"pip", "setuptools"}]
sizes = {}
for one in found:
    for file in one.files or ():
        path = pathlib.Path(one.locate_file(file))
        if path.is_file() and path.suffix != ".pyc":
            sizes[str(path.resolve())] = path.stat().st_size
data = sum(size for path, size in sizes.items() if "/botocore/data/" in path)
whole = sum(sizes.values())
print(json.dumps({
    "distributions": len(found),
    "mb": whole / 1e6,
    "mb_without_botocore_data": (whole - data) / 1e6,
}))
"""


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        name: As it is printed.
        module: Its file in peers/.
        packages: What is installed for it, pinned.
        scenarios: Those it has.
        shared: The environment it shares with another column.
        environment: Further variables of its processes.
        ours: Whether it is toolstone.
    """

    name: str
    module: str
    packages: tuple[str, ...]
    scenarios: frozenset[str] = ALL
    shared: str = ""
    environment: dict[str, str] = field(default_factory=dict)
    ours: bool = False

    def python(self, folder: Path) -> str:
        """Its interpreter; the environment is made if it is not there, ours from this checkout."""
        python = python_with(folder / (self.shared or self.name), self.packages)
        if self.ours:
            install = [python, "-m", "pip", "install", "-q", "--no-deps", "--force-reinstall"]
            subprocess.run([*install, str(ROOT)], check=True)
        return python

    def has(self, scenario: str) -> bool:
        """Whether this scenario can be asked of it."""
        return scenario in self.scenarios

    def installed(self, python: str) -> dict[str, float]:
        """How many distributions its environment has, and their size without bytecode."""
        done = subprocess.run(
            [python, "-I", "-c", _SIZES], capture_output=True, text=True, check=True
        )
        found: dict[str, float] = json.loads(done.stdout)
        return found


_PYDANTIC: Final = "pydantic==2.14.3"
_OPENAI: Final = "openai==3.54.0"
_LOOP: Final = ALL - {"schemas"}

COLUMNS: Final = (
    Column("toolstone", "with_toolstone", (f"toolstone @ {ROOT.as_uri()}",), ours=True),
    Column(
        "toolstone-aiohttp",
        "with_toolstone",
        (f"toolstone[fast] @ {ROOT.as_uri()}",),
        environment={"TOOLSTONE_BENCH_TRANSPORT": "aiohttp"},
        ours=True,
    ),
    Column("openai-agents", "with_openai_agents", ("openai-agents==0.24.0", _OPENAI)),
    Column("pydantic-ai", "with_pydantic_ai", ("pydantic-ai-slim[openai]==2.68.0", _OPENAI)),
    Column("strands", "with_strands", ("strands-agents[openai]==1.62.0",)),
    Column("langchain", "with_langchain", ("langchain==1.4.7", "langchain-openai==1.7.3", _OPENAI)),
    Column(
        "instructor",
        "with_instructor",
        ("instructor==1.17.0",),
        frozenset({"first-agent", "results"}),
    ),
    Column("openai", "loop_openai", (_OPENAI, _PYDANTIC), _LOOP),
    Column("loop-httpx", "loop_httpx", ("httpx==0.28.1", _PYDANTIC), _LOOP),
    Column("loop-aiohttp", "loop_aiohttp", ("aiohttp==3.14.5", _PYDANTIC), _LOOP),
    Column("loop-socket", "loop_socket", (_PYDANTIC,), _LOOP),
)
NEEDED: Final = {"openai-agents", "pydantic-ai", "loop-httpx", "loop-aiohttp"}
