"""Parameters that an endpoint does not take: sent, left out, or refused here, as you say. Pure."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from toolstone._dataclass import dataclass
from toolstone.errors import Unsupported
from toolstone.events import Noted

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from toolstone.bedrock.dialect import Gate
    from toolstone.bedrock.endpoint import Endpoint
    from toolstone.ports import Request, Settings

__all__ = ["Gated", "Refusal", "admit", "choice_of", "field_of", "value_of", "without"]

Gated = Literal["learn", "drop", "raise"]
"""What becomes of a parameter that the endpoint is known to refuse.

`learn`: it is sent; if the service refuses it by name it is left out, now and from then on.
`drop`: it is left out. `raise`: `Unsupported` is raised, and nothing is sent.
"""

_FIELDS: Final = {
    "reasoning.effort": "effort",
    "reasoning_effort": "effort",
    "reasoning.summary": "summary",
    "text.verbosity": "verbosity",
    "max_completion_tokens": "max_output_tokens",
    "max_tokens": "max_output_tokens",
}
"""How the wire calls what has another name in `Settings`."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A parameter with the value that was refused; another value may be taken."""

    parameter: str
    value: str

    @classmethod
    def of(cls, parameter: str, value: object) -> Refusal:
        """The refusal of this very value."""
        return cls(parameter, repr(value))


def field_of(parameter: str) -> str:
    """The name in `Settings` of what a service calls so."""
    return _FIELDS.get(parameter, parameter)


def choice_of(request: Request) -> str | Mapping[str, Any] | None:
    """The tool choice that a request has."""
    chosen = request.tool_choice
    return request.settings.tool_choice if chosen is None else chosen


def value_of(request: Request, parameter: str) -> Any:
    """What a request says for a parameter; None if nothing."""
    if parameter == "tool_choice":
        return choice_of(request)
    if parameter in request.settings.extra:
        return request.settings.extra[parameter]
    return getattr(request.settings, parameter, None)


def without(request: Request, parameter: str) -> Request:
    """The request without a parameter."""
    settings: Settings = request.settings
    if parameter in settings.extra:
        extra = {name: value for name, value in settings.extra.items() if name != parameter}
        settings = replace(settings, extra=extra)
    elif parameter in {field.name for field in fields(settings)}:
        nothing: dict[str, Any] = {parameter: None}
        settings = replace(settings, **nothing)
    choice = None if parameter == "tool_choice" else request.tool_choice
    return replace(request, settings=settings, tool_choice=choice)


def admit(
    request: Request, endpoint: Endpoint, gated: Gated, refused: Collection[Refusal], smallest: int
) -> tuple[Request, tuple[Noted, ...]]:
    """The request as the endpoint takes it, and what was changed.

    Args:
        request: What is wished.
        endpoint: What is known of where it goes.
        gated: What becomes of a parameter that it is known to refuse.
        refused: What it has refused already.
        smallest: The least `max_output_tokens`.

    Raises:
        Unsupported: It is known to refuse a parameter, and that is to be said.
    """
    notes: list[Noted] = []
    for name, gate in endpoint.gates.items():
        value = value_of(request, name)
        if value is None or not _counts(gate, request):
            continue
        if gate.ignored:
            notes.append(_ignored(name, endpoint))
        elif not gate.admits(value) and gated != "learn":
            request = _drop(request, name, endpoint, gated, notes)
    for refusal in refused:
        value, known = value_of(request, refusal.parameter), endpoint.gates.get(refusal.parameter)
        if known is not None and not _counts(known, request):
            continue
        if value is not None and Refusal.of(refusal.parameter, value) == refusal:
            request = _drop(request, refusal.parameter, endpoint, gated, notes)
    return _with_room(request, endpoint, gated, smallest, notes), tuple(notes)


def _counts(gate: Gate, request: Request) -> bool:
    """Whether what a gate must stand beside is there."""
    return gate.beside != "tools" or bool(request.tools)


def _drop(
    request: Request, name: str, endpoint: Endpoint, gated: Gated, notes: list[Noted]
) -> Request:
    value = value_of(request, name)
    shown = f"{value!r}" if isinstance(value, str | int | float) else f"a {type(value).__name__}"
    what = f"{name}={shown[:60]}"
    if gated == "raise":
        gate = endpoint.gates.get(name)
        taken = ", ".join(map(repr, gate.allowed)) if gate and gate.allowed else "nothing"
        raise Unsupported(
            f"{endpoint.model} on {endpoint.host} does not take {what}; it takes {taken}. Leave it "
            "out of the settings, or let toolstone do that: gated='drop'"
        )
    text = f"{what} was left out: {endpoint.bare} on {endpoint.host} does not take it"
    notes.append(Noted("dropped_parameter", text, data={"parameter": name}))
    return without(request, name)


def _ignored(name: str, endpoint: Endpoint) -> Noted:
    text = f"{name} is taken by {endpoint.host} and has no effect there"
    return Noted("ignored", text, data={"parameter": name})


def _with_room(
    request: Request, endpoint: Endpoint, gated: Gated, smallest: int, notes: list[Noted]
) -> Request:
    wished = request.settings.max_output_tokens
    if wished is None or wished >= smallest:
        return request
    if gated == "raise":
        raise Unsupported(
            f"max_output_tokens={wished}: {endpoint.host} takes {smallest} or more; "
            "nothing was sent"
        )
    text = f"max_output_tokens={wished} was raised to {smallest}, the least that is taken"
    notes.append(Noted("raised_parameter", text, data={"parameter": "max_output_tokens"}))
    return replace(request, settings=replace(request.settings, max_output_tokens=smallest))
