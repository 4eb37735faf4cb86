"""What can be known without asking: URL, path, region, model, keys, variables, settings. Pure.

Each check takes the case and returns one finding; bedrock.md §12 says what each reading means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from toolstone import limits
from toolstone.bedrock.advice import SPOKEN
from toolstone.bedrock.checks.case import failed, passed, right_url, skipped, warned
from toolstone.bedrock.checks.keys import read_short_term
from toolstone.bedrock.choosing import BEARER, looks_like_bedrock_key
from toolstone.bedrock.credentials import THREE_WAYS
from toolstone.bedrock.gating import value_of
from toolstone.bedrock.names import known_host, spelled
from toolstone.bedrock.names import parse_name as parse
from toolstone.ports import Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolstone.bedrock.checks.case import Case, Finding
    from toolstone.bedrock.checks.keys import ShortTerm
    from toolstone.bedrock.endpoint import Endpoint

__all__ = [
    "capability",
    "credentials",
    "endpoint",
    "key",
    "model",
    "path",
    "region",
    "state",
    "variables",
]

_TAILS: Final = ("/responses", "/chat/completions")
_NOT_OURS: Final = "not an endpoint of Amazon Bedrock"
_BEDROCK: Final = "write 'bedrock/MODEL', or set OPENAI_BASE_URL to "
_MANTLE: Final = "https://bedrock-mantle.REGION.api.aws/v1"


def endpoint(case: Case) -> Finding:
    """Whether requests go to Bedrock, and not to OpenAI."""
    name = "endpoint"
    if case.endpoint is not None:
        end = case.endpoint
        whose = "" if end.aws else ", an origin of your own"
        return passed(name, f"{end.host} at {end.base_url} (from {case.source}){whose}")
    if case.problem:
        return failed(name, case.problem, _url_to_use(case))
    host = urlsplit(case.url).hostname or "this machine"
    if host == "api.openai.com":
        return failed(
            name,
            f"requests go to OpenAI's own host, api.openai.com (from {case.source})",
            f"if Bedrock is meant, {_BEDROCK}{_MANTLE}",
        )
    return warned(
        name,
        f"{host} is a compatible server, {_NOT_OURS}: its checks are skipped",
        f"if Bedrock is meant, {_BEDROCK}{_MANTLE}",
    )


def _url_to_use(case: Case) -> str:
    tail = next((tail for tail in _TAILS if case.url.rstrip("/").endswith(tail)), None)
    if tail is not None:
        return f"use {case.url.rstrip('/').removesuffix(tail)}"
    if "region" in case.problem:
        return "set AWS_REGION, or write 'bedrock/MODEL@us-east-1'"
    return "give one base URL, such as https://bedrock-runtime.REGION.amazonaws.com/openai/v1"


def path(case: Case) -> Finding:
    """Whether the path of the URL is the one that this host has for the model."""
    name, end = "path", case.endpoint
    if end is None:
        tail = next((t for t in _TAILS if case.url.rstrip("/").endswith(t)), None)
        if tail is None:
            return skipped(name, "there is no endpoint" if case.problem else _NOT_OURS)
        return failed(name, f"the base URL ends in {tail}", _url_to_use(case))
    right = right_url(end, case.dialect)
    if right == end.base_url:
        return passed(name, f"{end.prefix}{end.path}")
    tail = next((t for t in _TAILS if end.prefix.endswith(t)), None)
    if tail is not None:
        return failed(name, f"the base URL ends in {tail}", f"use {right}")
    seen = f"the path is {end.prefix!r}; {end.bare} is known under another one on {end.host}"
    if end.host == "runtime":
        seen = f"the path is {end.prefix!r}; the runtime host answers under '/openai/v1' alone"
        return failed(name, seen, f"use {right}")
    return failed(name, seen, f"use {right}")


def region(case: Case) -> Finding:
    """Whether a region is known, once, and has the host."""
    name, end = "region", case.endpoint
    if end is None:
        if case.problem and "region" in case.problem:
            return failed(name, case.problem, "set AWS_REGION to the region you mean")
        return skipped(name, "there is no endpoint of Amazon Bedrock")
    said = case.variable("AWS_REGION") or case.variable("AWS_DEFAULT_REGION")
    known = case.dialect.regions("mantle")
    if end.host == "mantle" and end.region and end.region not in known:
        return failed(
            name,
            f"mantle is not known in {end.region}",
            f"take one of {', '.join(known)}; or the runtime host: 'bedrock-runtime/MODEL'",
        )
    of_url = known_host(case.url)
    if case.source not in ("table", "") and of_url and said and of_url[1] != said:
        return failed(
            name,
            f"the URL (from {case.source}) is in {of_url[1]}, and the environment says {said}",
            f"set AWS_REGION={of_url[1]}, or change the URL",
        )
    return _region_variables(case, end)


def _region_variables(case: Case, end: Endpoint) -> Finding:
    name = "region"
    if not end.region:
        return skipped(name, "an origin of your own, without a region")
    if not case.variable("AWS_REGION") and case.variable("AWS_DEFAULT_REGION"):
        return warned(
            name,
            f"{end.region}, and only AWS_DEFAULT_REGION is set",
            f"set AWS_REGION={end.region}: AWS's key generator and others read that one alone",
        )
    return passed(name, end.region)


def model(case: Case) -> Finding:
    """Whether the table knows the model here, spelt so."""
    name, end = "model", case.endpoint
    if end is None:
        return skipped(name, "there is no endpoint of Amazon Bedrock")
    wrong = _spelling(case, end)
    if wrong is not None:
        return wrong
    hosts, speech = end.family.answers_on(end.api), SPOKEN[end.api]
    if end.family.name and end.api not in end.family.apis:
        spoken = ", ".join(end.family.apis)
        then = "take a model with Responses or Chat Completions: `toolstone models` lists them"
        return failed(name, f"{end.bare} speaks {spoken}, and not {speech}", then)
    if end.family.name and end.host not in hosts:
        return failed(
            name,
            f"{end.bare} does not answer {speech} on the {end.host} host",
            f"write 'bedrock-{hosts[0]}/{end.bare}'",
        )
    return _known_place(case, end)


def _known_place(case: Case, end: Endpoint) -> Finding:
    name = "model"
    seen = case.dialect.model(end.bare).get("mantle", [])
    if end.host == "mantle" and seen and end.region and end.region not in seen:
        return warned(
            name,
            f"{end.bare} was not seen on mantle in {end.region} (table of {case.dialect.date})",
            f"it was in {', '.join(seen)}: write 'bedrock/{end.bare}@{seen[0]}'",
        )
    if not end.family.name:
        seen_of = f"{end.bare} is in no family of the table of {case.dialect.date}"
        return warned(name, seen_of, "`toolstone models` shows what the service lists")
    return passed(name, f"{end.model} (family {end.family.name})")


def _spelling(case: Case, end: Endpoint) -> Finding | None:
    """An id that is sent as it was written, and is not this host's way to write it."""
    written = parse(end.model)
    choices = case.dialect.profiles(end.region) if end.region else ()
    right = spelled(parse(end.bare), end.host, end.family, choices[0] if choices else None)
    if written.arn or end.model == right:
        return None
    if end.host == "mantle":
        seen = f"{end.model!r} is the runtime host's spelling"
        return failed("model", seen, f"mantle knows it as {right!r}")
    if end.family.profiled and written.geography is None:
        seen = (
            f"{end.model!r} is mantle's spelling; runtime refuses it without an inference profile"
        )
        ways = " or ".join(repr(f"{start}.{end.bare}") for start in choices) or repr(right)
        return failed("model", seen, f"use {ways}")
    return None


def credentials(case: Case) -> Finding:
    """Who asks, by which source, and whether their key may go there."""
    name, secret = "credentials", case.key
    if case.auth_problem:
        return failed(name, case.auth_problem, THREE_WAYS)
    if case.endpoint is None:
        if looks_like_bedrock_key(secret) and case.url and not case.problem:
            where = urlsplit(case.url).hostname
            seen = f"a Bedrock API key would go to {where}, which is not Amazon Bedrock"
            return failed(name, seen, f"it is not sent there: {_BEDROCK}{_MANTLE}")
        return skipped(name, "there is no endpoint of Amazon Bedrock")
    chosen = case.chosen
    if chosen is None:
        return skipped(name, "nobody was chosen to ask")
    others = f"; {'; '.join(chosen.passed_over)}" if chosen.passed_over else ""
    if chosen.source == "credential chain":
        return passed(name, f"the AWS credential chain, as {chosen.why}{others}")
    why = chosen.why if chosen.source in chosen.why else f"{chosen.source}: {chosen.why}"
    return passed(name, f"{why}{others}")


def key(case: Case) -> Finding:
    """What an API key says of itself: its kind, region and end."""
    name = "API key"
    if not case.key or case.endpoint is None:
        return skipped(name, "no fixed API key is in use")
    if case.key.startswith("ABSK"):
        return warned(
            name,
            f"a long-term key of {len(case.key)} characters",
            "AWS calls these suitable for exploration alone; take short-term keys or credentials",
        )
    if case.key.startswith("sk-"):
        return skipped(name, "it is OpenAI's; see 'credentials'")
    if not case.key.startswith("bedrock-api-key-"):
        seen = f"a key of {len(case.key)} characters that does not look like Bedrock's"
        return warned(name, seen, "Bedrock's begin with 'ABSK' or 'bedrock-api-key-'")
    read = read_short_term(case.key)
    if read is None:
        then = "copy it whole, or mint another one"
        return failed(name, "a short-term key that cannot be read: it is not whole", then)
    return _health(case, read, case.endpoint)


def _health(case: Case, read: ShortTerm, end: Endpoint) -> Finding:
    name, left = "API key", read.ends - case.now
    again = "mint another one; or unset it, and AWS credentials are used"
    if left <= 0:
        return failed(name, f"a short-term key that expired {_span(-left)} ago", again)
    if end.region and read.region != end.region:
        return failed(
            name,
            f"a short-term key for {read.region}; requests go to {end.region}",
            f"mint one for {end.region}, or use @{read.region}: such a key counts in one region",
        )
    if left < limits.DOCTOR_KEY_SECONDS:
        return failed(name, f"a short-term key that expires in {_span(left)}", again)
    if read.temporary:
        seen = f"a short-term key for {read.region}, with {_span(left)} left at most"
        return warned(name, seen, "it was minted from temporary credentials, and ends with them")
    return passed(name, f"a short-term key for {read.region}, with {_span(left)} left")


def _span(seconds: float) -> str:
    minutes = int(seconds // 60)
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min"  # noqa: PLR2004  minutes of an hour


def variables(case: Case) -> Finding:
    """OpenAI's variables that are set and mislead, and what was set and is not used."""
    name = "variables"
    stray: list[str] = []
    if case.endpoint is None:
        return skipped(name, "there is no endpoint of Amazon Bedrock")
    stray += [
        f"{variable} (an OpenAI library sends it, and Bedrock refuses it)"
        for variable in ("OPENAI_ORG_ID", "OPENAI_PROJECT_ID")
        if case.variable(variable)
    ]
    if case.source != "OPENAI_BASE_URL":
        stray += [
            f"{variable} (not used here; other programs would)"
            for variable in ("OPENAI_BASE_URL", "OPENAI_API_KEY")
            if case.variable(variable)
        ]
    if case.literal and case.variable(BEARER):
        stray.append(f"{BEARER} (a model string with a URL does not read it)")
    stray += [text for text in case.endpoint.warnings if "is not used" in text]
    if stray:
        return warned(name, f"set: {'; '.join(stray)}", "unset what you do not mean")
    return passed(name, "no stray OPENAI_* variables")


def capability(case: Case) -> Finding:
    """What the settings ask for and the endpoint is known to refuse or to ignore."""
    name, end = "capability", case.endpoint
    if end is None:
        return skipped(name, "there is no endpoint of Amazon Bedrock")
    refused = [*_gated(case, end), *_ungranted(case, end)]
    if refused:
        then = "leave it out, take another value, or another host or model"
        return warned(name, "; ".join(refused), then)
    return passed(name, f"nothing asked for is known to be refused (table of {case.dialect.date})")


def _gated(case: Case, end: Endpoint) -> Iterator[str]:
    request = Request(items=(), settings=case.settings)
    for name, gate in end.gates.items():
        value = value_of(request, name)
        if value is None:
            continue
        if gate.ignored:
            yield f"{name} is taken by {end.host} without effect"
        elif not gate.admits(value):
            taken = ", ".join(map(repr, gate.allowed or ())) or "nothing"
            told = f"{name}={str(value)[:40]!r} is refused by {end.bare} on {end.host}"
            yield f"{told} (it takes {taken})"
    smallest = case.dialect.habits["smallest_output"]
    if (case.settings.max_output_tokens or smallest) < smallest:
        yield f"max_output_tokens={case.settings.max_output_tokens} is below {smallest}"


def _ungranted(case: Case, end: Endpoint) -> Iterator[str]:
    for feature in case.wishes.features:
        hosts = case.dialect.hosts_for(feature)
        if end.host not in hosts:
            alone = " and ".join(hosts)
            yield f"{feature} is on {alone} alone: write 'bedrock-{hosts[0]}/{end.bare}'"


def state(case: Case) -> Finding:
    """Stored responses together with a profile that may answer from any region."""
    name, end = "state", case.endpoint
    if end is None:
        return skipped(name, "there is no endpoint of Amazon Bedrock")
    stored = case.settings.state == "server" or case.settings.store or case.wishes.stored
    if stored and end.model.startswith("global."):
        return warned(
            name,
            "stored responses with a 'global.' id: each lives in the region that served it",
            f"use 'us.{end.bare}', or keep the history here (state='local')",
        )
    return passed(name, "responses are stored by the service" if stored else "nothing is stored")
