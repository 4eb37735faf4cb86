"""Whose AWS credentials: found by botocore's chain, or handed in; always as one whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import TYPE_CHECKING, Any, NoReturn, Protocol

from toolstone._dataclass import dataclass
from toolstone._secrets import Secret
from toolstone.bedrock.flight import Flight
from toolstone.errors import ConfigError
from toolstone.responses.failures import sanitised
from toolstone.wire.failed import frameless

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Chain", "Given", "Keys", "MissingCredentialsError", "Provider", "Source"]

THREE_WAYS = (
    "set AWS_BEARER_TOKEN_BEDROCK to a Bedrock API key, or give the AWS credential chain something "
    "to find (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, `aws sso login`, a role), "
    "or pass api_key= or auth="
)


@dataclass(frozen=True, slots=True, repr=False)
class Keys:
    """One set of AWS credentials, never taken apart.

    Attributes:
        access_key: The access key id.
        secret_key: The secret.
        token: The session token of temporary credentials.
        expires: When they end, in Unix seconds, if that is known.
        source: How they were found, in a word.
    """

    access_key: str
    secret_key: str = field(repr=False)
    token: str | None = field(default=None, repr=False)
    expires: float | None = None
    source: str = "given"

    def __post_init__(self) -> None:
        for name in ("access_key", "secret_key", "token"):
            given = getattr(self, name)
            if isinstance(given, str):
                object.__setattr__(self, name, Secret(given))

    def __repr__(self) -> str:
        return f"Keys(..., source={self.source!r})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("Keys hold a secret and cannot be pickled or copied; find them again")


Provider = Callable[[], Any]
"""Returns `Keys`, a triple of access key, secret and token, or an object of botocore's."""


class MissingCredentialsError(ConfigError):
    """There are no AWS credentials to be found."""


class Source(Protocol):
    """Where credentials come from."""

    async def keys(self) -> Keys:
        """The credentials as they are now.

        Raises:
            ConfigError: There are none, or they cannot be had.
        """
        ...

    def find(self) -> Keys:
        """The same, blocking."""
        ...

    def forget(self) -> None:
        """Look anew next time: what was found has been refused."""
        ...


class Chain:
    """botocore's credential chain: environment, profiles, SSO, web identity, containers, IMDS.

    It is searched in a thread, at the first need. What it finds refreshes itself.

    Args:
        profile: The profile to take; `AWS_PROFILE` or the default one unless given.
    """

    __slots__ = ("_flight", "_found", "_profile")

    def __init__(self, profile: str | None = None) -> None:
        self._profile = profile
        self._found: Any = None
        self._flight = Flight(self.find)

    async def keys(self) -> Keys:
        """See `Source`. A thread is used only if something has to be found or refreshed."""
        found = self._found
        if found is not None and not _is_stale(found):
            return _frozen(found)
        try:
            return await self._flight.answer()
        except ConfigError as error:
            raise type(error)(str(error)) from error  # one for each who waits

    def find(self) -> Keys:
        """See `Source`."""
        try:
            found = self._found or self._search()
            keys = _frozen(found)
        except ConfigError:
            raise
        except Exception as error:  # noqa: BLE001  whatever botocore raises
            raise ConfigError(
                f"the AWS credential chain failed ({type(error).__name__}): {sanitised(str(error))}"
            ) from frameless(error)  # botocore's frames hold the keys it was looking for
        self._found = found
        return keys

    def forget(self) -> None:
        """See `Source`."""
        self._found = None

    def _search(self) -> Any:
        from toolstone.bedrock.metadata import find_credentials  # noqa: PLC0415  first need: 150 ms

        found = find_credentials(self._profile)
        if found is None:
            raise MissingCredentialsError(f"no AWS credentials were found: {THREE_WAYS}")
        return found


class Given:
    """Credentials of your own: fixed, or from a function.

    Args:
        provider: `Keys`; or a blocking function, called in a thread for one request at a time
            (others share its answer), again once its keys are near their end.
        clock: Unix seconds.
        margin: So many seconds before their end keys are asked for anew.
    """

    __slots__ = ("_clock", "_flight", "_found", "_margin", "_provider")

    def __init__(
        self, provider: Keys | Provider, *, clock: Callable[[], float], margin: float
    ) -> None:
        self._provider = provider
        self._clock = clock
        self._margin = margin
        self._found = provider if isinstance(provider, Keys) else None
        self._flight = Flight(self.find)

    async def keys(self) -> Keys:
        """See `Source`."""
        found = self._found
        if found is not None and self._is_fresh(found):
            return found
        try:
            return await self._flight.answer()
        except ConfigError as error:
            raise ConfigError(str(error)) from error  # one for each who waits

    def find(self) -> Keys:
        """See `Source`."""
        if isinstance(self._provider, Keys):
            return self._provider
        try:
            keys = _read(self._provider())
        except ConfigError:
            raise
        except Exception as error:
            raise ConfigError(
                f"the credentials provider raised {type(error).__name__}; it must return "
                "Keys(access_key, secret_key, token)"
            ) from error
        self._found = keys if keys.expires is not None else None
        return keys

    def forget(self) -> None:
        """See `Source`."""
        if not isinstance(self._provider, Keys):
            self._found = None

    def _is_fresh(self, keys: Keys) -> bool:
        return keys.expires is None or self._clock() < keys.expires - self._margin


def _is_stale(found: Any) -> bool:
    """Whether reading botocore's credentials may block."""
    needed = getattr(found, "refresh_needed", None)
    return bool(needed()) if needed is not None else False


def _frozen(found: Any) -> Keys:
    """A snapshot by botocore: key, secret and token of one moment."""
    frozen = found.get_frozen_credentials()
    if not frozen.access_key or not frozen.secret_key:
        raise MissingCredentialsError(f"the AWS credentials found are not whole: {THREE_WAYS}")
    ends = getattr(found, "_expiry_time", None)
    return Keys(
        frozen.access_key,
        frozen.secret_key,
        frozen.token,
        ends.timestamp() if ends is not None else None,
        str(getattr(found, "method", None) or "botocore"),
    )


def _read(found: Any) -> Keys:
    """What a provider returned, if it is credentials in any of their usual forms."""
    if isinstance(found, Keys):
        return found
    if hasattr(found, "get_frozen_credentials"):
        return _frozen(found)
    if hasattr(found, "access_key"):
        return Keys(found.access_key, found.secret_key, found.token)
    if isinstance(found, tuple | list) and _is_triple(found):
        return Keys(*found)
    kind = type(found).__name__
    del found  # it may show a secret: a report of this error may show what stands here
    raise ConfigError(
        f"the credentials provider returned a {kind!r}; it must return "
        "Keys(access_key, secret_key, token)"
    )


def _is_triple(found: Sequence[Any]) -> bool:
    return (
        len(found) in (2, 3)
        and all(isinstance(part, str) and part for part in found[:2])
        and (len(found) == 2 or found[2] is None or isinstance(found[2], str))  # noqa: PLR2004  no token
    )
