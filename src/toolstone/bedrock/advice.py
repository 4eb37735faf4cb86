"""What the table has against an endpoint that was chosen, for people to read. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from toolstone.bedrock.dialect import Dialect, Family
    from toolstone.bedrock.endpoint import Wishes
    from toolstone.bedrock.names import Host, Name

__all__ = ["SPOKEN", "Place", "advise"]

SPOKEN: Final = {"responses": "Responses", "chat": "Chat Completions"}
"""What the protocols are called."""


class Place(NamedTuple):
    """A model where it is to be reached."""

    name: Name
    family: Family
    api: str
    host: Host
    region: str
    geography: str | None


def advise(place: Place, wishes: Wishes, dialect: Dialect) -> list[str]:
    """One sentence for each thing that is known not to be so there."""
    return [
        *_about_model(place, dialect),
        *_about_wishes(place, wishes, dialect),
        *_about_mantle(place, dialect),
        *_about_profile(place, wishes, dialect),
    ]


def _about_model(place: Place, dialect: Dialect) -> list[str]:
    name, family, host, told = place.name, place.family, place.host, []
    hosts, speech = family.answers_on(place.api), SPOKEN[place.api]
    if not family.name:
        told.append(f"{name.bare} is in no family of the table of {dialect.date}")
    elif not hosts:
        told.append(f"{name.bare} is known to speak {', '.join(family.apis)} and not {speech}")
    elif host not in hosts:
        other = place.api == "responses" and host in family.answers_on("chat")
        then = ", or ask for Chat Completions: Wishes(api='chat')" if other else ""
        told.append(
            f"{name.bare} is not known to answer {speech} on {host}: "
            f"write 'bedrock-{hosts[0]}/{name.bare}'{then}"
        )
    if host == "mantle" and name.given != name.bare and not name.arn:
        told.append(f"{name.given} is the runtime host's spelling; mantle knows {name.bare}")
    return told


def _about_wishes(place: Place, wishes: Wishes, dialect: Dialect) -> list[str]:
    told = []
    for feature in wishes.features:
        hosts = dialect.hosts_for(feature)
        if place.host not in hosts:
            told.append(f"{feature} is known on {' and '.join(hosts)} alone, not on {place.host}")
        elif place.api == "chat" and feature != "project":
            told.append(f"{place.name.bare} speaks Chat Completions here, without {feature}")
    return told


def _about_mantle(place: Place, dialect: Dialect) -> list[str]:
    name, region = place.name, place.region
    if place.host != "mantle" or not region:
        return []
    known = dialect.regions("mantle")
    seen = dialect.model(name.bare).get("mantle", [])
    if region not in known:
        return [f"mantle is not known in {region}; it is in {', '.join(known)}"]
    if seen and region not in seen:
        return [f"{name.bare} was not seen on mantle in {region}; it was in {', '.join(seen)}"]
    return []


def _about_profile(place: Place, wishes: Wishes, dialect: Dialect) -> list[str]:
    """What is to be said of the beginning that the runtime host wants before an id."""
    geography, region, told = place.geography, place.region, []
    if place.host != "runtime" or not place.family.profiled:
        return []
    choices = dialect.profiles(region) if region else ()
    if geography is None:
        told.append("without 'us.' or 'global.' the runtime host may refuse the id")
    elif choices and geography not in choices and not place.name.arn:
        told.append(f"{region} is not known to have the {geography!r} profiles")
    if geography == "global" and wishes.stored:
        told.append("a stored response lives in the region that served it: prefer 'us.'")
    if geography == "global" and not wishes.residency and not place.name.geography:
        told.append("'global.' inference may run in any region; residency= says otherwise")
    return told
