"""Which models answer where, under which id and on which path. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

from toolstone._dataclass import dataclass
from toolstone.local.profiles.observed import Observed

__all__ = ["Catalogue", "Model"]


@dataclass(frozen=True, slots=True)
class Model:
    """A row of the models, as it is on one host."""

    id: str
    """The id that it was asked for by, there."""
    name: str
    """Its own id, which quotas and policies go by."""
    family: str
    prefix: str
    apis: tuple[str, ...]
    max_input: int
    max_output: int


class Catalogue:
    """The models of the data file, looked up as each host looks them up."""

    def __init__(self, known: Observed) -> None:
        self._known = known
        self._rows: Mapping[str, Mapping[str, Any]] = {
            name: row
            for row in known.data["model"]
            for name in (row["id"], *row.get("aliases", ()))
        }

    def prefix(self, name: str) -> str:
        """Give the path prefix of a model on mantle; `/v1` for a family nobody has seen."""
        rows = self._known.data["prefix"]
        found = [
            (len(s), row["prefix"]) for row in rows for s in row["starts"] if name.startswith(s)
        ]
        return max(found)[1] if found else "/v1"

    def on_mantle(self, name: str, region: str) -> tuple[Model | None, bool]:
        """Find a model on mantle: as it is there, and whether this region has it."""
        row = self._rows.get(name)
        if row is None:
            return None, False
        here = "*" in row["regions"] or region in row["regions"]
        return _model(name, row, self.prefix(name), tuple(row["apis"])), here

    def listed(self, region: str) -> Iterator[Model]:
        """Give every model that mantle has in a region, aliases left out."""
        for row in self._known.data["model"]:
            model, here = self.on_mantle(row["id"], region)
            if model and here:
                yield model

    def on_runtime(self, name: str, region: str) -> Model | str:
        """Find a model on runtime.

        Returns:
            The model, or the name of the error row that answers instead.
        """
        wanted = self._of_arn(name, region)
        for row in self._known.data["model"]:
            if wanted in row.get("runtime", ()):
                return _model(name, row, "/openai/v1", tuple(row["runtime_apis"]))
        for profile in self._known.data["profile"]:
            bare = wanted.removeprefix(profile["prefix"])
            row = self._rows.get(bare, {})
            if bare != wanted and profile["prefix"] in row.get("profiles", ()):
                if not _serves(profile, region):
                    return "invalid_identifier"
                apis = tuple(row.get("runtime_apis", row["apis"]))
                return _model(name, row, "/openai/v1", apis)
        has_profile = bool(self._rows.get(wanted, {}).get("profiles"))
        return "needs_profile" if has_profile else "invalid_identifier"

    @staticmethod
    def _of_arn(name: str, region: str) -> str:
        parts = name.split(":", 5)
        if parts[0] != "arn" or len(parts) < 6:  # noqa: PLR2004  arn:partition:service:region:account:resource
            return name
        return parts[5].rpartition("/")[2] if parts[3] in (region, "") else name


def _serves(profile: Mapping[str, Any], region: str) -> bool:
    everywhere = "*" in profile["regions"] and region not in profile.get("not_regions", ())
    return everywhere or region in profile["regions"]


def _model(name: str, row: Mapping[str, Any], prefix: str, apis: tuple[str, ...]) -> Model:
    largest = row.get("max_input", row["context"])
    return Model(name, row["id"], row["family"], prefix, apis, largest, row["max_output"])
