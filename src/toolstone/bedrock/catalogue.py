"""What models there are: mantle's own catalogue, and boto3's lists for the runtime host."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any

from toolstone._dataclass import dataclass
from toolstone.bedrock.dialect import Dialect
from toolstone.bedrock.flight import Flight
from toolstone.bedrock.names import parse_name
from toolstone.errors import ConfigError, ProtocolError, ServiceError, TransportError
from toolstone.responses.decode import decode
from toolstone.responses.failures import failure, read_error, sanitised
from toolstone.wire import HttpRequest, HttpxTransport

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolstone.bedrock.dialect import Family
    from toolstone.bedrock.endpoint import Endpoint
    from toolstone.wire import Auth, Transport

__all__ = ["Listed", "list_models", "list_runtime_models"]


@dataclass(frozen=True, slots=True)
class Listed:
    """One model of a catalogue, and what our table says of it.

    Attributes:
        id: As the host spells it.
        host: `mantle` or `runtime`.
        region: Where it was asked for.
        status: `available`, `unavailable`, or what the service says; empty if it says nothing.
        reason: Why it is not available.
        family: The family in the table; empty if it is in none.
        prefix: The path prefix that the table has for it.
        apis: What the table says it speaks.
        raw: What the service said, whole.
    """

    id: str
    host: str
    region: str
    status: str = ""
    reason: str = ""
    family: str = ""
    prefix: str = ""
    apis: tuple[str, ...] = ()
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def speaks_responses(self) -> bool:
        """Whether the table says that the Responses API reaches it."""
        return "responses" in self.apis


async def list_models(
    endpoint: Endpoint,
    auth: Auth,
    *,
    transport: Transport | None = None,
    dialect: Dialect | None = None,
) -> tuple[Listed, ...]:
    """The catalogue of a mantle host: `GET /v1/models`, whatever the models' own prefix.

    Args:
        endpoint: A resolved endpoint of the host and region.
        auth: Who asks, such as `choose_auth(endpoint).auth`.
        transport: Carries the request; httpx unless said otherwise.
        dialect: The table to compare with.

    Raises:
        ConfigError: The endpoint is the runtime host's, which has no catalogue.
        ServiceError: It did not answer with one.
    """
    dialect = dialect or Dialect.load()
    control = dialect.host(endpoint.host)["control"]
    if not control:
        raise ConfigError(
            f"the {endpoint.host} host has no catalogue: list_runtime_models(region) asks the "
            "service API instead"
        )
    body = await _get(f"{endpoint.origin}{control}/models", auth, transport, dialect)
    entries = body.get("data") if isinstance(body, dict) else None
    if not isinstance(entries, list):
        raise ProtocolError(
            f"GET {control}/models answered 200, but not with a list of models", phase="body"
        )
    told = [entry for entry in entries if isinstance(entry, dict) and entry.get("id")]
    return tuple(_from_mantle(entry, endpoint.region, dialect) for entry in told)


async def _get(
    url: str, auth: Auth, transport: Transport | None, dialect: Dialect
) -> dict[str, Any] | Any:
    """One GET; once more if the one who signs has learnt something from a refusal."""
    carrier = transport or HttpxTransport()
    plain = {"accept": "application/json", "accept-encoding": "identity", "user-agent": "toolstone"}
    again = True
    while True:
        added = await auth.headers("GET", url, plain, b"")
        reply = await carrier.send(HttpRequest("GET", url, {**plain, **added}))
        if 200 <= reply.status < 300:  # noqa: PLR2004  the class of HTTP successes
            return decode(reply.body)
        refused = failure(
            read_error(_told(reply.body)),
            status=reply.status,
            headers=reply.headers,
            body=reply.body,
            secrets=list(added.values()),
            table=dialect.failures,
        )
        again = again and refused.means != "permission"
        if not (again and await auth.learn(reply.status, reply.headers)):
            raise refused
        again = False


def _told(body: bytes) -> object:
    try:
        return decode(body)
    except ServiceError:
        return body.decode("utf-8", "replace")


async def list_runtime_models(
    region: str, *, profile: str | None = None, endpoint: str | None = None
) -> tuple[Listed, ...]:
    """What boto3's `bedrock` client lists: inference profiles, and models without one.

    Args:
        region: The region.
        profile: The AWS profile; the credential chain's own choice unless given.
        endpoint: The service API's address; AWS's own unless given.

    Raises:
        ConfigError: There are no credentials.
        TransportError: The service API did not answer, or refused.
    """
    flight: Flight[list[Listed]] = Flight(lambda: _ask_boto3(region, profile, endpoint))
    return tuple(await flight.answer())


def _ask_boto3(region: str, profile: str | None, endpoint: str | None) -> list[Listed]:
    import boto3  # noqa: PLC0415  at first need: 200 ms
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError  # noqa: PLC0415

    try:
        session = boto3.session.Session(profile_name=profile, region_name=region)
        client = session.client("bedrock", endpoint_url=endpoint)
        models = client.list_foundation_models()["modelSummaries"]
        profiles = _profiles(client)
    except NoCredentialsError as error:
        raise ConfigError("no AWS credentials were found to list models with") from error
    except (BotoCoreError, ClientError) as error:
        raise TransportError(
            f"listing the models of {region} failed ({type(error).__name__}): "
            f"{sanitised(str(error))}",
            retryable=False,
        ) from error
    dialect = Dialect.load()
    listed = [_from_runtime(p["inferenceProfileId"], p, region, dialect) for p in profiles]
    have = {parse_name(one.id).bare for one in listed}
    alone = [m for m in models if parse_name(m["modelId"]).bare not in have]
    return [*listed, *(_from_runtime(m["modelId"], m, region, dialect) for m in alone)]


def _profiles(client: Any) -> list[dict[str, Any]]:
    """Every page of the inference profiles."""
    found: list[dict[str, Any]] = []
    token: dict[str, str] = {}
    while True:
        page = client.list_inference_profiles(**token)
        found += page["inferenceProfileSummaries"]
        if not page.get("nextToken"):
            return found
        token = {"nextToken": page["nextToken"]}


def _from_mantle(raw: Mapping[str, Any], region: str, dialect: Dialect) -> Listed:
    ident = str(raw["id"])
    return Listed(
        ident,
        "mantle",
        region,
        _text(raw.get("status")),
        _text(raw.get("status_reason")),
        raw=raw,
        **_of_table(dialect.family(ident), "mantle"),
    )


def _from_runtime(ident: str, raw: Mapping[str, Any], region: str, dialect: Dialect) -> Listed:
    lifecycle = raw.get("modelLifecycle") or {}
    family = dialect.family(parse_name(ident).bare)
    return Listed(
        ident,
        "runtime",
        region,
        _text(raw.get("status") or lifecycle.get("status")),
        raw=raw,
        **_of_table(family, "runtime"),
    )


def _of_table(family: Family, host: str) -> dict[str, Any]:
    if not family.name:
        return {}
    known = ("responses", "chat")
    apis = [api for api in family.apis if api not in known or host in family.answers_on(api)]
    prefix = family.prefix if host == "mantle" else "/openai/v1"
    return {"family": family.name, "prefix": prefix, "apis": tuple(apis)}


def _text(raw: object) -> str:
    return raw if isinstance(raw, str) else ""
