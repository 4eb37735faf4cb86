"""Why does it not work? Offline checks first, then cheap questions, then one request of 16 tokens.

The checks are data: a name, a phase and a function each, in the order in which they are made. Those
that ask nobody stand in `checks/offline.py`, and what a host refuses is read by the table that
exceptions have too (`responses/failures.py` with the dialect's rows before it).
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from importlib import metadata
from typing import TYPE_CHECKING, Any, Final, Literal, TypedDict, Unpack

from toolstone._dataclass import dataclass
from toolstone._secrets import Variables
from toolstone.bedrock.checks import aws, deep, offline, online
from toolstone.bedrock.checks.answers import Visit
from toolstone.bedrock.checks.case import Case, Finding, make_case, passed, skipped, warned
from toolstone.bedrock.dialect import Dialect
from toolstone.bedrock.model import BedrockModel
from toolstone.ports import NO_SETTINGS, Settings
from toolstone.wire import NoAuth

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from toolstone.bedrock.endpoint import Wishes
    from toolstone.wire import Auth, Transport

__all__ = [
    "CHECKS",
    "QUESTIONS",
    "Check",
    "Finding",
    "Options",
    "Question",
    "check_model",
    "diagnose",
]

Phase = Literal["get", "aws", "post", "deep"]
_BOTOCORE: Final = (1, 33)


@dataclass(frozen=True, slots=True)
class Check:
    """One thing to look at without asking anybody."""

    name: str
    run: Callable[[Case], Finding]


@dataclass(frozen=True, slots=True)
class Question:
    """One thing to ask.

    Attributes:
        name: What it is called.
        phase: What it costs: `get`, `aws` (through boto3), `post` (one request), `deep` (several).
        run: Asks, at the endpoint that is visited.
    """

    name: str
    phase: Phase
    run: Callable[[Visit], Awaitable[Finding]]


def _versions(_: Case) -> Finding:
    """Whether botocore is new enough to find all kinds of credentials."""
    version = metadata.version("botocore")
    found = tuple(int(part) for part in version.split(".")[:2])
    if found < _BOTOCORE:
        return warned("versions", f"botocore {version}", "take 1.33 or later")
    return passed("versions", f"botocore {version}; keys are minted here, by no other package")


CHECKS: Final = (
    Check("endpoint", offline.endpoint),
    Check("path", offline.path),
    Check("region", offline.region),
    Check("model", offline.model),
    Check("credentials", offline.credentials),
    Check("API key", offline.key),
    Check("variables", offline.variables),
    Check("capability", offline.capability),
    Check("state", offline.state),
    Check("versions", _versions),
)
QUESTIONS: Final = (
    Question("credentials found", "get", online.credentials_found),
    Question("reachable", "get", online.reachable),
    Question("clock", "get", online.clock),
    Question("model in region", "get", online.in_region),
    Question("data retention", "get", online.retention),
    Question("caller", "aws", aws.caller),
    Question("service quotas", "aws", aws.quotas),
    Question("inference profiles", "aws", aws.profiles),
    Question("identity", "post", online.identity),
    Question("route", "post", online.route),
    Question("permissions", "post", online.permissions),
    Question("access to the model", "post", online.access),
    Question("quota", "post", online.quota),
    Question("request", "post", online.request),
    Question("other regions", "deep", online.elsewhere),
    Question("stream", "deep", deep.stream),
    Question("function calls", "deep", deep.calls),
    Question("forced tool choice", "deep", deep.forced),
    Question("structured output", "deep", deep.schema),
    Question("stored responses", "deep", deep.stored),
    Question("background", "deep", deep.background),
    Question("encrypted reasoning", "deep", deep.encrypted),
)


class Options(TypedDict, total=False):
    """What a diagnosis may be told beside the model; each as for `bedrock_model`."""

    region: str | None
    endpoint: str | None
    api_key: str | None
    auth: Auth | None
    settings: Settings
    wishes: Wishes | None
    dialect: Dialect | None
    environment: Mapping[str, str] | None


async def diagnose(
    model: str,
    *,
    deep: bool = False,
    ask_aws: bool | None = None,
    offline: bool = False,
    transport: Transport | None = None,
    clock: Callable[[], float] = time.time,
    **options: Unpack[Options],
) -> AsyncIterator[Finding]:
    """Look at everything that can keep a model from answering, and say what is found as it is.

    Unless `offline`, this sends a few GETs and one POST that costs a fraction of a cent.

    Args:
        model: Any model string.
        deep: Also probe streams, calls, schemas, stored and background responses.
        ask_aws: Ask STS, Service Quotas and Bedrock's service API too; unless given, if the
            endpoint is AWS's own, or `AWS_ENDPOINT_URL` or `AWS_ENDPOINT_URL_STS` is set.
        offline: Ask nobody.
        transport: Carries the requests; httpx unless said otherwise.
        clock: Unix seconds.
        **options: Region, endpoint, keys, settings: see `Options`.

    Yields:
        One `Finding` for each check, in the order of `CHECKS` and `QUESTIONS`.

    Raises:
        ConfigError: The model string cannot be read.
    """
    case = _case(model, clock(), options)
    for check in CHECKS:
        yield check.run(case)
    if offline:
        return
    aws_too = _is_aws(case) if ask_aws is None else ask_aws
    phases = {"get": True, "post": True, "deep": deep, "aws": aws_too}
    questions = [question for question in QUESTIONS if phases[question.phase]]
    if case.endpoint is None:
        for question in questions:
            yield skipped(question.name, "there is no endpoint of Amazon Bedrock")
        return
    auth = NoAuth() if case.chosen is None else case.chosen.auth
    visit = Visit(case, case.endpoint, auth, transport=transport, clock=clock)
    try:
        for question in questions:
            yield await _asked(question, visit)
    finally:
        await visit.aclose()


async def _asked(question: Question, visit: Visit) -> Finding:
    name, door = question.name, visit.kept.get("door")
    if visit.case.chosen is None and name not in ("reachable", "clock"):
        return skipped(name, "there is nobody to ask as; see 'credentials'")
    if question.phase != "aws" and door is not None and not door.status:
        return skipped(name, "the host cannot be reached")
    return await question.run(visit)


def _is_aws(case: Case) -> bool:
    said = case.variable("AWS_ENDPOINT_URL") or case.variable("AWS_ENDPOINT_URL_STS")
    return bool(said) or (case.endpoint is not None and case.endpoint.aws)


def _case(model: str, now: float, options: Options) -> Case:
    given: dict[str, Any] = {**options}
    dialect = given.pop("dialect", None) or Dialect.load()
    environment = given.pop("environment", None)
    environment = Variables(os.environ if environment is None else environment)
    return make_case(model, dialect=dialect, environment=environment, now=now, **given)


def check_model(
    model: object,
    *,
    name: str = "",
    settings: Settings = NO_SETTINGS,
    environment: Mapping[str, str] | None = None,
    clock: Callable[[], float] = time.time,
) -> tuple[Finding, ...]:
    """The offline findings about a model that an agent has; nobody is asked.

    Args:
        model: A model string or a model object.
        name: The string that a model object was made from, if it was.
        settings: Parameters of the agent's requests.
        environment: Variables; the process's own unless given.
        clock: Unix seconds.

    Returns:
        One finding for each offline check; none for a model that is nobody's endpoint, such as a
        scripted one.
    """
    environment = Variables(os.environ if environment is None else environment)
    if isinstance(model, str):
        case = _case(model, clock(), {"settings": settings, "environment": environment})
        return _looked(case)
    case = Case(name, Dialect.load(), environment, clock(), settings=settings)
    if isinstance(model, BedrockModel):
        end = model.endpoint
        seen = replace(case, url=end.base_url, source=end.source, endpoint=end)
        return _looked(replace(seen, chosen=model.auth, wishes=model.wishes))
    base, ident = getattr(model, "base_url", None), getattr(model, "model", None)
    if not isinstance(base, str) or not isinstance(ident, str):
        return ()
    plain = _case(f"responses+{base}#{ident}", clock(), {"environment": environment})
    return _looked(replace(plain, settings=settings, auth_problem="", model=name))


def _looked(case: Case) -> tuple[Finding, ...]:
    return tuple(check.run(case) for check in CHECKS)
