"""The words in which the small model is asked: examples first, then the case at hand. Pure.

A model of this size follows a pattern, not an instruction. Every prompt is a row of small examples
that ends in the middle of the next one. No example resembles a prompt that measures the model.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from toolstone._dataclass import dataclass

__all__ = [
    "Fact",
    "arguments_prompt",
    "chat_prompt",
    "extraction_prompt",
    "facts_prompt",
    "request_prompt",
    "said_json",
    "spoken",
    "talk_prompts",
    "tool_words",
]

Tool = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Fact:
    """One value that a tool was given or gave back, and the words that say what it is."""

    key: str
    about: str
    value: Any
    given: bool  # by a tool, not to it


# fmt: off
_SHOTS = (
    ("open door", "Open a door of the building.", "door",
     "Could you let me in at the back entrance?"),
    ("find person", "Look up a person in the address book.", "name",
     "Do we have the address of Mrs. Brown?"),
    ("print pages", "Print pages of a document.", "first, last", "I need pages 3 to 12 on paper."),
    ("talk", "Just a chat, no tool is needed.", "nothing", "Hey, how is it going?"),
    ("water plants", "Give water to the plants in a place.", "place",
     "The flowers on the balcony are dry."),
)
# fmt: on
_TALK = (
    ("talk", "Just a chat, no tool is needed.", "nothing"),
    ("answer", "No tool is needed, only kind words.", "nothing"),
    ("small talk", "Greetings, thanks, feelings and wishes.", "nothing"),
)

_ARGUMENT_SHOTS = """\
Request: Do we have the address of Mrs. Brown?
find person {"name": "Mrs. Brown"}

Request: I need pages 3 to 12 on paper.
print pages {"first": 3, "last": 12}

Request: Please give the flowers on the balcony 3 liters of water.
water plants {"place": "balcony", "liters": 3}

Request: Drive from Graz to Turin by car.
drive {"start": "Graz", "end": "Turin", "vehicle": "car"}

Request: What do people say about electric cars?
read opinions {"topic": "electric cars", "year": null}

"""
_EXTRACTION_SHOTS = """\
Text: Ms. Olga Petrova works as a doctor in Kazan since 2011.
JSON: {"person": "Olga Petrova", "job": "doctor", "since": 2011}

Text: Three tickets for the opera cost 120 francs in all.
JSON: {"count": 3, "what": "opera", "price": 120}

Text: The soup was cold and the waiter rude.
JSON: {"dish": "soup", "opinion": "bad", "points": null}

Text: She packed socks, a towel and shoes.
JSON: {"things": ["socks", "towel", "shoes"]}

"""
# fmt: off
_FACT_SHOTS = (
    ("How tall is the old tower?", "tower height of old tower: 96.5",
     "The old tower is 96.5 tall."),
    ("Who wrote the report?", "find author of report: Kim Berg", "Kim Berg wrote the report."),
    ("Is the door of the garage open?", "door state of garage: closed",
     "The door of the garage is closed."),
)
# fmt: on


def tool_words(tool: Tool) -> tuple[str, str, str]:
    """Say a tool in words: its name, what it is for, what it needs."""
    properties = (tool.get("parameters") or {}).get("properties", {})
    needs = ", ".join(properties).replace("_", " ") or "nothing"
    purpose = " ".join((tool.get("description") or "").split())[:200]
    return spoken(tool["name"]), purpose, needs


def spoken(name: str) -> str:
    """Say an identifier as words."""
    return " ".join(name.replace("-", "_").split("_")).strip()


def request_prompt(tool: Tool) -> str:
    """Ask for the request that somebody makes who needs this tool.

    How likely the true request is here tells the tools apart far better than asking for the tool.
    """
    return _cards() + _card(*tool_words(tool))


def talk_prompts() -> list[str]:
    """Ask for what somebody says who needs no tool, in several ways: there are many."""
    return [_cards() + _card(*talk) for talk in _TALK]


def _cards() -> str:
    return "".join(f"{_card(*shot[:3])} {shot[3]}\n\n" for shot in _SHOTS)


def _card(name: str, purpose: str, needs: str) -> str:
    return f"Tool: {name}\nPurpose: {purpose}\nNeeds: {needs}\nRequest:"


def arguments_prompt(tool: Tool, request: str) -> str:
    """Ask for the arguments of a call."""
    return f"{_ARGUMENT_SHOTS}Request: {_line(request)}\n{spoken(tool['name'])} "


def extraction_prompt(text: str) -> str:
    """Ask for the JSON that a text comes to."""
    return f"{_EXTRACTION_SHOTS}Text: {_line(text)}\nJSON: "


def facts_prompt(request: str, facts: Sequence[str], instructions: str) -> str:
    """Ask for a sentence that answers a request with what the tools returned."""
    system = f"Answer the question in one sentence with the facts. {instructions}".strip()
    turns = [_turn("system", system)]
    for question, fact, answer in _FACT_SHOTS:
        turns.append(_turn("user", f"{question}\nFacts: {fact}"))
        turns.append(_turn("assistant", answer))
    turns.append(_turn("user", f"{_line(request)}\nFacts: {'; '.join(facts)}"))
    return "".join(turns) + "<|im_start|>assistant\n"


def chat_prompt(messages: Sequence[tuple[str, str]], instructions: str) -> str:
    """Ask for the next message of a conversation, in the template the model was trained on."""
    system = instructions or "You are a helpful assistant. Answer in one or two short sentences."
    said = "".join(_turn(role, text) for role, text in messages)
    return _turn("system", system) + said + "<|im_start|>assistant\n"


def said_json(value: object) -> str:
    """Say a value as JSON, as the examples do."""
    return json.dumps(value, ensure_ascii=False)


def _turn(role: str, text: str) -> str:
    """Write one turn; what looks like the template's own marks loses its meaning."""
    return f"<|im_start|>{role}\n{plain(text)}<|im_end|>\n"


def plain(text: str) -> str:
    """Take the meaning from marks of the template that stand in somebody's text."""
    return text.replace("<|", "< |")


def _line(text: str) -> str:
    return " ".join(plain(text).split())
