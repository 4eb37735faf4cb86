"""The fault peer in a process of its own, with the scenarios that only a comparison needs.

Every request is a line of JSON on stdout: which scenario, what the model was told. A line on stdin
is answered with how many connections strayed to the origin that redirects point to.
"""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from toolstone.testing.faults import Faults, Met
from toolstone.testing.faults.saying import answer, call, fill, message, reply_json, response
from toolstone.testing.faults.steps import SCENARIOS, Asked, Scenario, Step, scenario

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PACE: Final = 0.1
"""A second of a scenario lasts so long: a dribble is a byte each tenth of a second."""
STEPS: Final = 4
_TOLD: Final = 600
_DIGITS: Final = b"0123456789abcdefghijklmnopqrstuvwxyz"


@scenario("P01", "each tool that is offered is called once, together")
def _together(asked: Asked) -> list[Step]:
    if asked.outputs:
        return [answer(asked, response(message("Done.")))]
    calls = [
        call(one["name"], json.dumps(fill(one.get("parameters", {})) or {}), number)
        for number, one in enumerate(asked.tools)
    ]
    return [answer(asked, response(*calls))]


@scenario("P06-same", "the same call for ever")
def _same(asked: Asked) -> list[Step]:
    return _for_ever(asked, 0)


@scenario("P06-other", "another call for ever")
def _other(asked: Asked) -> list[Step]:
    return _for_ever(asked, asked.count)


def _for_ever(asked: Asked, number: int) -> list[Step]:
    """Every response and every call has an id of its own, as a real service's have."""
    one, count = asked.tools[0], asked.count
    values = {**fill(one["parameters"]), "seats": number}
    made = call(one["name"], json.dumps(values), count, call_id=f"call_{count}")
    return [answer(asked, response(made, id=f"resp_{count}"))]


@scenario("P07", "as P01, and a history that is not legal is refused as by the real service")
def _strict(asked: Asked) -> list[Step]:
    if problem := _illegal(asked.json.get("input")):
        return [reply_json(400, {"error": {"message": problem, "type": "invalid_request_error"}})]
    return list(_together(asked))


@scenario("P02", "incomplete, with nothing in it")
def _nothing(asked: Asked) -> list[Step]:
    why = {"reason": "max_output_tokens"}
    return [answer(asked, response(status="incomplete", incomplete_details=why))]


@scenario("P03", "status 200 with an error of AWS in its body")
def _unknown_operation(_asked: Asked) -> list[Step]:
    return [reply_json(200, {"Output": {"__type": "UnknownOperationException"}, "Version": "1.0"})]


@scenario("P04", "one payment after another, each when the last has its output; then done")
def _payments(asked: Asked) -> list[Step]:
    if problem := _illegal(asked.json.get("input")):
        return [reply_json(400, {"error": {"message": problem, "type": "invalid_request_error"}})]
    number = len(asked.outputs)
    if number >= STEPS:
        return [answer(asked, response(message("Done."), id=f"resp_{number}"))]
    one = call("pay", json.dumps({"number": number}), number, call_id=f"call_p{number}")
    return [answer(asked, response(one, id=f"resp_{number}"))]


def _illegal(items: Any) -> str:
    """What the real service says of a history with unanswered calls."""
    listed = [one for one in items if isinstance(one, dict)] if isinstance(items, list) else []
    made = [one.get("call_id") for one in listed if one.get("type") == "function_call"]
    came = [one.get("call_id") for one in listed if one.get("type") == "function_call_output"]
    for ident in made:
        if ident not in came:
            return f"No tool output found for function call {ident}."
    for ident in came:
        if ident not in made:
            return f"No tool call found for function call output with call_id {ident}."
    return ""


def _typed(name: str, says: str, make: Callable[[Any], str], *, stubborn: bool = False) -> None:
    """A typed answer, wrong at first: as text, or as the call of a tool that stands for it."""

    @scenario(name, says)
    def _(asked: Asked) -> list[Step]:
        tool = None if asked.schema or not asked.tools else asked.tools[-1]
        schema = tool.get("parameters", {}) if tool else asked.schema
        value = fill(schema)
        text = json.dumps(value) if asked.count > 1 and not stubborn else make(value)
        number = asked.count
        item = call(tool["name"], text, number) if tool else message(text)
        return [answer(asked, response(item, id=f"resp_{number}"))]


_typed("P05-shape", "a typed answer of another shape, then right", lambda _: '{"another": "shape"}')
_typed("P05-brace", "a typed answer with a brace behind it", lambda v: json.dumps(v) + "}")
_typed("P05-prose", "a typed answer in prose", lambda v: f"Here you are: {json.dumps(v)}. Bye!")
_typed("P05-never", "never typed", lambda _: '{"another": "shape"}', stubborn=True)


def _with_ids_of_its_own(one: Scenario) -> Scenario:
    """As a real service's, the ids of responses are never the same: langchain goes by them."""

    def play(asked: Asked) -> Iterator[Step]:
        mine = b'"resp_%c"' % _DIGITS[(asked.count - 1) % len(_DIGITS)]
        for step in one.play(asked):
            yield step.replace(b'"resp_0"', mine) if isinstance(step, bytes) else step

    return replace(one, play=play)


def main() -> None:
    """Serve until stdin ends."""
    SCENARIOS.update({name: _with_ids_of_its_own(one) for name, one in SCENARIOS.items()})
    with Faults(pace=PACE, log=_log) as peer:
        refused = peer.base_url("H01").partition("/H01")[0]
        _say({"origin": peer.origin, "refused": refused})
        for _ in sys.stdin:
            _say({"strayed": peer.strayed})


def _log(met: Met) -> None:
    try:
        items = met.json.get("input", [])
    except (ValueError, AttributeError):
        items = []
    told = [
        str(one.get("output"))[:_TOLD]
        for one in items
        if isinstance(one, dict) and one.get("type") == "function_call_output"
    ]
    _say({"word": met.target.strip("/").partition("/")[0], "method": met.method, "told": told})


def _say(value: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
