"""A run one turn at a time, for queue workers and durable engines: `begin` and `advance`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, TypeVar, Unpack

from toolstone._portal import block
from toolstone.errors import InputError
from toolstone.events import Noted
from toolstone.items import input_items
from toolstone.rulings import Rulings
from toolstone.runs.conduct import conduct
from toolstone.runs.journal import new_id
from toolstone.runs.loop import Rig, advance
from toolstone.runs.result import Result, result_again
from toolstone.sessions import ResumeOptions, Wish, check_input

if TYPE_CHECKING:
    from toolstone.ports import Ledger
    from toolstone.runs.plan import Plan
    from toolstone.runs.state import Run
    from toolstone.runs.stream import RunStream
    from toolstone.sessions import Input
    from toolstone.workshop import Workshop

__all__ = ["Turns"]

Output = TypeVar("Output")


class Turns(Rulings, Generic[Output]):
    """The doors of an agent that go no further than one turn of the loop."""

    __slots__ = ("_shop",)

    _shop: Workshop[Output]

    async def begin(
        self,
        input: Input,  # noqa: A002  the wire's own name for it
        session: str,
        **options: Unpack[ResumeOptions],
    ) -> None:
        """Write down what is said, and ask nobody yet: `advance` does, one turn a call.

        For queue workers and durable engines. Give the agent a ledger that all workers share.

        Raises:
            InputError: The input cannot be, or the session waits for somebody.
            ConflictError: Somebody else is running this session.
        """
        items = input_items(input)
        check_input(items)
        wish = Wish(session, **options)
        held = self._sessions.take(session)
        try:
            run, ledger = await self._sessions.load_free(session)
            run_id = new_id()
            plan = await self._shop.plan(wish, run_id, stream=False)
            rig = self._shop.rig(plan, run, run_id, ledger, wish)
            await rig.journal.record(self._shop.began(plan, items))
        finally:
            self._sessions.let_go(held)

    def begin_sync(
        self,
        input: Input,  # noqa: A002  the wire's own name for it
        session: str,
        **options: Unpack[ResumeOptions],
    ) -> None:
        """`begin`, blocking."""
        block(self.begin, input, session, **options)

    async def advance(
        self, session: str, **options: Unpack[ResumeOptions]
    ) -> Result[Output] | None:
        """One turn of the loop: one request, or one batch of calls.

        Returns:
            The result when the run is complete or waits; None when there is more to do.

        Raises:
            RunError: The run ended otherwise.
            InputError: There is no such session.
            ConflictError: Somebody else has advanced it meanwhile.
        """
        held = self._sessions.take(session)
        try:
            plan, rig, _ledger = await self._open(Wish(session, **options))
            run = rig.journal.run
            return result_again(plan, run) or await conduct(plan, run, rig, advance)
        finally:
            self._sessions.let_go(held)

    def advance_sync(self, session: str, **options: Unpack[ResumeOptions]) -> Result[Output] | None:
        """`advance`, blocking."""
        return block(self.advance, session, **options)

    async def _open(
        self, wish: Wish, stream: RunStream[Output] | None = None
    ) -> tuple[Plan[Output], Rig, Ledger | None]:
        """A session that is there, ready to go on; what it has spent is spent."""
        run, ledger = await self._sessions.load_existing(str(wish.session))
        plan = await self._shop.plan(wish, run.id, stream=stream is not None)
        rig = self._shop.rig(plan, run, run.id, ledger, wish, stream)
        rig.purse.spend(run.used, run.requests + run.delegated)
        if wish.changed == "refuse" and self._changes(plan, run):
            raise InputError(
                f"session {run.session!r} was begun by another agent: its model, instructions, "
                "tools (their code too) or output type were changed meanwhile. Go on with the one "
                "that began it, or with changed='note'"
            )
        return plan, rig, ledger

    def _changes(self, plan: Plan[Output], run: Run) -> tuple[Noted, ...]:
        """What there is to say if this is not the agent that the run was begun by."""
        if run.began is None or run.began.agent == self._shop.began(plan, ()).agent:
            return ()
        text = "gone on with by another agent: model, instructions, tools or output type changed"
        return (Noted("changed", text),)
