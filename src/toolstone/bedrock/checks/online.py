"""What the host itself tells: cheap GETs first, then one POST of 16 tokens, read in many ways."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from toolstone import limits
from toolstone.bedrock.checks.case import failed, passed, right_url, skipped, warned
from toolstone.bedrock.checks.statements import feature_of, statement
from toolstone.bedrock.credentials import THREE_WAYS
from toolstone.errors import ConfigError

if TYPE_CHECKING:
    from toolstone.bedrock.checks.answers import Answer, Visit
    from toolstone.bedrock.checks.case import Finding

__all__ = [
    "access",
    "clock",
    "credentials_found",
    "elsewhere",
    "identity",
    "in_region",
    "permissions",
    "quota",
    "reachable",
    "request",
    "retention",
    "route",
]

_DENIED: Final = re.compile(r"not authorized to perform: (?P<action>[\w:-]+)")
_ORDER: Final = {
    "mantle": ("auth", "permission", "route", "gate", "throttled", "ok"),
    "runtime": ("auth", "route", "permission", "gate", "throttled", "ok"),
}
"""In which order each host looks at a request: what comes late has passed what comes before."""
_STAGES: Final = {"wrong-route": "route", "model": "route", "no-response": "route"}
_UNTOLD: Final = "the request did not come that far"


# ------------------------------------------------------------------------------- before the POST


async def credentials_found(visit: Visit) -> Finding:
    """Whether the one who asks has something to ask with; the chain is searched here."""
    name, auth = "credentials found", visit.auth
    try:
        await auth.headers("GET", visit.endpoint.origin, {}, b"")
        source = getattr(auth, "source", None)
        keys = await source.keys() if source is not None else None
    except ConfigError as error:
        return failed(name, str(error), THREE_WAYS)
    if keys is None:
        return passed(name, "there is something to ask with")
    kind = "temporary" if keys.token else "permanent"
    return passed(name, f"{kind} credentials, found by {keys.source!r}")


async def reachable(visit: Visit) -> Finding:
    """Whether anything answers at the host."""
    name = "reachable"
    url = f"{visit.endpoint.origin}/v1/models"
    answer = await visit.ask("GET", url, signed=False)
    visit.kept["door"] = answer
    host = urlsplit(visit.endpoint.origin).hostname
    if answer.status:
        return passed(name, f"{host} answers")
    if answer.silent:
        return failed(name, f"{host}: {answer.trouble}", "look at the proxy and egress rules")
    then = "a name that is not found is a typo in the region, or a missing VPC endpoint"
    return failed(name, answer.trouble, then)


async def clock(visit: Visit) -> Finding:
    """Whether our clock agrees with the host's."""
    name = "clock"
    if visit.skew is None:
        return skipped(name, "no answer had a Date")
    off = round(visit.skew)
    side = "behind" if off > 0 else "ahead of"
    seen = f"ours is {abs(off)} s {side} the host's" if off else "ours agrees with the host's"
    if abs(off) > limits.DOCTOR_SKEW_SECONDS:
        return failed(name, seen, "set the clock (NTP): signatures that are off are refused")
    return passed(name, seen)


async def in_region(visit: Visit) -> Finding:
    """Whether the host's own catalogue has the model."""
    name, end = "model in region", visit.endpoint
    control = visit.case.dialect.host(end.host)["control"]
    if not control:
        return skipped(name, f"the {end.host} host has no catalogue; the request below tells")
    answer = await visit.get(f"{control}/models")
    if answer.means in ("permission", "auth"):
        return _untold(visit, name, answer, "catalogue")
    listed = _listed(answer)
    if listed is None:
        return skipped(name, answer.said or f"GET {control}/models told no list")
    if end.model in listed:
        return passed(name, f"{end.model} is one of {len(listed)} models in {end.region}")
    near = [one for one in listed if one.rpartition(".")[0] == end.model.rpartition(".")[0]]
    then = f"it has {', '.join(sorted(near)[:6])}" if near else "`toolstone models` lists them"
    seen = f"{end.model} is not among the {len(listed)} models of {end.region or end.origin}"
    regions = visit.case.dialect.model(end.bare).get("mantle", [])
    if regions:
        then = f"it was seen in {', '.join(regions)}: write 'bedrock/{end.bare}@{regions[0]}'"
    return failed(name, seen, then)


async def elsewhere(visit: Visit) -> Finding:
    """Which other regions have a model that this one has not; each is asked once."""
    name, end = "other regions", visit.endpoint
    here = _listed(await visit.get("/v1/models")) if end.host == "mantle" else None
    if here is None or end.model in here:
        return skipped(name, "no other region need be asked")
    chosen = visit.case.chosen
    if chosen is None or chosen.source != "credential chain" or not end.aws:
        return skipped(name, "only the AWS credential chain can ask other regions")
    regions = [one for one in visit.case.dialect.regions("mantle") if one != end.region]
    told = await asyncio.gather(*(visit.models_of(one) for one in regions))
    having = [one for one, models in zip(regions, told, strict=True) if end.model in models]
    if not having:
        return warned(name, f"no region that answered has {end.model}", "check how it is spelt")
    then = f"write 'bedrock/{end.bare}@{having[0]}'"
    return warned(name, f"{end.model} is in {', '.join(having)}", then)


def _listed(answer: Answer) -> set[str] | None:
    data = answer.body.get("data") if isinstance(answer.body, dict) else None
    if not isinstance(data, list) or answer.refused is not None:
        return None
    return {str(one["id"]) for one in data if isinstance(one, dict) and one.get("id")}


def _untold(visit: Visit, name: str, answer: Answer, feature: str) -> Finding:
    """A question that a policy, or a bad key, keeps from being answered."""
    if answer.means == "auth":
        return skipped(name, "the host does not know who asks; see below")
    then = f"to be told, attach {statement(feature, visit.endpoint, visit.case.dialect)}"
    return skipped(name, "no policy allows to ask", then)


async def _record(visit: Visit) -> Answer | None:
    """The model's own record, where the host has one."""
    control = visit.case.dialect.host(visit.endpoint.host)["control"]
    if not control:
        return None
    return await visit.get(f"{control}/models/{quote(visit.endpoint.model, safe='')}")


async def retention(visit: Visit) -> Finding:
    """What the account lets the service keep, against what is wished."""
    name, case = "data retention", visit.case
    control = case.dialect.host(visit.endpoint.host)["control"]
    if not control:
        return skipped(name, f"the {visit.endpoint.host} host does not tell")
    answer = await visit.get(f"{control}/data_retention")
    if answer.means in ("permission", "auth"):
        return _untold(visit, name, answer, "retention")
    mode = answer.body.get("mode") if isinstance(answer.body, dict) else None
    if not isinstance(mode, str) or answer.refused is not None:
        return skipped(name, answer.said or "the answer names no mode")
    record = await _record(visit)
    allowed = _allowed_modes(record)
    if allowed and mode not in allowed:
        then = f"the model takes {', '.join(allowed)}: change the mode, or take another model"
        return failed(name, f"mode {mode!r}, which {visit.endpoint.bare} does not allow", then)
    wished = case.wishes.background or case.wishes.stored or case.settings.store
    if mode == "none" and wished:
        seen = "mode 'none': nothing is stored, and background and store=True are refused"
        return failed(name, seen, "PUT /v1/data_retention another mode, or keep the history here")
    return passed(name, f"mode {mode!r}")


def _allowed_modes(record: Answer | None) -> list[str]:
    body = record.body if record is not None and isinstance(record.body, dict) else {}
    kept = body.get("data_retention")
    modes = kept.get("allowed_modes") if isinstance(kept, dict) else None
    return [str(mode) for mode in modes] if isinstance(modes, list) else []


# ----------------------------------------------------------------- one POST, read in several ways


async def probe(visit: Visit) -> Answer:
    """The smallest request there is, sent once and kept."""
    if "probe" not in visit.kept:
        body = {"input": "ping", "max_output_tokens": 16, "store": False}
        visit.kept["probe"] = await visit.post(body)
    return visit.kept["probe"]


def _stage(answer: Answer) -> str:
    means = answer.means
    return _STAGES.get(means, means if means in _ORDER["mantle"] else "gate")


async def _passed(visit: Visit, stage: str) -> bool | None:
    """Whether the POST came past a stage; False if it ended there, None if it is not known."""
    answer = await probe(visit)
    if not answer.means:
        return None
    order = _ORDER[visit.endpoint.host]
    there, here = order.index(_stage(answer)), order.index(stage)
    return None if there < here else there > here


async def identity(visit: Visit) -> Finding:
    """Whether the host knows who asks."""
    name = "identity"
    known = await _passed(visit, "auth")
    answer = await probe(visit)
    if known is None:
        return skipped(name, answer.trouble)
    if known:
        return passed(name, "the host knows who asks")
    if visit.skew is not None and abs(visit.skew) > limits.DOCTOR_SKEW_SECONDS:
        return failed(name, answer.said, "set the clock first: see the check 'clock'")
    then = (
        "these are the credentials, not a policy: a wrong, expired or other region's key, or a "
        "signature for another host"
    )
    return failed(name, answer.said, then)


async def route(visit: Visit) -> Finding:
    """Whether this path and this id lead to the model."""
    name = "route"
    answer = await probe(visit)
    told = await _passed(visit, "route")
    if told is None:
        return skipped(name, _UNTOLD)
    if told:
        return passed(name, f"{visit.endpoint.model} answers at {visit.endpoint.base_url}")
    if answer.means == "wrong-route":
        return await _other_prefix(visit, answer)
    if answer.means == "no-response":
        return failed(
            name, _no_response(answer), f"use {right_url(visit.endpoint, visit.case.dialect)}"
        )
    return failed(name, answer.said, _other_id(visit, answer))


def _no_response(answer: Answer) -> str:
    body: Any = answer.body
    output = body.get("Output") if isinstance(body, dict) else None
    kind = str(output.get("__type", "")).rpartition("#")[2] if isinstance(output, dict) else ""
    return f"200 without a response in it{f': {kind}' if kind else ''}: the path is wrong"


async def _other_prefix(visit: Visit, answer: Answer) -> Finding:
    """A refused route is a wrong prefix, or a model that is not here: the other prefix tells."""
    name, end = "route", visit.endpoint
    prefixes = visit.case.dialect.host(end.host)["prefixes"]
    for prefix in (p for p in prefixes if p != end.prefix):
        base = f"{end.origin}{prefix}"
        body = {"input": "ping", "max_output_tokens": 16, "store": False}
        if (await visit.post(body, base=base)).is_response:
            say = failed if visit.case.literal else warned
            return say(name, f"wrong path prefix: {answer.said}", f"use {base}")
    then = "neither prefix serves it: it is not in this region, or speaks another protocol"
    return failed(name, answer.said, then)


def _other_id(visit: Visit, answer: Answer) -> str:
    end, case = visit.endpoint, visit.case
    hosts = end.family.answers_on("responses")
    if end.host == "runtime" and "mantle" in hosts and "runtime" not in hosts:
        return f"write 'bedrock-mantle/{end.bare}': its Responses API is on the mantle host"
    if answer.refused is not None and answer.refused.mend == "translate-id":
        choices = case.dialect.profiles(end.region) if end.region else ("us", "global")
        return f"use {' or '.join(f'{start}.{end.bare}' for start in choices)}"
    return "`toolstone models` lists what is served here; see 'model in region'"


async def access(visit: Visit) -> Finding:
    """Whether the account has the model: agreement, subscription, retention."""
    name, end = "access to the model", visit.endpoint
    record = await _record(visit)
    body = record.body if record is not None and isinstance(record.body, dict) else {}
    if body.get("status") == "unavailable":
        reason = body.get("status_reason") or "no reason is given"
        then = "open the model's page in the Bedrock console and agree to its terms"
        return failed(name, f"{end.model} is unavailable: {reason}", then)
    answer = await probe(visit)
    if "aws-marketplace" in answer.said:
        then = f"attach {statement('first_use', end, visit.case.dialect)}"
        return failed(name, answer.said, then)
    if "data retention mode" in answer.said:
        then = "see GET /v1/data_retention; change the mode, or take another model"
        return failed(name, answer.said, then)
    if await _passed(visit, "gate") or answer.means == "ok":
        return passed(name, f"{end.model} answers this account")
    return skipped(name, _UNTOLD)


async def permissions(visit: Visit) -> Finding:
    """Whether IAM lets the caller ask; if not, the statement that would."""
    name, end = "permissions", visit.endpoint
    answer = await probe(visit)
    told = await _passed(visit, "permission")
    if told is None:
        return skipped(name, _UNTOLD)
    if told or "aws-marketplace" in answer.said:
        return passed(name, "IAM allows this request")
    denied = _DENIED.search(answer.said)
    feature = feature_of(denied["action"], end, visit.case.dialect) if denied else "respond"
    then = f"attach {statement(feature, end, visit.case.dialect)}"
    if feature == "api_key":
        then += "; or sign with AWS credentials, which need no such action"
    listed = visit.kept.get("/v1/models")
    if listed is not None and listed.means == "no-response" and feature == "respond":
        return failed(name, f"read-only: models may be listed, not asked. {answer.said}", then)
    return failed(name, answer.said, then)


async def quota(visit: Visit) -> Finding:
    """Whether 16 tokens fit into the quota."""
    name = "quota"
    told = await _passed(visit, "throttled")
    if told is None:
        return skipped(name, _UNTOLD)
    if told:
        cap = visit.case.settings.max_output_tokens
        seen = f"; max_output_tokens={cap} is reserved at admission" if cap else ""
        return passed(name, f"a request of 16 tokens is admitted{seen}")
    then = (
        "a request this small does not fit: the quota is used up, or zero; see the Service Quotas "
        "console, and ask AWS Support for an increase"
    )
    return failed(name, (await probe(visit)).said, then)


async def request(visit: Visit) -> Finding:
    """How the POST ended."""
    name = "request"
    answer = await probe(visit)
    if answer.is_response and answer.body.get("status") == "failed":
        seen = "a response came, and its status is 'failed'"
        return warned(name, seen, "the service broke while it answered: try again")
    if answer.is_response:
        return passed(name, f"POST {visit.endpoint.prefix}{visit.endpoint.path} answered")
    if answer.nobody:
        return skipped(name, "there is nobody to ask as")
    if answer.silent:
        then = "a wrong path and some regions have been seen to hang: check the path, try another"
        return failed(name, answer.trouble, then)
    if not answer.status:
        return failed(name, answer.trouble, "the host answers, and not this: try again")
    if answer.means == "transient":
        return warned(name, answer.said, "the service broke, or is at capacity: try again")
    if _stage(answer) == "gate":
        return failed(name, answer.said, _gate_advice(answer))
    return skipped(name, "it was refused; see above")


def _gate_advice(answer: Answer) -> str:
    parameter = answer.refused.param if answer.refused is not None else ""
    if parameter:
        return f"leave {parameter!r} out, or correct the gates of the dialect"
    return "read what it says; AWS Support asks for the request id"
