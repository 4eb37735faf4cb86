"""A brain whose exchanges are kept in a cassette, and a brain that answers from one."""

import hashlib
import itertools
import json
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from toolstone.errors import UsageError
from toolstone.local.brain import Brain, Piece, RefusalError, Turn
from toolstone.local.brains.retold import retell
from toolstone.local.cassettes.keep import keep_error, keep_request, keep_response
from toolstone.local.cassettes.tape import Exchange, Recorder, Tape, read_exchanges
from toolstone.local.narrate import Narration
from toolstone.local.response import render_response

__all__ = ["Recording", "Replay"]


class Recording:
    """Another brain, and a cassette of what it is asked and says.

    Kept is each turn with its history resolved, so that the cassette needs no stored responses; a
    turn that nobody heard to its end is not kept.

    Args:
        brain: Who answers; closed with this.
        path: The cassette; new exchanges are appended.

    Raises:
        ConfigError: The file cannot be written.
    """

    def __init__(self, brain: Brain, path: str | Path) -> None:
        self._brain = brain
        self._recorder = Recorder(path)

    @property
    def models(self) -> Sequence[str]:
        """The names the other answers to."""
        return self._brain.models

    def __getattr__(self, name: str) -> Any:
        """What else the other can do: `count`, `hosted`."""
        return getattr(self._brain, name)

    async def answer(self, turn: Turn) -> AsyncGenerator[Piece]:
        """Hand the pieces on, and keep what they come to."""
        request = keep_request(_asked(turn))
        new_id = _stable_ids(request)
        response = render_response(turn.body, response_id=new_id("resp"), now=0)
        narration = Narration(response, new_id=new_id, clock=lambda: 0)
        begun = False
        pieces = self._brain.answer(turn)
        try:
            async for piece in pieces:
                narration.tell(piece)
                if narration.over:
                    self._keep(request, keep_response(narration.response))
                begun = True
                yield piece
        except RefusalError as error:
            if begun and not narration.over:  # its client has seen a response that failed
                narration.crash(error.code or "server_error", error.message)
                self._keep(request, keep_response(narration.response))
            elif not begun:
                self._keep(request, keep_error(error.status, error.envelope()["error"]))
            raise
        finally:
            if isinstance(pieces, AsyncGenerator):
                await pieces.aclose()

    async def close(self) -> None:
        """Close the other."""
        await self._brain.close()

    def _keep(self, request: dict[str, Any], response: dict[str, Any]) -> None:
        self._recorder.keep(Exchange(request, response))


class Replay:
    """Answers from a cassette, offline.

    The request must be one that was recorded (`toolstone.local.cassettes` says what is compared);
    equal requests are answered in the order recorded, and then with the last answer again.

    Args:
        path: The cassette, of `Recording` or of `toolstone.testing.Cassette`.

    Raises:
        ConfigError: It cannot be read.
    """

    models: Sequence[str] = ()
    hosted: Sequence[str] = ("*",)
    """Whatever tools were declared when it was recorded."""

    def __init__(self, path: str | Path) -> None:
        self._tape = Tape(read_exchanges(path), Path(path).name, again=True)

    async def answer(self, turn: Turn) -> AsyncGenerator[Piece]:
        """Say what was said when this was recorded; 400 `not_recorded` if it was not."""
        try:
            said = self._tape.find(_asked(turn))
        except UsageError as error:
            raise RefusalError(400, "not_recorded", str(error)) from error
        status = said.get("status")
        if isinstance(status, int):
            raise _refusal(status or 500, said.get("error") or {})
        for piece in retell(said):
            yield piece

    async def close(self) -> None:
        """Hold nothing, so let go of nothing."""


def _asked(turn: Turn) -> dict[str, Any]:
    """Give the request as if it had brought its whole history itself."""
    return {**turn.body, "input": list(turn.items), "previous_response_id": None}


def _stable_ids(request: Mapping[str, Any]) -> Callable[[str], str]:
    """Make ids that are the same when the same is recorded again."""
    text = json.dumps(request, sort_keys=True)
    digest, number = hashlib.sha256(text.encode()).hexdigest()[:24], itertools.count()
    return lambda prefix: f"{prefix}_{digest}{next(number):04}"


def _refusal(status: int, error: dict[str, Any]) -> RefusalError:
    return RefusalError(
        status,
        error.get("code"),
        str(error.get("message") or ""),
        error.get("param"),
        kind=error.get("type"),
    )
