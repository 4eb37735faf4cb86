"""Who asks: the port that signs each attempt, and the bearer key."""

from __future__ import annotations

import asyncio
from inspect import isawaitable
from typing import TYPE_CHECKING, NoReturn, Protocol, runtime_checkable

from toolstone import limits
from toolstone._secrets import Hidden, Secret
from toolstone.errors import ConfigError, ToolstoneError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

__all__ = ["Auth", "BearerAuth", "NoAuth"]


@runtime_checkable
class Auth(Protocol):
    """Says who asks, for every attempt anew, and learns from a refusal."""

    async def headers(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> Mapping[str, str]:
        """The headers to add to an attempt; everything given is final.

        Raises:
            ConfigError: There are no usable credentials.
        """
        ...

    async def learn(self, status: int, headers: Mapping[str, str]) -> bool:
        """Look at a refusal; True asks for one more attempt (clock corrected, key renewed)."""
        ...


class NoAuth:
    """For servers that ask nobody's name."""

    __slots__ = ()

    async def headers(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> Mapping[str, str]:
        """Nothing to add."""
        del method, url, headers, body
        return {}

    async def learn(self, status: int, headers: Mapping[str, str]) -> bool:
        """Nothing to learn."""
        del status, headers
        return False


class BearerAuth:
    """`Authorization: Bearer KEY`.

    Args:
        key: The key; or a function, blocking or not, that is called for every attempt and
            returns it. The key appears in no `repr`, message or pickle.

    Raises:
        ConfigError: The key is empty, or holds white space or anything but printable ASCII.
    """

    __slots__ = ("_fixed", "_key", "_source")

    def __init__(self, key: str | Callable[[], str | Awaitable[str]]) -> None:
        key = Secret(key) if isinstance(key, str) else key
        self._key: object = key
        self._source = None if isinstance(key, str) else key
        self._fixed = {"authorization": _bearer(key)} if isinstance(key, str) else None

    async def headers(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> Mapping[str, str]:
        """The one header that carries the key.

        Raises:
            ConfigError: The function raised, hung, or returned what is no key.
        """
        del method, url, headers, body
        if self._fixed is not None:
            return self._fixed
        self._key = await _asked(self._source) if self._source else ""
        return {"authorization": _bearer(self._key)}

    async def learn(self, status: int, headers: Mapping[str, str]) -> bool:
        """A fixed key cannot be mended; a function is called anyway for the next attempt."""
        del headers
        return self._source is not None and status == 401  # noqa: PLR2004  unauthorized

    def __repr__(self) -> str:
        return "BearerAuth(...)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("BearerAuth holds a key and cannot be pickled or copied; make a new one")


async def _asked(source: Callable[[], str | Awaitable[str]]) -> object:
    try:
        async with asyncio.timeout(limits.CREDENTIALS_SECONDS):
            given = source()
            if isawaitable(given):
                given = await given
            return Secret(given) if isinstance(given, str) else given
    except ToolstoneError:
        raise
    except Exception as error:
        late = (
            f", or took longer than {limits.CREDENTIALS_SECONDS:g} s (limits.CREDENTIALS_SECONDS)"
        )
        raise ConfigError(
            f"the function that gives the API key raised {type(error).__name__}"
            f"{late if isinstance(error, TimeoutError) else ''}; it must return the key"
        ) from error


def _bearer(key: object) -> str:
    if not isinstance(key, str):
        raise ConfigError(f"the API key is a {type(key).__name__!r}; it must be text")
    if not key.strip():
        raise ConfigError("the API key is empty; pass api_key=..., or set the variable it is from")
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise ConfigError(
            f"the API key ({len(key)} characters) holds white space, a line break or a character "
            "outside ASCII; copy it again, without what surrounds it"
        )
    return Hidden(f"Bearer {key}")
