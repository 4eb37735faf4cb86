"""What Chat Completions cannot say: refused before anything is sent, with the alternative. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from toolstone.errors import Unsupported
from toolstone.ports import Profile
from toolstone.responses.capabilities import check_request

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from toolstone.ports import Request

__all__ = ["CHAT_PROFILE", "LIMITS", "LOGPROBS", "bounded", "check_bounds"]

_HOSTED: Final = "Give the agent a function that does it; Chat Completions has functions alone."

LIMITS: Final[Mapping[str, str]] = {
    "stateful": "The history is sent whole each turn: leave state='server' out of the settings.",
    "background": "Use an endpoint that speaks Responses, or a session, and resume() after a fall.",
    "stream_resume": "A broken stream is asked for again from its beginning.",
    "conversations": "Use a session and a ledger.",
    "compaction": "Agent(view=Summary(...)) compacts on this side.",
    "server_compaction": "Agent(view=Summary(above=...)) compacts on this side.",
    "encrypted_reasoning": "Leave it out of `include`; thoughts that a server shows are kept.",
    **dict.fromkeys(
        (
            "web_search",
            "file_search",
            "code_interpreter",
            "image_generation",
            "computer_use",
            "shell",
            "apply_patch",
            "mcp_servers",
            "mcp_connectors",
            "tool_search",
            "programmatic_tool_calling",
        ),
        _HOSTED,
    ),
}
"""What no server of this protocol has, by the names in `docs/capabilities.md`."""

CHAT_PROFILE: Final = Profile(
    name="chat",
    unsupported={
        "custom_tools": "Give the agent a function with one text parameter; OpenAI's own endpoint "
        "has custom tools: profile=Profile(name='openai').",
    },
)
"""A server of which nothing is known but the protocol."""

LOGPROBS: Final = "message.output_text.logprobs"


def bounded(profile: Profile) -> Profile:
    """The profile of a server, with what its protocol cannot say."""
    return replace(
        profile,
        unsupported={**LIMITS, **profile.unsupported},
        ignores=profile.ignores | {"max_tool_calls"},
    )


def check_bounds(request: Request, profile: Profile) -> None:
    """Refuse a request that cannot be said.

    Raises:
        Unsupported: It names what cannot be said, and the alternative.
    """
    check_request(request, profile)
    for what, instead in _beyond(request):
        raise Unsupported(f"{what} cannot be said in Chat Completions; nothing was sent. {instead}")


def _beyond(request: Request) -> Iterator[tuple[str, str]]:
    settings = request.settings
    if request.accepted is not None:
        yield "a response that was taken in the background", LIMITS["background"]
    if settings.summary is not None:
        yield "summary=", "Leave it out; thoughts that a server shows are kept as they are."
    if settings.truncation == "auto":
        yield "truncation='auto'", "Agent(view=LastTurns(...)) leaves out what is old."
    for name in settings.include or ():
        if name != LOGPROBS:
            yield f"include={name!r}", "Leave it out."
    for spec in request.tools:
        kind = None if spec.raw is None else spec.raw.get("type")
        if kind not in (None, "custom", "function"):
            yield f"the tool {spec.name!r} of type {kind!r}", _HOSTED
