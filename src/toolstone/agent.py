"""Agent: run, stream, extract, resume; each with a blocking twin."""

from __future__ import annotations

import asyncio
import inspect
import re
import threading
import time
import uuid
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Generic, Literal, TypedDict, TypeVar, Unpack, overload

from toolstone import limits
from toolstone._portal import block
from toolstone.errors import DefinitionError, InputError, RunError, ToolError
from toolstone.events import Began, Ruled
from toolstone.items import CallKey, input_items
from toolstone.ledgers.memory import MemoryLedger
from toolstone.models import check_model_string, resolve_model
from toolstone.ports import NO_SETTINGS, Model, Profile, Settings
from toolstone.runs.budget import Budget, Purse
from toolstone.runs.conduct import conduct
from toolstone.runs.journal import Journal
from toolstone.runs.loop import Rig, spending
from toolstone.runs.plan import Offer, Plan, fingerprint
from toolstone.runs.result import Result, ToolCall, completed_output, make_result, waits_for
from toolstone.runs.state import Run, fold
from toolstone.runs.steps import Stop
from toolstone.runs.stream import BlockingStream, RunStream
from toolstone.schema.output import OutputType
from toolstone.tools.context import CancelToken, ToolContext
from toolstone.tools.decorator import tool
from toolstone.tools.results import render_result
from toolstone.tools.tool import Tool
from toolstone.tools.toolbox import Toolbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import TracebackType

    from toolstone.items import Item
    from toolstone.ports import Ledger, Observer

    Input = str | Item | Mapping[str, Any] | Iterable[Item | Mapping[str, Any]]
    Tools = Iterable[Callable[..., Any] | Tool | Toolbox] | Toolbox
    Instructions = str | Callable[[ToolContext[Any]], Any]

__all__ = ["Agent"]

Output = TypeVar("Output")
T = TypeVar("T")
_UNSET: Any = object()


class _Options(TypedDict, total=False):
    """What an agent may be given besides model and output; see `Agent`."""

    tools: Tools
    instructions: Instructions | None
    budget: Budget | None
    settings: Settings
    ledger: Ledger | None
    observers: Sequence[Observer]
    name: str
    strict: bool | Literal["auto"]
    concurrency: int
    reasks: int
    fatal: tuple[type[BaseException], ...]


@dataclass(frozen=True, slots=True)
class _Wish:
    """What one call of `run`, `stream` or `resume` asks for."""

    session: str | None = None
    deps: Any = None
    budget: Budget | None = None
    settings: Settings | None = None
    tools: Tools | None = None
    cancel: CancelToken | None = None
    parent: Purse | None = None


class Agent(Generic[Output]):
    """A model, what it is told, its tools, and the type of its answer.

    An agent holds no run: share it freely between threads, tasks and event loops.

    Args:
        model: `"local/smollm2"`, `"openai/MODEL"`, `"responses+https://host/v1#MODEL"`, or an
            object with `respond` (`toolstone.ports.Model`).
        tools: Functions, `Tool`s and `Toolbox`es. Plain functions become tools as they are.
        output: The type of the answer: `str`, a Pydantic model, dataclass, TypedDict, union,
            list, scalar or Literal.
        instructions: What the model is told first: text, or a function of the context (called
            once a run, may be async).
        budget: What a run may spend; 32 requests unless said otherwise.
        settings: Parameters of every request.
        ledger: Where sessions are kept; in this agent's memory unless said otherwise.
        observers: Who watches.
        name: The agent's name as a tool, and in messages.
        strict: Whether the output schema is strict: True, False or `"auto"`.
        concurrency: How many calls of a turn run at once.
        reasks: How often an answer that does not fit the output type is asked for again.
        fatal: Exceptions of tools that end the run, after the other calls of the turn settled.

    Raises:
        DefinitionError: A tool, the output type or the model string cannot be.

    Example:
        agent = Agent("local/smollm2", tools=[weather], output=Report)
        report = agent.run_sync("Report on Paris").output
    """

    @overload
    def __init__(self: Agent[str], model: str | Model, **options: Unpack[_Options]) -> None: ...
    @overload
    def __init__(
        self: Agent[T], model: str | Model, *, output: type[T], **options: Unpack[_Options]
    ) -> None: ...
    @overload
    def __init__(
        self: Agent[Any], model: str | Model, *, output: Any, **options: Unpack[_Options]
    ) -> None: ...
    def __init__(  # noqa: PLR0913  the whole of what an agent is
        self,
        model: str | Model,
        *,
        tools: Tools = (),
        output: Any = str,
        instructions: Instructions | None = None,
        budget: Budget | None = None,
        settings: Settings = NO_SETTINGS,
        ledger: Ledger | None = None,
        observers: Sequence[Observer] = (),
        name: str = "agent",
        strict: bool | Literal["auto"] = "auto",
        concurrency: int = limits.CALLS_PER_TURN,
        reasks: int = limits.OUTPUT_REASKS,
        fatal: tuple[type[BaseException], ...] = (),
    ) -> None:
        if isinstance(model, str):
            check_model_string(model)
        if concurrency < 1:
            raise DefinitionError(f"Agent(concurrency={concurrency}): at least 1 call must run")
        self.model_name = model if isinstance(model, str) else str(getattr(model, "name", ""))
        self.name = name
        self.instructions = instructions
        self.budget = budget or Budget()
        self.settings = settings
        self.ledger = ledger
        self.observers = tuple(observers)
        self._model = None if isinstance(model, str) else model
        self._output: OutputType[Output] = OutputType.of(output, strict=strict)
        self._toolbox = Toolbox(tools)
        self._concurrency = concurrency
        self._reasks = reasks
        self._fatal = fatal
        self._memory = MemoryLedger()
        self._lock = threading.Lock()
        self._offers: dict[tuple[int, ...], Offer] = {}

    def __repr__(self) -> str:
        tools = ", ".join(tool.name for tool in self._toolbox)
        return f"Agent({self.model_name!r}, tools=[{tools}], output={self._output!r})"

    # --------------------------------------------------------------------------------- the doors

    async def run(  # noqa: PLR0913  the options of a run
        self,
        input: Input,  # noqa: A002  the wire's own name for it
        *,
        session: str | None = None,
        after: Result[Any] | None = None,
        deps: Any = None,
        budget: Budget | None = None,
        settings: Settings | None = None,
        tools: Tools | None = None,
        cancel: CancelToken | None = None,
    ) -> Result[Output]:
        """Say something to the model and go on until it has answered, or must wait for somebody.

        Args:
            input: Text, an item, or a list of items.
            session: A name (letters, digits, `_`, `-`; up to 64) to go on with a conversation and
                to resume this one under.
            after: An earlier result whose conversation this goes on with; excludes a session that
                already has records.
            deps: Handed to tools in `ToolContext.deps`.
            budget: Instead of the agent's.
            settings: On top of the agent's.
            tools: Instead of the agent's.
            cancel: Stops the run from elsewhere, any thread: `RunCancelled` is raised here.

        Returns:
            A result whose outcome is `complete`, or `waiting` with the calls in `waiting`.

        Raises:
            RunError: Any other outcome; it carries the run so far.
            ConflictError: Somebody else is running this session.
            InputError: The input cannot be, or the session waits for somebody.
        """
        wish = _Wish(session, deps, budget, settings, tools, cancel)
        return await self._run(wish, input, after)

    def run_sync(  # noqa: PLR0913  the options of a run
        self,
        input: Input,  # noqa: A002  the wire's own name for it
        *,
        session: str | None = None,
        after: Result[Any] | None = None,
        deps: Any = None,
        budget: Budget | None = None,
        settings: Settings | None = None,
        tools: Tools | None = None,
        cancel: CancelToken | None = None,
    ) -> Result[Output]:
        """`run`, blocking: from a script, a thread, or inside a running event loop."""
        wish = _Wish(session, deps, budget, settings, tools, cancel)
        return block(self._run, wish, input, after)

    def stream(  # noqa: PLR0913  the options of a run
        self,
        input: Input,  # noqa: A002  the wire's own name for it
        *,
        session: str | None = None,
        after: Result[Any] | None = None,
        deps: Any = None,
        budget: Budget | None = None,
        settings: Settings | None = None,
        tools: Tools | None = None,
        cancel: CancelToken | None = None,
    ) -> RunStream[Output]:
        """`run`, watched while it goes. Use it as a context manager; see `RunStream`."""
        wish = _Wish(session, deps, budget, settings, tools, cancel)
        return RunStream(lambda stream: self._run(wish, input, after, stream), self._output)

    def stream_sync(  # noqa: PLR0913  the options of a run
        self,
        input: Input,  # noqa: A002  the wire's own name for it
        *,
        session: str | None = None,
        after: Result[Any] | None = None,
        deps: Any = None,
        budget: Budget | None = None,
        settings: Settings | None = None,
        tools: Tools | None = None,
        cancel: CancelToken | None = None,
    ) -> BlockingStream[Output]:
        """`stream`, blocking: `with agent.stream_sync(...) as stream: for x in stream.text()`."""
        wish = _Wish(session, deps, budget, settings, tools, cancel)
        return BlockingStream(
            lambda: RunStream(lambda stream: self._run(wish, input, after, stream), self._output)
        )

    async def extract(
        self,
        input: Input,  # noqa: A002  the wire's own name for it
        *,
        budget: Budget | None = None,
        settings: Settings | None = None,
    ) -> Output:
        """Read one text into the output type: no tools, no session, one shot.

        An answer that does not fit is asked for again as in `run`.

        Raises:
            RunError: There is no output.
        """
        wish = _Wish(budget=budget, settings=settings, tools=())
        return (await self._run(wish, input, None)).output

    def extract_sync(
        self,
        input: Input,  # noqa: A002  the wire's own name for it
        *,
        budget: Budget | None = None,
        settings: Settings | None = None,
    ) -> Output:
        """`extract`, blocking."""
        return block(self.extract, input, budget=budget, settings=settings)

    async def resume(
        self,
        session: str,
        *,
        deps: Any = None,
        budget: Budget | None = None,
        settings: Settings | None = None,
        tools: Tools | None = None,
        cancel: CancelToken | None = None,
    ) -> Result[Output]:
        """Go on with a session where it stopped: after a ruling, an error, or a dead process.

        Nothing new is said to the model. Calls of `repeatable` tools that had not returned are
        made again; any other comes back in `waiting` with state `unknown`: `settle` it. What was
        spent stays spent; give a larger budget if it was used up. A session that is complete gives
        its result again, without a request.

        Raises:
            InputError: There is no such session.
            RunError: The run did not complete this time either.
            ConflictError: Somebody else is running this session.
        """
        wish = _Wish(session, deps, budget, settings, tools, cancel)
        return await self._resume(wish)

    def resume_sync(
        self,
        session: str,
        *,
        deps: Any = None,
        budget: Budget | None = None,
        settings: Settings | None = None,
        tools: Tools | None = None,
        cancel: CancelToken | None = None,
    ) -> Result[Output]:
        """`resume`, blocking."""
        return block(self._resume, _Wish(session, deps, budget, settings, tools, cancel))

    # ----------------------------------------------------------------------------------- rulings

    async def approve(self, session: str, call: CallKey | ToolCall | str) -> None:
        """Let a waiting call run; `resume` goes on.

        Raises:
            InputError: No such call waits for approval.
        """
        await self._rule(session, call, Ruled(_NOWHERE, "approve"), {"approval"})

    async def deny(self, session: str, call: CallKey | ToolCall | str, reason: str = "") -> None:
        """Do not let a waiting call run; the model is told, with the reason.

        Raises:
            InputError: No such call waits for approval.
        """
        await self._rule(session, call, Ruled(_NOWHERE, "deny", reason), {"approval"})

    async def settle(
        self,
        session: str,
        call: CallKey | ToolCall | str,
        *,
        result: Any = _UNSET,
        failed: str | None = None,
        again: bool = False,
    ) -> None:
        """Say what became of a call whose outcome is unknown, or whose result comes from elsewhere.

        Args:
            session: The session it belongs to.
            call: The call, its key, or the key as text such as `"3.1"`.
            result: Take this as its result; converted as a tool's return value is.
            failed: Tell the model that it failed, with this text.
            again: Run it again.

        Raises:
            InputError: No such call waits, or not exactly one of the three is given.
        """
        rulings = [
            *([Ruled(_NOWHERE, "result", render_result(result))] if result is not _UNSET else []),
            *([Ruled(_NOWHERE, "failed", failed)] if failed is not None else []),
            *([Ruled(_NOWHERE, "again")] if again else []),
        ]
        if len(rulings) != 1:
            raise InputError("settle(...): give exactly one of result=, failed= and again=True")
        await self._rule(session, call, rulings[0], {"unknown", "deferred"})

    def approve_sync(self, session: str, call: CallKey | ToolCall | str) -> None:
        """`approve`, blocking."""
        block(self.approve, session, call)

    def deny_sync(self, session: str, call: CallKey | ToolCall | str, reason: str = "") -> None:
        """`deny`, blocking."""
        block(self.deny, session, call, reason)

    def settle_sync(
        self,
        session: str,
        call: CallKey | ToolCall | str,
        *,
        result: Any = _UNSET,
        failed: str | None = None,
        again: bool = False,
    ) -> None:
        """`settle`, blocking."""
        block(self.settle, session, call, result=result, failed=failed, again=again)

    # ------------------------------------------------------------------------- as part of others

    def as_tool(self, *, name: str | None = None, description: str) -> Tool:
        """This agent as a tool of another: it spends from the other's budget.

        Args:
            name: The tool's name; the agent's if None.
            description: What the other model is told it is for.
        """

        async def ask(context: ToolContext[Any], request: str) -> Any:
            parent = spending.get()
            wish = _Wish(deps=context.deps, cancel=context.cancel, parent=parent)
            try:
                result = await self._run(wish, request, None)
            except RunError as error:
                _charge(parent, context.call, error.result)
                raise ToolError(f"{self.name} did not complete: {error.outcome}") from error
            _charge(parent, context.call, result)
            if result.outcome != "complete":
                raise ToolError(f"{self.name} waits for somebody; its session is {result.session}")
            return result.output

        return Tool.of(tool(name=name or self.name, description=description)(ask))

    async def aclose(self) -> None:
        """Close the model's connections early; they close with their event loop anyway."""
        close = getattr(self._model, "aclose", None)
        if close is not None:
            await close()

    async def __aenter__(self) -> Agent[Output]:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    # --------------------------------------------------------------------------------- the inside

    async def _run(
        self,
        wish: _Wish,
        given: Input,
        after: Result[Any] | None,
        stream: RunStream[Output] | None = None,
    ) -> Result[Output]:
        items = input_items(given)
        run, ledger = await self._load(wish.session)
        if run.open:
            raise InputError(
                f"session {run.session!r} has calls that have not returned; approve, deny or "
                "settle them, then resume the session before saying something new"
            )
        if after is not None:
            if run.records:
                raise InputError(f"after= was given, but session {run.session!r} has records")
            items = (*after.items, *items)
        run_id = uuid.uuid4().hex
        plan = await self._plan(wish, run_id, stream is not None)
        rig = self._rig(plan, run, run_id, ledger, wish, stream)
        began = Began(items, self._fingerprint(plan), plan.budget.as_data())
        return await self._conduct(plan, run, rig, ledger, began)

    async def _resume(self, wish: _Wish) -> Result[Output]:
        run, ledger = await self._load(wish.session)
        if not run.records:
            raise InputError(f"there is no session {run.session!r} to resume")
        plan = await self._plan(wish, run.id, stream=False)
        if run.finished is not None and run.finished.outcome == "complete":
            return make_result(plan, run, Stop("complete", completed_output(plan, run)))
        rig = self._rig(plan, run, run.id, ledger, wish, None)
        rig.purse.spend(run.spent + run.lost, run.requests)
        began = Began((), self._fingerprint(plan), plan.budget.as_data(), resumed=True)
        return await self._conduct(plan, run, rig, ledger, began)

    async def _conduct(
        self, plan: Plan[Output], run: Run, rig: Rig, ledger: Ledger | None, began: Began
    ) -> Result[Output]:
        """Conduct a run; keep it in memory if it did not complete and is kept nowhere else."""
        complete = False
        try:
            result = await conduct(plan, run, rig, began)
            complete = result.outcome == "complete"
        finally:
            if ledger is None:
                if complete:
                    self._memory.forget(run.session)
                else:
                    self._memory.keep_unnamed(run.session, run.records)
        return result

    async def _load(self, session: str | None) -> tuple[Run, Ledger | None]:
        """The session so far, and the ledger it is kept in; None if it has no name of its own."""
        if session is None:
            return Run(f"run-{uuid.uuid4().hex}"), self.ledger
        if not re.fullmatch(limits.SESSION_NAME, session):
            raise InputError(
                f"session name of {len(session)} characters: a name is 1 to 64 letters, digits, "
                "'_' or '-'"
            )
        if self.ledger is None and self._memory.is_unnamed(session):
            return fold(await self._memory.load(session), session), None
        ledger = self.ledger or self._memory
        return fold(await ledger.load(session), session), ledger

    async def _plan(self, wish: _Wish, run_id: str, stream: bool) -> Plan[Output]:  # noqa: FBT001
        model = await self._open_model()
        toolbox = self._toolbox if wish.tools is None else Toolbox(wish.tools)
        plan = Plan(
            model=model,
            output=self._output,
            offer=lambda: self._offer(toolbox, final),
            settings=self.settings | wish.settings,
            budget=wish.budget or self.budget,
            profile=getattr(model, "profile", Profile()),
            name=self.model_name,
            deps=wish.deps,
            concurrency=self._concurrency,
            reasks=self._reasks,
            fatal=self._fatal,
            stream=stream,
        )
        final = plan.final_tool is not None
        return replace(plan, instructions=await self._instruct(run_id, wish))

    async def _instruct(self, run_id: str, wish: _Wish) -> str | None:
        if self.instructions is None or isinstance(self.instructions, str):
            return self.instructions
        context = ToolContext(run_id, _NOWHERE, wish.deps, wish.cancel or CancelToken(), None)
        text = self.instructions(context)
        return str(await text if inspect.isawaitable(text) else text)

    async def _open_model(self) -> Model:
        if self._model is None:
            model = await asyncio.to_thread(resolve_model, self.model_name)
            with self._lock:
                self._model = self._model or model
        return self._model

    def _rig(  # noqa: PLR0913  where everything about a run meets
        self,
        plan: Plan[Output],
        run: Run,
        run_id: str,
        ledger: Ledger | None,
        wish: _Wish,
        stream: RunStream[Output] | None,
    ) -> Rig:
        purse = Purse(plan.budget, model=self.model_name, now=time.monotonic(), parent=wish.parent)
        sink = None if stream is None else stream.attach(plan, purse)
        journal = Journal(
            run, run_id, ledger=ledger, observers=self.observers, sink=sink, now=time.time
        )
        return Rig(journal, purse, wish.cancel or CancelToken())

    def _offer(self, toolbox: Toolbox, final: bool) -> Offer:  # noqa: FBT001
        """The tools of this turn; the same object as long as they are the same."""
        tools = tuple(toolbox)
        key = (final, *map(id, tools))
        found = self._offers.get(key)
        if found is None:
            if len(self._offers) >= _OFFERS:
                self._offers.clear()
            specs = tuple(tool.spec for tool in tools)
            found = Offer(
                {tool.name: tool for tool in tools},
                (*specs, self._output.tool) if final else specs,
            )
            self._offers[key] = found
        return found

    def _fingerprint(self, plan: Plan[Output]) -> str:
        specs = plan.offer().specs
        return fingerprint(self.model_name, plan.instructions, specs, repr(self._output))

    async def _rule(
        self, session: str, call: CallKey | ToolCall | str, ruling: Ruled, states: set[str]
    ) -> None:
        run, ledger = await self._load(session)
        key = _key(call)
        found = run.find(key)
        tools = {tool.name: tool for tool in self._toolbox}
        state = "returned" if found is None else waits_for(found, tools)
        if state not in states:
            waiting = ", ".join(
                f"{c.key} ({waits_for(c, tools)})" for c in run.open if c.returned is None
            )
            raise InputError(
                f"session {session!r}: call {key} cannot be ruled so; it is {state!r}, this needs "
                f"{' or '.join(sorted(states))}. Waiting are: {waiting or 'none'}"
            )
        journal = Journal(run, run.id, ledger=ledger, observers=self.observers, now=time.time)
        await journal.record(replace(ruling, call=key))
        if ledger is None:
            self._memory.keep_unnamed(session, run.records)


_NOWHERE = CallKey(0, 0)
_OFFERS = 64


def _key(call: CallKey | ToolCall | str) -> CallKey:
    if isinstance(call, ToolCall):
        return call.key
    return CallKey.parse(call) if isinstance(call, str) else call


def _charge(parent: Purse | None, call: CallKey, result: Result[Any] | None) -> None:
    if parent is not None and result is not None:
        spent = parent.charged.get(call)
        parent.charged[call] = result.usage if spent is None else spent + result.usage
