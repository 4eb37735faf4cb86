"""The JSON of a response becomes a `Response`; anything else is told for what it is. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from toolstone.errors import ProtocolError
from toolstone.items import parse_item
from toolstone.ports import Response
from toolstone.responses.decode import decode
from toolstone.responses.failures import TABLE, failure, read_error, request_id
from toolstone.responses.misread import json_object, misread, wrong_path
from toolstone.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from toolstone.events import Noted
    from toolstone.items import Item
    from toolstone.responses.failures import Row

__all__ = ["parse_response", "read_items", "response_from"]

JSON = dict[str, Any]

_NO_HEADERS: Final[Mapping[str, str]] = {}
_WANTED: Final = "a response"


def parse_response(
    body: bytes,
    *,
    sent: bytes = b"",
    headers: Mapping[str, str] = _NO_HEADERS,
    secrets: Sequence[str] = (),
    table: Sequence[Row] = TABLE,
    endpoint: str = "",
) -> Response:
    """Read the body of a 200.

    Only `id`, `status` and `output` must be there; everything else is carried as it came. The
    content type is not looked at: servers and proxies get it wrong.

    Raises:
        ProtocolError: It is not a response; says what it looks like and what to do.
        StatusError: It is an error, or a response that failed.
    """
    if not body.startswith(b"{"):
        body = json_object(body, headers, _WANTED)
    raw = decode(body)
    if not isinstance(raw, dict):
        raise misread(f"JSON {type(raw).__name__}", "", body, headers, _WANTED)
    if not isinstance(raw.get("output"), list) or "status" not in raw or "id" not in raw:
        raise _strange(raw, body, headers, secrets, table)
    return response_from(
        raw,
        sent=sent,
        received=body,
        headers=headers,
        secrets=secrets,
        table=table,
        endpoint=endpoint,
    )


def response_from(
    raw: JSON,
    *,
    sent: bytes = b"",
    received: bytes = b"",
    items: tuple[Item, ...] | None = None,
    notes: tuple[Noted, ...] = (),
    headers: Mapping[str, str] = _NO_HEADERS,
    secrets: Sequence[str] = (),
    table: Sequence[Row] = TABLE,
    endpoint: str = "",
) -> Response:
    """A `Response` from its decoded JSON object.

    Raises:
        ProtocolError: `id` or `status` is no text, or an item is no object.
        StatusError: The response failed; `partial` has what it holds.
    """
    ident, status = raw.get("id"), raw.get("status")
    if type(ident) is not str or type(status) is not str:
        raise ProtocolError(
            f"the response's id is a {type(ident).__name__} and its status a "
            f"{type(status).__name__}; both must be text",
            request_id=request_id(headers),
        )
    details, error, model = raw.get("incomplete_details"), raw.get("error"), raw.get("model")
    tier = raw.get("service_tier")
    reason = details.get("reason") if type(details) is dict else None
    response = Response(
        ident,
        status,
        read_items(raw.get("output")) if items is None else items,
        Usage.parse(raw.get("usage")),
        model if type(model) is str else "",
        reason if type(reason) is str else None,
        error if type(error) is dict else None,
        tier if type(tier) is str else None,
        endpoint,
        notes=notes,
        sent=sent,
        received=received,
    )
    if status == "failed":
        raise _failed(response, error, headers, secrets, table)
    return response


def _failed(
    response: Response,
    error: object,
    headers: Mapping[str, str],
    secrets: Sequence[str],
    table: Sequence[Row],
) -> Exception:
    ended = failure(
        read_error(error),
        headers=headers,
        body=response.received[:1024],
        secrets=secrets,
        table=table,
    )
    ended.partial = response
    return ended


def read_items(output: object) -> tuple[Item, ...]:
    """The items of an `output`; null is no item.

    Raises:
        ProtocolError: One is not a JSON object.
    """
    if type(output) is not list:
        return ()
    try:
        return tuple([parse_item(raw) for raw in output if raw is not None])
    except (AttributeError, TypeError):
        wrong = next(n for n, raw in enumerate(output) if not isinstance(raw, dict | None))
        raise ProtocolError(
            f"output[{wrong}] is a {type(output[wrong]).__name__}; an item is a JSON object"
        ) from None


def _strange(
    raw: JSON,
    body: bytes,
    headers: Mapping[str, str],
    secrets: Sequence[str],
    table: Sequence[Row],
) -> Exception:
    if raw.get("error"):
        said = read_error(raw)
        return failure(said, headers=headers, body=body[:1024], secrets=secrets, table=table)
    if (elsewhere := wrong_path(raw, body, headers, _WANTED)) is not None:
        return elsewhere
    if raw.get("object") == "chat.completion" or "choices" in raw:
        return misread(
            "a chat completion",
            "This is the older API: write 'chat+https://host/v1#MODEL'",
            body,
            headers,
            _WANTED,
        )
    missing = [name for name in ("id", "status", "output") if name not in raw]
    what = f"a JSON object without {' and '.join(missing)}" if missing else "a JSON object"
    return misread(what, "Check that base_url is a Responses endpoint", body, headers, _WANTED)
