"""Which of the ways to say who asks is taken, and why (bedrock.md §4.4).

An argument, then `AWS_BEARER_TOKEN_BEDROCK`, then the AWS credential chain, then `OPENAI_API_KEY`:
that one only if `OPENAI_BASE_URL` is Bedrock's and the key is not one of OpenAI's.
"""

from __future__ import annotations

import os
from dataclasses import field
from typing import TYPE_CHECKING, Final, Literal

from toolstone._dataclass import dataclass
from toolstone._secrets import Hidden, Variables
from toolstone.bedrock.auth import ApiKey, MintedKey, SigV4
from toolstone.bedrock.credentials import MissingCredentialsError
from toolstone.bedrock.names import known_host
from toolstone.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from toolstone.bedrock.endpoint import Endpoint
    from toolstone.wire.auth import Auth

__all__ = ["ChosenAuth", "choose_auth", "looks_like_bedrock_key"]

BEARER: Final = "AWS_BEARER_TOKEN_BEDROCK"
Origin = Literal["argument", "AWS_BEARER_TOKEN_BEDROCK", "credential chain"]


@dataclass(frozen=True, slots=True)
class ChosenAuth:
    """Who asks, by which source, and what else was there.

    Attributes:
        auth: What signs each attempt.
        source: Where it is from.
        why: One sentence for people.
        passed_over: What was found too and is not used, and why.
    """

    auth: Auth = field(repr=False)
    source: Origin
    why: str
    passed_over: tuple[str, ...] = ()


def choose_auth(
    endpoint: Endpoint,
    *,
    api_key: str | Callable[[], str | Awaitable[str]] | None = None,
    auth: Auth | None = None,
    sign: Literal["sigv4", "minted"] = "sigv4",
    profile: str | None = None,
    environment: Mapping[str, str] | None = None,
) -> ChosenAuth:
    """Who asks at an endpoint. Nothing is opened, and no credentials are searched for yet.

    Args:
        endpoint: Where the requests go.
        api_key: A Bedrock API key, or a function that returns one.
        auth: Any other way.
        sign: What is made of the chain's credentials: a signature, or a short-term key.
        profile: The profile that the chain takes; wins over the environment's key.
        environment: Variables; the process's own unless given.

    Raises:
        ConfigError: Two ways are given at once, or OpenAI's key would go to AWS.
    """
    environment = Variables(os.environ if environment is None else environment)
    api_key = Hidden(api_key) if isinstance(api_key, str) else api_key
    if sum(given is not None for given in (api_key, auth, profile)) > 1:
        raise ConfigError("give one of api_key=, auth= and profile=: one of them says who asks")
    bearer = Hidden(environment.get(BEARER, "").strip())
    given = auth or (ApiKey(api_key) if api_key is not None else None)
    if given is not None:
        if isinstance(api_key, str):
            _check(api_key, endpoint, "api_key=")
        unused = (f"{BEARER} is set; the argument wins",) if bearer else ()
        return ChosenAuth(given, "argument", "it was given in code", unused)
    if bearer and profile is None:
        _check(bearer, endpoint, BEARER)
        return ChosenAuth(
            ApiKey(bearer), BEARER, f"{BEARER} is set", _unused_credentials(environment)
        )
    return _from_chain(endpoint, sign, profile, environment)


def _from_chain(
    endpoint: Endpoint, sign: str, profile: str | None, environment: Mapping[str, str]
) -> ChosenAuth:
    if not endpoint.region:
        raise ConfigError("no region to sign for: give region=, set AWS_REGION, or api_key=")
    last = _openai_key(endpoint, environment) if profile is None else None
    made: Auth = (
        MintedKey(endpoint.region, profile=profile)
        if sign == "minted"
        else SigV4(endpoint.region, endpoint.service, profile=profile)
    )
    why = f"{BEARER} is not set" if profile is None else "profile= was given"
    if last is None:
        return ChosenAuth(made, "credential chain", why, _unused_openai(environment))
    return ChosenAuth(
        _Fallback(made, ApiKey(last)),
        "credential chain",
        f"{why}; OPENAI_API_KEY is taken if the chain finds nothing",
    )


def _openai_key(endpoint: Endpoint, environment: Mapping[str, str]) -> str | None:
    """The key that AWS's page has users put into `OPENAI_API_KEY`, if it is such a key."""
    key = Hidden(environment.get("OPENAI_API_KEY", "").strip())
    theirs = known_host(environment.get("OPENAI_BASE_URL", "")) is not None
    usable = bool(key) and theirs and endpoint.aws and not key.startswith("sk-")
    return key if usable else None


def looks_like_bedrock_key(key: str) -> bool:
    """Whether a key is one of Bedrock's by its look."""
    return key.startswith(("ABSK", "bedrock-api-key-"))


def _check(key: str, endpoint: Endpoint, where: str) -> None:
    if key.startswith("sk-") and endpoint.aws:
        raise ConfigError(
            f"{where} begins with 'sk-': that is OpenAI's key, and it does not go to AWS; "
            "a Bedrock key begins with 'ABSK' or 'bedrock-api-key-'"
        )


def _unused_credentials(environment: Mapping[str, str]) -> tuple[str, ...]:
    names = [n for n in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE") if environment.get(n)]
    unused = [f"{name} is set; {BEARER} wins" for name in names]
    return (*unused, *_unused_openai(environment))


def _unused_openai(environment: Mapping[str, str]) -> tuple[str, ...]:
    if not environment.get("OPENAI_API_KEY"):
        return ()
    return ("OPENAI_API_KEY is set; it is not used here",)


class _Fallback:
    """The credential chain; or, once it has found nothing, the key that stands behind it."""

    __slots__ = ("_auth", "_second")

    def __init__(self, first: Auth, second: Auth) -> None:
        self._auth: Auth = first
        self._second = second

    async def headers(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> Mapping[str, str]:
        """Those of the chain, or else of the key."""
        try:
            return await self._auth.headers(method, url, headers, body)
        except MissingCredentialsError:
            self._auth = self._second
        return await self._auth.headers(method, url, headers, body)

    async def learn(self, status: int, headers: Mapping[str, str]) -> bool:
        """What the one who asked learns."""
        return await self._auth.learn(status, headers)
