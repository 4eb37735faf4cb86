"""What is under examination: where requests would go, whose they are, what they would say. Pure.

A case is made from the same pieces that a model is made of, so that it shows what would happen.
What cannot be made is kept as a problem, in words, and the other checks go on.
"""

from __future__ import annotations

import re
from dataclasses import field, replace
from typing import TYPE_CHECKING, Final, Literal

from toolstone._dataclass import dataclass
from toolstone._secrets import Hidden, Variables
from toolstone.bedrock.choosing import BEARER, ChosenAuth, choose_auth
from toolstone.bedrock.endpoint import Endpoint, Wishes, resolve_endpoint
from toolstone.bedrock.names import known_host, parse_name
from toolstone.errors import ConfigError
from toolstone.ports import NO_SETTINGS, Settings
from toolstone.responses.address import OPENAI, parse_model_string
from toolstone.responses.failures import sanitised

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolstone.bedrock.dialect import Dialect
    from toolstone.wire import Auth

__all__ = [
    "Case",
    "Finding",
    "Status",
    "failed",
    "found",
    "make_case",
    "passed",
    "right_url",
    "skipped",
    "warned",
]

Status = Literal["pass", "warn", "fail", "skipped"]
_ACCOUNT: Final = re.compile(r"(?<!\d)\d{12}(?!\d)")
_KEY: Final = re.compile(r"\bABSK[A-Za-z0-9+/=]{4,}|\bbedrock-api-key-\S+|\bsk-\S{4,}")


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found.

    Attributes:
        check: The check's name.
        status: `pass`, `warn`, `fail` or `skipped`.
        seen: What was seen; without keys and account ids.
        next: What to do now; empty if nothing.
    """

    check: str
    status: Status
    seen: str
    next: str = ""


def found(check: str, status: Status, seen: str, then: str = "") -> Finding:
    """A finding without secrets: keys are taken out, account ids are not shown."""
    return Finding(check, status, _masked(seen), _masked(then))


def passed(check: str, seen: str) -> Finding:
    """Nothing is wrong here."""
    return found(check, "pass", seen)


def warned(check: str, seen: str, then: str) -> Finding:
    """It works, or may work, and is not as it should be."""
    return found(check, "warn", seen, then)


def failed(check: str, seen: str, then: str) -> Finding:
    """It cannot work so."""
    return found(check, "fail", seen, then)


def skipped(check: str, why: str, then: str = "") -> Finding:
    """It could not be looked at, or need not be."""
    return found(check, "skipped", why, then)


def _masked(text: str) -> str:
    return _KEY.sub("[redacted]", _ACCOUNT.sub("ACCOUNT", sanitised(text)))


@dataclass(frozen=True, slots=True)
class Case:
    """One set-up under examination.

    Attributes:
        model: The model string.
        dialect: What is known of Bedrock.
        environment: Variables.
        now: Unix seconds by our clock.
        url: The base URL that requests go to; empty if none could be made.
        source: Where the URL is from: `table`, `argument`, `model string`, or a variable's name.
        endpoint: What is known of it; None if it is not Bedrock's, or could not be made.
        literal: Whether path and model id are sent as they are written, by a plain client.
        chosen: Who asks; None if nobody could be chosen.
        key: The API key, if one is at hand and fixed.
        problem: Why there is no endpoint.
        auth_problem: Why nobody could be chosen.
        settings: What the requests say.
        wishes: What the endpoint should be able to do.
    """

    model: str
    dialect: Dialect
    environment: Mapping[str, str] = field(repr=False)
    now: float
    url: str = ""
    source: str = ""
    endpoint: Endpoint | None = None
    literal: bool = False
    chosen: ChosenAuth | None = None
    key: str = field(default="", repr=False)
    problem: str = ""
    auth_problem: str = ""
    settings: Settings = NO_SETTINGS
    wishes: Wishes = field(default_factory=Wishes)

    def variable(self, name: str) -> str:
        """A variable's value; empty if it is not set."""
        return self.environment.get(name, "").strip()

    def secret(self, name: str) -> str:
        """As `variable`, of one that holds a key."""
        return Hidden(self.variable(name))


def right_url(end: Endpoint, dialect: Dialect) -> str:
    """The base URL that the table has for the model of an endpoint."""
    prefixes = dialect.host(end.host)["prefixes"]
    prefix = end.family.prefix if end.family.prefix in prefixes else prefixes[-1]
    return f"{end.origin}{prefix}"


def make_case(
    model: str,
    *,
    dialect: Dialect,
    environment: Mapping[str, str],
    now: float,
    region: str | None = None,
    endpoint: str | None = None,
    api_key: str | None = None,
    auth: Auth | None = None,
    settings: Settings = NO_SETTINGS,
    wishes: Wishes | None = None,
) -> Case:
    """The case of a model string, as a model would be made of it.

    Raises:
        ConfigError: The model string is of no form that toolstone knows.
    """
    wishes = wishes or Wishes()
    api_key = None if api_key is None else Hidden(api_key)
    environment = Variables(environment)
    case = Case(model, dialect, environment, now, settings=settings, wishes=wishes)
    scheme, _, rest = model.partition("/")
    if scheme == "openai":
        return _of_openai(case, rest, region, api_key, auth)
    if model.startswith("responses+"):
        return _of_url(case, api_key, auth)
    if scheme == "local":
        return replace(case, source="model string")
    if not endpoint and not scheme.startswith("bedrock"):
        case = replace(case, model=f"bedrock/{model}")
    case = _placed(case, case.model, region, endpoint)
    return _with_auth(case, api_key, auth)


def _of_openai(
    case: Case, name: str, region: str | None, api_key: str | None, auth: Auth | None
) -> Case:
    """`openai/NAME`: Bedrock's, if OpenAI's variables say so."""
    base = case.variable("OPENAI_BASE_URL")
    source = "OPENAI_BASE_URL" if base else "the default of 'openai/'"
    if known_host(base) is None:
        key = api_key or case.secret("OPENAI_API_KEY")
        return replace(case, url=base or OPENAI, source=source, key=key)
    case = _placed(case, f"bedrock/{name}", region, base)
    key = api_key or case.secret("OPENAI_API_KEY")
    return replace(_with_auth(case, key or None, auth), source=source)


def _of_url(case: Case, api_key: str | None, auth: Auth | None) -> Case:
    """`responses+URL#MODEL`: everything is sent as it is written."""
    base, name = parse_model_string(case.model)
    case = replace(case, url=base, source="model string", literal=True, key=api_key or "")
    known = known_host(base)
    if known is None:
        return case
    case = _placed(case, f"bedrock-{known[0]}/{name}", None, base)
    if case.endpoint is not None:
        case = replace(case, endpoint=replace(case.endpoint, model=name))
    case = replace(case, source="model string")
    if api_key is None and auth is None:
        return replace(
            case, auth_problem="a model string with a URL sends no key: write 'bedrock/MODEL'"
        )
    return _with_auth(case, api_key, auth)


def _placed(case: Case, model: str, region: str | None, endpoint: str | None) -> Case:
    try:
        end = resolve_endpoint(
            model,
            region=region,
            endpoint=endpoint,
            wishes=case.wishes,
            dialect=case.dialect,
            environment=case.environment,
        )
    except ConfigError as error:
        base = endpoint or case.variable("AWS_BEDROCK_BASE_URL")
        parse_name(model)  # a string that cannot be read is a mistake of the caller
        return replace(case, problem=str(error), url=base, source="argument" if endpoint else "")
    return replace(case, endpoint=end, url=end.base_url, source=end.source)


def _with_auth(case: Case, api_key: str | None, auth: Auth | None) -> Case:
    key = api_key or ("" if auth else case.secret(BEARER))
    if case.endpoint is None:
        return replace(case, key=key)
    try:
        chosen = choose_auth(
            case.endpoint, api_key=api_key, auth=auth, environment=case.environment
        )
    except ConfigError as error:
        return replace(case, auth_problem=str(error), key=key)
    return replace(case, chosen=chosen, key=key)
