"""Fixtures for pytest: a scripted model, a real endpoint with a script, a cassette for each test.

Have them in the `conftest.py` at the root of your tests, all of them or those that you name:

    pytest_plugins = ["toolstone.testing.fixtures"]
    from toolstone.testing.fixtures import cassette

They are not installed as a plugin of pytest: that would be imported in every run of every project
in whose environment toolstone stands.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from toolstone.local.brains.script import By, Script
from toolstone.testing.cassette import Cassette
from toolstone.testing.scripted import Scripted

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence

    from toolstone.local.brain import Piece, Turn
    from toolstone.local.brains.answers import Say
    from toolstone.ports import Model, Profile
    from toolstone.responses import Responses

__all__ = ["ResponsesEndpoint", "cassette", "responses_endpoint", "scripted"]


class ResponsesEndpoint:
    """A Responses endpoint on this machine, for one test, that says what the test tells it to.

    Attributes:
        base_url: Where it answers; ends in `/v1`.
    """

    models: Sequence[str] = ()
    hosted: Sequence[str] = Script.hosted

    def __init__(self) -> None:
        self.base_url = ""
        self._script = Script([])

    def say(self, *answers: Say, by: By = "sequence") -> None:
        """Say these from now on, one for each request; `toolstone.local.Script` has the rest.

        Args:
            *answers: Text, `call(...)`, a dict for JSON, a list of these, `error(429)` ...
            by: How the answer is chosen.
        """
        self._script = Script(answers, by=by)

    @property
    def requests(self) -> list[Mapping[str, Any]]:
        """The bodies of the requests since `say`, oldest first, those refused left out."""
        return [turn.body for turn in self._script.turns]

    def model(self, name: str = "any", **options: Any) -> Responses:
        """Make a model that asks this endpoint; `options` as for `Responses`."""
        from toolstone.responses import Responses  # noqa: PLC0415  only for who asks

        return Responses(model=name, base_url=self.base_url, **options)

    def answer(self, turn: Turn) -> AsyncIterator[Piece]:
        """Say what comes next; see `toolstone.local.Brain`."""
        return self._script.answer(turn)

    async def close(self) -> None:
        """Hold nothing, so let go of nothing."""


@pytest.fixture
def responses_endpoint() -> Iterator[ResponsesEndpoint]:
    """Give a real endpoint on a loopback port: `responses_endpoint.say("hello")`, and ask it."""
    from toolstone.local.server import serve  # noqa: PLC0415  needs the extra

    endpoint = ResponsesEndpoint()
    with serve(endpoint) as served:
        endpoint.base_url = served.base_url
        yield endpoint


@pytest.fixture
def scripted(request: pytest.FixtureRequest) -> Iterator[Callable[..., Scripted]]:
    """Give a maker of scripted models; a test that passes must have asked for every turn."""
    made: list[Scripted] = []

    def make(*turns: Any, profile: Profile | None = None, chunk: int = 4) -> Scripted:
        made.append(Scripted(*turns, profile=profile, chunk=chunk))
        return made[-1]

    failed = request.session.testsfailed
    yield make
    if request.session.testsfailed == failed:
        for model in made:
            left = len(model.turns) - len(model.requests)
            if left > 0:
                pytest.fail(f"{left} of {len(model.turns)} scripted turns were never asked for")


@pytest.fixture
def cassette(request: pytest.FixtureRequest) -> Iterator[Callable[..., Cassette]]:
    """Give a maker of cassettes: `cassette("openai/gpt-5.6")` is this test's own.

    The file is `cassettes/MODULE/TEST.jsonl` beside the test, written when `TOOLSTONE_RECORD=1`; a
    test that passes must have asked for every exchange in it.
    """
    made: list[Cassette] = []
    test = Path(request.path)
    folder = test.parent / "cassettes" / test.stem

    def make(model: Model | str, name: str = "", *, record: bool | None = None) -> Cassette:
        stem = re.sub(r"[^\w.-]+", "-", name or request.node.name).strip("-")
        made.append(Cassette(folder / f"{stem}.jsonl", model, record=record))
        return made[-1]

    failed = request.session.testsfailed
    yield make
    if request.session.testsfailed == failed:
        for each in made:
            if each.left:
                pytest.fail(f"{each.left} exchanges of {each.path} were never asked for")
