"""A `Request` becomes the bytes of a request body. Pure.

Items are spliced: each was rendered once, and nothing walks the history again. What comes back
goes back as it came, unknown fields and types included, except that
- a message without `type` gets one (Open Responses refuses it otherwise),
- the raw thoughts of a reasoning item (`content`) stay here unless the profile says that the
  endpoint wants them (and then an item without any stays here): Open Responses and others refuse
  them; and its `summary`, which must be there, is added empty where it is missing,
- items go back without `id` to endpoints whose profile says that they do not keep ids,
- arguments that are no JSON object go back as `{}` to endpoints that break on them.
Only what is set is sent; `model`, `stream`, `store`, and each tool's `type` and `strict` always,
unless the profile refuses one by name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic_core import from_json

from toolstone.items import Reasoning
from toolstone.ports import NO_SETTINGS
from toolstone.responses.bodies import write
from toolstone.responses.contradictions import check_settings, keeps

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from toolstone.items import Item
    from toolstone.ports import OutputFormat, Profile, Request, Settings, ToolSpec

__all__ = ["Renderer", "chat_format", "readable"]

JSON = dict[str, Any]

_CHOICES: Final = frozenset({"auto", "none", "required"})
_PLAIN: Final = (
    "temperature",
    "top_p",
    "max_output_tokens",
    "parallel_tool_calls",
    "service_tier",
    "include",
    "truncation",
    "metadata",
    "safety_identifier",
    "prompt_cache_key",
    "background",
    "conversation",
    "max_tool_calls",
    "top_logprobs",
    "prompt_cache_options",
)
_KEPT_TOOLS: Final = 64
_KEPT_ITEMS: Final = 4096


class Renderer:
    """Renders requests for one model of one endpoint; keeps what does not change between turns."""

    __slots__ = ("_items", "_model", "_profile", "_rewrites", "_tools")

    def __init__(self, model: str, profile: Profile) -> None:
        self._model = model
        self._profile = profile
        self._rewrites = not profile.keeps_item_ids or profile.reads_arguments
        self._tools: dict[int, tuple[tuple[ToolSpec, ...], bytes]] = {}
        self._items: dict[int, tuple[Item, bytes]] = {}

    def render(self, request: Request) -> bytes:
        """The body.

        Raises:
            InputError: Something in it cannot be said in JSON.
        """
        settings = request.settings
        fields = self._fields(request, settings)
        if settings.extra:
            fields.update(settings.extra)
        rest = write(fields, "the request's settings or instructions")
        tools = b""
        if request.tools and "tools" not in fields:
            tools = b',"tools":' + self._render_tools(request.tools)
        if "input" in fields:
            return b"".join((rest[:-1], tools, b"}"))
        items = b",".join(self._render_items(request.items))
        return b"".join((b'{"input":[', items, b"]", tools, b",", rest[1:]))

    def _fields(self, request: Request, settings: Settings) -> JSON:
        fields: JSON = {"model": self._model, "stream": request.stream, "store": False}
        if settings is not NO_SETTINGS:
            check_settings(settings, request)
            _set(fields, settings)
        choice = settings.tool_choice if request.tool_choice is None else request.tool_choice
        if choice is not None:
            fields["tool_choice"] = render_choice(choice)
        if request.instructions is not None:
            fields["instructions"] = request.instructions
        if request.previous is not None:
            fields["previous_response_id"] = request.previous
        if request.output is not None:
            self._shape(fields, request.output)
        for name in self._profile.refuses:
            fields.pop(name, None)
        return fields

    def _shape(self, fields: JSON, output: OutputFormat) -> None:
        """Ask for an answer of this shape."""
        if self._profile.schema_field == "response_format":
            fields["response_format"] = chat_format(output)
        else:
            fields["text"] = {"format": _format(output), **fields.get("text", {})}

    def _render_items(self, items: Sequence[Item]) -> list[bytes]:
        if self._profile.replays_thoughts:
            items = [
                item for item in items if type(item) is not Reasoning or item.raw.get("content")
            ]
        if self._rewrites:
            return [self._replay(item) for item in items]
        return [
            self._replay(item) if type(item) is Reasoning else item.rendered or item.json
            for item in items
        ]

    def _replay(self, item: Item) -> bytes:
        """An item that does not go back as it came, rendered once."""
        kept = self._items.get(id(item))
        if kept is not None and kept[0] is item:
            return kept[1]
        profile = self._profile
        raw = replayed(
            item.raw, keeps_id=profile.keeps_item_ids, keeps_thoughts=profile.replays_thoughts
        )
        if profile.reads_arguments and raw.get("type") == "function_call":
            raw = readable(raw)
        text = item.json if raw is item.raw else write(raw, f"an item of type {item.type!r}")
        _keep(self._items, id(item), (item, text), _KEPT_ITEMS)
        return text

    def _render_tools(self, tools: tuple[ToolSpec, ...]) -> bytes:
        kept = self._tools.get(id(tools))
        if kept is not None and kept[0] is tools:
            return kept[1]
        text = b"[" + b",".join([self._render_tool(tool) for tool in tools]) + b"]"
        _keep(self._tools, id(tools), (tools, text), _KEPT_TOOLS)
        return text

    def _render_tool(self, tool: ToolSpec) -> bytes:
        if tool.raw is not None:
            return write(tool.raw, f"tool {tool.name!r}")
        raw: JSON = {"type": "function", "name": tool.name}
        if tool.description:
            raw["description"] = tool.description
        raw["parameters"] = tool.parameters
        if "strict" not in self._profile.refuses:
            raw["strict"] = tool.strict
        return write(raw, f"tool {tool.name!r}")


def render_choice(choice: str | Mapping[str, Any]) -> str | Mapping[str, Any]:
    """`auto`, `none`, `required` and objects as they are; any other text is a tool's name."""
    if isinstance(choice, str) and choice not in _CHOICES:
        return {"type": "function", "name": choice}
    return choice


def replayed(raw: JSON, *, keeps_id: bool, keeps_thoughts: bool = False) -> JSON:
    """An item as it goes back to a server; the same object if nothing changes."""
    out = raw
    if not keeps_id and "id" in out and out.get("type") != "item_reference":
        out = {key: value for key, value in out.items() if key != "id"}
    if out.get("type") == "reasoning":
        if out.get("content") and not keeps_thoughts:
            out = {key: value for key, value in out.items() if key != "content"}
        if "summary" not in out:
            out = {**out, "summary": []}
    return out


def readable(call: JSON) -> JSON:
    """A call whose arguments are a JSON object, for servers that break on anything else."""
    try:
        fine = isinstance(from_json(call.get("arguments", "")), dict)
    except (ValueError, TypeError):
        fine = False
    return call if fine else {**call, "arguments": "{}"}


def chat_format(output: OutputFormat) -> JSON:
    """The schema as Chat Completions has it."""
    said: JSON = {"name": output.name, "schema": output.schema, "strict": output.strict}
    if output.description:
        said["description"] = output.description
    return {"type": "json_schema", "json_schema": said}


def _format(output: OutputFormat) -> JSON:
    said = {
        "type": "json_schema",
        "name": output.name,
        "schema": output.schema,
        "strict": output.strict,
    }
    return {**said, "description": output.description} if output.description else said


def _set(fields: JSON, settings: Settings) -> None:
    """Say what the settings say, where the wire has it."""
    fields["store"] = keeps(settings) if settings.store is None else settings.store
    for name in _PLAIN:
        value = getattr(settings, name)
        if value is not None:
            fields[name] = value
    text: JSON = {"format": {"type": "json_object"}} if settings.json_mode else {}
    if settings.verbosity is not None:
        text["verbosity"] = settings.verbosity
    reasoning = {"effort": settings.effort, "summary": settings.summary}
    said = {name: value for name, value in reasoning.items() if value is not None}
    fields.update({name: value for name, value in (("text", text), ("reasoning", said)) if value})
    if settings.compact_threshold is not None:
        compaction = {"type": "compaction", "compact_threshold": settings.compact_threshold}
        fields["context_management"] = [compaction]


def _keep(kept: dict[int, Any], key: int, value: object, most: int) -> None:
    if len(kept) >= most:
        kept.clear()
    kept[key] = value
