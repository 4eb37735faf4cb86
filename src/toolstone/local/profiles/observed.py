"""What is known of Bedrock's hosts, read from the data file that the emulator plays from.

The file is transcribed from the reference by itself; the client's own table is never read here,
so that a wrong row there cannot prove itself.
"""

import json
import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any, Literal

from toolstone._dataclass import dataclass
from toolstone.local.brain import RefusalError

__all__ = ["OPENAI_HOST", "Kind", "Observed", "Where", "observed"]

Kind = Literal["mantle", "runtime", "openai"]

OPENAI_HOST = "api.openai.com"
_REGION = r"(?P<region>[a-z]{2,8}(?:-[a-z0-9]+)+-[0-9])"
_KINDS: tuple[Kind, ...] = ("mantle", "runtime")


@dataclass(frozen=True, slots=True)
class Where:
    """The host that is played for one request."""

    kind: Kind
    region: str


class Observed:
    """The rows of the data file, with the few questions that are asked of it everywhere."""

    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data = data
        self._names: list[tuple[Kind, re.Pattern[str]]] = [
            (kind, re.compile(p)) for kind in _KINDS for p in self._patterns(kind)
        ]

    def _patterns(self, kind: Kind) -> list[str]:
        keys = ("pattern", "fips_pattern", "china_pattern", "sovereign_pattern")
        found = [row for key in keys if (row := self.data["host"][kind].get(key))]
        return [re.escape(row).replace(r"\{region\}", _REGION) for row in found]

    def where(self, host: str) -> Where | None:
        """Tell which host has this name; None if it is none of them, or not in that region."""
        if host == OPENAI_HOST:
            return Where("openai", "")
        for kind, pattern in self._names:
            if found := pattern.fullmatch(host):
                there = Where(kind, found["region"])
                return there if self.stands(there) else None
        return None

    def stands(self, where: Where) -> bool:
        """Say whether this host exists in its region."""
        regions = self.data["regions"]
        known = (*regions["mantle"], *regions["mantle_listed_by_clients"])
        return where.kind != "mantle" or where.region in known

    def families(self, rows: Mapping[str, Any], family: str) -> Mapping[str, Any]:
        """Give a family's row of a gate; a variant (`gpt-6-without-none`) has its family's."""
        row: Mapping[str, Any] = rows.get(family) or rows.get(family.partition("-without-")[0], {})
        return row

    def refuse(
        self, name: str, *, param: str | None = None, headers: Mapping[str, str] | None = None,
        **values: object,
    ) -> RefusalError:  # fmt: skip
        """Make the answer of an error row, its text filled in.

        Args:
            name: The row.
            param: The field at fault, if the row does not say.
            headers: Sent along.
            values: What the text names in braces.
        """
        row = self.data["errors"][name]
        status: int = row["status"]
        text = row.get("message", "").format(param=param, **values)
        plain = RefusalError(
            status, row.get("code"), text, row.get("param", param), kind=row.get("type")
        )
        shapes: Mapping[str, Any] = {
            "envelope": _envelope(plain),
            "message": {"message": text},
            "Message": {"Message": text},
        }
        shape = row["shape"]
        body = row["body"] if shape == "raw" else json.dumps(shapes[shape])
        plain.body = body.encode()
        plain.headers = {"content-type": "application/json", **(headers or {})}
        if "errortype" in row:
            plain.headers["x-amzn-errortype"] = row["errortype"]
        return plain

    def again(self, error: RefusalError) -> RefusalError:
        """Say a refusal of the shared checks in the words of these hosts."""
        if error.status != 400 or error.body is not None:  # noqa: PLR2004  bad request
            return error
        code = "validation_error"
        plain = RefusalError(400, code, error.message, error.param, kind=error.kind)
        plain.body = json.dumps(_envelope(plain)).encode()
        plain.headers = {"content-type": "application/json"}
        return plain


def _envelope(error: RefusalError) -> dict[str, Any]:
    return {
        "error": {
            "code": error.code,
            "message": error.message,
            "param": error.param,
            "type": error.kind,
        }
    }


@cache
def observed() -> Observed:
    """Read the data file, once."""
    file = resources.files("toolstone.local.profiles").joinpath("bedrock_observed.toml")
    return Observed(tomllib.loads(file.read_text(encoding="utf-8")))
