"""Who asks Bedrock: an API key, a key minted from AWS credentials, or a signature.

All three fit `toolstone.wire.Auth`: they are asked for every attempt anew, on the final bytes, and
learn from a refusal what can be mended: a clock that is off, a key or credentials that have ended.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, Final, NoReturn

from toolstone import limits
from toolstone._secrets import Hidden, Secret
from toolstone.bedrock.credentials import Chain, Given, Keys
from toolstone.bedrock.flight import Flight
from toolstone.bedrock.names import known_host
from toolstone.bedrock.signing import mint, sign
from toolstone.errors import ConfigError
from toolstone.wire.auth import BearerAuth

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from toolstone.bedrock.credentials import Provider, Source

__all__ = ["ApiKey", "MintedKey", "SigV4"]

_REFUSED: Final = frozenset({401, 403})
_used: ContextVar[tuple[object, object] | None] = ContextVar("toolstone_bedrock_used", default=None)
"""Who asked last in this task, and with what: a refusal is of exactly that."""


class _Secretive:
    """Shows no secret in `repr`, and cannot be pickled."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"

    def __reduce__(self) -> NoReturn:
        raise TypeError(f"{type(self).__name__} holds a key and cannot be pickled; make a new one")


class ApiKey(_Secretive):
    """A Bedrock API key, long-term (`ABSK…`) or short-term (`bedrock-api-key-…`).

    Args:
        key: The key; or a function, blocking or not, that is called for every attempt.

    Raises:
        ConfigError: The key is empty, or cannot be one.
    """

    __slots__ = ("_bearer",)

    def __init__(self, key: str | Callable[[], str | Awaitable[str]]) -> None:
        self._bearer = BearerAuth(key)

    async def headers(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> Mapping[str, str]:
        """The one header that carries the key.

        Raises:
            ConfigError: It is a key of OpenAI's and would go to AWS.
        """
        found = await self._bearer.headers(method, url, headers, body)
        if found["authorization"].startswith("Bearer sk-") and known_host(url):
            raise ConfigError(
                "the key begins with 'sk-': it is OpenAI's, and was not sent to AWS; a Bedrock key "
                "begins with 'ABSK' or 'bedrock-api-key-'"
            )
        return found

    async def learn(self, status: int, headers: Mapping[str, str]) -> bool:
        """A function is asked for another key once; a fixed key cannot be mended."""
        return status in _REFUSED and await self._bearer.learn(401, headers)


class _Clock:
    """Our clock, corrected by the service's."""

    __slots__ = ("_clock", "_offset")

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._offset = 0.0

    def __call__(self) -> float:
        """Unix seconds as the service counts them."""
        return self._clock() + self._offset

    def learn(self, headers: Mapping[str, str]) -> bool:
        """Take the time from a refusal's `Date`; True if ours was off by more than a minute."""
        try:
            there = parsedate_to_datetime(headers.get("date", ""))
        except ValueError:
            return False
        if there.tzinfo is None:
            there = there.replace(tzinfo=UTC)
        off = there.timestamp() - self()
        if abs(off) <= limits.BEDROCK_SKEW_SECONDS:
            return False
        self._offset += off
        return True


class SigV4(_Secretive):
    """Signs every attempt with AWS credentials (Signature Version 4).

    Safe to share between tasks, event loops and threads. The clock is corrected once a refusal
    shows that it is off.

    Args:
        region: The region in the host's name.
        service: The name to sign with: `bedrock-mantle` on mantle, `bedrock` on runtime.
        credentials: `Keys`, or a function that returns them; botocore's chain unless given.
        profile: The profile that the chain takes.
        clock: Unix seconds.

    Raises:
        ConfigError: The region is missing.
    """

    __slots__ = ("_clock", "_ready", "_region", "_service", "source")

    def __init__(
        self,
        region: str,
        service: str,
        *,
        credentials: Keys | Provider | None = None,
        profile: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._region = _needed(region)
        self._service = service
        self._clock = _Clock(clock)
        self.source: Source = _source(credentials, profile, clock)
        self._ready = Flight(_load_signer)

    async def headers(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> Mapping[str, str]:
        """Date, body hash, session token if there is one, and the signature over it all."""
        keys = await self.source.keys()
        if not _loaded:
            await self._ready.answer()
        _used.set((self, keys))
        return sign(
            keys,
            method,
            url,
            headers,
            body,
            region=self._region,
            service=self._service,
            at=self._clock(),
        )

    async def learn(self, status: int, headers: Mapping[str, str]) -> bool:
        """Whether another attempt will be signed differently: another clock, or other keys."""
        if status not in _REFUSED:
            return False
        skewed = self._clock.learn(headers)
        self.source.forget()
        try:
            keys = await self.source.keys()
        except ConfigError:
            return skewed
        used = _used.get()
        return skewed or (used is not None and used[0] is self and used[1] != keys)


class MintedKey(_Secretive):
    """A short-term Bedrock API key, minted here from AWS credentials and renewed in time.

    No network is involved. One key is shared until 80 % of its life are over, the credentials
    behind it come near their end, or it is refused.

    Args:
        region: The one region it counts in.
        credentials: `Keys`, or a function that returns them; botocore's chain unless given.
        profile: The profile that the chain takes.
        seconds: How long a key lives, 1 to 43,200.
        clock: Unix seconds.

    Raises:
        ConfigError: The region is missing, or the life cannot be.
    """

    __slots__ = ("_clock", "_flight", "_held", "_region", "_seconds", "source")

    def __init__(
        self,
        region: str,
        *,
        credentials: Keys | Provider | None = None,
        profile: str | None = None,
        seconds: int = limits.BEDROCK_KEY_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not 1 <= seconds <= limits.BEDROCK_KEY_SECONDS_MOST:
            raise ConfigError(
                f"MintedKey(seconds={seconds}): 1 to {limits.BEDROCK_KEY_SECONDS_MOST} (12 hours)"
            )
        self._region = _needed(region)
        self._seconds = seconds
        self._clock = _Clock(clock)
        self.source: Source = _source(credentials, profile, clock)
        self._held: tuple[Secret, float] | None = None
        self._flight = Flight(self._mint)

    async def headers(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> Mapping[str, str]:
        """The one header that carries the key."""
        del method, url, headers, body
        held = self._held
        if held is None or self._clock() >= held[1]:
            try:
                held = await self._flight.answer()
            except ConfigError as error:
                raise type(error)(str(error)) from error  # one for each who waits
        _used.set((self, held))
        return {"authorization": Hidden(f"Bearer {held[0]}")}

    async def learn(self, status: int, headers: Mapping[str, str]) -> bool:
        """A refused key is dropped, with the credentials behind it; another is minted."""
        if status not in _REFUSED:
            return False
        skewed = self._clock.learn(headers)
        used = _used.get()
        if skewed or (used is not None and used == (self, self._held)):
            self._held = None
            self.source.forget()
        return True

    def _mint(self) -> tuple[Secret, float]:
        keys, now = self.source.find(), self._clock()
        renew = now + self._seconds * limits.BEDROCK_KEY_SHARE
        if keys.expires is not None:
            renew = min(renew, keys.expires - limits.BEDROCK_KEY_MARGIN)
        held = (mint(keys, region=self._region, seconds=self._seconds, at=now), renew)
        self._held = held
        return held


def _source(
    credentials: Keys | Provider | None, profile: str | None, clock: Callable[[], float]
) -> Source:
    if credentials is None:
        return Chain(profile)
    if profile is not None:
        raise ConfigError("both credentials= and profile= are given; one of them says whose")
    return Given(credentials, clock=clock, margin=limits.BEDROCK_KEY_MARGIN)


def _needed(region: str) -> str:
    if not region:
        raise ConfigError("a signature needs the region: give region=, or set AWS_REGION")
    return region


_loaded: list[Any] = []


def _load_signer() -> None:
    """Import botocore's signer where waiting blocks nobody."""
    from botocore import auth, awsrequest  # noqa: PLC0415  at first need: 100 ms

    _loaded.extend((auth, awsrequest))
