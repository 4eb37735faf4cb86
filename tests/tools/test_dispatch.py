import asyncio

import pytest

from toolstone import limits
from toolstone.errors import ToolError
from toolstone.items import CallKey, FunctionCall
from toolstone.tools import Tool, Toolbox, ToolContext, dispatch
from toolstone.tools.refusals import explain_denied, explain_unknown


def call(name, arguments="{}", call_id="call_0"):
    return FunctionCall(
        {"type": "function_call", "call_id": call_id, "name": name, "arguments": arguments}
    )


async def weather(city: str) -> float:
    """Current temperature."""
    return 21.5


def population(city: str, context: ToolContext[dict]) -> int:
    """Number of inhabitants."""
    if city not in context.deps:
        raise ToolError("no such city")
    return context.deps[city]


async def outputs(*calls, **options):
    return [one.output for one in await dispatch(calls, [weather, population], **options)]


async def test_every_call_is_answered_in_order_whatever_fails():
    found = await outputs(
        call("weather", '{"city":"Paris"}'),
        call("population", '{"city":"Paris"}'),
        call("population", '{"city":"Atlantis"}'),
        call("wether", '{"city":"Paris"}'),
        call("weather", '{"city":5}'),
        call("weather", '{"city":"Par'),
        deps={"Paris": 2_100_000},
    )

    assert found == [
        "21.5",
        "2100000",
        "no such city",
        "there is no tool named 'wether'; did you mean 'weather'? (tools: population, weather)",
        "invalid arguments: city: input should be a valid string (got an integer)",
        "invalid arguments: the JSON is broken at line 1 column 13 (at city): the string does not end",
    ]


async def test_outputs_echo_the_ids_of_the_wire_even_if_they_repeat():
    found = await dispatch(
        [call("weather", '{"city":"a"}'), call("weather", '{"city":"b"}')], [weather]
    )

    assert [one.raw for one in found] == [
        {"type": "function_call_output", "call_id": "call_0", "output": "21.5"}
    ] * 2


async def test_calls_run_side_by_side():
    barrier = asyncio.Barrier(3)

    async def meet() -> str:
        await barrier.wait()
        return "met"

    found = await dispatch([call("meet")] * 3, [meet])

    assert [one.output for one in found] == ["met"] * 3


@pytest.mark.parametrize("over", [-1, 0, 1])
async def test_calls_above_the_limit_are_answered_and_not_made(over):
    made = []

    async def counts() -> str:
        made.append(True)
        return "made"

    found = await dispatch([call("counts")] * (limits.CALLS_PER_TURN + over), [counts])

    assert len(made) == min(limits.CALLS_PER_TURN, limits.CALLS_PER_TURN + over)
    assert len(found) == limits.CALLS_PER_TURN + over
    if over > 0:
        assert (
            found[-1].output
            == "not called: at most 128 calls are made in one turn; call again in the next"
        )


async def test_a_tool_not_offered_now_is_unknown_and_not_executed():
    made = []

    def hidden() -> str:
        made.append(True)
        return ""

    (found,) = await dispatch([call("hidden")], Toolbox([hidden]).filter(lambda _one: False))

    assert found.output == "there is no tool named 'hidden'; no tools are offered now"
    assert made == []


async def test_a_deferred_tool_is_not_run_here():
    ask = Tool.from_schema("ask", {"type": "object"})

    (found,) = await dispatch([call("ask")], [ask])

    assert found.output == "'ask' is not run here"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("", "the call names no tool"),
        ("weather ", "there is no tool named 'weather '; did you mean"),
        ("../weather", "there is no tool named '../weather'; did you mean"),
        ("wea\x00ther\n", r"there is no tool named 'wea\x00ther\n'"),
        ("w\u0435ather", r"there is no tool named 'w\u0435ather'"),
        ("x" * 10_000, "there is no tool named '" + "x" * 64 + "... (10000 characters)' (tools: "),
    ],
)
def test_odd_names_are_made_harmless(name, shown):
    said = explain_unknown(name, ["weather", "population"])

    assert said.startswith(shown)
    assert said.isprintable()


def test_many_names_are_not_all_told():
    said = explain_unknown("x", [f"tool_{n:03}" for n in range(120)])

    assert said.endswith("tool_049 and 70 more)")


def test_a_denial_says_why():
    assert explain_denied("over the limit") == "denied: over the limit"
    assert explain_denied("") == "denied"


def test_a_call_key_is_where_the_call_stands():
    assert str(CallKey(2, 1)) == "2.1"
