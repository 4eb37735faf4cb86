"""A `Request` becomes the bytes of a Chat Completions body. Pure.

Messages are spliced: each was made once, and nothing walks the history again. Only what is set is
sent; `model` and `stream` always, and a strict tool's `strict`, unless the profile refuses one by
name. A choice among some tools is said by offering those alone, unless the profile knows the word
`allowed_tools`: most servers take that form without effect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from toolstone.chat.bounds import LOGPROBS, check_bounds
from toolstone.chat.history import Scribe
from toolstone.errors import InputError, Unsupported
from toolstone.responses.bodies import write
from toolstone.responses.quirks import fitted
from toolstone.responses.render import chat_format

if TYPE_CHECKING:
    from collections.abc import Mapping

    from toolstone.events import Noted
    from toolstone.ports import Profile, Request, Settings, ToolSpec

__all__ = ["Renderer"]

JSON = dict[str, Any]
Specs = tuple["ToolSpec", ...]

_MODES: Final = frozenset({"auto", "none", "required"})
_NAMES: Final[Mapping[str, str]] = {
    "temperature": "temperature",
    "top_p": "top_p",
    "max_output_tokens": "max_completion_tokens",
    "effort": "reasoning_effort",
    "verbosity": "verbosity",
    "service_tier": "service_tier",
    "store": "store",
    "metadata": "metadata",
    "safety_identifier": "safety_identifier",
    "prompt_cache_key": "prompt_cache_key",
    "prompt_cache_options": "prompt_cache_options",
    "top_logprobs": "top_logprobs",
}
"""What settings are called here."""
_KEPT_TOOLS: Final = 64


class Renderer:
    """Renders requests for one model of one endpoint; keeps what does not change between turns."""

    __slots__ = ("_model", "_profile", "_scribe", "_tools")

    def __init__(self, model: str, profile: Profile) -> None:
        self._model = model
        self._profile = profile
        self._scribe = Scribe(profile)
        self._tools: dict[tuple[int, frozenset[str] | None], tuple[Specs, bytes]] = {}

    def render(self, request: Request) -> tuple[bytes, tuple[Noted, ...]]:
        """The body, and what was left out of it that was not before.

        Raises:
            Unsupported: Something in it cannot be said here.
            InputError: Something in it cannot be said in JSON.
        """
        check_bounds(request, self._profile)
        request = fitted(request, self._profile)
        choice, names = self._choice(request)
        fields = self._fields(request, request.settings)
        if choice is not None and (request.tools or choice not in ("auto", "none")):
            fields["tool_choice"] = choice
        fields = self._spelt(fields)
        fields.update(request.settings.extra)
        tools = b""
        if request.tools and "tools" not in fields:
            tools = b',"tools":' + self._render_tools(request.tools, names)
        rest = write(fields, "the request's settings")
        if "messages" in fields:
            return b"".join((rest[:-1], tools, b"}")), ()
        told, notes = self._scribe.messages(request.items)
        first = self._instructions(request.instructions)
        messages = b",".join([text for text in (first, told) if text])
        return b"".join((b'{"messages":[', messages, b"]", tools, b",", rest[1:])), notes

    def _instructions(self, text: str | None) -> bytes:
        if text is None:
            return b""
        role = self._profile.spelt.get("system", "system")
        return write({"role": role, "content": text}, "the instructions")

    def _fields(self, request: Request, settings: Settings) -> JSON:
        fields: JSON = {"model": self._model, "stream": request.stream}
        if request.stream:
            fields["stream_options"] = {"include_usage": True}
        for name, called in _NAMES.items():
            value = getattr(settings, name)
            if value is not None:
                fields[called] = value
        if settings.top_logprobs is not None or LOGPROBS in (settings.include or ()):
            fields["logprobs"] = True
        if request.tools and settings.parallel_tool_calls is not None:
            fields["parallel_tool_calls"] = settings.parallel_tool_calls
        if request.output is not None:
            fields["response_format"] = chat_format(request.output)
        elif settings.json_mode:
            fields["response_format"] = {"type": "json_object"}
        return fields

    def _spelt(self, fields: JSON) -> JSON:
        profile = self._profile
        return {
            profile.spelt.get(name, name): value
            for name, value in fields.items()
            if name not in profile.refuses
        }

    # ---------------------------------------------------------------------------------------- tools

    def _choice(self, request: Request) -> tuple[Any, frozenset[str] | None]:
        """The choice as it is sent, and the names of the tools to offer if those are not all."""
        asked = request.tool_choice
        choice = request.settings.tool_choice if asked is None else asked
        if choice is None or (isinstance(choice, str) and choice in _MODES):
            return choice, None
        if isinstance(choice, str):
            choice = {"type": _kind_of(choice, request.tools), "name": choice}
        kind = choice.get("type")
        if kind == "allowed_tools":
            return self._allowed(choice, request.tools)
        if kind not in ("function", "custom"):
            raise Unsupported(
                f"tool_choice of type {kind!r} cannot be said in Chat Completions; nothing was "
                "sent. Name a function"
            )
        name = choice.get("name") or choice.get(kind, {}).get("name")
        return {"type": kind, kind: {"name": name}}, None

    def _allowed(
        self, choice: Mapping[str, Any], tools: Specs
    ) -> tuple[Any, frozenset[str] | None]:
        said = choice.get("allowed_tools", choice)
        mode, listed = said.get("mode", "auto"), said.get("tools") or []
        names = [one.get("name") or one.get(one.get("type"), {}).get("name") for one in listed]
        if mode == "none" or "allowed_tools" not in self._profile.spelt:
            return mode, _offered(names, tools)
        nested = [_named(_kind_of(name, tools), name) for name in names]
        return {"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": nested}}, None

    def _render_tools(self, tools: Specs, names: frozenset[str] | None) -> bytes:
        key = (id(tools), names)
        kept = self._tools.get(key)
        if kept is not None and kept[0] is tools:
            return kept[1]
        offered = [tool for tool in tools if names is None or tool.name in names]
        text = b"[" + b",".join([self._render_tool(tool) for tool in offered]) + b"]"
        if len(self._tools) >= _KEPT_TOOLS:
            self._tools.clear()
        self._tools[key] = (tools, text)
        return text

    def _render_tool(self, tool: ToolSpec) -> bytes:
        raw = tool.raw
        if raw is not None and raw.get("type") == "custom":
            return write({"type": "custom", "custom": _custom(raw)}, f"tool {tool.name!r}")
        function: JSON = {"name": tool.name}
        if tool.description:
            function["description"] = tool.description
        function["parameters"] = tool.parameters
        if tool.strict and "strict" not in self._profile.refuses:
            function["strict"] = True
        return write({"type": "function", "function": function}, f"tool {tool.name!r}")


def _custom(raw: Mapping[str, Any]) -> JSON:
    """A custom tool, its grammar one level further down than in Responses."""
    custom = {key: value for key, value in raw.items() if key != "type"}
    wanted = custom.get("format")
    if isinstance(wanted, dict) and wanted.get("type") == "grammar" and "grammar" not in wanted:
        grammar = {key: value for key, value in wanted.items() if key != "type"}
        custom["format"] = {"type": "grammar", "grammar": grammar}
    return custom


def _kind_of(name: str, tools: Specs) -> str:
    raw = next((tool.raw for tool in tools if tool.name == name), None)
    return "custom" if raw is not None and raw.get("type") == "custom" else "function"


def _named(kind: str, name: str) -> JSON:
    return {"type": kind, kind: {"name": name}}


def _offered(names: list[Any], tools: Specs) -> frozenset[str]:
    found = frozenset(tool.name for tool in tools if tool.name in names)
    missing = [name for name in names if name not in found]
    if missing or not found:
        raise InputError(
            f"tool_choice names {missing or 'no tool'}, and the tools are "
            f"{[tool.name for tool in tools]}"
        )
    return found
