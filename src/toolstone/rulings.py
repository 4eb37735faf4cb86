"""What a person, or the calling program, decides about calls that wait."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from toolstone._portal import block
from toolstone.errors import InputError
from toolstone.runs.answers import approved, denied, given_up, run_again, taken
from toolstone.sessions import AnyCall, Sessions, call_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from toolstone.events import Ruled
    from toolstone.runs.state import CallState
    from toolstone.tools.toolbox import Toolbox

__all__ = ["Rulings"]

_UNSET: Any = object()


class Rulings:
    """The doors of an agent through which waiting calls are answered; `resume` then goes on."""

    __slots__ = ("_sessions",)

    _sessions: Sessions

    def _tools(self) -> Toolbox:
        raise NotImplementedError  # pragma: no cover  the agent says which it has

    async def approve(self, session: str, call: AnyCall) -> None:
        """Let a waiting call run; `resume` goes on.

        Raises:
            InputError: No such call waits for approval.
        """
        await self._rule(session, call, approved, {"approval"})

    async def deny(self, session: str, call: AnyCall, reason: str = "") -> None:
        """Do not let a waiting call run; the model is told, with the reason.

        Raises:
            InputError: No such call waits for approval.
        """
        await self._rule(session, call, partial(denied, reason=reason), {"approval"})

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
            result: Take this as its result; converted as a tool's return value is. Of an item that
                is no function call, such as `computer_call`: the item that answers it.
            failed: Tell the model that it failed, with this text.
            again: Run it again.

        Raises:
            InputError: No such call waits, or not exactly one of the three is given.
        """
        rulings: list[Callable[[CallState], Ruled]] = [
            *([partial(taken, result=result)] if result is not _UNSET else []),
            *([partial(given_up, text=failed)] if failed is not None else []),
            *([run_again] if again else []),
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

    async def _rule(
        self,
        session: str,
        call: AnyCall,
        ruling: Callable[[CallState], Ruled],
        states: set[str],
    ) -> None:
        tools = {tool.name: tool for tool in self._tools() if tool.kind != "server"}
        await self._sessions.rule(session, call_key(call), ruling, states, tools)
