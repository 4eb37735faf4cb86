"""What the endpoint can do, as an OpenAPI 3.1 document and as a page; made from its own routes.

The shapes of bodies and queries are the models that requests are checked with, so that the
document cannot say anything else than the endpoint does.
"""

import html
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Route

from toolstone.local import chat_fields, fields, listing

__all__ = ["openapi_document", "openapi_routes"]

Document = dict[str, Any]

_BODIES: Mapping[str, type[BaseModel]] = {
    "POST /v1/responses": fields.RequestFields,
    "POST /v1/responses/input_tokens": fields.CountFields,
    "POST /v1/responses/compact": fields.CompactFields,
    "POST /v1/conversations": fields.ConversationFields,
    "POST /v1/conversations/{id}": fields.UpdateFields,
    "POST /v1/conversations/{id}/items": fields.ItemsFields,
    "POST /v1/chat/completions": chat_fields.ChatFields,
}
_QUERIES: Mapping[str, type[BaseModel]] = {
    "GET /v1/responses/{id}": listing.RetrieveQuery,
    "GET /v1/responses/{id}/input_items": listing.ListQuery,
    "GET /v1/conversations/{id}/items": listing.ListQuery,
    "GET /v1/conversations/{id}/items/{item}": listing.IncludeQuery,
    "POST /v1/conversations/{id}/items": listing.IncludeQuery,
}
_STREAMED = ("POST /v1/responses", "GET /v1/responses/{id}", "POST /v1/chat/completions")
_OBJECT = {"schema": {"type": "object"}}
_TEXT = {"schema": {"type": "string"}}
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
        }
    },
}


def openapi_routes(served: Sequence[BaseRoute]) -> list[Route]:
    """Give the routes that describe those served: `/openapi.json`, and `/docs` for reading."""
    made: list[Document] = []

    def document() -> Document:
        if not made:
            made.append(openapi_document([*served, *described]))
        return made[0]

    async def openapi(_: Request) -> Response:
        """Describe the endpoint in OpenAPI's words."""
        return JSONResponse(document())

    async def docs(_: Request) -> Response:
        """Describe the endpoint for reading."""
        return HTMLResponse(_page(document()), headers={"content-security-policy": _POLICY})

    described = [
        Route("/openapi.json", openapi, methods=["GET"]),
        Route("/docs", docs, methods=["GET"]),
    ]
    return described


def openapi_document(served: Sequence[BaseRoute]) -> Document:
    """Describe routes as an OpenAPI 3.1 document; WebSockets, which it has no words for, apart."""
    models = [*_BODIES.values(), *_QUERIES.values()]
    refs, shapes = models_json_schema(
        [(model, "validation") for model in dict.fromkeys(models)],
        ref_template="#/components/schemas/{model}",
    )
    schemas = {**shapes["$defs"], "Error": _ERROR}
    paths: dict[str, Document] = {}
    for name, path, route in _operations(served):
        method = name.partition(" ")[0].lower()
        asked = _BODIES.get(name)
        operation = _operation(name, path, (route.endpoint.__doc__ or "").partition("\n")[0])
        operation["parameters"] += _query(schemas, _QUERIES.get(name))
        if asked is not None:
            body = {"application/json": {"schema": refs[asked, "validation"]}}
            operation["requestBody"] = {"required": True, "content": body}
        paths.setdefault(path, {})[method] = operation
    paths["/v1/responses"]["x-websocket"] = (
        "Opened as a WebSocket it takes messages of the type 'response.create' that hold the body "
        "of POST /v1/responses without stream, stream_options and background."
    )
    return {
        "openapi": "3.1.0",
        "info": {"title": "toolstone: a Responses endpoint", "version": version("toolstone")},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"key": []}, {}],
    }


def _operations(served: Sequence[BaseRoute]) -> Iterator[tuple[str, str, Route]]:
    """Give each operation as `METHOD /path`, its path, and its route."""
    for route in served:
        if isinstance(route, Route):
            path = re.sub(r":\w+}", "}", route.path)  # {id:path} is {id} to everybody else
            for method in sorted((route.methods or set()) - {"HEAD"}):
                yield f"{method} {path}", path, route


def _operation(name: str, path: str, summary: str) -> Document:
    content = {"text/html": _TEXT} if path == "/docs" else {"application/json": _OBJECT}
    if name in _STREAMED:
        content = {**content, "text/event-stream": _TEXT}
    error = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return {
        "operationId": re.sub(r"\W+", "_", name).strip("_").lower(),
        "summary": summary,
        "parameters": [
            {"name": part, "in": "path", "required": True, "schema": {"type": "string"}}
            for part in re.findall(r"{(\w+)}", path)
        ],
        "responses": {
            "200": {"description": "It went well.", "content": content},
            "default": {"description": "It did not.", "content": error},
        },
    }


def _query(schemas: Mapping[str, Any], model: type[BaseModel] | None) -> list[Document]:
    if model is None:
        return []
    properties = schemas[model.__name__]["properties"]
    return [{"name": name, "in": "query", "schema": shape} for name, shape in properties.items()]


_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "summary{cursor:pointer}code,pre{font:14px ui-monospace,monospace}"
    "pre{overflow:auto;background:#8882;padding:1rem}:root{color-scheme:light dark}"
)


def _page(document: Document) -> str:
    """The document for reading: it needs nothing from elsewhere, and runs no script."""
    operations = [
        _entry(f"{method.upper()} {path}", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if isinstance(operation, dict)
    ]
    shapes = [
        f'<details id="{html.escape(name)}"><summary><code>{html.escape(name)}</code></summary>'
        f"<pre>{html.escape(json.dumps(shape, indent=2))}</pre></details>"
        for name, shape in sorted(document["components"]["schemas"].items())
    ]
    title = html.escape(document["info"]["title"])
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>'
        f"<style>{_STYLE}</style><h1>{title}</h1>"
        f"<p>{html.escape(document['paths']['/v1/responses']['x-websocket'])}</p>"
        f'<p><a href="/openapi.json">openapi.json</a></p>{"".join(operations)}'
        f"<h2>Shapes</h2>{''.join(shapes)}</html>"
    )


def _entry(name: str, operation: Document) -> str:
    takes = [parameter["name"] for parameter in operation["parameters"]]
    shape = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    body = shape.get("schema", {}).get("$ref", "").rpartition("/")[2]
    return (
        f"<p><code><b>{html.escape(name)}</b></code> {html.escape(operation['summary'])}"
        + (f"<br>parameters: <code>{html.escape(', '.join(takes))}</code>" if takes else "")
        + (f'<br>body: <a href="#{body}"><code>{body}</code></a>' if body else "")
    )
