"""What an agent is made of, and how one run is prepared from it: its plan and its rig."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Callable
from dataclasses import field, replace
from typing import TYPE_CHECKING, Any, Generic, Literal, TypedDict, TypeVar

from toolstone import limits
from toolstone._dataclass import dataclass
from toolstone.errors import DefinitionError, ToolstoneError, UsageError
from toolstone.events import Began
from toolstone.models import check_model_string, resolve_model
from toolstone.ports import NO_SETTINGS, Model, Profile, Settings
from toolstone.runs.budget import Budget, Purse
from toolstone.runs.choice import spelled
from toolstone.runs.journal import Journal
from toolstone.runs.loop import Rig, spending
from toolstone.runs.plan import Offer, Plan, fingerprint
from toolstone.schema.output import OutputType
from toolstone.sessions import NO_CALL, Wish
from toolstone.tools.code import code_of
from toolstone.tools.context import CancelToken, ToolContext
from toolstone.tools.toolbox import Toolbox

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from toolstone.items import Item
    from toolstone.ports import Ledger, Observer
    from toolstone.runs.state import Run
    from toolstone.runs.stream import RunStream
    from toolstone.runs.views import View
    from toolstone.sessions import Tools
    from toolstone.viewing import Views

__all__ = ["AgentOptions", "Instructions", "Workshop"]

Output = TypeVar("Output")
Instructions = str | Callable[[ToolContext[Any]], Any]

_OFFERS = 64
_PLAIN = Profile()


class AgentOptions(TypedDict, total=False):
    """What an agent may be given besides model and output; see `Agent`."""

    tools: Tools
    instructions: Instructions | None
    budget: Budget | None
    settings: Settings
    ledger: Ledger | None
    observers: Sequence[Observer]
    view: View | Sequence[View] | None
    name: str
    strict: bool | Literal["auto"]
    concurrency: int
    reasks: int
    fatal: tuple[type[BaseException], ...]


@dataclass(slots=True)
class Workshop(Generic[Output]):
    """The parts of an agent; see `Agent` for each."""

    given: str | Model
    output: OutputType[Output]
    toolbox: Toolbox
    instructions: Instructions | None = None
    budget: Budget = field(default_factory=Budget)
    settings: Settings = NO_SETTINGS
    observers: tuple[Observer, ...] = ()
    view: View | Sequence[View] | None = None
    name: str = "agent"
    concurrency: int = limits.CALLS_PER_TURN
    reasks: int = limits.OUTPUT_REASKS
    fatal: tuple[type[BaseException], ...] = ()
    model: Model | None = field(init=False, default=None)
    """The model once it was needed: a string is resolved at the first run."""
    views: Views | None = field(init=False, default=None)
    """The view, sorted."""
    _offers: dict[tuple[Any, ...], Offer] = field(init=False, default_factory=dict)
    _described: str = field(init=False, default="")
    """The output type in words, once a run has begun: the same for all of them."""

    def __post_init__(self) -> None:
        if isinstance(self.given, str):
            check_model_string(self.given)
        else:
            self.model = self.given
        if self.view is not None:
            from toolstone.viewing import sorted_views  # noqa: PLC0415  for who has one

            self.views = sorted_views(self.view)
        if self.concurrency < 1:
            raise DefinitionError(
                f"Agent(concurrency={self.concurrency}): at least 1 call must be able to run"
            )

    @property
    def model_name(self) -> str:
        """The model's name as the user wrote it: the key of a price table."""
        return self.given if isinstance(self.given, str) else str(getattr(self.given, "name", ""))

    def with_(self, changes: AgentOptions) -> Workshop[Output]:
        """The same parts, some of them changed; the model is shared."""
        parts: dict[str, Any] = {**changes}
        parts.pop("ledger", None)
        if "tools" in parts:
            parts["toolbox"] = Toolbox(parts.pop("tools"))
        if "strict" in parts:
            strict = parts.pop("strict")
            parts["output"] = OutputType.of(self.output.annotation, strict=strict)
        if "budget" in parts:
            parts["budget"] = parts["budget"] or Budget()
        if "observers" in parts:
            parts["observers"] = tuple(parts["observers"])
        made = replace(self, **parts)
        made.model = self.model
        if made.view is self.view:
            made.views = self.views
        return made

    async def plan(self, wish: Wish, run_id: str, *, stream: bool) -> Plan[Output]:
        """Everything about a run that will not change while it goes.

        Raises:
            ConfigError: The model cannot be had: a key or an extra is missing.
            DefinitionError: The tools of the wish cannot be.
            InputError: The settings cannot be.
        """
        model = await self._open_model()
        toolbox = self.toolbox if wish.tools is None else Toolbox(wish.tools)
        profile = _beside(toolbox, getattr(model, "profile", _PLAIN))
        final = self.output.tool is not None and profile.output == "tool"
        settings = self.settings | wish.settings
        if settings is not NO_SETTINGS:
            settings = self._settled(settings, toolbox, final)
        allowed = _allowed(settings.tool_choice)
        offer = self._offer(toolbox, final, allowed)
        plan = Plan(
            model=model,
            output=self.output,
            offer=lambda: offer if toolbox.fixed else self._offer(toolbox, final, allowed),
            instructions=await self._instruct(run_id, wish),
            settings=settings,
            budget=wish.budget or self.budget,
            profile=profile,
            name=self.model_name,
            origin=getattr(model, "origin", ""),
            deps=wish.deps,
            concurrency=self.concurrency,
            reasks=self.reasks,
            fatal=self.fatal,
            stream=stream,
        )
        return plan if self.views is None else await self.views.added_to(plan)

    def rig(
        self,
        plan: Plan[Output],
        run: Run,
        run_id: str,
        ledger: Ledger | None,
        wish: Wish,
        stream: RunStream[Output] | None = None,
    ) -> Rig:
        """Where the run is written down, what it may spend, and who may stop it."""
        clock = time.monotonic
        purse = Purse(plan.budget, model=self.model_name, now=clock(), parent=wish.parent)
        purse.owner = None if ledger is None else (ledger, run.session)
        purse.outer = spending.get()
        if plan.compactor_name is not None:
            purse.check_prices(plan.compactor_name)
        sink = None if stream is None else stream.attach(plan, purse)
        journal = Journal(
            run, run_id, ledger=ledger, observers=self.observers, sink=sink, now=time.time
        )
        return Rig(journal, purse, wish.cancel or CancelToken(), clock)

    def began(self, plan: Plan[Output], items: tuple[Item, ...], *, resumed: bool = False) -> Began:
        """The first fact of a run."""
        offer = plan.offer()
        self._described = self._described or repr(self.output)
        # what a function of the context says may be another text each time; its code is not
        said = code_of(self.instructions) if callable(self.instructions) else plan.instructions
        told = fingerprint(self.model_name, said, offer.specs, offer.code, self._described)
        return Began(items, told, plan.budget.as_data(), resumed)

    def _settled(self, settings: Settings, toolbox: Toolbox, final: bool) -> Settings:
        """The settings, if they can be, with a tool's plain name as the choice it stands for."""
        from toolstone.runs.settings import check_values  # noqa: PLC0415  for who has some

        answer = (self.output.tool.name,) if final and self.output.tool is not None else ()
        if settings.tool_choice is not None:
            choice = spelled(settings.tool_choice, toolbox)
            settings = replace(settings, tool_choice=choice)
        check_values(settings, (*toolbox.names, *answer))
        return settings

    async def _instruct(self, run_id: str, wish: Wish) -> str | None:
        if self.instructions is None or isinstance(self.instructions, str):
            return self.instructions
        context = ToolContext(run_id, NO_CALL, wish.deps, wish.cancel or CancelToken())
        try:
            text = self.instructions(context)
            said = str(await text if inspect.isawaitable(text) else text)
            said.encode()  # half a character cannot be sent
        except ToolstoneError:
            raise
        except Exception as error:
            name = getattr(self.instructions, "__qualname__", type(self.instructions).__name__)
            raise UsageError(
                f"instructions={name}: it raised {type(error).__name__} (chained to this); "
                "nothing was sent"
            ) from error
        return said

    async def _open_model(self) -> Model:
        if self.model is None:
            model = await asyncio.to_thread(resolve_model, self.model_name)
            self.model = self.model or model  # of two at once the first one stays
        return self.model

    def _offer(self, toolbox: Toolbox, final: bool, allowed: frozenset[str] | None) -> Offer:
        """The tools of this turn; the same object as long as they are the same.

        What `tool_choice` leaves out is told to the model all the same, and never run.
        """
        tools = toolbox.offered()
        key = (final, allowed, *map(id, tools))
        found = self._offers.get(key)
        if found is None:
            if len(self._offers) >= _OFFERS:
                self._offers.clear()
            specs = tuple(tool.spec for tool in tools)
            if final and self.output.tool is not None:
                if any(tool.name == self.output.tool.name for tool in tools):
                    raise DefinitionError(
                        f"a tool is named {self.output.tool.name!r}, as the one that takes the "
                        "answer of this endpoint; rename yours"
                    )
                specs = (*specs, self.output.tool)
            callable_ = {
                t.name: t
                for t in tools
                if t.kind != "server" and (allowed is None or t.name in allowed)
            }
            found = Offer(callable_, specs, tools, tuple([tool.code for tool in tools]))
            self._offers[key] = found
        return found


def _beside(toolbox: Toolbox, profile: Profile) -> Profile:
    """The profile as it is while these tools are offered."""
    if profile.output_with_tools is None or not toolbox:
        return profile
    return replace(profile, output=profile.output_with_tools)


def _allowed(choice: str | Mapping[str, Any] | None) -> frozenset[str] | None:
    """The names that `tool_choice` lets the model call; None if it says nothing of them."""
    if choice == "none":
        return frozenset()
    if isinstance(choice, dict) and choice.get("type") == "allowed_tools":
        return frozenset(str(one.get("name")) for one in choice.get("tools", ()))
    return None
