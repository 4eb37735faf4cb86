"""A request on its way in: which model, what gates, whose state, how many tokens."""

import json
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from typing import Any

from starlette.requests import Request

from toolstone import limits
from toolstone._dataclass import dataclass
from toolstone.local.brain import Choice, RefusalError, Turn
from toolstone.local.profiles.catalogue import Catalogue, Model
from toolstone.local.profiles.gates import Gates
from toolstone.local.profiles.gone import silence
from toolstone.local.profiles.guard import Guard, Visit
from toolstone.local.profiles.habits import Counted, Seals
from toolstone.local.profiles.observed import Observed
from toolstone.local.profiles.profile import HostProfile
from toolstone.local.profiles.quotas import Quotas, Reservation
from toolstone.local.profiles.shelf import Room, Shelf
from toolstone.local.request import parse_turn
from toolstone.local.telling import check_type

__all__ = ["Admission", "Admitted", "foreign", "provider"]

_OURS = ("prompt_cache_options", "background", "service_tier")
"""What the gates have judged and the shared checks do not know."""
Translate = Callable[[Mapping[str, Any], Model], dict[str, Any]]
_PARSED_TOOLS = ("function", "custom", "namespace", "tool_search", "mcp", "web_search")


@dataclass(frozen=True, slots=True)
class Admitted:
    """A request that may be answered."""

    visit: Visit
    body: Mapping[str, Any] = field(repr=False)
    model: Model
    turn: Turn
    store: bool
    reservation: Reservation

    @property
    def streamed(self) -> bool:
        """Whether events are wanted."""
        return bool(self.body.get("stream"))

    @property
    def background(self) -> bool:
        """Whether it is to be answered later."""
        return bool(self.body.get("background"))


class Admission:
    """Lets requests in, or says what is wrong with them, as the host would.

    Args:
        known: The data file.
        profile: What is played.
        guard: Who may what.
        counted: What goes wrong how often.
        shelf: What is stored.

    Attributes:
        retention: The data retention mode, which can be changed.
    """

    def __init__(
        self, known: Observed, profile: HostProfile, guard: Guard, counted: Counted, shelf: Shelf
    ) -> None:
        self.catalogue = Catalogue(known)
        self.retention = profile.account.retention
        self.seals = Seals()
        self.quotas = Quotas(profile.account.quotas, lambda: profile.clock().timestamp())
        self._known = known
        self._profile = profile
        self._habits = profile.habits
        self._guard = guard
        self._counted = counted
        self._shelf = shelf

    async def admit(
        self, visit: Visit, request: Request, translate: Translate | None = None
    ) -> Admitted:
        """Check a create request from the model to the quota.

        Args:
            visit: Who asks, at which route.
            request: What is asked.
            translate: Says a Chat Completions request as one of Responses; None: it is one.

        Raises:
            RefusalError: The first thing that is wrong, in the host's words.
        """
        body = self._body(visit, request)
        model = await self._model(visit, body, request, "chat" if translate else "responses")
        self._guard.check_model(visit, model.id, streamed=bool(body.get("stream")))
        if model.name in self._profile.account.unavailable:
            raise self._guard.denied(visit, "aws-marketplace:Subscribe", "*")
        for mishap in ("internal_400", "unavailable"):
            if self._counted.take(mishap):
                raise self._known.refuse(mishap)
        if translate is not None:
            body = translate(body, model)
        if visit.where.kind != "openai":
            self._gates(visit, model).check(body)
        store = self._stores(visit, model, body)
        turn = self._turn(visit, model, body)
        return Admitted(visit, body, model, turn, store, self._reserve(visit, model, body, turn))

    def lost(self, visit: Visit) -> RefusalError:
        """Make the answer to a stored response that is not there."""
        if visit.where.kind == "openai":
            return RefusalError(404, None, f"Response with id '{visit.found.id}' not found.")
        return self._known.refuse(self._habits.lost)

    def _body(self, visit: Visit, request: Request) -> dict[str, Any]:
        try:
            check_type(request)
            body = json.loads(visit.asked.body)
            if not isinstance(body, dict):
                raise TypeError  # noqa: TRY301  as what is no JSON
        except RefusalError as error:
            raise self._own_words(visit, error) from None
        except (ValueError, TypeError, RecursionError):
            refusal = RefusalError(400, "invalid_json", "the body is not a JSON object")
            raise self._own_words(visit, refusal) from None
        if not isinstance(body.get("model"), str) or not body["model"]:
            raise self._known.refuse("missing_model")
        return body

    def _own_words(self, visit: Visit, error: RefusalError) -> RefusalError:
        return error if visit.where.kind == "openai" else self._known.again(error)

    async def _model(
        self, visit: Visit, body: Mapping[str, Any], request: Request, api: str
    ) -> Model:
        name, where = body["model"], visit.where
        if where.kind == "openai":
            return Model(name, name, "openai", "/v1", (api,), limits.BODY_BYTES, 128_000)
        if where.kind == "runtime":
            model = self.catalogue.on_runtime(name, where.region)
            if isinstance(model, str):
                raise self._known.refuse(model, model=name)
            if api not in model.apis:
                raise self._known.refuse("runtime_model_not_found")
            return model
        found, here = self.catalogue.on_mantle(name, where.region)
        if found is None or not here:
            row = self._habits.absent if found else "model_not_found"
            raise self._known.refuse(row, model=name)
        path = f"{visit.found.prefix}{visit.found.name.removeprefix('POST ')}"
        if api not in found.apis:
            raise self._known.refuse("api_unsupported", model=name, path=path)
        if found.prefix != visit.found.prefix:
            if self._habits.wrong_prefix == "hang":
                await silence(request)
            raise self._known.refuse(self._habits.wrong_prefix, model=name, path=path)
        return found

    def _gates(self, visit: Visit, model: Model) -> Gates:
        habits = self._habits
        return Gates(self._known, visit.where, model.family, habits.unproven, habits.closed_items)

    def _stores(self, visit: Visit, model: Model, body: Mapping[str, Any]) -> bool:
        """Whether the response is to be stored; the retention mode has a say in it."""
        rules = self._known.data["retention"]["none"]
        wanted = body.get("store")
        if visit.where.kind == "openai" or self.retention != "none":
            return wanted is not False
        shut = model.name in rules["models_not_allowing"]
        if shut or wanted is True or body.get("background"):
            raise self._known.refuse("retention_unavailable", mode=self.retention)
        return False

    def _turn(self, visit: Visit, model: Model, body: Mapping[str, Any]) -> Turn:
        passed = {key: value for key, value in body.items() if key not in _OURS}
        if isinstance(body.get("tools"), list):
            passed["tools"] = [t for t in body["tools"] if not foreign(t)]
        if body.get("previous_response_id") and self._counted.take("lost_state"):
            raise self.lost(visit)
        try:
            turn = parse_turn(json.dumps(passed).encode(), Room(self._shelf, visit.scope))
        except RefusalError as error:
            if error.code == "previous_response_not_found" and visit.where.kind != "openai":
                raise self.lost(visit) from None
            raise self._own_words(visit, error) from None
        self._check_seals(visit, model, body)
        if visit.where.kind != "openai" and self._gates(visit, model).ignored(body):
            names = tuple(t["name"] for t in passed.get("tools") or () if t["type"] == "function")
            turn = replace(turn, choice=Choice("auto" if names else "none", names))
        return turn

    def _check_seals(self, visit: Visit, model: Model, body: Mapping[str, Any]) -> None:
        """Refuse encrypted reasoning that is from elsewhere."""
        said = body.get("input")
        for index, item in enumerate(said if isinstance(said, list) else ()):
            blob = item.get("encrypted_content") if item.get("type") == "reasoning" else None
            if blob and not self.seals.opens(blob, visit.where.region, provider(model)):
                raise self._known.refuse(
                    "invalid_encrypted_content", param=f"input[{index}]", item=index
                )

    def _reserve(
        self, visit: Visit, model: Model, body: Mapping[str, Any], turn: Turn
    ) -> Reservation:
        read = _tokens([list(turn.items), turn.instructions, body.get("tools")])
        if read > model.max_input:
            raise self._known.refuse("context_overflow", tokens=read, maximum=model.max_input)
        cap = turn.max_output_tokens or model.max_output
        where = visit.where
        reserved = self.quotas.reserve(where.kind, where.region, model.name, read=read, cap=cap)
        if reserved is None:
            raise self._known.refuse("throttled")
        return reserved


def foreign(tool: Any) -> bool:
    """Say whether the shared checks do not know this type of tool."""
    return isinstance(tool, dict) and tool.get("type") not in _PARSED_TOOLS


def provider(model: Model) -> str:
    """Give the maker of a model, whose encrypted reasoning no other can open."""
    return model.name.partition(".")[0]


def _tokens(said: object) -> int:
    """Count four characters of JSON as one token, as the scripted brain does."""
    return -(-len(json.dumps(said, default=str)) // 4)
