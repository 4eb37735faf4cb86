"""Block M, what a row alone cannot say: turns, order, structured output, state, secrets."""

import asyncio
import time

import pytest
from pydantic import BaseModel, Field, field_validator
from toolstone_meeting import Meeting

from toolstone import Agent, Settings, Toolbox, tool
from toolstone.errors import OutputError, RunError
from toolstone.tools.tool import Bound

DOORS = pytest.mark.parametrize("door", ["plain", "streamed"])


async def run(agent, door="plain"):
    try:
        if door == "plain":
            return await agent.run("go")
        async with agent.stream("go") as stream:
            return await stream.result()
    except RunError as error:
        return error


@pytest.fixture
def agent(peer, transport):
    def made(scenario, tools=(), **options):
        met = Meeting(peer, peer.base_url(scenario), transport)
        return Agent(met.model, tools=list(tools), **options)

    return made


def told(peer):
    """What the model was told of its calls, in its last request."""
    items = peer.met[-1].json["input"]
    return [item["output"] for item in items if item["type"] == "function_call_output"]


# ------------------------------------------------------------------------------------- calls


@DOORS
async def test_m02_a_tool_that_is_not_offered_now_is_not_called(door, agent, peer):
    ran = []

    def hidden() -> str:
        """There, but not offered."""
        ran.append("hidden")
        return "x"

    def shown() -> str:
        """Offered."""
        return "x"

    box = Toolbox([hidden]).filter(lambda _: False)
    await run(agent("M02", [shown, box]), door)

    assert ran == []
    assert told(peer) == ["there is no tool named 'hidden' (tools: shown)"]


@DOORS
async def test_m02_a_tool_that_waits_for_approval_is_not_called(door, agent, peer):
    ran = []

    @tool(approve=True)
    def book(seats: int) -> str:
        """Book."""
        ran.append(seats)
        return "x"

    result = await run(agent("M25", [book]), door)

    assert (ran, [call.name for call in result.waiting], len(peer.met)) == ([], ["book"], 1)


async def test_m03_a_strange_name_is_no_line_of_a_log(agent, caplog):
    caplog.set_level(1)
    for scenario in ("M03-newline", "M03-nul", "M03-long"):
        await run(agent(scenario, [lambda_tool()]))

    ours = [r.getMessage() for r in caplog.records if r.name.startswith("toolstone")]
    assert not [text for text in ours if "\n" in text or "\0" in text or len(text) > 2000]


def lambda_tool():
    def book(seats: int) -> str:
        """Book."""
        return "booked"

    return book


@pytest.mark.parametrize(
    ("scenario", "seats", "weight"),
    [
        ("M08-zero", "refused", -0.0),
        ("M08-whole", "refused", 1.0),
        ("M10-true", "refused", "refused"),
        ("M10-text", "refused", "refused"),
        ("M10-half", "refused", 1.5),
    ],
)
async def test_m08_what_is_taken_for_an_integer_and_for_a_number(scenario, seats, weight, agent):
    assert await given_for(int, scenario, agent) == seats
    found = await given_for(float, scenario, agent)
    assert (str(found), type(found)) == (str(weight), type(weight))


async def given_for(kind, scenario, agent):
    given = []

    def book(seats):
        """Book."""
        given.append(seats)
        return "booked"

    book.__annotations__ = {"seats": kind, "return": str}
    await run(agent(scenario, [book]))
    return given[0] if given else "refused"


@pytest.mark.parametrize("scenario", ["M09", "M09-closed"])
def test_m09_depth_costs_less_than_fifty_milliseconds(scenario):
    """CPU time of this thread, best of five, as the machine may be busy."""
    from toolstone.tools.tool import ArgumentsProblem, Tool

    text = '{"a":' + "[" * 100_000 + ("]" * 100_000 + "}" if scenario == "M09-closed" else "")
    one = Tool.of(lambda_tool())
    spent = []
    for _ in range(5):
        began = time.thread_time()
        with pytest.raises(ArgumentsProblem, match="128 levels"):
            one.read(text)
        spent.append(time.thread_time() - began)

    assert min(spent) < 0.05


@pytest.mark.parametrize("scenario", ["M14-raw"])
@DOORS
async def test_m14_half_a_character_written_as_it_is_is_refused_too(scenario, door, agent, peer):
    given = []

    def book(seats: int, name: str = "") -> str:
        """Book."""
        given.append(name)
        return "booked"

    await run(agent(scenario, [book]), door)

    assert given == []
    assert "surrogate" in told(peer)[-1]


@pytest.mark.parametrize("scenario", ["M05-nan", "M06", "M10-true"])
async def test_m05_a_careless_reader_would_run_the_tool(scenario, agent, monkeypatch):
    """The alarm's own test: with json.loads in place of our reader the tool runs."""
    import json

    from toolstone.tools.tool import Tool

    monkeypatch.setattr(Tool, "read", lambda _self, text: Bound(text, json.loads(text)))
    ran = []

    def book(seats: int, name: str = "") -> str:
        """Book."""
        ran.append(seats)
        return "booked"

    await run(agent(scenario, [book]))

    assert len(ran) == 1


@DOORS
async def test_m16_ids_that_restart_in_every_response_are_other_calls(door, agent, peer):
    """Bedrock counts from `call_0` in each: the call is its response and its position."""
    given = []

    def book(seats: int) -> str:
        """Book."""
        given.append(seats)
        return f"booked {seats}"

    result = await run(agent("M16", [book]), door)

    assert given == [0, 1, 2]
    assert told(peer) == ["booked 0", "booked 1", "booked 2"]
    assert result.output == "Done."


async def test_m19_calls_of_a_serial_tool_do_not_meet(agent):
    inside, most = 0, 0

    @tool(serial=True)
    async def book(seats: int) -> str:
        """Book."""
        nonlocal inside, most
        inside += 1
        most = max(most, inside)
        for _ in range(5):
            await asyncio.sleep(0)
        inside -= 1
        return "booked"

    result = await run(agent("M19", [book]))

    assert (most, [call.output for call in result.calls]) == (1, ["booked"] * 2)


@DOORS
async def test_m20_the_call_that_was_cut_is_shown(door, agent):
    ran = []

    def book(seats: int) -> str:
        """Book."""
        ran.append(seats)
        return "x"

    error = await run(agent("M20", [book]), door)

    assert ran == []
    (item,) = error.result.turns[-1].items
    assert (item.raw["name"], item.raw["status"]) == ("book", "incomplete")


@DOORS
async def test_m23_messages_and_calls_stay_in_their_order(door, agent, peer):
    result = await run(agent("M23", [lambda_tool()]), door)

    kinds = [item["type"] for item in peer.met[-1].json["input"]]
    assert kinds == ["message", "message", "function_call", "message", "function_call_output"]
    assert result.output == "Done."


@DOORS
async def test_m26_the_run_so_far_is_on_the_exception(door, agent):
    error = await run(agent("M26", [lambda_tool()]), door)

    calls = error.result.calls
    assert (len(calls), {call.output for call in calls}) == (32, {"booked"})
    assert "resume" in str(error)


@DOORS
async def test_m31_reasoning_goes_back_as_it_came_and_into_no_log(door, agent, peer, caplog):
    caplog.set_level(1)
    await run(agent("M31", [lambda_tool()]), door)

    _, reasoning, call, output = peer.met[-1].json["input"]
    assert reasoning == {
        "type": "reasoning",
        "id": "rs_0",
        "summary": [{"type": "summary_text", "text": "I think."}],
        "encrypted_content": "gAAAAAcanary==",
    }
    assert (call["type"], output["type"]) == ("function_call", "function_call_output")
    assert "canary" not in caplog.text
    assert "I think." not in caplog.text


@DOORS
async def test_m30_a_response_the_server_forgot_is_told_again_from_here(door, agent, peer):
    result = await run(agent("M30", [lambda_tool()], settings=Settings(state="server")), door)

    assert result.output == "Done."
    assert "previous_response_id" in peer.met[1].json
    last = peer.met[-1].json
    assert "previous_response_id" not in last
    assert [item["type"] for item in last["input"]] == [
        "message",
        "function_call",
        "function_call_output",
    ]


# ------------------------------------------------------------------------------------ outputs


class Booking(BaseModel):
    seats: int
    name: str


class Checked(BaseModel):
    seats: int = Field(description="How many.")

    @field_validator("seats")
    @classmethod
    def above_zero(cls, value):
        if value < 1:
            raise ValueError("at least one seat")
        return value


@DOORS
async def test_m24_calls_come_first_and_the_answer_beside_them_is_asked_for_again(door, agent):
    ran = []

    def book(seats: int) -> str:
        """Book."""
        ran.append(seats)
        return "booked"

    result = await run(agent("M24", [book], output=Booking), door)

    assert (result.output, ran) == (Booking(seats=1, name="x"), [1])


@DOORS
@pytest.mark.parametrize("scenario", ["M27-broken", "M27-shape"])
async def test_m27_an_answer_that_does_not_fit_is_asked_for_again_with_the_path(
    scenario, door, agent, peer
):
    result = await run(agent(scenario, output=Booking), door)

    assert (result.output, len(peer.met)) == (Booking(seats=1, name="x"), 2)
    said = peer.met[1].json["input"][-1]["content"]
    assert "does not fit" in str(said)
    assert ("column" if scenario == "M27-broken" else "seats") in str(said)


@DOORS
@pytest.mark.parametrize("scenario", ["M27-prose", "M27-fence"])
async def test_m27_prose_and_fences_are_set_aside_without_asking_again(scenario, door, agent, peer):
    result = await run(agent(scenario, output=Booking), door)

    assert (result.output, len(peer.met)) == (Booking(seats=1, name="x"), 1)


@DOORS
@pytest.mark.parametrize("scenario", ["M27-stubborn", "M28-stubborn"])
async def test_m27_an_answer_that_never_fits_is_an_error_that_says_where(
    scenario, door, agent, peer
):
    error = await run(agent(scenario, output=Checked), door)

    said_twice = 2  # word for word: a third time would not help
    assert (type(error), error.kind, len(peer.met)) == (OutputError, "validation", said_twice)
    assert error.problems


@DOORS
async def test_m27_how_often_is_a_parameter(door, agent, peer):
    error = await run(agent("M27-stubborn", output=Booking, reasks=0), door)

    assert (type(error), len(peer.met)) == (OutputError, 1)


@DOORS
async def test_m28_what_a_validator_refuses_is_asked_for_again_with_its_reason(door, agent, peer):
    result = await run(agent("M28", output=Checked), door)

    assert (result.output, len(peer.met)) == (Checked(seats=1), 2)
    assert "at least one seat" in str(peer.met[1].json["input"][-1])


async def test_m29_an_answer_of_ten_megabytes_is_beyond_a_limit(agent):
    error = await run(agent("M29", output=Booking))

    assert isinstance(error, RunError), type(error)
    assert "limits." in str(error) + str(error.__cause__)
