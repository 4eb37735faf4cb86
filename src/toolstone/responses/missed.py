"""The deltas that nobody saw, where a stream broke off and the whole came another way. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolstone.events import ArgumentsDelta, TextDelta
from toolstone.items import FunctionCall, Message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolstone.events import Delta
    from toolstone.items import Item

__all__ = ["missed"]


def missed(told: Sequence[Item], whole: Sequence[Item]) -> list[Delta] | None:
    """What is left to be told; None if the whole does not begin with what was told.

    Args:
        told: The items as far as they were told.
        whole: The items as they are.
    """
    if len(told) > len(whole):
        return None
    deltas: list[Delta] = []
    for place, item in enumerate(whole):
        before = _said(told[place]) if place < len(told) else ""
        said = _said(item)
        if not said.startswith(before):
            return None
        rest = said[len(before) :]
        if rest:
            deltas.append(_delta(item, rest, place))
    return deltas


def _said(item: Item) -> str:
    if type(item) is Message:
        return item.text
    return item.arguments if type(item) is FunctionCall else ""


def _delta(item: Item, text: str, place: int) -> Delta:
    if type(item) is FunctionCall:
        return ArgumentsDelta(text, place, item.name)
    return TextDelta(text, place)
