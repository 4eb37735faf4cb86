"""Everything about a run that does not change while it goes. Pure."""

from __future__ import annotations

from dataclasses import field
from functools import lru_cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Generic, Literal, NamedTuple, TypeVar

from pydantic_core import PydanticSerializationError, to_json

from toolstone import limits
from toolstone._dataclass import dataclass
from toolstone.errors import InputError
from toolstone.ports import NO_SETTINGS, OutputFormat, Profile, Settings
from toolstone.runs.budget import Budget

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from toolstone.ports import Model, ToolSpec
    from toolstone.runs.views import LastTurns, ServerCompaction, Summary, TrimResults
    from toolstone.schema.output import OutputType
    from toolstone.tools.tool import Tool

__all__ = ["Offer", "Plan"]

Output = TypeVar("Output")


class Offer(NamedTuple):
    """The tools of one turn. The same object as long as they are the same."""

    tools: Mapping[str, Tool]
    specs: tuple[ToolSpec, ...]
    kept: tuple[Tool, ...] = ()
    """The very objects, so that their identity stays theirs while the offer is cached."""
    code: tuple[str, ...] = ()
    """A hash of the code behind each."""


@dataclass(frozen=True, slots=True)
class Plan(Generic[Output]):
    """What `next_step` and the loop need to know besides the run itself."""

    model: Model
    output: OutputType[Output]
    offer: Callable[[], Offer]
    """The tools offered now; called once a turn."""
    instructions: str | None = None
    settings: Settings = NO_SETTINGS
    budget: Budget = field(default_factory=Budget)
    profile: Profile = field(default_factory=Profile)
    name: str = ""
    """The model's name as the user wrote it: the key of the price table."""
    origin: str = ""
    """Where the model is; empty if it does not say."""
    deps: Any = None
    concurrency: int = limits.CALLS_PER_TURN
    reasks: int = limits.OUTPUT_REASKS
    fatal: tuple[type[BaseException], ...] = ()
    stream: bool = False
    shorteners: tuple[LastTurns | TrimResults, ...] = ()
    """Views that look at the history anew before each request."""
    compactor: Summary | ServerCompaction | None = None
    """The view that replaces what has grown too long."""
    compactor_model: Model | None = None
    """Who is asked for the replacement, if not the model itself."""
    compactor_name: str | None = None
    """Its name: the key of the price table."""
    how: Literal["text", "native", "tool", "prompted"] = field(init=False)
    """How the output type is asked for; visible as `Result.output_mode`."""
    final_tool: str | None = field(init=False)
    """The name of the tool whose call is the answer, if that is how it is asked for."""

    def __post_init__(self) -> None:
        tool = self.output.tool
        how = "text" if tool is None else self.profile.output
        object.__setattr__(self, "how", how)
        final = tool.name if tool is not None and how == "tool" else None
        object.__setattr__(self, "final_tool", final)

    @property
    def most_calls(self) -> int:
        """How many calls of one turn are carried out; the others are answered "limit"."""
        asked = self.settings.extra.get("max_tool_calls", self.settings.max_tool_calls)
        if type(asked) is int:
            return max(0, min(asked, limits.CALLS_PER_TURN))
        return limits.CALLS_PER_TURN

    @property
    def format(self) -> OutputFormat | None:
        """The schema to send as `text.format`, if the endpoint enforces one."""
        return self.output.format if self.how == "native" else None


@lru_cache(maxsize=64)
def fingerprint(
    name: str,
    instructions: str | None,
    specs: tuple[ToolSpec, ...],
    code: tuple[str, ...],
    output: str,
) -> str:
    """A short hash of an agent, the code of its tools included: a change is noticed on resume.

    Raises:
        InputError: The instructions hold half a character.
    """
    told = [name, instructions, output, [_described(spec) for spec in specs], code]
    try:
        return sha256(to_json(told)).hexdigest()[:16]
    except PydanticSerializationError as error:
        raise InputError(
            "the instructions or a tool's description cannot be sent: text must be valid Unicode, "
            "without half of a surrogate pair"
        ) from error


def _described(spec: ToolSpec) -> list[Any]:
    if spec.raw is not None:
        from toolstone.tools.server import without_secrets  # noqa: PLC0415  for who has such a tool

        return [spec.name, without_secrets(spec.raw)]  # a token that is renewed changes nothing
    return [spec.name, spec.description, spec.parameters]
