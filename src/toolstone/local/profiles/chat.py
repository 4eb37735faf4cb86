"""Chat Completions as the hosts have them: admitted like responses, told as completions."""

import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse

from toolstone.local.brain import RefusalError
from toolstone.local.chat_answer import Chunks, completion
from toolstone.local.chat_request import renamed, translate
from toolstone.local.encoding import encode
from toolstone.local.narrate import Event
from toolstone.local.profiles.catalogue import Model
from toolstone.local.profiles.create import CLIENT_GONE, Creating, Job
from toolstone.local.profiles.gone import unless_gone
from toolstone.local.profiles.guard import Visit
from toolstone.local.profiles.observed import Observed, observed
from toolstone.local.telling import DONE

__all__ = ["Chatting"]


class Chatting:
    """Makes completions; nothing of them is kept.

    Args:
        creating: Makes responses.
    """

    def __init__(self, creating: Creating) -> None:
        self._creating = creating
        self._known = observed()

    async def create(self, visit: Visit, request: Request) -> Response:
        """Answer one request, as JSON or as a stream of chunks."""

        def said(body: Mapping[str, Any], model: Model) -> dict[str, Any]:
            return self._translated(visit, body, model)

        try:
            admitted = await self._creating.admission.admit(visit, request, said)
            job = self._creating.begin(admitted)
            if not admitted.streamed:
                return await self._whole(job, request)
            told = await unless_gone(request, self._creating.open(job))
        except RefusalError as error:
            raise _in_their_words(error) from None
        if told is None:
            return Response(status_code=CLIENT_GONE)
        options = json.loads(visit.asked.body).get("stream_options") or {}
        frames = _frames(told, Chunks(job.response, usage=options.get("include_usage") is True))
        return StreamingResponse(frames, headers=job.headers, media_type="text/event-stream")

    async def _whole(self, job: Job, request: Request) -> Response:
        if not await unless_gone(request, self._creating.finish(job)):
            return Response(status_code=CLIENT_GONE)
        if job.response["status"] == "failed":
            error = job.response["error"]
            raise RefusalError(500, error["code"], error["message"])
        return JSONResponse(completion(job.response), headers=job.headers)

    def _translated(self, visit: Visit, body: Mapping[str, Any], model: Model) -> dict[str, Any]:
        openai = visit.where.kind == "openai"
        try:
            told = translate(body)
        except RefusalError as error:
            raise error if openai else self._known.again(error) from None
        if not openai:
            _check_gates(self._known, body, model.family.partition("-without-")[0])
        return told


def _check_gates(known: Observed, body: Mapping[str, Any], family: str) -> None:
    gates = known.data["chat"]
    row, effort = gates["effort_beside_tools"], body.get("reasoning_effort")
    if family in row["families"] and body.get("tools") and effort not in (None, *row["values"]):
        listed = " and ".join(f"'{each}'" for each in row["values"])
        param = "reasoning_effort"
        raise known.refuse(row["error"], param=param, value=repr(effort), listed=listed)
    row = gates["max_tokens"]
    if family in row["families"] and body.get("max_tokens") is not None:
        raise known.refuse(row["error"], param="max_tokens")


def _in_their_words(error: RefusalError) -> RefusalError:
    """A refusal of the translated request, in the words of the one that came."""
    spoken = renamed(error)
    try:
        envelope = json.loads(error.body or b"")
        envelope["error"] |= {"message": spoken.message, "param": spoken.param}
    except (ValueError, KeyError, TypeError):
        return spoken
    spoken.body = json.dumps(envelope).encode()
    return spoken


async def _frames(
    told: AsyncGenerator[Sequence[Event], None], chunks: Chunks
) -> AsyncGenerator[bytes, None]:
    yield _frame(chunks.start())
    last: Event = {}
    async with aclosing(told):
        async for events in told:
            for event in events:
                last = event
                for chunk in chunks.tell(event):
                    yield _frame(chunk)
    if last.get("type") != "response.failed":
        yield DONE


def _frame(chunk: dict[str, Any]) -> bytes:
    return b"data: %s\n\n" % encode(chunk)
