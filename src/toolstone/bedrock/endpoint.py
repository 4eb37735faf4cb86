"""From a model and wishes to one endpoint: host, path, the id there, what it takes. Pure.

The table (`dialect.toml`) advises; what you say wins, and the difference is told in `warnings`.
Which host, if you do not say (bedrock.md §15.2): the first of the model's hosts that has what you
wish for and is known in the region. Names of hosts are built from a region alone; any other origin
is an `endpoint=` in code, or in the user's own environment.
"""

from __future__ import annotations

import os
from dataclasses import field, replace
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit

from toolstone._dataclass import dataclass
from toolstone._secrets import Variables
from toolstone.bedrock.advice import Place, advise
from toolstone.bedrock.dialect import Dialect, Family, Gate
from toolstone.bedrock.names import (
    Host,
    Name,
    check_region,
    host_name,
    known_host,
    parse_name,
    spelled,
)
from toolstone.chat.bounds import CHAT_PROFILE, LIMITS
from toolstone.errors import ConfigError
from toolstone.ports import Profile
from toolstone.responses.address import check_base_url

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Endpoint", "Wishes", "resolve_endpoint"]

Api = Literal["responses", "chat"]

_BASE: Final = "AWS_BEDROCK_BASE_URL"
_PATHS: Final[dict[Api, str]] = {"responses": "/responses", "chat": "/chat/completions"}
_BY_HOST: Final = {
    "mantle": "AWS_ENDPOINT_URL_BEDROCK_MANTLE",
    "runtime": "AWS_ENDPOINT_URL_BEDROCK_RUNTIME",
}


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the endpoint should be able to do.

    Attributes:
        background: Requests that go on without a connection; only the mantle host has them.
        stored: Responses kept by the service, to go on from.
        server_tools: Web search, connectors and the like; only the mantle host has them.
        project: A project's id (`proj_…`); only the mantle host has projects.
        residency: Where inference may run: `us`, `us-gov`, `global`, or `region` for the
            region alone. None takes the narrowest profile that the region has.
        api: The protocol: `responses`, or the older `chat`. None takes `responses` wherever the
            model is known to speak it.
    """

    background: bool = False
    stored: bool = False
    server_tools: bool = False
    project: str | None = None
    residency: Literal["us", "us-gov", "global", "region"] | None = None
    api: Api | None = None

    @property
    def features(self) -> tuple[str, ...]:
        """The wishes that not every host can grant."""
        said = {
            "background": self.background,
            "stored": self.stored,
            "server_tools": self.server_tools,
            "project": self.project is not None,
        }
        return tuple(name for name, wished in said.items() if wished)


_NO_WISHES: Final = Wishes()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where requests go, and what is known of it.

    Attributes:
        host: `mantle` or `runtime`.
        region: The region; empty behind a gateway that needs none.
        origin: Scheme and host; credentials go there and nowhere else.
        prefix: The path before `path`.
        model: The model's id as this host spells it.
        bare: The model's id as the mantle host spells it.
        service: The name to sign with.
        family: What is known of the model's family.
        gates: What this endpoint makes of parameters.
        profile: The same, as far as the protocol needs it.
        warnings: What the table has against this choice.
        source: Where the origin is from: `table`, `argument`, or a variable's name.
        project: The project that requests belong to.
        api: The protocol: `responses`, or `chat` for Chat Completions.
    """

    host: Host
    region: str
    origin: str
    prefix: str
    model: str
    bare: str
    service: str
    family: Family
    gates: Mapping[str, Gate] = field(repr=False)
    profile: Profile = field(repr=False)
    warnings: tuple[str, ...] = ()
    source: str = "table"
    project: str | None = None
    api: Api = "responses"

    @property
    def base_url(self) -> str:
        """Origin and prefix."""
        return f"{self.origin}{self.prefix}"

    @property
    def path(self) -> str:
        """What stands after the prefix: `/responses` or `/chat/completions`."""
        return _PATHS[self.api]

    @property
    def aws(self) -> bool:
        """Whether the origin is one of Amazon Bedrock's own."""
        return known_host(self.origin) is not None


def resolve_endpoint(
    model: str,
    *,
    region: str | None = None,
    endpoint: str | None = None,
    wishes: Wishes = _NO_WISHES,
    dialect: Dialect | None = None,
    environment: Mapping[str, str] | None = None,
) -> Endpoint:
    """Where a model is reached; nothing is opened.

    Args:
        model: `bedrock/MODEL`, `bedrock-mantle/MODEL` or `bedrock-runtime/MODEL`, each with
            `@region` after it if you like; MODEL may be an ARN.
        region: The region; else `AWS_REGION`, `AWS_DEFAULT_REGION`.
        endpoint: An origin of your own (PrivateLink, FIPS, a gateway, a test), https or on this
            machine; with a path if the prefix is yours too. Credentials go there alone.
        wishes: What it should be able to do.
        dialect: The table to ask.
        environment: Variables; the process's own unless given.

    Raises:
        ConfigError: No region, or something that cannot be, or two things said that contradict.

    Example:
        resolve_endpoint("bedrock/openai.gpt-oss-120b@us-east-1").base_url
    """
    name = parse_name(model)
    dialect = dialect or Dialect.load()
    environment = Variables(os.environ if environment is None else environment)
    return _Choice(name, wishes, dialect, environment).make(region, endpoint)


class _Choice:
    """One resolution on its way; `warnings` grows."""

    def __init__(
        self, name: Name, wishes: Wishes, dialect: Dialect, environment: Mapping[str, str]
    ) -> None:
        self.name, self.wishes, self.dialect = name, wishes, dialect
        self.environment = environment
        self.family = dialect.family(name.bare)
        chat = (
            self.family.apis and "responses" not in self.family.apis and "chat" in self.family.apis
        )
        self.api: Api = wishes.api or ("chat" if chat else "responses")
        self.hosts = self.family.answers_on(self.api)
        self.warnings: list[str] = []

    def make(self, region: str | None, endpoint: str | None) -> Endpoint:
        said = self._said_region(region)
        source, base = self._base(endpoint, said)
        known = known_host(base) if base else None
        region = said or (known[1] if known else None) or self._ambient_region(base)
        host = self._host(region, known[0] if known else None)
        if not base:
            source, base = self._base_of(host, region)
        origin, prefix = self._place(host, region, base)
        model = spelled(self.name, host, self.family, self._geography(host, region))
        gates = self.dialect.gates(self.name.bare, host, self.api)
        place = Place(self.name, self.family, self.api, host, region, self._geography(host, region))
        self.warnings += advise(place, self.wishes, self.dialect)
        return Endpoint(
            host=host,
            region=region,
            origin=origin,
            prefix=prefix,
            model=model,
            bare=self.name.bare,
            service=str(self.dialect.host(host)["service"]),
            family=self.family,
            gates=gates,
            profile=self._profile(host, gates),
            warnings=tuple(self.warnings),
            source=source,
            project=self.wishes.project,
            api=self.api,
        )

    # -------------------------------------------------------------------------- region and origin

    def _said_region(self, region: str | None) -> str | None:
        if region is None:
            return self.name.region
        check_region(region)
        if self.name.region not in (None, region):
            raise ConfigError(
                f"region={region!r}, and the model string says {self.name.region!r}; say it once"
            )
        return region

    def _ambient_region(self, base: str) -> str:
        for variable in ("AWS_REGION", "AWS_DEFAULT_REGION"):
            found = self.environment.get(variable, "").strip()
            if found:
                return check_region(found)
        hint = known_host(self.environment.get("OPENAI_BASE_URL", ""))
        if hint is not None:
            return hint[1]
        if base:
            return ""  # a gateway knows where it sends requests
        raise ConfigError(
            f"no region for {self.name.given!r}: write 'bedrock/{self.name.given}@us-east-1', "
            "give region=, or set AWS_REGION"
        )

    def _base(self, endpoint: str | None, region: str | None) -> tuple[str, str]:
        """An origin of the user's own, and where it is from."""
        if endpoint is not None:
            base = check_base_url(endpoint)
            problem = self._contradiction(base, region)
            if problem:
                raise ConfigError(f"endpoint={_shown(base)}: {problem}; say it once")
            return "argument", base
        given = self.environment.get(_BASE, "").strip()
        if not given:
            return "table", ""
        base = check_base_url(given)
        problem = self._contradiction(base, region)
        if problem:
            self.warnings.append(f"{_BASE} is not used: {problem}")
            return "table", ""
        return _BASE, base

    def _base_of(self, host: Host, region: str) -> tuple[str, str]:
        """An origin for this one host, from the environment as AWS's SDKs read it."""
        variable = _BY_HOST[host]
        given = self.environment.get(variable, "").strip()
        ignore = self.environment.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower()
        if not given or ignore == "true":
            return "table", ""
        base = check_base_url(given)
        known = known_host(base)
        if known is not None and known != (host, region):
            self.warnings.append(f"{variable} is not used: it is of {known[0]} in {known[1]}")
            return "table", ""
        return variable, base

    def _contradiction(self, base: str, region: str | None) -> str | None:
        path = urlsplit(base).path
        if path.endswith(("/responses", "/chat/completions")):
            return f"it ends before {path.rpartition('/v1')[2]}, in /v1"
        host, where = known_host(base) or (None, None)
        if host and self.name.host not in (None, host):
            return f"it is the {host} host, and the model string says {self.name.host}"
        if where and region not in (None, where):
            return f"it is in {where}, and the region said is {region}"
        return None

    def _place(self, host: Host, region: str, base: str) -> tuple[str, str]:
        """Origin and prefix."""
        if not base:
            if self.environment.get("AWS_USE_FIPS_ENDPOINT", "").lower() == "true":
                self.warnings.append(
                    "AWS_USE_FIPS_ENDPOINT is set and not followed: give endpoint="
                    f"'https://bedrock-runtime-fips.{region}.amazonaws.com'"
                )
            return f"https://{host_name(host, region, self.dialect)}", self._prefix(host)
        parts = urlsplit(base)
        origin, path = f"{parts.scheme}://{parts.netloc}", parts.path
        if path and known_host(base) and path != self._prefix(host):
            self.warnings.append(
                f"the path {path!r} is yours; {self.name.bare} is known under "
                f"{self._prefix(host)!r} on {host}"
            )
        return origin, path or self._prefix(host)

    def _prefix(self, host: Host) -> str:
        prefixes: list[str] = self.dialect.host(host)["prefixes"]
        return self.family.prefix if self.family.prefix in prefixes else prefixes[-1]

    # -------------------------------------------------------------------------------- host and id

    def _host(self, region: str, of_origin: Host | None) -> Host:
        """The host that is forced, or else the first one that can do what is wished."""
        forced = self.name.host or of_origin
        if forced is not None:
            return forced
        if self.name.arn or self.name.geography or self.name.version:
            return "runtime"  # it is spelt that host's way
        wished = [self.dialect.hosts_for(feature) for feature in self.wishes.features]
        if self.wishes.residency == "region":
            wished.append(("mantle",))
        able = [h for h in self.hosts if all(h in hosts for hosts in wished)]
        near = [h for h in able if self._is_there(h, region)]
        first = (*near, *able, *(h for hosts in wished for h in hosts), *self.hosts)
        return "runtime" if first[:1] == ("runtime",) else "mantle"

    def _is_there(self, host: str, region: str) -> bool:
        return host == "runtime" or not region or region in self.dialect.regions(host)

    def _geography(self, host: Host, region: str) -> str | None:
        """What stands before the id on the runtime host."""
        if host == "mantle":
            return None
        if self.wishes.residency == "region":
            return None
        return self.wishes.residency or self.name.geography or self.dialect.profiles(region)[0]

    # ------------------------------------------------------------------------------------- advice

    def _profile(self, host: Host, gates: Mapping[str, Gate]) -> Profile:
        output = self.family.output
        profile = Profile(
            name=f"bedrock-{host}",
            output="tool" if output == "tool" else "prompted" if output == "prompted" else "native",
            junk=tuple(self.dialect.habits["junk"]),
            ignores=frozenset(name for name, gate in gates.items() if gate.ignored),
            unsupported=self.dialect.unsupported(host),
        )
        if self.api == "responses":
            return profile
        unsupported = {**CHAT_PROFILE.unsupported, **profile.unsupported, **LIMITS}
        return replace(
            profile,
            name=f"{profile.name}-chat",
            unsupported=unsupported,
            thought_tag=self.family.thought_tag,
        )


def _shown(base: str) -> str:
    return repr(base[:100])
