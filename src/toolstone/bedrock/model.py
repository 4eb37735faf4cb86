"""A model on Bedrock: a client that knows the habits of the two hosts, whichever it speaks."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, Literal, Self, TypedDict, Unpack

from toolstone import limits
from toolstone._secrets import Hidden
from toolstone.bedrock.choosing import ChosenAuth, choose_auth
from toolstone.bedrock.dialect import Dialect
from toolstone.bedrock.endpoint import Endpoint, Wishes, resolve_endpoint
from toolstone.bedrock.gating import Gated, admit
from toolstone.bedrock.history import Sender
from toolstone.bedrock.junk import without_junk
from toolstone.bedrock.mending import Draft, Learnt, mend
from toolstone.chat.client import ChatCompletions
from toolstone.errors import ProtocolError, ServiceError, StatusError, Unsupported
from toolstone.events import Noted, Retrying
from toolstone.responses.client import Responses
from toolstone.wire import HttpxTransport, Quota

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from types import TracebackType

    from toolstone.ports import Emit, Profile, Request, Response
    from toolstone.wire import Auth, Deadlines, Retry, Transport

__all__ = ["BedrockModel", "ClientOptions", "bedrock_model"]

_NO_WISHES: Final = Wishes()
_PLACES: Final = frozenset({"model", "wrong-route", "gate"})
"""Refusals that the table's warnings about an endpoint may explain."""
_learnt: Final[dict[tuple[str, str, str], Learnt]] = {}
"""What the services have taught this process, by origin, model and protocol."""


class ClientOptions(TypedDict, total=False):
    """What the HTTP client may be given; see `Responses`."""

    transport: Transport
    deadlines: Deadlines
    retry: Retry
    headers: Mapping[str, str]


def bedrock_model(
    model: str,
    *,
    region: str | None = None,
    endpoint: str | None = None,
    api_key: str | Callable[[], str | Awaitable[str]] | None = None,
    auth: Auth | Literal["sigv4", "minted"] = "sigv4",
    profile: str | None = None,
    wishes: Wishes = _NO_WISHES,
    dialect: Dialect | None = None,
    gated: Gated = "learn",
    reasoning: Literal["replay", "strip"] | None = None,
    **client: Unpack[ClientOptions],
) -> BedrockModel:
    """A model on Amazon Bedrock, by its name. Nothing is opened before the first request.

    Args:
        model: `bedrock/MODEL`, `bedrock-mantle/MODEL` or `bedrock-runtime/MODEL`, each with
            `@region` after it if you like; MODEL may be an ARN.
        region: The region; else `AWS_REGION`, `AWS_DEFAULT_REGION`.
        endpoint: An origin of your own; credentials go there alone.
        api_key: A Bedrock API key, or a function that returns one.
        auth: Who asks, in any other way: `SigV4(...)`, `MintedKey(...)`. A word says what is made
            of the AWS credential chain's credentials: `sigv4` signs, `minted` makes a short-term
            key. Without key or object, `AWS_BEARER_TOKEN_BEDROCK` comes before the chain.
        profile: The AWS profile that the chain takes; then the environment's key does not count.
        wishes: What the endpoint should be able to do; they help to choose the host.
        dialect: What is known of Bedrock; the table that comes with toolstone unless given.
        gated: What becomes of a parameter that the endpoint refuses: see `Gated`.
        reasoning: Whether encrypted reasoning is sent back; by the model's family unless given.
        **client: `transport`, `deadlines`, `retry`, `headers`, as for `Responses`.

    Raises:
        ConfigError: Something is missing, or contradicts something else.

    Example:
        agent = Agent(bedrock_model("bedrock/openai.gpt-oss-120b", region="us-east-1"))
    """
    api_key = Hidden(api_key) if isinstance(api_key, str) else api_key
    dialect = dialect or Dialect.load()
    found = resolve_endpoint(
        model, region=region, endpoint=endpoint, wishes=wishes, dialect=dialect
    )
    if isinstance(auth, str):
        chosen = choose_auth(found, api_key=api_key, sign=auth, profile=profile)
    else:
        chosen = choose_auth(found, api_key=api_key, auth=auth, profile=profile)
    return BedrockModel(
        found,
        chosen,
        dialect=dialect,
        gated=gated,
        reasoning=reasoning,
        name=model,
        wishes=wishes,
        **client,
    )


class BedrockModel:
    """A model at an endpoint of Bedrock; fits `toolstone.ports.Model`.

    Safe to share between runs, threads and event loops. Made by `bedrock_model`.

    Args:
        endpoint: Where it is.
        auth: Who asks.
        dialect: What is known of the service.
        gated: What becomes of a parameter that it refuses.
        reasoning: Whether encrypted reasoning is sent back.
        name: What the user called it: the key of a price table.
        wishes: What the endpoint was to be able to do.
        **client: As for `Responses`.

    Attributes:
        endpoint: Where it is, with `warnings`.
        auth: Who asks, by which source.
        profile: What it can, as far as the protocol needs it.
        name: What the user called it.
        wishes: What the endpoint was to be able to do.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        auth: ChosenAuth,
        *,
        dialect: Dialect,
        gated: Gated = "learn",
        reasoning: Literal["replay", "strip"] | None = None,
        name: str = "",
        wishes: Wishes = _NO_WISHES,
        **client: Unpack[ClientOptions],
    ) -> None:
        self.endpoint = endpoint
        self.wishes = wishes
        self.auth = auth
        self.profile: Profile = endpoint.profile
        self.name = name or f"bedrock-{endpoint.host}/{endpoint.model}"
        self._dialect = dialect
        self._gated: Gated = gated
        self._sender = Sender(
            replays=endpoint.family.encrypted if reasoning is None else reasoning == "replay"
        )
        self._learnt = _learnt.setdefault((endpoint.origin, endpoint.model, endpoint.api), Learnt())
        project = {} if endpoint.project is None else {"openai-project": endpoint.project}
        self._options: ClientOptions = {"transport": HttpxTransport(), **client}
        self._options["headers"] = {**project, **client.get("headers", {})}
        self._clients: dict[tuple[str, str], ChatCompletions | Responses] = {}
        self._quota = Quota()
        self._unsaid = list(endpoint.warnings)
        self._client(endpoint.prefix, endpoint.model)

    def __repr__(self) -> str:
        return f"BedrockModel({self.name!r}, {self.endpoint.base_url!r})"

    async def respond(self, request: Request, emit: Emit) -> Response:
        """Answer a request; see `toolstone.ports.Model`.

        A refusal that names its mend is mended once, and what helped is remembered. Whether a
        tool choice was followed is minded where the run is: this host does not always.

        Raises:
            ServiceError: No answer; `notes` has what each attempt was.
            Unsupported: The endpoint does not take a parameter, and `gated="raise"` says so.
        """
        learnt, smallest = self._learnt, self._dialect.habits["smallest_output"]
        request, changed = admit(request, self.endpoint, self._gated, learnt.refused, smallest)
        draft = Draft(
            request,
            learnt.prefix or self.endpoint.prefix,
            learnt.model or self.endpoint.model,
            plain=learnt.plain,
        )
        notes = [*self._warnings(), *changed]
        while True:
            try:
                response = await self._send(draft, emit)
            except StatusError as error:
                draft = await self._mend(draft, error, notes, emit)
            except ServiceError as error:
                error.notes = (*notes, *error.notes)
                raise
            else:
                break
        draft.learn(learnt, self.endpoint)
        response = without_junk(response, self.profile.junk)
        return replace(response, notes=(*notes, *response.notes))

    @property
    def origin(self) -> str:
        """Where it is, without the path: what is bound to a service is bound to this."""
        return self.endpoint.origin

    @property
    def client(self) -> Responses:
        """The raw client behind it, signed alike: stored responses, counting, streams of events.

        Raises:
            Unsupported: The endpoint speaks Chat Completions, which has none of these.
        """
        learnt, endpoint = self._learnt, self.endpoint
        found = self._client(learnt.prefix or endpoint.prefix, learnt.model or endpoint.model)
        if isinstance(found, ChatCompletions):
            instead = self.profile.unsupported["background"]
            raise Unsupported(f"{self.profile.name} keeps no responses. {instead}")
        return found

    async def cancel(self, response_id: str) -> Response:
        """Stop a background response; see `Responses.cancel`.

        Raises:
            Unsupported: The endpoint speaks Chat Completions, which has none.
        """
        return await self.client.cancel(response_id)

    async def aclose(self) -> None:
        """Close the connections of this event loop now; a later request opens new ones."""
        await self._options["transport"].aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()

    # ---------------------------------------------------------------------------------- one answer

    async def _send(self, draft: Draft, emit: Emit) -> Response:
        items = self._sender.prepare(draft.request.items, plain=draft.plain)
        request = replace(draft.request, items=items)
        try:
            return await self._client(draft.prefix, draft.model).respond(request, emit)
        except ProtocolError as error:
            if error.phase == "body":
                error.args = (f"{error}. {self._right_path()}",)
            raise

    async def _mend(
        self, draft: Draft, error: StatusError, notes: list[Noted], emit: Emit
    ) -> Draft:
        """The next draft, noted.

        Raises:
            StatusError: There is none: the refusal is final.
        """
        final = self._gated == "raise" and error.mend == "drop-parameter"
        tries = sum(note.what == "mended" for note in notes)
        better = None
        if not final and tries < limits.BEDROCK_MENDS:
            better = mend(draft, error, self.endpoint, self._dialect)
        if better is None:
            error.notes = (*notes, *error.notes)
            if error.means in _PLACES:
                error.args = (". ".join([str(error), *self.endpoint.warnings, *self._elsewhere()]),)
            raise error
        notes += [*error.notes, Noted("mended", better.why, data={"mend": error.mend})]
        if error.partial is not None:
            await emit([Retrying(tries + 2, 0.0, better.why)])
        return better

    def _warnings(self) -> list[Noted]:
        """What the table has against this endpoint, said with the first answer."""
        unsaid, self._unsaid = self._unsaid, []
        return [Noted("warning", text) for text in unsaid]

    def _right_path(self) -> str:
        end, known = self.endpoint, self._known()
        origin = end.origin if known.host == end.host else known.origin
        return f"{end.bare} is known to answer on {known.host} at {origin}{known.prefix}{end.path}"

    def _elsewhere(self) -> list[str]:
        """Where the model is known to answer, if that is not where it was asked."""
        end, known = self.endpoint, self._known()
        same = (known.host, known.prefix) == (end.host, end.prefix)
        return [] if same else [self._right_path()]

    def _known(self) -> Endpoint:
        """Where the table has the model; behind a gateway without a region, this endpoint."""
        end = self.endpoint
        if not end.region:
            return end
        return resolve_endpoint(
            f"bedrock/{end.bare}",
            region=end.region,
            wishes=Wishes(api=end.api),
            dialect=self._dialect,
            environment={},
        )

    def _client(self, prefix: str, model: str) -> ChatCompletions | Responses:
        """The client for a path and an id; all share connections and the retry quota."""
        found = self._clients.get((prefix, model))
        if found is None:
            speaks = ChatCompletions if self.endpoint.api == "chat" else Responses
            found = speaks(
                model=model,
                base_url=f"{self.endpoint.origin}{prefix}",
                auth=self.auth.auth,
                profile=self.profile,
                **self._options,
            )
            found.failures = self._dialect.failures
            found.quota = self._quota
            self._clients[prefix, model] = found
        return found
