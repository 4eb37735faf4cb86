"""How a tool's name and parameters fit the words of a request, without asking the model. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from toolstone.local.brains.llama.prompts import tool_words
from toolstone.local.brains.llama.words import Word, numbers, related, stems, words

__all__ = ["fills", "fit", "names", "own_words", "required_texts"]

Tool = Mapping[str, Any]

# In nats, beside likelihoods: what a reader would make of it, tuned on the tuning prompts.
_NAMED = 2.0  # the request uses words of this tool, and of no other
_LACKING = 2.5  # for each number required that the request does not hold
_UNUSED = 1.5  # for each number of the request that the tool has no place for
_EMPTY = 1.0  # a text is required and the request has no word for it

_LEADS = frozenset({"in", "of", "for", "to", "by", "on", "at", "from", "a", "an", "about"})


def fit(tool: Tool, others: Sequence[Tool], text: str) -> float:
    """Weigh how a request fits a tool, against the other tools that are offered."""
    about = {stem for other in others for stem in _about(other)}
    own = [word for word in own_words(tool, text) if not related(stems(word), about)]
    required, optional = _figures(tool)
    held = len(numbers(text))
    weight = _NAMED if own else 0.0
    weight -= _LACKING * max(required - held, 0) + _UNUSED * max(held - required - optional, 0)
    return weight if not required_texts(tool) or _named(tool, text) else weight - _EMPTY


def fills(tool: Tool, text: str) -> bool:
    """Tell whether a text holds something for everything a tool requires."""
    return len(numbers(text)) >= _figures(tool)[0] and len(_named(tool, text)) >= len(
        required_texts(tool)
    )


def names(tool: Tool, text: str) -> bool:
    """Tell whether a text names something for the tool: by a capital, or after a preposition."""
    found = words(text)
    for before, word in zip([None, *found], found, strict=False):
        if word not in _named(tool, text):
            continue
        if len(found) == 1 or (before is not None and _marked(before, word)):
            return True
    return False


def _marked(before: Word, word: Word) -> bool:
    return word.text[:1].isupper() or before.text.lower() in _LEADS


def own_words(tool: Tool, text: str) -> list[str]:
    """Give the words of a text that ask for the tool, so that they are no values for it."""
    about = _about(tool)
    return [word.text for word in words(text) if related(stems(word.text), about)]


def _about(tool: Tool) -> set[str]:
    said, purpose, _ = tool_words(tool)
    return stems(f"{said} {purpose}")


def _named(tool: Tool, text: str) -> list[Word]:
    return [
        word
        for word in words(text)
        if not (word.empty or word.text[:1].isdigit() or own_words(tool, word.text))
    ]


def required_texts(tool: Tool) -> list[str]:
    """Give the names of the free texts a tool requires."""
    schema = tool.get("parameters") or {}
    inner = schema.get("properties", {})
    return [
        name
        for name in schema.get("required", ())
        if inner[name].get("type") == "string" and "enum" not in inner[name]
    ]


def _figures(tool: Tool) -> tuple[int, int]:
    """Count the numbers a tool requires, and those it takes if they are there."""
    schema = tool.get("parameters") or {}
    required = optional = 0
    for name, inner in schema.get("properties", {}).items():
        kinds = _kinds(inner)
        if not kinds & {"number", "integer"}:
            optional += 8 if kinds & {"array", "object"} else 0  # there may be any number inside
        elif "null" in kinds or name not in schema.get("required", ()):
            optional += 1
        else:
            required += 1
    return required, optional


def _kinds(schema: Mapping[str, Any]) -> set[str]:
    if "$ref" in schema:
        return {"object"}
    kinds = schema.get("type", ())
    own = {kinds} if isinstance(kinds, str) else set(kinds)
    return own.union(*(_kinds(branch) for branch in schema.get("anyOf", ())))
