"""A model whose exchanges are recorded once, and replayed offline from then on."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from toolstone.errors import ConfigError, StatusError
from toolstone.local.brains.retold import response_json
from toolstone.local.cassettes.keep import keep_error, keep_request, keep_response
from toolstone.local.cassettes.tape import Exchange, Recorder, Tape, read_exchanges
from toolstone.models import check_model_string, resolve_model
from toolstone.ports import Profile
from toolstone.responses.failures import failure, read_error
from toolstone.responses.parse import response_from
from toolstone.responses.render import Renderer
from toolstone.testing.deltas import deltas_of

if TYPE_CHECKING:
    from toolstone.ports import Emit, Model, Request, Response

__all__ = ["RECORD", "Cassette"]

RECORD: Final = "TOOLSTONE_RECORD"
"""The environment variable that makes cassettes record, where nothing else is said."""


class Cassette:
    """Stands for a model: answers from a file, or asks the model and writes the file.

    Nothing is asked of the model while it replays, no key is needed, and a request that was not
    recorded is an error that says where it differs. What is kept, and what is not, stands in
    `toolstone.local.cassettes.keep`: no header, and no field that is not named there.

    Args:
        path: The file; JSON lines, one exchange each.
        model: The model that is recorded: a model string, or a model.
        record: Ask and write the file anew; if not given, when `TOOLSTONE_RECORD` is `1`.

    Attributes:
        name: What the model is called; the key of a price table.
        profile: What the model can do; the same in both modes.

    Raises:
        ConfigError: There is no such file and nothing is to be recorded, or it is no cassette.

    Example:
        model = Cassette("tests/cassettes/report.jsonl", "openai/gpt-5.6")
        assert Agent(model, tools=[weather]).run_sync("Paris?").output == "14.5"
    """

    def __init__(self, path: str | Path, model: Model | str, *, record: bool | None = None) -> None:
        self.path = Path(path)
        self.recording = os.environ.get(RECORD) == "1" if record is None else record
        self.name = model if isinstance(model, str) else str(getattr(model, "name", ""))
        self._model = model
        self._recorder: Recorder | None = None
        self._tape: Tape | None = None  # before anything is refused: a report may show this
        if isinstance(model, str):
            check_model_string(model)
        if not self.recording:
            self._tape = self._load()
        self.profile = self._profile()
        self._renderer = Renderer(self.name or str(getattr(model, "model", "")), self.profile)

    def __repr__(self) -> str:
        doing = "recording" if self.recording else f"{self.left} exchanges left"
        return f"<Cassette {self.path.name!r}: {doing}>"

    @property
    def left(self) -> int:
        """How many recorded exchanges nobody has asked for yet."""
        return self._tape.left if self._tape is not None else 0

    async def respond(self, request: Request, emit: Emit, /) -> Response:
        """Answer; see `toolstone.ports.Model`.

        Raises:
            UsageError: The request was not recorded.
            ServiceError: As the model did when this was recorded, or does now.
        """
        body = self._renderer.render(request)
        if self._tape is None:
            return await self._record(request, emit, json.loads(body))
        response = _replayed(self._tape.find(json.loads(body)), body)
        if request.stream:
            for delta in deltas_of(response.items):
                await emit((delta,))
        return response

    async def _record(self, request: Request, emit: Emit, body: dict[str, Any]) -> Response:
        if isinstance(self._model, str):
            self._model = resolve_model(self._model)
        if self._recorder is None:
            self._recorder = Recorder(self.path, anew=True)
        kept = keep_request(body)
        try:
            response = await self._model.respond(request, emit)
        except StatusError as error:
            self._recorder.keep(Exchange(kept, _refused(error)))
            raise
        self._recorder.keep(Exchange(kept, keep_response(response_json(response))))
        return response

    def _load(self) -> Tape:
        if not self.path.exists():
            raise ConfigError(
                f"there is no cassette {str(self.path)!r}; record it: {RECORD}=1, or record=True"
            )
        return Tape(read_exchanges(self.path), self.path.name)

    def _profile(self) -> Profile:
        """What the model can do: of a string also where there is no key to ask it with."""
        model = self._model
        if isinstance(model, str) and not model.startswith("local/"):  # that would start a child
            try:
                model = resolve_model(model)
            except ConfigError:
                if self.recording:
                    raise
        profile = getattr(model, "profile", None)
        return profile if isinstance(profile, Profile) else Profile()


def _refused(error: StatusError) -> dict[str, Any]:
    """Give what the service said: a failed response, or an HTTP error."""
    if error.partial is not None and error.partial.status == "failed":
        return keep_response(response_json(error.partial))
    try:
        said = read_error(json.loads(error.body))
    except ValueError:
        said = read_error(error.body.decode("utf-8", "replace"))
    envelope = {
        "message": said.message,
        "type": said.type or None,
        "code": said.code or error.code,
        "param": error.param or None,
    }
    return keep_error(error.status or 0, envelope)


def _replayed(recorded: dict[str, Any], sent: bytes) -> Response:
    status = recorded.get("status")
    if isinstance(status, int):
        raise failure(read_error(recorded), status=status or None)
    received = json.dumps(recorded, ensure_ascii=False).encode("utf-8", "surrogatepass")
    return response_from(recorded, sent=sent, received=received)
