"""Creating a response as the host does: told at once, streamed, or in the background."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from toolstone import limits
from toolstone._dataclass import dataclass
from toolstone.local.brain import Brain, End, Item, Piece, RefusalError, Usage
from toolstone.local.ids import new_id
from toolstone.local.narrate import Event, Narration
from toolstone.local.profiles.admission import Admission, Admitted, foreign, provider
from toolstone.local.profiles.catalogue import Catalogue
from toolstone.local.profiles.gone import silence, unless_gone
from toolstone.local.profiles.guard import Guard, Visit
from toolstone.local.profiles.habits import Counted, Manner, told_frames
from toolstone.local.profiles.observed import observed
from toolstone.local.profiles.profile import HostProfile
from toolstone.local.profiles.shelf import Kept, Scope, Shelf
from toolstone.local.response import render_response
from toolstone.local.telling import now, tell_whole

__all__ = ["CLIENT_GONE", "Creating", "Job"]

log = logging.getLogger("toolstone.local")

CLIENT_GONE = 499
_DAY = 86_400.0
_OVER = ("completed", "failed", "incomplete", "cancelled")


@dataclass(slots=True)
class Job:
    """One response on its way.

    Attributes:
        admitted: The request.
        narration: What tells it.
        manner: How this host tells it.
        scope: Where it will be stored.
    """

    admitted: Admitted
    narration: Narration
    manner: Manner
    scope: Scope

    @property
    def response(self) -> dict[str, Any]:
        """The response object, as far as it has come."""
        return self.narration.response

    @property
    def headers(self) -> Mapping[str, str]:
        """What the host sends along with it."""
        mantle = self.admitted.visit.where.kind == "mantle"
        return dict(self.admitted.reservation.headers) if mantle else {}


class Creating:
    """Makes responses and keeps them.

    Args:
        brain: What answers.
        profile: What is played.
        guard: Who may what.
    """

    def __init__(self, brain: Brain, profile: HostProfile, guard: Guard) -> None:
        self._known = observed()
        self._brain = brain
        self._habits = profile.habits
        self._counted = Counted(profile.habits)
        seconds = self._known.data["state"]["days"] * _DAY
        clock = profile.clock
        self._shelf = Shelf(limits.LOCAL_RESPONSES_KEPT, seconds, lambda: clock().timestamp())
        self.admission = Admission(self._known, profile, guard, self._counted, self._shelf)
        self._background: dict[str, tuple[Job, asyncio.Task[None]]] = {}

    @property
    def catalogue(self) -> Catalogue:
        """The models there are."""
        return self.admission.catalogue

    async def close(self) -> None:
        """Stop what runs in the background."""
        for response_id in list(self._background):
            await self._stop(response_id)

    # --- stored responses

    def stored(self, visit: Visit) -> Kept:
        """Find what a route asks for.

        Raises:
            RefusalError: It is not there: unknown, ended, unstored, or somebody else's.
        """
        kept = self._shelf.get(visit.scope, visit.found.id)
        if kept is None:
            raise self.admission.lost(visit)
        return kept

    async def forget(self, visit: Visit) -> None:
        """Delete a response; if it is being made, stop."""
        await self._stop(visit.found.id)
        self._shelf.delete(visit.scope, visit.found.id)

    async def cancel(self, visit: Visit) -> Mapping[str, Any]:
        """Cancel a response in the background; one that is over stays as it is.

        Raises:
            RefusalError: It is not there, or was never in the background.
        """
        response = self.stored(visit).response
        if not response["background"]:
            message = "Cannot cancel a synchronous response."
            raise self._known.again(RefusalError(400, None, message))
        await self._stop(visit.found.id)
        return self.stored(visit).response

    # --- a new one

    async def create(self, visit: Visit, request: Request) -> Response:
        """Answer one create request, as JSON, as a stream, or in the background."""
        job = self.begin(await self.admission.admit(visit, request))
        headers, admitted = job.headers, job.admitted
        if admitted.background and not admitted.streamed:
            return JSONResponse(self._start(job), headers=headers)
        if admitted.streamed:
            told = await unless_gone(request, self.open(job))
            if told is not None:
                frames = self._frames(told)
                return StreamingResponse(frames, headers=headers, media_type="text/event-stream")
        elif self._counted.take("stall"):
            await silence(request)
        elif await unless_gone(request, self.finish(job)):
            return JSONResponse(job.response, headers=headers)
        return Response(status_code=CLIENT_GONE)

    def begin(self, admitted: Admitted) -> Job:
        """Make the response to a request that was let in; nothing is in it yet."""
        narration = Narration(self._skeleton(admitted), new_id=new_id, clock=now)
        return Job(admitted, narration, self._manner(admitted), self._scope(admitted))

    async def finish(self, job: Job) -> bool:
        """Make the whole answer; True when it is there."""
        async with aclosing(await self.open(job)) as told:
            async for _ in told:
                pass
        return True

    async def open(self, job: Job) -> AsyncGenerator[Sequence[Event], None]:
        """Ask the brain; the answer is there to be told when its first piece is."""
        if self._counted.take("empty"):
            usage = Usage(job.admitted.reservation.input_tokens)
            pieces = Manner().give(_only(End(usage)))
        else:
            pieces = job.manner.give(self._brain.answer(job.admitted.turn))
        try:
            first = await anext(pieces, End())
        except BaseException:
            self._settle(job)
            raise
        return tell_whole(job.narration, first, pieces, over=lambda: self._over(job))

    def _frames(self, told: AsyncGenerator[Sequence[Event], None]) -> AsyncGenerator[bytes, None]:
        streams = self._known.data["streams"]
        broken = self._counted.take("error_frame")
        return told_frames(
            told,
            spelling=streams["reasoning_spellings"][self._habits.spelling],
            done=self._habits.done,
            stall=self._counted.take("stall"),
            broken=self._counted.turn(streams["error_without_type"]["frames"]) if broken else None,
        )

    def _skeleton(self, admitted: Admitted) -> dict[str, Any]:
        body = admitted.body
        response = render_response(admitted.turn.body, response_id=new_id("resp"), now=now())
        tier = body.get("service_tier")
        response |= {
            "store": admitted.store,
            "background": admitted.background,
            "service_tier": "default" if tier in (None, "auto") else tier,
        }
        if body.get("tools"):
            response["tools"] = [*response["tools"], *(t for t in body["tools"] if foreign(t))]
        if admitted.visit.where.kind != "openai":
            response["billing"] = self._known.data["response"]["extra"]["billing"]
        return response

    def _scope(self, admitted: Admitted) -> Scope:
        """Where the response will be stored: not here, if another region serves it."""
        kind, region, project = admitted.visit.scope
        roams = admitted.model.id.startswith(self._known.data["roaming"]["prefix"])
        return kind, f"not {region}" if roams and self._counted.take("roaming") else region, project

    def _manner(self, admitted: Admitted) -> Manner:
        if admitted.visit.where.kind == "openai":
            return Manner()
        data, habits = self._known.data, self._counted
        family = admitted.model.family.partition("-without-")[0]
        failure = data["streams"]["failed_after_good_output"]
        junk = data["arguments"]["trailing"]["examples"]
        return Manner(
            call_id=self._numbering(admitted.visit),
            one_call=family in data["one_call_a_turn"]["families"],
            junk=habits.turn(junk) if habits.take("trailing_junk") else "",
            opening=self._opening(family),
            failure={key: failure[key] for key in ("code", "message")}
            if habits.take("failed_at_end")
            else None,
            seal=self._seal(admitted, family),
            itemised=family not in data["itemised_reasoning"]["not"],
            writable=admitted.reservation.writable,
        )

    def _numbering(self, visit: Visit) -> str | None:
        ids = self._known.data["call_ids"]
        anew = (visit.where.kind, visit.found.prefix) == (ids["host"], ids["prefix"])
        return str(ids["pattern"]) if anew else None

    def _seal(self, admitted: Admitted, family: str) -> str | None:
        asked_for = "reasoning.encrypted_content" in (admitted.body.get("include") or ())
        unasked = family in self._known.data["encrypted_reasoning"]["unasked"]
        if not (asked_for or unasked):
            return None
        region = admitted.visit.where.region
        return self.admission.seals.make(region, provider(admitted.model))

    def _opening(self, family: str) -> list[Piece]:
        opening: list[Piece] = []
        hidden = self._known.data["hidden_tools"]
        if self._counted.take("reasoning"):
            thought = {"type": "reasoning_text", "text": "thinking it over"}
            opening.append(Item({"type": "reasoning", "summary": [], "content": [thought]}))
        if family in hidden["families"] and self._counted.take("hidden_tools"):
            call = {"type": "mcp_call", "server_label": hidden["servers"][0], "name": "add"}
            opening.append(Item({**call, "arguments": "{}", "output": "ok", "error": None}))
        return opening

    # --- in the background

    def _start(self, job: Job) -> dict[str, Any]:
        response = job.response
        response["status"] = "queued"
        self._keep(job)
        self._background[response["id"]] = job, asyncio.create_task(self._work(job))
        return dict(response)

    async def _work(self, job: Job) -> None:
        job.response["status"] = "in_progress"
        self._keep(job)
        try:
            await self.finish(job)
        except RefusalError as error:
            job.narration.crash(error.code or "server_error", error.message)
        except Exception:
            log.exception("the brain broke before it said anything")
            job.narration.crash("server_error", "the brain broke; see the server's log")
        self._end(job)

    async def _stop(self, response_id: str) -> None:
        """Stop a response that is being made; anything else is left as it is."""
        if response_id not in self._background:
            return
        job, task = self._background[response_id]
        task.cancel()
        await asyncio.wait((task,))
        if job.response["status"] not in _OVER:
            job.response["status"] = "cancelled"
        self._end(job)

    def _end(self, job: Job) -> None:
        self._keep(job)
        self._background.pop(job.response["id"], None)

    # --- afterwards

    def _over(self, job: Job) -> None:
        self._settle(job)
        if job.narration.over and (job.admitted.store or job.admitted.background):
            self._keep(job)

    def _keep(self, job: Job) -> None:
        output = list(job.response["output"])  # it may still grow
        items = [*job.admitted.turn.items, *output]
        self._shelf.put(job.scope, {**job.response, "output": output}, items)

    def _settle(self, job: Job) -> None:
        usage = job.response["usage"] or {}
        self.admission.quotas.settle(
            job.admitted.reservation,
            read=usage.get("input_tokens", 0),
            wrote=usage.get("output_tokens", 0),
            cached=usage.get("input_tokens_details", {}).get("cached_tokens", 0),
        )


async def _only(piece: Piece) -> AsyncGenerator[Piece, None]:
    yield piece
