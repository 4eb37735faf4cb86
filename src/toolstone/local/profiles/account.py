"""The AWS account behind an emulated host: who there is, what they may, how much they get."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import field
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from toolstone._dataclass import dataclass
from toolstone.bedrock.verify import AccessKey, LongTermKey
from toolstone.errors import ConfigError
from toolstone.local.profiles.observed import Observed, observed

__all__ = ["EXAMPLE", "Account", "Allowance", "Statement"]

EXAMPLE = AccessKey("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
"""The credentials that AWS's documentation shows everywhere; they open nothing but this."""


Bearer = Literal["SHORT_TERM", "LONG_TERM"]
"""The type of a bearer key, as conditions of policies call it."""


@dataclass(frozen=True, slots=True)
class Statement:
    """Actions on resources, with `*` and `?` as in IAM.

    Args:
        actions: Such as `bedrock-mantle:CreateInference`.
        resources: ARNs.
        bearers: If any, it speaks only of callers with such a key: `SHORT_TERM`, `LONG_TERM`.
    """

    actions: Sequence[str]
    resources: Sequence[str] = ("*",)
    bearers: Sequence[Bearer] = ()

    def covers(self, action: str, resource: str, bearer: Bearer | None = None) -> bool:
        """Say whether it speaks of this."""
        return (
            any(fnmatchcase(action.lower(), each.lower()) for each in self.actions)
            and any(fnmatchcase(resource, each) for each in self.resources)
            and (not self.bearers or bearer in self.bearers)
        )


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a model's quota is; None: without end."""

    input_tokens: int | None = None
    """A minute; on runtime input and output together."""
    output_tokens: int | None = None
    requests: int | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """An account: by default one that has AWS's example key and may do everything.

    Args:
        keys: Access keys that sign and mint.
        api_keys: API keys of the long-term kind.
        allow: What callers may do.
        deny: What they may not, whatever is allowed.
        quotas: Allowances by the model's id on mantle.
        projects: Projects beside `default`.
        retention: The data retention mode.
        unavailable: Models without access, each with its reason.
    """

    keys: Sequence[AccessKey] = (EXAMPLE,)
    api_keys: Sequence[LongTermKey] = ()
    allow: Sequence[Statement] = (Statement(("*",)),)
    deny: Sequence[Statement] = ()
    quotas: Mapping[str, Allowance] = field(default_factory=dict)
    projects: Sequence[str] = ()
    retention: str = "default"
    unavailable: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, path: str | Path) -> "Account":
        """Read an account from a TOML file.

        Every part may be left out; what is left out is as in `Account()`:

            managed = ["AmazonBedrockMantleReadOnly"]    # AWS's policies, by name
            retention = "none"
            projects = ["proj_a"]
            api_keys = ["ABSKexample"]
            [[keys]]
            id = "AKIA..."
            secret = "..."
            session = "..."                              # of temporary credentials
            [[allow]]                                    # and [[deny]]
            actions = ["bedrock:InvokeModel"]
            resources = ["*"]
            bearers = ["LONG_TERM"]                      # only who comes with such a key
            [quotas."openai.gpt-5.5"]
            input_tokens = 1000
            [unavailable]
            "openai.gpt-6-astra" = "no agreement"

        Raises:
            ConfigError: The file is missing, is not TOML, or holds something else.
        """
        try:
            written = _File.model_validate(tomllib.loads(Path(path).read_text(encoding="utf-8")))
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"cannot read the account {str(path)!r}: {error}") from error
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            at = ".".join(str(step) for step in first["loc"])
            raise ConfigError(f"{path}: {at}: {first['msg']}; see Account.load") from None
        return written.account(observed())

    def may(self, action: str, resource: str, bearer: Bearer | None = None) -> bool:
        """Say whether an action is allowed on a resource, to who comes with such a key."""
        asked = (action, resource, bearer)
        denied = any(each.covers(*asked) for each in self.deny)
        return not denied and any(each.covers(*asked) for each in self.allow)


class _Closed(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Key(_Closed):
    id: str
    secret: str
    session: str | None = None
    user: str = EXAMPLE.user
    expires: datetime | None = None


class _Statement(_Closed):
    actions: list[str]
    resources: list[str] = ["*"]
    bearers: list[Bearer] = []

    def statement(self) -> Statement:
        return Statement(self.actions, self.resources, self.bearers)


class _Quota(_Closed):
    input_tokens: int | None = None
    output_tokens: int | None = None
    requests: int | None = None


class _File(_Closed):
    keys: list[_Key] = Field(default_factory=list)
    api_keys: list[str] = Field(default_factory=list)
    managed: list[str] = Field(default_factory=list)
    allow: list[_Statement] = Field(default_factory=list)
    deny: list[_Statement] = Field(default_factory=list)
    quotas: dict[str, _Quota] = Field(default_factory=dict)
    projects: list[str] = Field(default_factory=list)
    retention: str = "default"
    unavailable: dict[str, str] = Field(default_factory=dict)

    def account(self, known: Observed) -> Account:
        modes = known.data["retention"]["modes"]
        if self.retention not in modes:
            raise ConfigError(f"retention = {self.retention!r}; the modes are {', '.join(modes)}")
        allow = [_managed(name, known) for name in self.managed]
        allow += [each.statement() for each in self.allow]
        return Account(
            keys=[AccessKey(**key.model_dump()) for key in self.keys] or [EXAMPLE],
            api_keys=[LongTermKey(key) for key in self.api_keys],
            allow=allow or [Statement(("*",))],
            deny=[each.statement() for each in self.deny],
            quotas={name: Allowance(**q.model_dump()) for name, q in self.quotas.items()},
            projects=self.projects,
            retention=self.retention,
            unavailable=self.unavailable,
        )


def _managed(name: str, known: Observed) -> Statement:
    policies: Mapping[str, Any] = {row["name"]: row for row in known.data["managed_policy"]}
    if name not in policies:
        raise ConfigError(f"no managed policy {name!r}; known are {', '.join(sorted(policies))}")
    return Statement(policies[name]["actions"])
