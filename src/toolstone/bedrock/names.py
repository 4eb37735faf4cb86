"""How Bedrock writes things down: model strings, ids on either host, regions, host names. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit

from toolstone._dataclass import dataclass
from toolstone.errors import ConfigError

if TYPE_CHECKING:
    from toolstone.bedrock.dialect import Dialect, Family

__all__ = ["Host", "Name", "check_region", "host_name", "known_host", "parse_name", "spelled"]

Host = Literal["mantle", "runtime"]

_REGION: Final = r"[a-z]{2,4}(?:-[a-z]{2,12}){1,2}-[0-9]{1,2}"
_HOST: Final = re.compile(
    rf"(?:.+\.)?bedrock-(mantle|runtime)(?:-fips)?\.({_REGION})\.(?:vpce\.)?"
    r"(?:api\.aws|amazonaws\.com(?:\.cn)?|amazonaws\.eu)"
)
_SCHEMES: Final[dict[str, Host | None]] = {
    "bedrock": None,
    "bedrock-mantle": "mantle",
    "bedrock-runtime": "runtime",
}
_GEOGRAPHY: Final = re.compile(r"(us-gov|us|global|eu|apac|jp|au|ca)\.(?=[a-z0-9-]+\.)")
_VERSION: Final = re.compile(r"-\d+:\d+$")
_MODEL: Final = re.compile(r"[A-Za-z0-9._:/-]+")


@dataclass(frozen=True, slots=True)
class Name:
    """A model string, taken apart.

    Attributes:
        given: The model as it was written, without scheme and region.
        bare: Its id as the mantle host spells it; of an ARN, what stands last in it.
        host: The host that the string forces.
        region: The region in the string, or in its ARN.
        geography: `us`, `global`, `us-gov` ... if the id began so.
        version: `-1:0` or its like if the id ended so, as the runtime host spells some.
        arn: Whether it is an ARN, which goes to the runtime host as it is.
    """

    given: str
    bare: str
    host: Host | None = None
    region: str | None = None
    geography: str | None = None
    version: str = ""
    arn: bool = False


def parse_name(text: str) -> Name:
    """Take `bedrock/MODEL@region`, `bedrock-mantle/…`, `bedrock-runtime/…` or a bare model apart.

    Raises:
        ConfigError: There is no model in it, or the region cannot be.
    """
    scheme, slash, rest = text.partition("/")
    host: Host | None = None
    if slash and scheme in _SCHEMES:
        host, text = _SCHEMES[scheme], rest
    given, at, region = text.rpartition("@")
    given, found = (given, check_region(region)) if at else (text, None)
    if not _MODEL.fullmatch(given):
        raise ConfigError(
            f"model of {len(given)} characters in a Bedrock model string: write it like "
            "'bedrock/openai.gpt-oss-120b', with '@us-east-1' after it if you like"
        )
    if given.startswith("arn:"):
        return _parse_arn(given, host, found)
    geography = _GEOGRAPHY.match(given)
    bare = given[geography.end() :] if geography else given
    version = _VERSION.search(bare) if bare.startswith("openai.") else None
    return Name(
        given,
        bare[: version.start()] if version else bare,
        host,
        found,
        geography[1] if geography else None,
        version[0] if version else "",
    )


def _parse_arn(given: str, host: Host | None, region: str | None) -> Name:
    parts = given.split(":", 5)
    if len(parts) < 6 or not parts[5]:  # noqa: PLR2004  arn:partition:service:region:account:what
        raise ConfigError(
            f"a model ARN of {len(given)} characters is not whole: "
            "write arn:aws:bedrock:REGION:ACCOUNT:inference-profile/ID"
        )
    named = check_region(parts[3]) if parts[3] else None
    if named and region and named != region:
        raise ConfigError(f"the model ARN is of {named}, and '@{region}' says another region")
    bare = _GEOGRAPHY.sub("", parts[5].rpartition("/")[2])
    return Name(given, _VERSION.sub("", bare), host, region or named, arn=True)


def check_region(region: str) -> str:
    """The region, if it is written as AWS writes them; host names are built of nothing else.

    Raises:
        ConfigError: It is not. The value is shown as far as it is printable ASCII.
    """
    if re.fullmatch(_REGION, region):
        return region
    shown = (
        region[:40] if region.isascii() and region.isprintable() else f"{len(region)} characters"
    )
    raise ConfigError(f"region {shown!r} cannot be: write it like 'us-east-1'")


def host_name(host: str, region: str, dialect: Dialect) -> str:
    """The name of a host in a region, by the table."""
    entry = dialect.host(host)
    suffixes: dict[str, str] = entry.get("suffixes", {})
    start = max((s for s in suffixes if region.startswith(s)), key=len, default="")
    domain: str = entry["domain"]
    return domain.format(region=check_region(region), suffix=suffixes.get(start, ""))


def known_host(url: str) -> tuple[Host, str] | None:
    """Host and region, if a URL is one of Amazon Bedrock's; None for everybody else's."""
    try:
        name = urlsplit(url).hostname or ""
    except ValueError:
        return None
    found = _HOST.fullmatch(name)
    if found is None:
        return None
    return ("mantle" if found[1] == "mantle" else "runtime"), found[2]


def spelled(name: Name, host: str, family: Family, geography: str | None) -> str:
    """The model's id as a host spells it; an ARN goes as it is."""
    if name.arn:
        return name.given
    if host == "mantle":
        return name.bare
    start = f"{geography}." if geography and (family.profiled or name.geography) else ""
    return f"{start}{name.bare}{family.runtime_suffix or name.version}"
