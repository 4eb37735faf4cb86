"""Which paths each host has, and what it says where it has none. Pure."""

import re

from toolstone._dataclass import dataclass
from toolstone.local.brain import RefusalError
from toolstone.local.profiles.observed import Observed, Where

__all__ = ["Found", "Routes"]

_INFERENCE = ("/openai/v1", "/v1")


@dataclass(frozen=True, slots=True)
class Found:
    """A route that the host has.

    Attributes:
        prefix: The path before it, such as `/openai/v1`.
        name: The route as the data file has it, such as `GET /responses/{id}`.
        id: What stands for `{id}`, if it has one.
    """

    prefix: str
    name: str
    id: str = ""


class Routes:
    """The routes of the data file."""

    def __init__(self, known: Observed) -> None:
        self._known = known
        self._both = self._named("POST /responses") + self._named("POST /chat/completions")
        self._control = self._named("GET /models")

    def _named(self, first: str) -> list[tuple[str, re.Pattern[str]]]:
        """The routes of the row that begins with this one."""
        rows = self._known.data["route"]
        names = next(row["routes"] for row in rows if row["routes"][0] == first)
        return [(n, re.compile(re.escape(n).replace(r"\{id\}", "([^/]+)"))) for n in names]

    def find(self, where: Where, method: str, path: str) -> Found:
        """Find the route of a request.

        Raises:
            RefusalError: The host has no such path; on runtime that is a 200.
        """
        for prefix in self._prefixes(where):
            rest = path.removeprefix(prefix)
            control = self._control if where.kind != "runtime" and prefix == "/v1" else []
            for name, pattern in [*self._both, *control] if rest != path else []:
                if found := pattern.fullmatch(f"{method} {rest}"):
                    return Found(prefix, name, "".join(found.groups()))
        raise self._nowhere(where, method, path)

    def _prefixes(self, where: Where) -> tuple[str, ...]:
        if where.kind == "runtime":
            return (self._known.data["host"]["runtime"]["prefix"],)
        return _INFERENCE if where.kind == "mantle" else ("/v1",)

    def _nowhere(self, where: Where, method: str, path: str) -> RefusalError:
        if where.kind == "openai":
            return RefusalError(404, None, f"Invalid URL ({method} {path})")
        return self._known.refuse("unknown_operation" if where.kind == "runtime" else "no_route")
