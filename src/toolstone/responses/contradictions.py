"""Settings that cannot both be meant: told before anything is sent. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolstone.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolstone.ports import Request, Settings

__all__ = ["check_settings", "keeps"]


def keeps(settings: Settings) -> bool:
    """Whether the service must keep the response for these settings to mean anything."""
    return bool(
        settings.state == "server" or settings.background or settings.conversation is not None
    )


def check_settings(settings: Settings, request: Request) -> None:
    """Refuse settings that contradict each other, or the rest of the request.

    Raises:
        InputError: Two of them do; names both, and which to leave out.
    """
    for problem in _problems(settings, request):
        raise InputError(f"Settings({problem}")


def _problems(settings: Settings, request: Request) -> Iterator[str]:
    if settings.conversation is not None and settings.state == "server":
        yield (
            "conversation=..., state='server'): a conversation is the state that the service "
            "keeps; leave state out"
        )
    if settings.background and settings.store is False:
        yield (
            "background=True, store=False): the service works on what it keeps; leave store out, "
            "or background"
        )
    if settings.json_mode and request.output is not None:
        yield (
            "json_mode=True) beside an output type: the type's schema says more; leave json_mode "
            "out, or ask for output=str"
        )
