"""What is stored, as it is shown: one page of a list, one item with what was asked for. Pure."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Literal, TypeVar

from pydantic import BaseModel, Field

from toolstone.local.fields import Include
from toolstone.local.request import check_fields, refuse

__all__ = [
    "IncludeQuery",
    "ListQuery",
    "RetrieveQuery",
    "page",
    "read_query",
    "shown",
    "shown_response",
]

Item = Mapping[str, Any]


class IncludeQuery(BaseModel):
    """What a query may ask for of an item."""

    include: list[Include] = []


class RetrieveQuery(IncludeQuery):
    """The query for one response."""

    stream: bool = False
    starting_after: int = Field(default=-1, ge=-1)
    include_obfuscation: bool = False


class ListQuery(IncludeQuery):
    """The query for a page of a list."""

    limit: int = Field(default=20, ge=1, le=100)
    order: Literal["asc", "desc"] = "desc"
    after: str | None = None


Q = TypeVar("Q", bound=BaseModel)


def read_query(given: Iterable[tuple[str, str]], fields: type[Q]) -> Q:
    """Read the parameters of a query, of which `include[]` may come several times.

    Raises:
        RefusalError: Status 400.
    """
    query: dict[str, Any] = {}
    for name, value in given:
        if name in ("include", "include[]"):
            query.setdefault("include", []).append(value)
        else:
            query[name] = value
    return check_fields(query, fields)


def page(items: Sequence[Item], query: ListQuery) -> dict[str, Any]:
    """Give one page of a list of items that stand oldest first.

    Raises:
        RefusalError: 400: there is no such item to begin after.
    """
    ordered = list(items) if query.order == "asc" else list(reversed(items))
    if query.after is not None:
        ids = [item["id"] for item in ordered]
        if query.after not in ids:
            refuse("invalid_value", "no item of this list has this id", "after")
        ordered = ordered[ids.index(query.after) + 1 :]
    data = [shown(item, query.include) for item in ordered[: query.limit]]
    return {
        "object": "list",
        "data": data,
        "first_id": data[0]["id"] if data else "",
        "last_id": data[-1]["id"] if data else "",
        "has_more": len(ordered) > query.limit,
    }


def shown_response(response: Mapping[str, Any], include: Collection[str]) -> dict[str, Any]:
    """Give a stored response, without what has to be asked for."""
    return {**response, "output": [shown(item, include) for item in response["output"]]}


def shown(item: Item, include: Collection[str]) -> dict[str, Any]:
    """Give a stored item in full, as the protocol has it, without what has to be asked for."""
    given = dict(item)
    if given["type"] == "message":
        given["content"] = _parts(given, include)
    if given["type"] in _WITH_STATUS:
        given["status"] = given.get("status") or "completed"
    if given["type"] == "reasoning" and "reasoning.encrypted_content" not in include:
        given.pop("encrypted_content", None)
    return given


_WITH_STATUS = (
    *("message", "function_call", "function_call_output"),
    *("custom_tool_call", "custom_tool_call_output"),
)


def _parts(message: Item, include: Collection[str]) -> list[dict[str, Any]]:
    content = message["content"]
    if isinstance(content, str):
        kind = "output_text" if message["role"] == "assistant" else "input_text"
        content = [{"type": kind, "text": content}]
    return [_part(part, include) for part in content]


def _part(part: Item, include: Collection[str]) -> dict[str, Any]:
    match part["type"]:
        case "output_text":
            asked = "message.output_text.logprobs" in include
            known = part.get("logprobs") or [] if asked else []
            return {"annotations": [], **part, "logprobs": known}
        case "input_image":
            asked = "message.input_image.image_url" in include
            url = part.get("image_url") if asked else None
            return {**part, "image_url": url, "detail": part.get("detail") or "auto"}
        case _:
            return dict(part)
