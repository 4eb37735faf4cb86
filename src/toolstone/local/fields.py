"""The shape of a request, field by field, as Pydantic models; wrong requests do not fit."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

__all__ = ["RequestFields"]

Name = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
Id = Annotated[str, Field(min_length=1, max_length=64)]
LongText = Annotated[str, Field(max_length=10_485_760)]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]
Status = Literal["in_progress", "completed", "incomplete"]


class Closed(BaseModel):
    """An object that may hold nothing else."""

    model_config = ConfigDict(strict=True, extra="forbid")


class Open(BaseModel):
    """An object whose further keys are let pass: what one server adds goes back to it."""

    model_config = ConfigDict(strict=True, extra="allow")


def _kind(value: object) -> str:
    return "<text>" if isinstance(value, str) else "<list>"


def _named(default: str, known: set[str]) -> Any:
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
    image_url: str | None = Field(default=None, max_length=20_971_520)
    file_id: str | None = None
    detail: Literal["low", "high", "auto", "original"] | None = None


class FilePart(Open):
    type: Literal["input_file"]
    file_data: str | None = Field(default=None, max_length=73_400_320)
    file_id: str | None = None
    file_url: str | None = None
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
    _named("", {"input_text", "output_text", "text", "input_image", "input_file", "refusal"}),
]
Content = Annotated[
    Annotated[LongText, Tag("<text>")] | Annotated[list[Part], Tag("<list>")], Discriminator(_kind)
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


class ReasoningItem(Open):
    type: Literal["reasoning"]
    summary: list[Open]
    encrypted_content: str | None = None


class ReferenceItem(Open):
    type: Literal["item_reference"]
    id: str


class OtherItem(Open):
    type: str = Field(pattern=r"^([a-z0-9_.-]+:.+|[a-z_]+_call(_output)?|compaction)$")


Item = Annotated[
    Annotated[MessageItem, Tag("<message>")]
    | Annotated[CallItem, Tag("<function_call>")]
    | Annotated[OutputItem, Tag("<function_call_output>")]
    | Annotated[ReasoningItem, Tag("<reasoning>")]
    | Annotated[ReferenceItem, Tag("<item_reference>")]
    | Annotated[OtherItem, Tag("<other>")],
    _named(
        "message",
        {"message", "function_call", "function_call_output", "reasoning", "item_reference"},
    ),
]


# --- tools and the choice among them


class FunctionTool(Open):
    type: Literal["function"]
    name: Name
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class OtherTool(Open):
    type: Literal["custom", "namespace", "tool_search", "mcp", "web_search"]


Tool = Annotated[
    Annotated[FunctionTool, Tag("<function>")] | Annotated[OtherTool, Tag("<other>")],
    _named("", {"function"}),
]


class FunctionChoice(Closed):
    type: Literal["function"]
    name: str


class AllowedTools(Closed):
    type: Literal["allowed_tools"]
    mode: Literal["none", "auto", "required"]
    tools: list[FunctionChoice] = Field(min_length=1, max_length=128)


def _choice(value: object) -> str:
    if isinstance(value, dict):
        return "<allowed>" if value.get("type") == "allowed_tools" else "<function>"
    return "<mode>"


ToolChoice = Annotated[
    Annotated[Literal["none", "auto", "required"], Tag("<mode>")]
    | Annotated[FunctionChoice, Tag("<function>")]
    | Annotated[AllowedTools, Tag("<allowed>")],
    Discriminator(_choice),
]


# --- the rest


class TextFormat(Closed):
    type: Literal["text", "json_object"]


class SchemaFormat(Closed):
    type: Literal["json_schema"]
    name: Name
    schema_: dict[str, Any] = Field(alias="schema")
    strict: bool | None = None
    description: str | None = None


Format = Annotated[
    Annotated[SchemaFormat, Tag("<json_schema>")] | Annotated[TextFormat, Tag("<other>")],
    _named("", {"json_schema"}),
]


class TextSettings(Closed):
    format: Format | None = None
    verbosity: Literal["low", "medium", "high"] | None = None


class Reasoning(Closed):
    effort: Effort | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None
    generate_summary: Literal["auto", "concise", "detailed"] | None = None
    context: Literal["auto", "current_turn", "all_turns"] | None = None
    mode: Literal["standard", "pro"] | None = None


class StreamOptions(Closed):
    include_obfuscation: bool | None = None


Metadata = Annotated[
    dict[Annotated[str, Field(max_length=64)], Annotated[str, Field(max_length=512)]],
    Field(max_length=16),
]
Include = Literal[
    "reasoning.encrypted_content",
    "message.output_text.logprobs",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "code_interpreter_call.outputs",
]


class RequestFields(Closed):
    """Every field of a create request, with its bounds."""

    model: Annotated[str, Field(min_length=1)]
    input: (
        Annotated[
            Annotated[LongText, Tag("<text>")] | Annotated[list[Item], Tag("<list>")],
            Discriminator(_kind),
        ]
        | None
    ) = None
    instructions: str | None = None
    previous_response_id: str | None = None
    store: bool | None = None
    include: list[Include] | None = None
    tools: list[Tool] | None = Field(default=None, max_length=128)
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    max_tool_calls: int | None = Field(default=None, ge=1)
    max_output_tokens: int | None = Field(default=None, ge=16)
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, ge=0, le=1)
    top_logprobs: int | None = Field(default=None, ge=0, le=20)
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    truncation: Literal["auto", "disabled"] | None = None
    text: TextSettings | None = None
    reasoning: Reasoning | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    background: Literal[False] | None = None
    metadata: Metadata | None = None
    service_tier: Literal["auto", "default", "flex", "priority"] | None = None
    safety_identifier: str | None = Field(default=None, max_length=64)
    prompt_cache_key: str | None = Field(default=None, max_length=64)
    user: str | None = None
