"""The shape of what stands in an input, item by item and part by part, as Pydantic models."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

__all__ = ["Closed", "Id", "Item", "LongText", "Open", "by_kind", "by_name"]

Id = Annotated[str, Field(min_length=1, max_length=64)]
LongText = Annotated[str, Field(max_length=10_485_760)]
Status = Literal["in_progress", "completed", "incomplete"]


class Closed(BaseModel):
    """An object that may hold nothing else."""

    model_config = ConfigDict(strict=True, extra="forbid")


class Open(BaseModel):
    """An object whose further keys are let pass: what one server adds goes back to it."""

    model_config = ConfigDict(strict=True, extra="allow")


def by_kind(value: object) -> str:
    """Tell a text from a list."""
    return "<text>" if isinstance(value, str) else "<list>"


def by_name(default: str, known: set[str]) -> Any:
    """Tell objects by their `type`; those of no known type are `<other>`."""

    def kind(value: object) -> str:
        given = value.get("type", default) if isinstance(value, dict) else default
        return f"<{given}>" if given in known else "<other>"

    return Discriminator(kind)


# --- what a message or a tool output holds


class TextPart(Open):
    type: Literal["input_text", "output_text", "text"]
    text: LongText


class ImagePart(Open):
    type: Literal["input_image"]
    image_url: str | None = Field(
        default=None, max_length=20_971_520, pattern=r"^(https?://|data:[^,]*,)"
    )
    file_id: str | None = None
    detail: Literal["low", "high", "auto", "original"] | None = None


class FilePart(Open):
    type: Literal["input_file"]
    file_data: str | None = Field(default=None, max_length=73_400_320)
    file_id: str | None = None
    file_url: str | None = Field(default=None, pattern=r"^https?://")
    filename: str | None = None


class RefusalPart(Open):
    type: Literal["refusal"]
    refusal: str


class OtherPart(Open):
    type: Literal["input_audio", "input_video", "reasoning_text", "summary_text"]


Part = Annotated[
    Annotated[TextPart, Tag("<input_text>")]
    | Annotated[TextPart, Tag("<output_text>")]
    | Annotated[TextPart, Tag("<text>")]
    | Annotated[ImagePart, Tag("<input_image>")]
    | Annotated[FilePart, Tag("<input_file>")]
    | Annotated[RefusalPart, Tag("<refusal>")]
    | Annotated[OtherPart, Tag("<other>")],
    by_name("", {"input_text", "output_text", "text", "input_image", "input_file", "refusal"}),
]
Content = Annotated[
    Annotated[LongText, Tag("<text>")] | Annotated[list[Part], Tag("<list>")],
    Discriminator(by_kind),
]


# --- the items of the input


class MessageItem(Open):
    type: Literal["message"] = "message"  # OpenAI lets it be left out
    role: Literal["user", "system", "developer", "assistant"]
    content: Content
    phase: Literal["commentary", "final_answer"] | None = None


class CallItem(Open):
    type: Literal["function_call"]
    call_id: Id
    name: str
    arguments: str
    status: Status | None = None


class OutputItem(Open):
    type: Literal["function_call_output"]
    call_id: Id
    output: Content
    status: Status | None = None


class CustomCallItem(Open):
    type: Literal["custom_tool_call"]
    call_id: Id
    name: str
    input: LongText
    status: Status | None = None


class CustomOutputItem(Open):
    type: Literal["custom_tool_call_output"]
    call_id: Id
    output: Content
    status: Status | None = None


class CompactionItem(Open):
    type: Literal["compaction"]
    encrypted_content: Annotated[str, Field(max_length=20_971_520)]


class ReasoningItem(Open):
    type: Literal["reasoning"]
    summary: list[Open]
    encrypted_content: str | None = None


class ReferenceItem(Open):
    type: Literal["item_reference"]
    id: str


class OtherItem(Open):
    type: str = Field(
        pattern=r"^([a-z0-9_.-]+:.+|[a-z_]+_call(_output)?|tool_search_output|mcp_list_tools"
        r"|mcp_approval_request|mcp_approval_response|additional_tools|program|program_output"
        r"|configuration_update|compaction_trigger)$"
    )


Item = Annotated[
    Annotated[MessageItem, Tag("<message>")]
    | Annotated[CallItem, Tag("<function_call>")]
    | Annotated[OutputItem, Tag("<function_call_output>")]
    | Annotated[CustomCallItem, Tag("<custom_tool_call>")]
    | Annotated[CustomOutputItem, Tag("<custom_tool_call_output>")]
    | Annotated[CompactionItem, Tag("<compaction>")]
    | Annotated[ReasoningItem, Tag("<reasoning>")]
    | Annotated[ReferenceItem, Tag("<item_reference>")]
    | Annotated[OtherItem, Tag("<other>")],
    by_name(
        "message",
        {
            *("message", "function_call", "function_call_output", "reasoning", "item_reference"),
            *("custom_tool_call", "custom_tool_call_output", "compaction"),
        },
    ),
]
