"""Agent: run, stream, extract, resume; each with a blocking twin."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any, Generic, Literal, TypedDict, TypeVar, Unpack, overload

from toolstone import limits
from toolstone._portal import block
from toolstone.errors import DefinitionError, InputError, RunError, ToolError
from toolstone.events import Began, Ruled
from toolstone.items import input_items
from toolstone.models import check_model_string, resolve_model
from toolstone.ports import NO_SETTINGS, Model, Profile, Settings
from toolstone.runs.budget import Budget, Purse
from toolstone.runs.conduct import conduct
from toolstone.runs.journal import Journal
from toolstone.runs.loop import Rig, spending
from toolstone.runs.plan import Offer, Plan, fingerprint
from toolstone.runs.result import Result, completed_output, make_result
from toolstone.runs.steps import Stop
from toolstone.runs.stream import BlockingStream, RunStream
from toolstone.schema.output import OutputType
from toolstone.sessions import (
    NO_CALL,
    AnyCall,
    ResumeOptions,
    RunOptions,
    Sessions,
    Tools,
    Wish,
    call_key,
)
from toolstone.tools.context import CancelToken, ToolContext
from toolstone.tools.decorator import tool
from toolstone.tools.results import render_result
from toolstone.tools.tool import Tool
from toolstone.tools.toolbox import Toolbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import TracebackType

    from toolstone.items import CallKey, Item
    from toolstone.ports import Ledger, Observer
    from toolstone.runs.state import Run

    Input = str | Item | Mapping[str, Any] | Iterable[Item | Mapping[str, Any]]
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
        self._sessions = Sessions(ledger, self.observers)
        self._lock = threading.Lock()
        self._offers: dict[tuple[int, ...], Offer] = {}

    def __repr__(self) -> str:
        tools = ", ".join(tool.name for tool in self._toolbox)
        return f"Agent({self.model_name!r}, tools=[{tools}], output={self._output!r})"

    # --------------------------------------------------------------------------------- the doors

    async def run(
        self,
        input: Input,  # noqa: A002  the wire's own name for it
        *,
        after: Result[Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> Result[Output]:
        """Say something to the model and go on until it has answered, or must wait for somebody.

        Args:
            input: Text, an item, or a list of items.
            after: An earlier result whose conversation this goes on with; excludes a session that
                already has records.
            **options: `session`, `deps`, `budget`, `settings`, `tools`, `cancel`: see `RunOptions`.

        Returns:
            A result whose outcome is `complete`, or `waiting` with the calls in `waiting`.

        Raises:
            RunError: Any other outcome; it carries the run so far.
            ConflictError: Somebody else is running this session.
            InputError: The input cannot be, or the session waits for somebody.
        """
        return await self._run(Wish(**options), input, after)

    def run_sync(
        self,
        input: Input,  # noqa: A002  the wire's own name for it
        *,
        after: Result[Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> Result[Output]:
        """`run`, blocking: from a script, a thread, or inside a running event loop."""
        return block(self._run, Wish(**options), input, after)

    def stream(
        self,
        input: Input,  # noqa: A002  the wire's own name for it
        *,
        after: Result[Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> RunStream[Output]:
        """`run`, watched while it goes. Use it as a context manager; see `RunStream`."""
        wish = Wish(**options)
        return RunStream(lambda stream: self._run(wish, input, after, stream), self._output)

    def stream_sync(
        self,
        input: Input,  # noqa: A002  the wire's own name for it
        *,
        after: Result[Any] | None = None,
        **options: Unpack[RunOptions],
    ) -> BlockingStream[Output]:
        """`stream`, blocking: `with agent.stream_sync(...) as stream: for x in stream.text()`."""
        return BlockingStream(lambda: self.stream(input, after=after, **options))

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
        wish = Wish(budget=budget, settings=settings, tools=())
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

    async def resume(self, session: str, **options: Unpack[ResumeOptions]) -> Result[Output]:
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
        run, ledger = await self._sessions.load_existing(session)
        wish = Wish(session, **options)
        plan = await self._plan(wish, run.id, stream=False)
        if run.finished is not None and run.finished.outcome == "complete":
            return make_result(plan, run, Stop("complete", completed_output(plan, run)))
        rig = self._rig(plan, run, run.id, ledger, wish)
        rig.purse.spend(run.used, run.requests)
        died = run.finished is None and not run.open  # then it goes on as if nothing had happened
        first = () if died else (self._began(plan, (), resumed=True),)
        return await self._conduct(plan, rig, ledger, *first)

    def resume_sync(self, session: str, **options: Unpack[ResumeOptions]) -> Result[Output]:
        """`resume`, blocking."""
        return block(self.resume, session, **options)

    # ----------------------------------------------------------------------------------- rulings

    async def approve(self, session: str, call: AnyCall) -> None:
        """Let a waiting call run; `resume` goes on.

        Raises:
            InputError: No such call waits for approval.
        """
        await self._rule(session, call, Ruled(NO_CALL, "approve"), {"approval"})

    async def deny(self, session: str, call: AnyCall, reason: str = "") -> None:
        """Do not let a waiting call run; the model is told, with the reason.

        Raises:
            InputError: No such call waits for approval.
        """
        await self._rule(session, call, Ruled(NO_CALL, "deny", reason), {"approval"})

    async def settle(
        self,
        session: str,
        call: AnyCall,
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
            *([Ruled(NO_CALL, "result", render_result(result))] if result is not _UNSET else []),
            *([Ruled(NO_CALL, "failed", failed)] if failed is not None else []),
            *([Ruled(NO_CALL, "again")] if again else []),
        ]
        if len(rulings) != 1:
            raise InputError("settle(...): give exactly one of result=, failed= and again=True")
        await self._rule(session, call, rulings[0], {"unknown", "deferred"})

    def approve_sync(self, session: str, call: AnyCall) -> None:
        """`approve`, blocking."""
        block(self.approve, session, call)

    def deny_sync(self, session: str, call: AnyCall, reason: str = "") -> None:
        """`deny`, blocking."""
        block(self.deny, session, call, reason)

    def settle_sync(
        self,
        session: str,
        call: AnyCall,
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
            wish = Wish(deps=context.deps, cancel=context.cancel, parent=parent)
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

    # -------------------------------------------------------------------------------- the inside

    async def _run(
        self,
        wish: Wish,
        given: Input,
        after: Result[Any] | None,
        stream: RunStream[Output] | None = None,
    ) -> Result[Output]:
        items = input_items(given)
        run, ledger = await self._sessions.load(wish.session)
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
        plan = await self._plan(wish, run_id, stream=stream is not None)
        rig = self._rig(plan, run, run_id, ledger, wish, stream)
        return await self._conduct(plan, rig, ledger, self._began(plan, items))

    async def _conduct(
        self, plan: Plan[Output], rig: Rig, ledger: Ledger | None, *first: Began
    ) -> Result[Output]:
        """Conduct a run; keep it in memory if it did not complete and is kept nowhere else."""
        run = rig.journal.run
        complete = False
        try:
            result = await conduct(plan, run, rig, *first)
            complete = result.outcome == "complete"
        finally:
            if ledger is None:
                self._sessions.remember(run, complete=complete)
        return result

    def _began(
        self, plan: Plan[Output], items: tuple[Item, ...], *, resumed: bool = False
    ) -> Began:
        specs = plan.offer().specs
        told = fingerprint(self.model_name, plan.instructions, specs, repr(self._output))
        return Began(items, told, plan.budget.as_data(), resumed)

    async def _plan(self, wish: Wish, run_id: str, *, stream: bool) -> Plan[Output]:
        model = await self._open_model()
        profile = getattr(model, "profile", _PLAIN)
        final = self._output.format is not None and profile.output == "tool"
        toolbox = self._toolbox if wish.tools is None else Toolbox(wish.tools)
        return Plan(
            model=model,
            output=self._output,
            offer=lambda: self._offer(toolbox, final=final),
            instructions=await self._instruct(run_id, wish),
            settings=self.settings | wish.settings,
            budget=wish.budget or self.budget,
            profile=profile,
            name=self.model_name,
            deps=wish.deps,
            concurrency=self._concurrency,
            reasks=self._reasks,
            fatal=self._fatal,
            stream=stream,
        )

    async def _instruct(self, run_id: str, wish: Wish) -> str | None:
        if self.instructions is None or isinstance(self.instructions, str):
            return self.instructions
        context = ToolContext(run_id, NO_CALL, wish.deps, wish.cancel or CancelToken(), None)
        text = self.instructions(context)
        return str(await text if inspect.isawaitable(text) else text)

    async def _open_model(self) -> Model:
        if self._model is None:
            model = await asyncio.to_thread(resolve_model, self.model_name)
            with self._lock:
                self._model = self._model or model
        return self._model

    def _rig(
        self,
        plan: Plan[Output],
        run: Run,
        run_id: str,
        ledger: Ledger | None,
        wish: Wish,
        stream: RunStream[Output] | None = None,
    ) -> Rig:
        purse = Purse(plan.budget, model=self.model_name, now=time.monotonic(), parent=wish.parent)
        sink = None if stream is None else stream.attach(plan, purse)
        journal = Journal(
            run, run_id, ledger=ledger, observers=self.observers, sink=sink, now=time.time
        )
        return Rig(journal, purse, wish.cancel or CancelToken(), time.monotonic)

    def _offer(self, toolbox: Toolbox, *, final: bool) -> Offer:
        """The tools of this turn; the same object as long as they are the same."""
        tools = tuple(toolbox)
        key = (final, *map(id, tools))
        found = self._offers.get(key)
        if found is None:
            if len(self._offers) >= _OFFERS:
                self._offers.clear()
            specs = tuple(tool.spec for tool in tools)
            named = {tool.name: tool for tool in tools}
            if final and self._output.tool is not None:
                specs = (*specs, self._output.tool)
            found = Offer(named, specs, tools)
            self._offers[key] = found
        return found

    async def _rule(self, session: str, call: AnyCall, ruling: Ruled, states: set[str]) -> None:
        tools = {tool.name: tool for tool in self._toolbox}
        await self._sessions.rule(session, call_key(call), ruling, states, tools)


_OFFERS = 64
_PLAIN = Profile()


def _charge(parent: Purse | None, call: CallKey, result: Result[Any] | None) -> None:
    if parent is not None and result is not None:
        spent = parent.charged.get(call)
        parent.charged[call] = result.usage if spent is None else spent + result.usage
