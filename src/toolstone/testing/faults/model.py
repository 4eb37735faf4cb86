"""Block M: answers that arrive well and are wrong: what a confused or hijacked model says.

The tool that is called is the first one that is offered; once there is an output in the input, the
answer is good.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from toolstone.testing.faults.saying import answer, call, fill, message, reply_json, response
from toolstone.testing.faults.steps import Asked, Step, scenario

if TYPE_CHECKING:
    from collections.abc import Callable

__all__: list[str] = []

JSON = dict[str, Any]

_MANY: Final = 1_000
_DEEP: Final = 100_000
_TEN_MB: Final = 10 << 20


def _tool(asked: Asked) -> tuple[str, JSON]:
    """The first tool offered, and arguments that fit it."""
    tools = asked.tools
    if not tools:
        return "tool", {"a": 1}
    return tools[0]["name"], fill(tools[0].get("parameters", {})) or {}


def _said(asked: Asked, *items: JSON, **fields: Any) -> list[Step]:
    return [answer(asked, response(*items, **fields))]


def _once(name: str, says: str, make: Callable[[Asked], list[JSON]]) -> None:
    """Items that are said until an output is there."""

    @scenario(name, says)
    def _(asked: Asked) -> list[Step]:
        return _said(asked, message("Done.")) if asked.outputs else _said(asked, *make(asked))


# ------------------------------------------------------------------------------------ names


def _named(name: str, says: str, change: Callable[[str], str]) -> None:
    def make(asked: Asked) -> list[JSON]:
        known, values = _tool(asked)
        return [call(change(known), json.dumps(values))]

    _once(name, says, make)


_named("M01", "a tool's name with a letter twice", lambda known: known[:2] + known[1:])
_named("M01-far", "a tool that was never there", lambda _: "launch")
_named("M03-empty", "a call without a name", lambda _: "")
_named("M03-long", "a name of 10 KB", lambda known: known * (10_240 // len(known)))
_named("M03-path", "a name with ../", lambda known: f"../{known}")
_named("M03-nul", "a name with NUL", lambda known: f"{known}\0")
_named("M03-newline", "a name with a line break", lambda known: f"{known}\n")
_named(
    "M03-homoglyph",
    "a name with a letter that looks like another",
    lambda known: known.replace("o", "\u043e", 1),
)
_named("M03-space", "a name with a space behind it", lambda known: f"{known} ")


@scenario("M02", "a tool named `hidden` is called, offered or not")
def _not_offered(asked: Asked) -> list[Step]:
    if asked.outputs:
        return _said(asked, message("Done."))
    return _said(asked, call("hidden", "{}"))


# -------------------------------------------------------------------------------- arguments


def _argued(name: str, says: str, make: Callable[[JSON, str], str]) -> None:
    """`make` gets good arguments and the name of the first."""

    def items(asked: Asked) -> list[JSON]:
        known, values = _tool(asked)
        return [call(known, make(values, next(iter(values), "a")))]

    _once(name, says, items)


def _raw(values: JSON, key: str, value: str) -> str:
    """The arguments with JSON text in the place of one value."""
    marked = json.dumps({**values, key: "\0here"})
    return marked.replace('"\\u0000here"', value, 1)


def _add_texts() -> None:
    whole = {
        "M04-broken": '{"a": ',
        "M04-empty": "",
        "M04-null": "null",
        "M04-array": "[]",
        "M04-number": "17",
        "M04-text": '"{}"',
        "M09": '{"a":' + "[" * _DEEP,
        "M09-closed": '{"a":' + "[" * _DEEP + "]" * _DEEP + "}",
    }
    for name, text in whole.items():
        _argued(name, f"arguments that are {text[:10]!r}", _always(text))
    values = {
        "M05-nan": "NaN",
        "M05-infinity": "Infinity",
        "M05-minus": "-Infinity",
        "M08-digits": "1" * 5_000,
        "M08-overflow": "1e400",
        "M08-zero": "-0.0",
        "M08-whole": "1.0",
        "M10-text": '"1"',
        "M10-true": "true",
        "M10-half": "1.5",
    }
    for name, value in values.items():
        _argued(name, f"{value[:10]} for the first argument", _instead(value))


def _always(text: str) -> Callable[[JSON, str], str]:
    return lambda _values, _key: text


def _instead(value: str) -> Callable[[JSON, str], str]:
    return lambda values, key: _raw(values, key, value)


_add_texts()


def _renamed(values: JSON, key: str, name: str) -> str:
    """The arguments with JSON text in the place of one key."""
    return json.dumps(values).replace(f'"{key}"', f'"{name}"', 1)


def _twice(values: JSON, key: str, name: str) -> str:
    return json.dumps(values)[:-1] + f', "{name}": {json.dumps(values[key])}}}'


_argued("M06", "a key stands twice", lambda v, k: _twice(v, k, k))
_argued(
    "M06-escaped",
    "a key stands twice, once escaped",
    lambda v, k: _twice(v, k, f"\\u{ord(k[0]):04x}{k[1:]}"),
)
_argued("M07-nul", "a key with NUL", lambda v, k: _renamed(v, k, f"{k}\\u0000"))
_argued("M07-escape", "a key with a bad escape", lambda v, k: _renamed(v, k, f"\\x{k}"))
_argued("M07-case", "a key in another case", lambda v, k: _renamed(v, k, k.title()))
_argued(
    "M07-form",
    "a key in another normal form",
    lambda v, k: _renamed(v, k, chr(ord(k[0]) + 0xFEE0) + k[1:]),
)
_argued("M11", "an argument that there is not", lambda v, _k: json.dumps({**v, "extra": 1}))
_argued(
    "M12", "an argument is missing", lambda v, k: json.dumps({n: x for n, x in v.items() if n != k})
)
_argued(
    "M13", "arguments of more than 1 MiB", lambda v, _k: json.dumps({**v, "pad": "x" * (1 << 20)})
)
_argued("M14", "half a character, as an escape", lambda v, _k: _raw(v, list(v)[-1], '"\\ud800"'))
_argued("M14-raw", "half a character, as it is", lambda v, _k: _raw(v, list(v)[-1], '"\ud800"'))


# --------------------------------------------------------------------------- several calls


def _calls(name: str, says: str, idents: Callable[[int], str], count: int) -> None:
    def make(asked: Asked) -> list[JSON]:
        known, values = _tool(asked)
        text = json.dumps(values)
        return [call(known, text, n, call_id=idents(n)) for n in range(count)]

    _once(name, says, make)


_calls("M15", "two calls with one call_id", lambda _: "call_0", 2)
_calls("M17-empty", "a call without call_id", lambda _: "", 1)
_calls("M17-long", "a call_id of 10 KB", lambda _: "c" * 10_240, 1)
_calls("M18", "1,000 calls", lambda n: f"call_{n}", _MANY)
_calls("M19", "two calls of one tool", lambda n: f"call_{n}", 2)


@scenario("M16", "the same call_id in every response, three times")
def _same_id(asked: Asked) -> list[Step]:
    known, values = _tool(asked)
    number = len(asked.outputs)
    first = next(iter(values), "a")
    if number == 3:  # noqa: PLR2004  as the sentence says
        return _said(asked, message("Done."))
    return _said(asked, call(known, json.dumps({**values, first: number})), id=f"resp_{number}")


@scenario("M25", "the same call again and again")
def _stuck(asked: Asked) -> list[Step]:
    known, values = _tool(asked)
    return _said(asked, call(known, json.dumps(values)))


@scenario("M25-cycle", "two calls in turns, again and again")
def _cycling(asked: Asked) -> list[Step]:
    known, values = _tool(asked)
    first = next(iter(values), "a")
    return _said(asked, call(known, json.dumps({**values, first: len(asked.outputs) % 2})))


@scenario("M26", "another call, for ever")
def _endless(asked: Asked) -> list[Step]:
    known, values = _tool(asked)
    first = next(iter(values), "a")
    return _said(asked, call(known, json.dumps({**values, first: len(asked.outputs)})))


# ----------------------------------------------------------------------------------- endings


def _ending(name: str, says: str, *items: JSON, **fields: Any) -> None:
    @scenario(name, says)
    def _(asked: Asked) -> list[Step]:
        return _said(asked, *items, **fields)


@scenario("M20", "cut off within a call")
def _cut(asked: Asked) -> list[Step]:
    known, values = _tool(asked)
    half = call(known, json.dumps(values)[:-3], status="incomplete")
    details = {"reason": "max_output_tokens"}
    return _said(asked, half, status="incomplete", incomplete_details=details)


_REFUSAL: Final = {"type": "refusal", "refusal": "I would rather not."}
_ending(
    "M21-filter",
    "stopped by a content filter",
    status="incomplete",
    incomplete_details={"reason": "content_filter"},
)
_ending("M21-refusal", "the model declines", message(content=[_REFUSAL]))
_ending("M22", "completed, with nothing in it")
_ending(
    "M32",
    "text that looks like templates",
    message("{0.__class__} %s {{x}} ${y} <|im_end|> {result}"),
)
_once(
    "M23",
    "two messages around a call",
    lambda asked: [
        message("First.", "msg_1"),
        call(_tool(asked)[0], json.dumps(_tool(asked)[1])),
        message("Last.", "msg_2"),
    ],
)
_once(
    "M31",
    "reasoning with encrypted content before a call",
    lambda asked: [
        {
            "type": "reasoning",
            "id": "rs_0",
            "summary": [{"type": "summary_text", "text": "I think."}],
            "encrypted_content": "gAAAAAcanary==",
        },
        call(_tool(asked)[0], json.dumps(_tool(asked)[1])),
    ],
)


@scenario("M30", "previous_response_id is not known here")
def _forgotten(asked: Asked) -> list[Step]:
    if "previous_response_id" in asked.json:
        error = {"message": "no such response", "code": "previous_response_not_found"}
        return [reply_json(400, {"error": error})]
    if asked.outputs:
        return _said(asked, message("Done."))
    known, values = _tool(asked)
    return _said(asked, call(known, json.dumps(values)))


# ------------------------------------------------------------------------------------ outputs


def _formed(name: str, says: str, make: Callable[[Any], str], *, stubborn: bool = False) -> None:
    """A structured answer: wrong at first, then right, unless it is stubborn."""

    @scenario(name, says)
    def _(asked: Asked) -> list[Step]:
        value = fill(asked.schema) or {}
        again = asked.count > 1 and not stubborn
        return _said(asked, message(json.dumps(value) if again else make(value)))


def _negative(value: Any) -> str:
    changed = {k: -1 if type(v) is int else v for k, v in value.items()}
    return json.dumps(changed)


_formed("M27-broken", "structured output that is no JSON", lambda v: json.dumps(v)[:-1])
_formed("M27-shape", "structured output of another shape", lambda _: '{"another": "shape"}')
_formed("M27-prose", "structured output in prose", lambda v: f"Here you are: {json.dumps(v)}. Bye!")
_formed(
    "M27-fence", "structured output in a code fence", lambda v: f"```json\n{json.dumps(v)}\n```"
)
_formed("M27-stubborn", "never structured", lambda _: "No.", stubborn=True)
_formed("M28", "structured output with numbers of -1", _negative)
_formed("M28-stubborn", "numbers of -1, for ever", _negative, stubborn=True)
_formed(
    "M29",
    "structured output of 10 MB",
    lambda v: json.dumps({k: "x" * _TEN_MB if isinstance(x, str) else x for k, x in v.items()}),
    stubborn=True,
)


@scenario("M24", "a call and structured output in one response")
def _both(asked: Asked) -> list[Step]:
    value = message(json.dumps(fill(asked.schema)))
    if asked.outputs:
        return _said(asked, value)
    known, values = _tool(asked)
    return _said(asked, value, call(known, json.dumps(values)))
