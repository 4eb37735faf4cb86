"""What a dialect table must look like. Asked for other people's tables, and for ours by a test."""

from __future__ import annotations

import datetime as dt  # noqa: TC003  pydantic reads the annotations
import re
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)

from toolstone.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Means", "Mend", "check"]

Grade = Literal["doc", "live", "lib", "rep", "ours"]
Host = Literal["mantle", "runtime"]
Api = Literal["responses", "chat", "converse", "invoke", "messages"]
Means = Literal[
    "auth",
    "permission",
    "wrong-route",
    "model",
    "gate",
    "context",
    "throttled",
    "transient",
    "state-lost",
    "malformed",
]
"""What a refusal is about, in one word: shared by exceptions and `doctor`."""
Mend = Literal[
    "switch-prefix",
    "translate-id",
    "drop-parameter",
    "strip-reasoning",
    "strip-items",
    "rebuild",
]
"""What is tried once before a refusal is final."""


def _compiles(pattern: str) -> str:
    re.compile(pattern)
    return pattern


Support = Literal["yes", "passed", "emulated", "no"]
Output = Literal["native", "tool", "prompted"]
Pattern = Annotated[str, AfterValidator(_compiles)]
Prefix = Annotated[str, Field(pattern=r"^(/[a-z0-9]+)+$")]


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    grade: Grade


class _Host(_Entry):
    domain: str = Field(pattern=r"^[a-z-]+\.\{region\}\.[a-z.{}]+$")
    service: str
    prefixes: list[Prefix] = Field(min_length=1)
    control: str
    suffixes: dict[str, str] = {}


class _Feature(_Entry):
    hosts: list[Host] = Field(min_length=1)


class _Region(_Entry):
    mantle: bool
    runtime: bool = True


class _Profiles(_Entry):
    choices: list[Literal["us", "global", "us-gov"]] = Field(min_length=1)


class _Family(_Entry):
    match: list[str] = Field(min_length=1)
    prefix: Prefix
    hosts: list[Host]
    apis: list[Api] = Field(min_length=1)
    chat_hosts: list[Host] = []
    thought_tag: str = ""
    output: Output = "native"
    profiled: bool = False
    runtime_suffix: str = ""
    encrypted: bool = False


class _Model(_Entry):
    mantle: list[str] = []
    context: int | None = Field(default=None, gt=0)
    output: int | None = Field(default=None, gt=0)


class _Gate(_Entry):
    parameter: str
    match: list[str] = [""]
    hosts: list[Host] = ["mantle", "runtime"]
    apis: list[Api] = ["responses", "chat"]
    beside: Literal["tools", ""] = ""
    allowed: list[Any] | None = None
    ignored: bool = False


class _Habits(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    smallest_output: int
    junk: list[str]
    unasked_items: list[str]


class _Error(_Entry):
    statuses: list[int] = []
    words: list[str] = []
    pattern: Pattern | None = None
    means: Means
    error: Literal["auth", "rate", "server", "status"] = "status"
    retryable: bool = False
    mend: Mend | None = None
    parameter: str | None = None
    hint: str = ""


class _Iam(_Entry):
    mantle: list[str]
    runtime: list[str]


class _Capability(_Entry):
    openai: Support
    mantle: Support
    runtime: Support
    local: Support
    instead: str = ""

    @model_validator(mode="after")
    def _what_is_not_there_has_an_alternative(self) -> Self:
        if "no" in (self.openai, self.mantle, self.runtime, self.local) and not self.instead:
            raise ValueError("an endpoint has it not, and `instead` does not say what to do")
        return self


class _Spoken(BaseModel):
    """What `toolstone.ports.Profile` is made of, for one API of a server."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    output: Output = "native"
    output_with_tools: Output | None = None
    schema_field: Literal["text", "response_format"] = "text"
    refuses: list[str] = []
    idle: float | None = Field(default=None, gt=0)
    keeps_item_ids: bool = True
    replays_thoughts: bool = False
    junk: list[str] = []
    ignores: list[str] = []
    hides_cuts: bool = False
    reads_arguments: bool = False
    spelt: dict[str, str] = {}
    thought_tag: str = ""
    resumes: bool = False
    unsupported: dict[str, str] = {}


class _Endpoint(_Entry):
    api: Literal["responses", "chat"] = "responses"
    version: str = ""
    date: dt.date
    like: Literal["openai", "local"] | None = None
    responses: _Spoken = _Spoken()
    chat: _Spoken = _Spoken()
    errors: dict[str, _Error] = {}


class _Dialect(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1]
    date: dt.date
    hosts: dict[Host, _Host]
    features: dict[Literal["background", "server_tools", "project", "stored"], _Feature]
    regions: dict[Annotated[str, Field(pattern=r"^[a-z]+(-[a-z]+)+-\d+$")], _Region]
    profiles: dict[str, _Profiles]
    families: dict[str, _Family]
    models: dict[str, _Model]
    gates: dict[str, _Gate]
    habits: _Habits
    errors: dict[str, _Error]
    iam: dict[str, _Iam]
    capabilities: dict[str, _Capability]
    endpoints: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9.-]*$")], _Endpoint]


def check(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """The table, unchanged, if it is of the form.

    Raises:
        ConfigError: It is not; says where and why.
    """
    try:
        _Dialect.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        raise ConfigError(
            f"the dialect table is not of the form, at {where}: {first['msg']}; "
            "toolstone/bedrock/dialect.toml shows how it is written"
        ) from None
    return data
