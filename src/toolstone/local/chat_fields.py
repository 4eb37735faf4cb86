"""The shape of a Chat Completions request, field by field; wrong requests do not fit."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from toolstone.local.fields import CacheOptions, Effort, Metadata, Name, Tier
from toolstone.local.item_fields import Closed, Id, LongText, Open, by_kind, by_name

__all__ = ["ChatFields"]


# --- what a message holds


class TextPart(Open):
    type: Literal["text"]
    text: LongText


class ImageUrl(Open):
    url: str = Field(max_length=20_971_520, pattern=r"^(https?://|data:[^,]*,)")
    detail: Literal["low", "high", "auto", "original"] | None = None


class ImagePart(Open):
    type: Literal["image_url"]
    image_url: ImageUrl


class FileData(Open):
    file_data: str | None = Field(default=None, max_length=73_400_320)
    file_id: str | None = None
    filename: str | None = None


class FilePart(Open):
    type: Literal["file"]
    file: FileData


class AudioPart(Open):
    type: Literal["input_audio"]
    input_audio: dict[str, Any]


class RefusalPart(Open):
    type: Literal["refusal"]
    refusal: str


Part = Annotated[
    Annotated[TextPart, Tag("<text>")]
    | Annotated[ImagePart, Tag("<image_url>")]
    | Annotated[FilePart, Tag("<file>")]
    | Annotated[AudioPart, Tag("<input_audio>")],
    by_name("", {"text", "image_url", "file", "input_audio"}),
]
SaidPart = Annotated[
    Annotated[TextPart, Tag("<text>")] | Annotated[RefusalPart, Tag("<refusal>")],
    by_name("", {"text", "refusal"}),
]


def _either(part: Any) -> Any:
    return Annotated[
        Annotated[LongText, Tag("<text>")] | Annotated[list[part], Tag("<list>")],
        Discriminator(by_kind),
    ]


# --- the messages


class ToldMessage(Open):
    role: Literal["system", "developer"]
    content: _either(TextPart)  # type: ignore[valid-type]  # made of the part that may stand there
    name: str | None = None


class UserMessage(Open):
    role: Literal["user"]
    content: _either(Part)  # type: ignore[valid-type]  # as above
    name: str | None = None


class FunctionCalled(Open):
    name: str
    arguments: str


class CustomCalled(Open):
    name: str
    input: str


class FunctionCall(Open):
    id: Id
    type: Literal["function"]
    function: FunctionCalled


class CustomCall(Open):
    id: Id
    type: Literal["custom"]
    custom: CustomCalled


Call = Annotated[
    Annotated[FunctionCall, Tag("<function>")] | Annotated[CustomCall, Tag("<custom>")],
    by_name("", {"function", "custom"}),
]


class AssistantMessage(Open):
    role: Literal["assistant"]
    content: _either(SaidPart) | None = None  # type: ignore[valid-type]  # as above
    refusal: str | None = None
    reasoning_content: str | None = None
    tool_calls: list[Call] | None = Field(default=None, min_length=1)
    name: str | None = None


class ToolMessage(Open):
    role: Literal["tool"]
    tool_call_id: Id
    content: _either(TextPart)  # type: ignore[valid-type]  # as above


def _role(value: object) -> str:
    role = value.get("role") if isinstance(value, dict) else None
    return f"<{role}>" if role in ("user", "assistant", "tool") else "<system>"


Message = Annotated[
    Annotated[ToldMessage, Tag("<system>")]
    | Annotated[UserMessage, Tag("<user>")]
    | Annotated[AssistantMessage, Tag("<assistant>")]
    | Annotated[ToolMessage, Tag("<tool>")],
    Discriminator(_role),
]


# --- tools and the choice among them


class FunctionOffered(Open):
    name: Name
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class FunctionTool(Closed):
    type: Literal["function"]
    function: FunctionOffered


class Grammar(Closed):
    syntax: Literal["lark", "regex"]
    definition: LongText


class CustomFormat(Closed):
    type: Literal["text", "grammar"]
    grammar: Grammar | None = None


class CustomOffered(Open):
    name: Name
    description: str | None = None
    format: CustomFormat | None = None


class CustomTool(Closed):
    type: Literal["custom"]
    custom: CustomOffered


Tool = Annotated[
    Annotated[FunctionTool, Tag("<function>")] | Annotated[CustomTool, Tag("<custom>")],
    by_name("", {"function", "custom"}),
]


class Named(Closed):
    name: str


class FunctionChoice(Closed):
    type: Literal["function"]
    function: Named


class CustomChoice(Closed):
    type: Literal["custom"]
    custom: Named


NamedChoice = Annotated[
    Annotated[FunctionChoice, Tag("<function>")] | Annotated[CustomChoice, Tag("<custom>")],
    by_name("function", {"function", "custom"}),
]


class Allowed(Closed):
    mode: Literal["auto", "required"]
    tools: list[NamedChoice] = Field(min_length=1, max_length=128)


class AllowedTools(Closed):
    type: Literal["allowed_tools"]
    allowed_tools: Allowed


def _choice(value: object) -> str:
    if not isinstance(value, dict):
        return "<mode>"
    return {"allowed_tools": "<allowed>", "custom": "<custom>"}.get(
        str(value.get("type")), "<function>"
    )


ToolChoice = Annotated[
    Annotated[Literal["none", "auto", "required"], Tag("<mode>")]
    | Annotated[FunctionChoice, Tag("<function>")]
    | Annotated[CustomChoice, Tag("<custom>")]
    | Annotated[AllowedTools, Tag("<allowed>")],
    Discriminator(_choice),
]


# --- the rest


class Schema(Closed):
    name: Name
    schema_: dict[str, Any] = Field(alias="schema")
    strict: bool | None = None
    description: str | None = None


class SchemaFormat(Closed):
    type: Literal["json_schema"]
    json_schema: Schema


class PlainFormat(Closed):
    type: Literal["text", "json_object"]


Format = Annotated[
    Annotated[SchemaFormat, Tag("<json_schema>")] | Annotated[PlainFormat, Tag("<other>")],
    by_name("", {"json_schema"}),
]


class StreamOptions(Closed):
    include_usage: bool | None = None
    include_obfuscation: bool | None = None


class ChatFields(Closed):
    """Every field of a request that this endpoint takes, with its bounds."""

    model: Annotated[str, Field(min_length=1)]
    messages: list[Message] = Field(min_length=1)
    tools: list[Tool] | None = Field(default=None, max_length=128)
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: Format | None = None
    max_completion_tokens: int | None = Field(default=None, ge=1)
    max_tokens: int | None = Field(default=None, ge=1)
    reasoning_effort: Effort | None = None
    verbosity: Literal["low", "medium", "high"] | None = None
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, ge=0, le=1)
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    logprobs: bool | None = None
    top_logprobs: int | None = Field(default=None, ge=0, le=20)
    n: Literal[1] | None = None
    seed: int | None = None
    store: Literal[False] | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    metadata: Metadata | None = None
    service_tier: Tier | None = None
    safety_identifier: Annotated[str, Field(max_length=64)] | None = None
    prompt_cache_key: Annotated[str, Field(max_length=64)] | None = None
    prompt_cache_options: CacheOptions | None = None
    user: str | None = None
