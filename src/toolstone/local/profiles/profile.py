"""What the endpoint pretends to be: which host, where, whose account, with what habits."""

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import field
from typing import get_args

from toolstone._dataclass import dataclass
from toolstone.bedrock.verify import Asked, Caller, Verifier
from toolstone.errors import ConfigError
from toolstone.local.profiles.account import Account
from toolstone.local.profiles.habits import Habits
from toolstone.local.profiles.observed import Kind, Where, observed

__all__ = ["HostProfile"]


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


@dataclass(frozen=True, slots=True)
class HostProfile:
    """A host to play.

    Whatever the profile, a request whose `Host` header is the name of one of Bedrock's hosts, or
    `api.openai.com`, is answered as that host does; `kind` and `region` say what the endpoint is
    under its loopback address.

    Args:
        kind: `mantle`, `runtime` or `openai`.
        region: An AWS region.
        account: Who may do what.
        habits: What goes wrong.
        clock: Gives the time in UTC.
        verify: Tells who sent a request; a `Verifier` of the account's keys if not given.

    Raises:
        ConfigError: There is no such host.
    """

    kind: Kind = "mantle"
    region: str = "us-east-1"
    account: Account = field(default_factory=Account)
    habits: Habits = field(default_factory=Habits)
    clock: Callable[[], dt.datetime] = _utc_now
    verify: Callable[[Asked], Caller] | None = None

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            known = ", ".join(get_args(Kind))
            raise ConfigError(f"there is no profile {self.kind!r}; there are {known}")
        if not re.fullmatch(r"[a-z]{2,8}(-[a-z0-9]+)+-[0-9]", self.region):
            raise ConfigError(f"region {self.region!r} is no AWS region, such as 'us-east-1'")
        if not observed().stands(Where(self.kind, self.region)):
            regions = ", ".join(observed().data["regions"]["mantle"])
            raise ConfigError(f"mantle is not in {self.region!r}; it is in {regions}")

    def now(self) -> dt.datetime:
        """The host's own time."""
        return self.clock() + dt.timedelta(seconds=self.habits.skew)

    def verifier(self) -> Callable[[Asked], Caller]:
        """What tells who sent a request."""
        if self.verify is not None:
            return self.verify
        account = self.account
        skew = observed().data["auth"]["skew"]["seconds"]
        return Verifier(account.keys, account.api_keys, clock=self.now, skew=skew)
