"""What the events of each kind of content are called. Data."""

from toolstone._dataclass import dataclass

__all__ = ["ARGUMENTS", "PARTS", "Wording"]


@dataclass(frozen=True, slots=True)
class Wording:
    """The names of one kind of content: in its item, and of its events."""

    item: str
    key: str
    delta: str
    done: str
    among: str = "content"
    index: str = "content_index"
    added: str = "response.content_part.added"
    finished: str = "response.content_part.done"


PARTS = {
    "output_text": Wording(
        "message", "text", "response.output_text.delta", "response.output_text.done"
    ),
    "refusal": Wording("message", "refusal", "response.refusal.delta", "response.refusal.done"),
    # Open Responses' names; OpenAI says `reasoning_text` for `reasoning`
    "reasoning_text": Wording(
        "reasoning", "text", "response.reasoning.delta", "response.reasoning.done"
    ),
    "summary_text": Wording(
        "reasoning",
        "text",
        "response.reasoning_summary_text.delta",
        "response.reasoning_summary_text.done",
        "summary",
        "summary_index",
        "response.reasoning_summary_part.added",
        "response.reasoning_summary_part.done",
    ),
}
"""Parts of a message or of reasoning, by their type."""

ARGUMENTS = {
    kind: Wording(kind, key, f"response.{kind}_{key}.delta", f"response.{kind}_{key}.done")
    for kind, key in (("function_call", "arguments"), ("custom_tool_call", "input"))
}
"""What a call holds, by the call's type."""
