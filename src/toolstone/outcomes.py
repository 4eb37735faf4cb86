"""The one table: what a response is, streamed or plain. Exhaustive and pure.

| status      | what it holds                     | verdict     |
|-------------|-----------------------------------|-------------|
| completed   | calls (with or without text)      | `calls`     |
| completed   | an item that a client must answer | `calls`     |
| completed   | text                              | `complete`  |
| completed   | a refusal and no text             | `refused`   |
| completed   | none of these                     | `empty`     |
| incomplete  | reason `content_filter`           | `refused`   |
| incomplete  | any other reason                  | `truncated` |
| failed      | -                                 | `failed`    |
| cancelled   | -                                 | `cancelled` |
| queued, in_progress | -                         | `dropped`   |
| any other   | -                                 | `failed`    |

No terminal event, no success: a transport that breaks off raises, and the run is `dropped` if
something of the answer had arrived, `failed` if nothing had.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from toolstone.events import OutcomeName as Outcome
from toolstone.items import FunctionCall, Message, Other

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolstone.items import Item

__all__ = ["CLIENT_CALLS", "Outcome", "Verdict", "judge"]

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
    """Whether the client must answer this item before the model can go on."""
    return type(item) is FunctionCall or (
        type(item) is Other
        and (
            item.type in CLIENT_CALLS
            or (item.type == "tool_search_call" and item.raw.get("execution") == "client")
        )
    )


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
    for item in items:
        if needs_answer(item):
            return "calls"
    messages = [item for item in items if type(item) is Message]
    if any(message.text for message in messages):
        return "complete"
    return "refused" if any(message.refusal for message in messages) else "empty"
