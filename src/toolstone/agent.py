"""Agent: run, stream, extract, resume; each with a blocking twin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypeVar, Unpack, overload

from toolstone import limits
from toolstone._portal import block
from toolstone.delegate import delegate
from toolstone.errors import InputError
from toolstone.items import input_items
from toolstone.ports import NO_SETTINGS, Model, Settings
from toolstone.runs.budget import Budget
from toolstone.runs.conduct import conduct
from toolstone.runs.journal import new_id
from toolstone.runs.loop import Rig, drive
from toolstone.runs.origins import carried
from toolstone.runs.result import Result, result_again
from toolstone.runs.stream import BlockingStream, RunStream
from toolstone.schema.output import OutputType
from toolstone.sessions import ResumeOptions, RunOptions, Sessions, Wish, check_input
from toolstone.tools.toolbox import Toolbox
from toolstone.turns import Turns
from toolstone.workshop import AgentOptions, Workshop

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolstone.bedrock.doctor import Finding
    from toolstone.events import Began, Noted
    from toolstone.ports import Ledger, Observer
    from toolstone.runs.plan import Plan
    from toolstone.runs.views import View
    from toolstone.sessions import Input, Tools
    from toolstone.tools.tool import Tool
    from toolstone.workshop import Instructions

__all__ = ["Agent"]

Output = TypeVar("Output")
T = TypeVar("T")


class Agent(Turns[Output]):
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
        view: What is sent of a long conversation: `LastTurns`, `TrimResults`, `Summary` or
            `ServerCompaction`, or several of them; all of it if None.
        name: The agent's name as a tool, and in messages.
        strict: Whether the output schema is strict: True, False or `"auto"`.
        concurrency: How many calls of a turn run at once.
        reasks: How often an answer that does not fit the output type is asked for again; one that
            the model then repeats word for word is not.
        fatal: Exceptions of tools that end the run, after the other calls of the turn settled.

    Raises:
        DefinitionError: A tool, the output type or the model string cannot be.

    Example:
        agent = Agent("local/smollm2", tools=[weather], output=Report)
        report = agent.run_sync("Report on Paris").output
    """

    __slots__ = ()

    @overload
    def __init__(self: Agent[str], model: str | Model, **options: Unpack[AgentOptions]) -> None: ...
    @overload
    def __init__(
        self: Agent[T], model: str | Model, *, output: type[T], **options: Unpack[AgentOptions]
    ) -> None: ...
    @overload
    def __init__(
        self: Agent[Any], model: str | Model, *, output: Any, **options: Unpack[AgentOptions]
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
        view: View | Sequence[View] | None = None,
        name: str = "agent",
        strict: bool | Literal["auto"] = "auto",
        concurrency: int = limits.CALLS_PER_TURN,
        reasks: int = limits.OUTPUT_REASKS,
        fatal: tuple[type[BaseException], ...] = (),
    ) -> None:
        self._shop: Workshop[Output] = Workshop(
            model,
            output=OutputType.of(output, strict=strict),
            toolbox=Toolbox(tools),
            instructions=instructions,
            budget=budget or Budget(),
            settings=settings,
            observers=tuple(observers),
            view=view,
            name=name,
            concurrency=concurrency,
            reasks=reasks,
            fatal=fatal,
        )
        self._sessions = Sessions(ledger, self._shop.observers)

    def __repr__(self) -> str:
        if not hasattr(self, "_shop"):
            return "Agent(...)"  # in the report of what kept it from being made
        tools = ", ".join(tool.name for tool in self.tools)
        return f"Agent({self._shop.model_name!r}, tools=[{tools}], output={self._shop.output!r})"

    @property
    def name(self) -> str:
        """The agent's name as a tool, and in messages."""
        return self._shop.name

    @property
    def model_name(self) -> str:
        """The model's name as it was given; of a model object, its `name`, if it has one."""
        return self._shop.model_name

    @property
    def ledger(self) -> Ledger | None:
        """Where sessions are kept; None for this agent's own memory."""
        return self._sessions.ledger

    @property
    def settings(self) -> Settings:
        """Parameters of every request."""
        return self._shop.settings

    @property
    def observers(self) -> tuple[Observer, ...]:
        """Who watches."""
        return self._shop.observers

    @property
    def tools(self) -> tuple[Tool, ...]:
        """The tools that are offered now."""
        return self._shop.toolbox.offered()

    @property
    def output(self) -> OutputType[Output]:
        """The output type: its schema, whether that is strict, and why."""
        return self._shop.output

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
        return RunStream(lambda stream: self._run(wish, input, after, stream), self._shop.output)

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
        its result again, without a request. That this is not the agent which began it is `Noted`;
        with `changed="refuse"` it is an error.

        Raises:
            InputError: There is no such session; or another agent began it, and that is refused.
            RunError: The run did not complete this time either.
            ConflictError: Somebody else is running this session.
        """
        return await self._resume(Wish(session, **options))

    def resume_sync(self, session: str, **options: Unpack[ResumeOptions]) -> Result[Output]:
        """`resume`, blocking."""
        return block(self.resume, session, **options)

    def resume_stream(self, session: str, **options: Unpack[ResumeOptions]) -> RunStream[Output]:
        """`resume`, watched while it goes. Use it as a context manager; see `RunStream`."""
        wish = Wish(session, **options)
        return RunStream(lambda stream: self._resume(wish, stream), self._shop.output)

    def resume_stream_sync(
        self, session: str, **options: Unpack[ResumeOptions]
    ) -> BlockingStream[Output]:
        """`resume_stream`, blocking."""
        return BlockingStream(lambda: self.resume_stream(session, **options))

    def as_tool(self, *, name: str | None = None, description: str) -> Tool:
        """This agent as a tool of another: it spends from the other's budget.

        Args:
            name: The tool's name; the agent's if None.
            description: What the other model is told it is for.
        """
        return delegate(self._run, name=name or self.name, description=description)

    def with_(self, **changes: Unpack[AgentOptions]) -> Agent[Output]:
        """This agent with some of its parts changed: budget, settings, ledger, observers ...

        Sessions in this agent's own memory do not go along; those in a ledger do.

        Raises:
            DefinitionError: A part cannot be.
        """
        made = object.__new__(type(self))
        made._shop = self._shop.with_(changes)
        kept = changes.get("ledger", self._sessions.ledger)
        made._sessions = Sessions(kept, made._shop.observers)
        return made

    def check(self) -> tuple[Finding, ...]:
        """What can be said of the model and settings without asking anybody; see `doctor`.

        One finding for each offline check; none for a model that is no endpoint.
        """
        from toolstone.bedrock.doctor import check_model  # noqa: PLC0415  loads no AWS library

        return check_model(self._shop.given, name=self.model_name, settings=self.settings)

    async def aclose(self) -> None:
        """Close the model's connections early; they close with their event loop anyway."""
        close = getattr(self._shop.model, "aclose", None)
        if close is not None:
            await close()

    async def __aenter__(self) -> Agent[Output]:
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.aclose()

    async def _run(
        self,
        wish: Wish,
        given: Input,
        after: Result[Any] | None,
        stream: RunStream[Output] | None = None,
    ) -> Result[Output]:
        items = input_items(given)
        held = self._sessions.take(wish.session)
        try:
            run, ledger = await self._sessions.load_free(wish.session)
            held = run.session
            if after is not None and run.records:
                raise InputError(f"after= was given, but session {run.session!r} has records")
            run_id = new_id()
            plan = await self._shop.plan(wish, run_id, stream=stream is not None)
            if after is not None:
                items = (*carried(after, plan.origin), *items)
            check_input(items)
            rig = self._shop.rig(plan, run, run_id, ledger, wish, stream)
            return await self._conduct(plan, rig, ledger, self._shop.began(plan, items))
        finally:
            self._sessions.let_go(held)

    async def _resume(self, wish: Wish, stream: RunStream[Output] | None = None) -> Result[Output]:
        held = self._sessions.take(wish.session)
        try:
            plan, rig, ledger = await self._open(wish, stream)
            run = rig.journal.run
            if (again := result_again(plan, run)) is not None:
                return again
            died = run.finished is None and not run.open  # then it goes on as if nothing happened
            first = () if died else (self._shop.began(plan, (), resumed=True),)
            return await self._conduct(plan, rig, ledger, *self._changes(plan, run), *first)
        finally:
            self._sessions.let_go(held)

    async def _conduct(
        self, plan: Plan[Output], rig: Rig, ledger: Ledger | None, *first: Began | Noted
    ) -> Result[Output]:
        """Conduct a run; keep it in memory if it did not complete and is kept nowhere else."""
        run = rig.journal.run
        complete = False
        try:
            result: Result[Output] = await conduct(plan, run, rig, drive, *first)
            complete = result.outcome == "complete"
        finally:
            self._sessions.remember(run, ledger, complete=complete)
        return result

    def _tools(self) -> Toolbox:
        return self._shop.toolbox
