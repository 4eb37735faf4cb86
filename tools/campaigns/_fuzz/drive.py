"""One target under atheris, in a process of its own: what is found is written down, then on."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import atheris  # type: ignore[import-untyped,import-not-found,unused-ignore]

if TYPE_CHECKING:
    from campaigns._fuzz.targets import Target


def main(arguments: list[str]) -> None:
    """`NAME FINDINGS`, then what libFuzzer is told."""
    name, place, *options = arguments
    with atheris.instrument_imports(include=["toolstone"]):
        from campaigns._fuzz.targets import TARGETS, kept  # noqa: PLC0415  instrumented

        target = TARGETS[name]
        for path in kept(name):  # what loads at first use is instrumented too
            with contextlib.suppress(Exception):
                target.run(path.read_bytes())
    findings = Path(place)
    findings.mkdir(parents=True, exist_ok=True)
    seen: set[str] = set()

    def one(data: bytes) -> None:
        _one(target, data, findings, seen)

    atheris.Setup([sys.argv[0], *options], one)
    atheris.Fuzz()


def _one(target: Target, data: bytes, findings: Path, seen: set[str]) -> None:
    from campaigns._fuzz.targets import feed  # noqa: PLC0415  as above

    try:
        feed(target, data)
    except Exception as error:  # noqa: BLE001  every kind is a finding
        where = traceback.extract_tb(error.__traceback__)[-1]
        kind = f"{type(error).__name__} at {Path(where.filename).name}:{where.lineno}"
        if kind in seen:
            return
        seen.add(kind)
        name = hashlib.sha256(kind.encode()).hexdigest()[:12]
        (findings / name).write_bytes(data)
        told = {"kind": kind, "says": str(error)[:2000], "trace": traceback.format_exc()[-4000:]}
        (findings / f"{name}.json").write_text(json.dumps(told, indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])
