"""What a request needs of an endpoint, by the names in `docs/capabilities.md`. Pure.

An endpoint that is known not to have it is not asked: `Unsupported` says what to do instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from toolstone.errors import Unsupported
from toolstone.events import Noted
from toolstone.items import Message
from toolstone.ports import NO_SETTINGS, Profile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from toolstone.items import Item
    from toolstone.ports import Request, Settings, ToolSpec

__all__ = ["check_request", "needed", "passed_on", "require"]

_SETTINGS: Final = {
    "background": "background",
    "conversation": "conversations",
    "compact_threshold": "server_compaction",
    "json_mode": "json_mode",
    "top_logprobs": "logprobs",
    "prompt_cache_options": "explicit_caching",
}
_EXTRA: Final = {
    "audio": "audio_streaming",
    "modalities": "audio_streaming",
    "moderation": "moderation",
    "prompt": "prompt_templates",
    "webhook": "webhooks",
}
_TOOLS: Final = {
    "custom": "custom_tools",
    "web_search_2025_08_26": "web_search",
    "web_search_preview": "web_search",
    "computer": "computer_use",
    "computer_use": "computer_use",
    "computer_use_preview": "computer_use",
    "local_shell": "shell",
    "namespace": "tool_search",
}
_PARTS: Final = {
    "input_image": "image_input",
    "input_file": "file_input",
    "input_audio": "audio_input",
    "input_video": "video_input",
}


def check_request(request: Request, profile: Profile) -> None:
    """Refuse a request that the endpoint is known not to be able to carry out.

    Raises:
        Unsupported: It names what is missing, and the alternative.
    """
    for name in needed(request, parts=not profile.unsupported.keys().isdisjoint(_PARTS.values())):
        instead = profile.unsupported.get(name)
        if instead is not None:
            raise Unsupported(f"{profile.name} has no {name}; nothing was sent. {instead}")


def passed_on(tools: Sequence[ToolSpec]) -> tuple[Noted, ...]:
    """A warning for the tools that the service runs itself; none if there are none."""
    names = [str(spec.raw["type"]) for spec in tools if spec.raw and spec.raw["type"] != "custom"]
    if not names:
        return ()
    text = (
        f"{', '.join(names)}: passed on as given and run by the service, if it can; toolstone "
        "carries the items unchanged, and neither checks, limits nor prices what they do"
    )
    return (Noted("warning", text, data={"tools": names}),)


def require(model: object, capability: str) -> None:
    """Refuse, before anything is sent, what the endpoint behind a model cannot do.

    Args:
        model: A model object with a `profile`; one without can do anything.
        capability: A name of `docs/capabilities.md`, such as `batches` or `web_search`.

    Raises:
        Unsupported: The endpoint does not have it; names the alternative.
    """
    profile = getattr(model, "profile", None)
    if not isinstance(profile, Profile):
        return
    instead = profile.unsupported.get(capability)
    if instead is not None:
        raise Unsupported(f"{profile.name} has no {capability}. {instead}")


def needed(request: Request, *, parts: bool = True) -> Iterator[str]:
    """What a request needs beyond text and functions.

    Args:
        request: What is to be sent.
        parts: Whether to look into the messages for images, files, audio and video as well.
    """
    settings = request.settings
    if request.previous is not None or settings.state == "server":
        yield "stateful"
    if settings is not NO_SETTINGS:
        yield from _of_settings(settings)
    for spec in request.tools:
        if spec.raw is not None:
            yield _of_tool(spec.raw)
    if parts:
        yield from _of_parts(request.items)


def _of_settings(settings: Settings) -> Iterator[str]:
    for name, capability in _SETTINGS.items():
        value = getattr(settings, name)
        if value is not None and value is not False:
            yield capability
    for name, value in settings.extra.items():
        if name in _EXTRA and value is not None:
            yield _EXTRA[name]
        elif name == "tools" and isinstance(value, list):
            yield from (_of_tool(tool) for tool in value if isinstance(tool, dict))
    if "reasoning.encrypted_content" in (settings.include or ()):
        yield "encrypted_reasoning"


def _of_tool(raw: Mapping[str, Any]) -> str:
    kind = str(raw.get("type"))
    if kind == "mcp":
        return "mcp_connectors" if "connector_id" in raw else "mcp_servers"
    return _TOOLS.get(kind, kind)


def _of_parts(items: Iterable[Item]) -> Iterator[str]:
    """Goes through the history at every request: `item.parts` would take three times as long."""
    for item in items:
        content = item.raw.get("content") if type(item) is Message else None
        if type(content) is not list:
            continue
        for part in content:
            kind = part.get("type") if type(part) is dict else None
            if type(kind) is str and kind in _PARTS:
                yield _PARTS[kind]
