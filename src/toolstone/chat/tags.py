"""Raw thoughts in a tag before the text, told apart from it. Pure.

gpt-oss on Bedrock's runtime host writes `<reasoning>...</reasoning>` before its answer, streamed as
a pair of tags for each piece; servers without a reasoning parser leave `<think>...</think>` there.
Only the beginning counts: once something else was said, a tag is text like any other.
"""

from __future__ import annotations

from typing import Literal

__all__ = ["Splitter", "split_thoughts"]

Kind = Literal["thought", "text"]


class Splitter:
    """Takes a text piece by piece; holds back what might become a tag.

    Args:
        tag: The tag's name; without one all is text.
    """

    __slots__ = ("_close", "_held", "_open", "_state")

    def __init__(self, tag: str) -> None:
        self._open, self._close = f"<{tag}>", f"</{tag}>"
        self._held = ""
        self._state: Literal["before", "thought", "text"] = "before" if tag else "text"

    def feed(self, text: str) -> list[tuple[Kind, str]]:
        """What is certain now."""
        if self._state == "text":
            return [("text", text)]
        said: list[tuple[Kind, str]] = []
        self._held += text
        while self._step(said):
            pass
        return said

    def end(self) -> list[tuple[Kind, str]]:
        """What was held back, at the end of the text."""
        held, self._held = self._held, ""
        kind: Kind = "thought" if self._state == "thought" else "text"
        return [(kind, held)] if held else []

    def _step(self, said: list[tuple[Kind, str]]) -> bool:
        """Go on by one tag; False if more must come first."""
        if self._state == "thought":
            thought, close, rest = self._held.partition(self._close)
            if not close:
                thought, rest = _safe(self._held, self._close)
            if thought:
                said.append(("thought", thought))
            self._held = rest
            self._state = "before" if close else "thought"
            return bool(close)
        begun = self._held.lstrip()
        if begun.startswith(self._open):
            self._held = begun.removeprefix(self._open)
            self._state = "thought"
            return True
        if not self._open.startswith(begun):
            said.append(("text", self._held))
            self._held, self._state = "", "text"
        return False


def split_thoughts(text: str, tag: str) -> tuple[str, str]:
    """The thoughts at the beginning of a whole text, and the rest of it."""
    splitter = Splitter(tag)
    said = [*splitter.feed(text), *splitter.end()]
    thoughts = "".join(piece for kind, piece in said if kind == "thought")
    return thoughts, "".join(piece for kind, piece in said if kind == "text")


def _safe(text: str, mark: str) -> tuple[str, str]:
    """The text up to where the mark may have begun, and what may be its beginning."""
    for size in range(min(len(mark) - 1, len(text)), 0, -1):
        if text.endswith(mark[:size]):
            return text[:-size], text[-size:]
    return text, ""
