"""The one table: what a response is, streamed or plain. Exhaustive and pure.

| status      | what it holds                     | verdict     |
|-------------|-----------------------------------|-------------|
| completed   | calls (with or without text)      | `calls`     |
| completed   | an item that a client must answer | `calls`     |
| completed   | text, or an image that was made   | `complete`  |
| completed   | a refusal and no text             | `refused`   |
| completed   | none of these                     | `empty`     |
| incomplete  | reason `content_filter`           | `refused`   |
| incomplete  | any other reason                  | `truncated` |
| failed      | -                                 | `failed`    |
| cancelled   | -                                 | `cancelled` |
| queued, in_progress | -                         | `dropped`   |
| any other   | -                                 | `failed`    |

A call whose output stands in the same response was answered by the service, and needs nobody.

No terminal event, no success: a transport that breaks off raises, and the run is `dropped` if
something of the answer had arrived, `failed` if nothing had.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from toolstone.events import OutcomeName as Outcome
from toolstone.items import FunctionCall, FunctionCallOutput, Message, Other

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolstone.items import Item

__all__ = ["CLIENT_CALLS", "Outcome", "Verdict", "answers", "asks", "judge", "unanswered"]

Verdict = Literal[
    "calls", "complete", "refused", "empty", "truncated", "failed", "cancelled", "dropped"
]

CLIENT_CALLS = frozenset(
    {
        "custom_tool_call",
        "computer_call",
        "local_shell_call",
        "shell_call",
        "apply_patch_call",
        "mcp_approval_request",
    }
)
"""Items besides `function_call` that wait for a client's answer (responses-api.md §4.2)."""


def needs_answer(item: Item) -> bool:
    """Whether this is an item that a client answers, if the service has not done so itself."""
    return type(item) is FunctionCall or (type(item) is Other and _asks_the_client(item))


def unanswered(items: Sequence[Item]) -> list[FunctionCall | Other]:
    """The items of a response that the client must answer before the model can go on."""
    for item in items:
        if type(item) is Other or type(item) is FunctionCallOutput:
            break
    else:
        return [item for item in items if type(item) is FunctionCall]
    done = {link for item in items if (link := answers(item)) is not None}
    wanted: list[Any] = [item for item in items if needs_answer(item)]
    return [item for item in wanted if _link(item) not in done]


def _link(item: Item) -> str | None:
    """The id as it came; one that is no text names nothing."""
    link = item.raw.get("call_id")
    return link if isinstance(link, str) else None


def _asks_the_client(item: Item) -> bool:
    kind, raw = item.type, item.raw
    if kind == "tool_search_call":
        return raw.get("execution") == "client"
    if kind == "shell_call":  # in a container of the service's, the service runs it
        where = raw.get("environment")
        return not (isinstance(where, dict) and str(where.get("type")).startswith("container"))
    return kind in CLIENT_CALLS


def asks(item: Item) -> str | None:
    """The id by which the answer to this item names it; None if it is no call."""
    if type(item) is FunctionCall:
        return item.call_id
    if type(item) is not Other:
        return None
    kind = item.type
    if kind == "mcp_approval_request":
        return item.id
    link = item.raw.get("call_id")
    return link if isinstance(link, str) and not kind.endswith("_output") else None


def answers(item: Item) -> str | None:
    """The id of the call that this item answers; None if it is no answer."""
    if type(item) is FunctionCallOutput:
        return item.call_id
    if type(item) is not Other:
        return None
    kind, raw = item.type, item.raw
    if kind == "mcp_approval_response":
        link = raw.get("approval_request_id")
    elif kind.endswith("_output"):  # of a local shell, `id` is the link (§4.2)
        link = raw.get("call_id") or (raw.get("id") if kind.startswith("local_shell") else None)
    else:
        return None
    return link if isinstance(link, str) else None


def judge(status: str, reason: str | None, items: Sequence[Item]) -> Verdict:
    """Read the table above for one response."""
    match status:
        case "completed":
            return _judge_completed(items)
        case "incomplete":
            return "refused" if reason == "content_filter" else "truncated"
        case "cancelled":
            return "cancelled"
        case "queued" | "in_progress":
            return "dropped"
        case _:
            return "failed"


def _judge_completed(items: Sequence[Item]) -> Verdict:
    if unanswered(items):
        return "calls"
    messages = [item for item in items if type(item) is Message]
    if any(message.text for message in messages):
        return "complete"
    if any(type(item) is Other and _is_image(item) for item in items):
        return "complete"
    return "refused" if any(message.refusal for message in messages) else "empty"


def _is_image(item: Item) -> bool:
    return item.type == "image_generation_call" and isinstance(item.raw.get("result"), str)
