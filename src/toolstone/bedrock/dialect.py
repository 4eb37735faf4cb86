"""What is known of Bedrock's hosts, families and refusals: one dated table, overridable. Pure.

The table is `dialect.toml` beside this file. It is read once, at first use, and looked into where
needed; `dialect_schema.py` says what it must look like, and is asked whenever somebody else's
table or entry comes in.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import field
from functools import cache, cached_property
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from toolstone._dataclass import dataclass
from toolstone.errors import AuthError, ConfigError, RateLimitError, ServerError, StatusError
from toolstone.ports import Profile
from toolstone.responses.failures import TABLE, Row

if TYPE_CHECKING:
    import os

__all__ = ["Dialect", "Family", "Gate"]

Table = Mapping[str, Any]

_ERRORS: Final = {
    "auth": AuthError,
    "rate": RateLimitError,
    "server": ServerError,
    "status": StatusError,
}


@dataclass(frozen=True, slots=True)
class Gate:
    """What an endpoint makes of one parameter.

    Attributes:
        parameter: Its name in `Settings`, or a body field of its own.
        allowed: The values it takes; empty refuses the parameter, None takes all.
        ignored: Whether it is taken without effect.
        beside: What must stand in the request too for this to count: `tools`, or nothing.
        grade: How this is known: `doc`, `live`, `lib`, `rep` or `ours`.
    """

    parameter: str
    allowed: tuple[Any, ...] | None = None
    ignored: bool = False
    beside: str = ""
    grade: str = "ours"

    def admits(self, value: object) -> bool:
        """Whether the endpoint takes this value."""
        return self.allowed is None or value in self.allowed


@dataclass(frozen=True, slots=True)
class Family:
    """What models with one beginning of their ids have in common.

    Attributes:
        name: Its name in the table; empty if the table does not know the model.
        prefix: The path prefix on the mantle host.
        hosts: Where its Responses API answers, best first.
        apis: What it speaks: `responses`, `chat`, `converse`, `invoke`, `messages`.
        chat_hosts: Where its Chat Completions answer, best first; as `hosts` if it is empty.
        thought_tag: What its thoughts stand in there; see `Profile.thought_tag`.
        output: How structured output is asked for; see `Profile.output`.
        profiled: Whether the runtime host wants `us.`, `global.` or `us-gov.` before the id.
        runtime_suffix: What the runtime host wants after the id.
        encrypted: Whether encrypted reasoning is worth sending back.
        grade: How this is known.
    """

    name: str = ""
    prefix: str = "/v1"
    hosts: tuple[str, ...] = ("mantle", "runtime")
    apis: tuple[str, ...] = ("responses",)
    chat_hosts: tuple[str, ...] = ()
    thought_tag: str = ""
    output: str = "native"
    profiled: bool = False
    runtime_suffix: str = ""
    encrypted: bool = False
    grade: str = "ours"

    def answers_on(self, api: str) -> tuple[str, ...]:
        """The hosts where it speaks `responses` or `chat`, best first; none if nowhere."""
        if api not in self.apis:
            return ()
        return self.chat_hosts or self.hosts if api == "chat" else self.hosts


_STRANGER: Final = Family()


@dataclass(frozen=True, eq=False)
class Dialect:
    """The table, with questions one can ask of it. Frozen; `with_` makes another.

    Attributes:
        data: The table itself, as TOML has it.
    """

    data: Table = field(repr=False)

    @classmethod
    def load(cls, path: str | os.PathLike[str] | None = None) -> Dialect:
        """The table that comes with toolstone, or your own in its place.

        Raises:
            ConfigError: Your table cannot be read, or is not of the form; says where.
        """
        if path is None:
            return _own()
        try:
            data = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise ConfigError(f"the dialect table cannot be read: {error}") from error
        return cls(_checked(data))

    def with_(self, **tables: Table) -> Dialect:
        """The same table with entries of yours in place of its own, or added.

        An entry is merged key by key; errors of yours are looked at first.

        Example:
            dialect = Dialect.load().with_(gates={"top-p-gpt": {"allowed": [1]}})

        Raises:
            ConfigError: There is no such table, or an entry is not of the form.
        """
        data = {name: dict(self.data[name]) for name in self.data if _is_table(self.data[name])}
        for name, entries in tables.items():
            if name not in data:
                raise ConfigError(f"the dialect has no table {name!r}; it has {', '.join(data)}")
            data[name] = _merged(data[name], entries)
        return Dialect(_checked({**self.data, **data}))

    @property
    def date(self) -> str:
        """When the table was last compared with the services."""
        return str(self.data["date"])

    @property
    def habits(self) -> Table:
        """What the services do besides answering: smallest output, junk, unasked items."""
        habits: Table = self.data["habits"]
        return habits

    def host(self, name: str) -> Table:
        """Domain, signing name and prefixes of `mantle` or `runtime`.

        Raises:
            ConfigError: There is no such host.
        """
        hosts: dict[str, Table] = self.data["hosts"]
        if name not in hosts:
            raise ConfigError(f"host {name!r}: Bedrock has {' and '.join(hosts)}")
        return hosts[name]

    def hosts_for(self, feature: str) -> tuple[str, ...]:
        """The hosts that have a feature: `background`, `server_tools`, `project`, `stored`."""
        return tuple(self.data["features"][feature]["hosts"])

    def regions(self, host: str = "mantle") -> tuple[str, ...]:
        """The regions known to have this host; the runtime host is in all."""
        regions: dict[str, Table] = self.data["regions"]
        return tuple(name for name, has in regions.items() if has.get(host, True))

    def profiles(self, region: str) -> tuple[str, ...]:
        """The beginnings of inference profile ids in a region, the default first."""
        table: dict[str, Table] = self.data["profiles"]
        return tuple(table[_longest(table, region) or ""]["choices"])

    def family(self, model: str) -> Family:
        """The family of a model, by the longest beginning that fits its mantle id."""
        name = self._families.get(_longest(self._families, model) or "")
        if name is None:
            return _STRANGER
        entry = {key: value for key, value in self.data["families"][name].items() if key != "match"}
        for key in ("hosts", "apis", "chat_hosts"):
            entry[key] = tuple(entry.get(key, ()))
        return Family(name=name, **entry)

    def model(self, model: str) -> Table:
        """Regions, context and output of a model; empty if the table does not know it."""
        models: dict[str, Table] = self.data["models"]
        return models.get(_longest(models, model) or "", {})

    def gates(self, model: str, host: str, api: str = "responses") -> dict[str, Gate]:
        """What the endpoint makes of parameters; those not named are taken."""
        found: dict[str, tuple[int, Gate]] = {}
        for entry in self.data["gates"].values():
            match = entry.get("match", [""])
            fits = [len(start) for start in match if model.startswith(start)]
            here = host in entry.get("hosts", [host]) and api in entry.get("apis", [api])
            if not fits or not here:
                continue
            allowed = entry.get("allowed")
            gate = Gate(
                entry["parameter"],
                None if allowed is None else tuple(allowed),
                ignored=entry.get("ignored", False),
                beside=entry.get("beside", ""),
                grade=entry.get("grade", "ours"),
            )
            if gate.parameter not in found or found[gate.parameter][0] < max(fits):
                found[gate.parameter] = (max(fits), gate)
        return {name: gate for name, (_, gate) in found.items()}

    def actions(self, feature: str, host: str) -> tuple[str, ...]:
        """The IAM actions that a feature needs on a host."""
        return tuple(self.data["iam"][feature].get(host, ()))

    def unsupported(self, place: str) -> dict[str, str]:
        """What an endpoint cannot do, and what to do instead, by capability.

        Args:
            place: `openai`, `mantle`, `runtime` or `local`.
        """
        rows: dict[str, Table] = self.data["capabilities"]
        return {name: row["instead"] for name, row in rows.items() if row.get(place) == "no"}

    def endpoints(self) -> tuple[str, ...]:
        """The names of servers that are not Bedrock's and are known nevertheless."""
        return tuple(self.data["endpoints"])

    def endpoint(self, name: str) -> Table:
        """What is known of such a server; see also `profile` and `failures_of`.

        Raises:
            ConfigError: It is not known.
        """
        endpoints: dict[str, Table] = self.data["endpoints"]
        if name not in endpoints:
            raise ConfigError(f"server {name!r}: known are {', '.join(endpoints)}")
        return endpoints[name]

    def profile(self, name: str, api: Literal["responses", "chat"] | None = None) -> Profile:
        """What a known server can, for a client of your own making.

        Args:
            name: `openai`, `local`, `llama.cpp`, `litellm` or `transformers`.
            api: Which of its two protocols; the one that it speaks best unless given.

        Example:
            profile = Dialect.load().profile("litellm", "responses")
            model = Responses(base_url=url, api_key=key, model="m", profile=profile)

        Raises:
            ConfigError: There is no such server.
        """
        entry = self.endpoint(name)
        spoken = dict(entry.get(api or entry.get("api", "responses"), {}))
        like = self.unsupported(entry["like"]) if "like" in entry else {}
        spoken["unsupported"] = {**like, **spoken.get("unsupported", {})}
        for key in ("refuses", "ignores"):
            spoken[key] = frozenset(spoken.get(key, ()))
        spoken["junk"] = tuple(spoken.get("junk", ()))
        return Profile(name=name, **spoken)

    def failures_of(self, name: str) -> tuple[Row, ...]:
        """What a refusal of a known server means: its own rows, then those of every server."""
        errors = self.endpoint(name).get("errors", {})
        return (*(_row(entry) for entry in errors.values()), *TABLE)

    @cached_property
    def failures(self) -> tuple[Row, ...]:
        """What a refusal means: Bedrock's own rows, then those of every Responses server."""
        return (*(_row(entry) for entry in self.data["errors"].values()), *TABLE)

    @cached_property
    def _families(self) -> dict[str, str]:
        families: dict[str, Table] = self.data["families"]
        return {start: name for name, family in families.items() for start in family["match"]}


@cache
def _own() -> Dialect:
    source = resources.files("toolstone.bedrock").joinpath("dialect.toml")
    return Dialect(tomllib.loads(source.read_text(encoding="utf-8")))


def _checked(data: Table) -> Table:
    from toolstone.bedrock.dialect_schema import check  # noqa: PLC0415  only for others' tables

    return check(data)


def _is_table(value: object) -> bool:
    return isinstance(value, Mapping)


def _merged(old: Table, new: Table) -> dict[str, Any]:
    """Entries of `new` stand first, so that they are looked at first."""
    entries = {
        name: {**old.get(name, {}), **entry} if _is_table(entry) else entry
        for name, entry in new.items()
    }
    return {**entries, **{name: entry for name, entry in old.items() if name not in entries}}


def _longest(starts: Mapping[str, object], text: str) -> str | None:
    return max((start for start in starts if text.startswith(start)), key=len, default=None)


def _row(entry: Table) -> Row:
    pattern = entry.get("pattern")
    return Row(
        _ERRORS[entry.get("error", "status")],
        retryable=entry.get("retryable", False),
        words=frozenset(entry.get("words", ())),
        pattern=None if pattern is None else re.compile(pattern, re.IGNORECASE | re.DOTALL),
        statuses=frozenset(entry.get("statuses", ())),
        hint=entry.get("hint", ""),
        means=entry["means"],
        mend=entry.get("mend", ""),
        parameter=entry.get("parameter", ""),
    )
