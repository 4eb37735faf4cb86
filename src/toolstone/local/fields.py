"""The shape of a request, field by field, as Pydantic models; wrong requests do not fit."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from toolstone import limits
from toolstone.local.item_fields import Closed, Item, LongText, Open, by_kind, by_name

__all__ = [
    "CompactFields",
    "ConversationFields",
    "CountFields",
    "ItemsFields",
    "RequestFields",
    "UpdateFields",
]

Name = Annotated[str, Field(pattern=r"^[a-zA-Z0-9_-]{1,64}$")]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


# --- tools and the choice among them


class FunctionTool(Open):
    type: Literal["function"]
    name: Name
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class TextInput(Closed):
    type: Literal["text"]


class GrammarInput(Closed):
    type: Literal["grammar"]
    syntax: Literal["lark", "regex"]
    definition: LongText


class CustomTool(Open):
    type: Literal["custom"]
    name: Name
    description: str | None = None
    format: (
        Annotated[
            Annotated[GrammarInput, Tag("<grammar>")] | Annotated[TextInput, Tag("<other>")],
            by_name("", {"grammar"}),
        ]
        | None
    ) = None


Hosted = Literal[
    "namespace",
    "tool_search",
    "mcp",
    "web_search",
    "web_search_2025_08_26",
    "web_search_preview",
    "web_search_preview_2025_03_11",
    "file_search",
    "code_interpreter",
    "image_generation",
    "computer",
    "computer_use",
    "computer_use_preview",
    "local_shell",
    "shell",
    "apply_patch",
    "programmatic_tool_calling",
]


class HostedTool(Open):
    type: Hosted


Tool = Annotated[
    Annotated[FunctionTool, Tag("<function>")]
    | Annotated[CustomTool, Tag("<custom>")]
    | Annotated[HostedTool, Tag("<other>")],
    by_name("", {"function", "custom"}),
]


class NamedChoice(Closed):
    type: Literal["function", "custom"]
    name: str


class ServerChoice(Closed):
    type: Literal["mcp"]
    server_label: str
    name: str | None = None


class HostedChoice(Closed):
    type: Hosted


def _choice(value: object) -> str:
    if not isinstance(value, dict):
        return "<mode>"
    kind = value.get("type")
    known = {"allowed_tools": "<allowed>", "mcp": "<mcp>"}
    if kind in ("function", "custom", None):
        return "<named>"
    return known.get(kind, "<hosted>") if isinstance(kind, str) else "<hosted>"


class AllowedTools(Closed):
    type: Literal["allowed_tools"]
    mode: Literal["none", "auto", "required"]
    tools: list[
        Annotated[
            Annotated[NamedChoice, Tag("<named>")]
            | Annotated[ServerChoice, Tag("<mcp>")]
            | Annotated[HostedChoice, Tag("<hosted>")],
            Discriminator(_choice),
        ]
    ] = Field(min_length=1, max_length=128)


ToolChoice = Annotated[
    Annotated[Literal["none", "auto", "required"], Tag("<mode>")]
    | Annotated[NamedChoice, Tag("<named>")]
    | Annotated[ServerChoice, Tag("<mcp>")]
    | Annotated[HostedChoice, Tag("<hosted>")]
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
    by_name("", {"json_schema"}),
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


class CacheOptions(Closed):
    mode: Literal["implicit", "explicit"] | None = None
    ttl: Literal["30m", "12h"] | None = None
    prewarm: bool | None = None
    comparison_response_id: str | None = None


class Compaction(Closed):
    type: Literal["compaction"]
    compact_threshold: int | None = Field(default=None, ge=1)


class ConversationChoice(Closed):
    id: str


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


Input = Annotated[
    Annotated[LongText, Tag("<text>")] | Annotated[list[Item], Tag("<list>")],
    Discriminator(by_kind),
]
Chosen = Annotated[
    Annotated[str, Tag("<text>")] | Annotated[ConversationChoice, Tag("<list>")],
    Discriminator(by_kind),
]
Key = Annotated[str, Field(max_length=64)]
Tier = Literal["auto", "default", "flex", "priority", "scale", "fast", "ultrafast"]


class Asking(Closed):
    """What requests to answer, to count and to compact have in common."""

    input: Input | None = None
    instructions: str | None = None
    previous_response_id: str | None = None


class Weighing(Asking):
    """What is read by the model, beside its input."""

    conversation: Chosen | None = None
    tools: list[Tool] | None = Field(default=None, max_length=128)
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    reasoning: Reasoning | None = None
    text: TextSettings | None = None
    truncation: Literal["auto", "disabled"] | None = None


class RequestFields(Weighing):
    """Every field of a create request, with its bounds."""

    model: Annotated[str, Field(min_length=1)]
    store: bool | None = None
    include: list[Include] | None = None
    max_tool_calls: int | None = Field(default=None, ge=1)
    max_output_tokens: int | None = Field(default=None, ge=16)
    temperature: float | None = Field(default=None, ge=0, le=2)
    top_p: float | None = Field(default=None, ge=0, le=1)
    top_logprobs: int | None = Field(default=None, ge=0, le=20)
    presence_penalty: float | None = Field(default=None, ge=-2, le=2)
    frequency_penalty: float | None = Field(default=None, ge=-2, le=2)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    background: bool | None = None
    metadata: Metadata | None = None
    service_tier: Tier | None = None
    safety_identifier: Key | None = None
    prompt_cache_key: Key | None = None
    prompt_cache_options: CacheOptions | None = None
    prompt_cache_retention: Literal["in_memory", "24h"] | None = None
    context_management: list[Compaction] | None = Field(default=None, min_length=1)
    user: str | None = None


class CountFields(Weighing):
    """Every field of a request to count tokens."""

    model: Annotated[str, Field(min_length=1)] | None = None
    personality: str | None = None


class CompactFields(Asking):
    """Every field of a request to compact."""

    model: Annotated[str, Field(min_length=1)]
    prompt_cache_key: Key | None = None
    prompt_cache_options: CacheOptions | None = None
    prompt_cache_retention: Literal["in_memory", "24h"] | None = None
    service_tier: Tier | None = None


class ItemsFields(Closed):
    """What adds to a conversation."""

    items: list[Item] = Field(min_length=1, max_length=limits.LOCAL_CONVERSATION_ITEMS)


class ConversationFields(Closed):
    """What begins a conversation."""

    items: list[Item] | None = Field(default=None, max_length=limits.LOCAL_CONVERSATION_ITEMS)
    metadata: Metadata | None = None


class UpdateFields(Closed):
    """What changes a conversation."""

    metadata: Metadata
