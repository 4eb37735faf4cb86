"""The HTTP application of a profile: one door for every path, as the host has it."""

import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from email.utils import format_datetime
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from toolstone.bedrock.verify import Asked
from toolstone.local.brain import Brain, RefusalError
from toolstone.local.ids import new_id
from toolstone.local.profiles.catalogue import Model
from toolstone.local.profiles.chat import Chatting
from toolstone.local.profiles.create import Creating
from toolstone.local.profiles.guard import Guard, Visit
from toolstone.local.profiles.observed import Where, observed
from toolstone.local.profiles.profile import HostProfile
from toolstone.local.profiles.routes import Routes
from toolstone.local.telling import now, read_bytes

__all__ = ["make_profile_app"]

log = logging.getLogger("toolstone.local")

_METHODS = ["GET", "POST", "PUT", "DELETE"]
_LOOPBACK = ("127.0.0.1", "localhost", "[::1]")

_ASKING = ("POST /responses", "POST /chat/completions")

Handler = Callable[[Visit, Request], Awaitable[Response]]


def make_profile_app(brain: Brain, profile: HostProfile) -> Starlette:
    """Make the application that serves a brain as the profile's host does."""
    host = Host(brain, profile)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            await host.close()

    route = Route("/{path:path}", host.answer, methods=_METHODS)
    return Starlette(routes=[route], lifespan=lifespan)


class Host:
    """Every route of the hosts, and what they share.

    Args:
        brain: What answers.
        profile: What is played.
    """

    def __init__(self, brain: Brain, profile: HostProfile) -> None:
        self._known = observed()
        self._brain = brain
        self._profile = profile
        self._routes = Routes(self._known)
        self._guard = Guard(self._known, profile.account, profile.verifier())
        self._creating = Creating(brain, profile, self._guard)
        self._handlers: Mapping[str, Handler] = {
            "POST /responses": self._creating.create,
            "POST /chat/completions": Chatting(self._creating).create,
            "GET /responses/{id}": self._read,
            "DELETE /responses/{id}": self._delete,
            "POST /responses/{id}/cancel": self._cancel,
            "GET /models": self._models,
            "GET /models/{id}": self._model,
            "GET /data_retention": self._retention,
            "PUT /data_retention": self._retain,
            "GET /organization/projects": self._list_projects,
        }

    async def close(self) -> None:
        """Stop what runs in the background, and the brain."""
        await self._creating.close()
        await self._brain.close()

    async def answer(self, request: Request) -> Response:
        """Answer any request."""
        try:
            response = await self._answer(request)
        except RefusalError as error:
            response = _refused(error)
        except Exception:
            log.exception("the profile broke")
            response = _refused(RefusalError(500, "server_error", "see the server's log"))
        identity = new_id(self._known.data["host"]["mantle"]["request_id_prefix"].rstrip("_"))
        response.headers["x-request-id"] = response.headers["x-amzn-requestid"] = identity
        response.headers["date"] = format_datetime(self._profile.now(), usegmt=True)
        return response

    async def _answer(self, request: Request) -> Response:
        where = self._where(request)
        path: str = request.scope["raw_path"].decode("latin-1")
        found = self._routes.find(where, request.method, path)
        asked = _asked(request, path, await read_bytes(request), self._signing(where))
        visit = self._guard.admit(where, found, asked)
        if not (where.kind == "runtime" and found.name in _ASKING):
            self._guard.check_route(visit)  # there the model has a say in it
        handler = self._handlers.get(found.name)
        if handler is None:
            raise self._known.refuse("no_route")
        return await handler(visit, request)

    def _where(self, request: Request) -> Where:
        host = request.headers.get("host", "")
        name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
        if name in _LOOPBACK:
            return Where(self._profile.kind, self._profile.region)
        where = self._known.where(name)
        if where is None:
            message = f"no host is played under the name {name!r}"
            raise RefusalError(421, "misdirected_request", message)
        return where

    def _signing(self, where: Where) -> Mapping[str, Any]:
        host = self._known.data["host"].get(where.kind, {})
        return {
            "service": host.get("service", ""),
            "region": where.region,
            "bearers": tuple(host.get("bearer_headers", ("authorization",))),
        }

    # --- stored responses

    async def _read(self, visit: Visit, _: Request) -> Response:
        return JSONResponse(self._creating.stored(visit).response)

    async def _delete(self, visit: Visit, _: Request) -> Response:
        response_id = self._creating.stored(visit).response["id"]
        await self._creating.forget(visit)
        return JSONResponse({"id": response_id, "object": "response", "deleted": True})

    async def _cancel(self, visit: Visit, _: Request) -> Response:
        return JSONResponse(await self._creating.cancel(visit))

    # --- the catalogue

    async def _models(self, visit: Visit, _: Request) -> Response:
        if visit.where.kind == "openai":
            names = self._brain.models or ("any",)
            data = [_record(name) for name in names]
        else:
            listed = self._creating.catalogue.listed(visit.where.region)
            data = [self._described(model) for model in listed]
        return JSONResponse({"object": "list", "data": data})

    async def _model(self, visit: Visit, _: Request) -> Response:
        name = visit.found.id
        if visit.where.kind == "openai":
            return JSONResponse(_record(name))
        model, here = self._creating.catalogue.on_mantle(name, visit.where.region)
        if model is None or not here:
            raise self._known.refuse("model_not_found", model=name)
        rules = self._known.data["retention"]
        modes = list(rules["modes"])
        if model.name in rules["none"]["models_not_allowing"]:
            modes.remove("none")
        kept = {
            "mode": self._creating.admission.retention,
            "source": "account",
            "allowed_modes": modes,
        }
        return JSONResponse({**self._described(model), "data_retention": kept})

    def _described(self, model: Model) -> dict[str, Any]:
        reason = self._profile.account.unavailable.get(model.name)
        status = "unavailable" if reason else "available"
        return {**_record(model.id), "status": status, "status_reason": reason}

    # --- the account

    async def _retention(self, _visit: Visit, _: Request) -> Response:
        return JSONResponse({"mode": self._creating.admission.retention})

    async def _retain(self, visit: Visit, _: Request) -> Response:
        try:
            mode = json.loads(visit.asked.body).get("mode")
        except (ValueError, AttributeError):
            mode = None
        modes = self._known.data["retention"]["modes"]
        if mode not in modes:
            raise self._known.refuse("no_variant", where="mode")
        self._creating.admission.retention = str(mode)
        return JSONResponse({"mode": mode})

    async def _list_projects(self, _visit: Visit, _: Request) -> Response:
        ids = [self._known.data["projects"]["default"], *self._profile.account.projects]
        data = [{"id": each, "object": "project", "status": "active"} for each in ids]
        return JSONResponse({"object": "list", "data": data})


def _asked(request: Request, path: str, body: bytes, signing: Mapping[str, Any]) -> Asked:
    query: str = request.scope["query_string"].decode("latin-1")
    headers = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in request.headers.raw]
    return Asked(request.method, f"{path}?{query}" if query else path, headers, body, **signing)


def _record(name: str) -> dict[str, Any]:
    owner = name.partition(".")[0] if "." in name else "toolstone"
    return {"id": name, "object": "model", "created": now(), "owned_by": owner}


def _refused(error: RefusalError) -> Response:
    if error.body is not None:
        return Response(error.body, error.status, error.headers)
    return JSONResponse(error.envelope(), error.status, error.headers)
