"""The official `openai` SDK talks to the endpoint as it does to the real service."""

import openai
import pytest
from pydantic import BaseModel

from toolstone.local import Script, call, serve


class Report(BaseModel):
    city: str
    temp_c: float


TOOLS = [
    {
        "type": "function",
        "name": name,
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    }
    for name in ("weather", "population")
]


@pytest.fixture
def client():
    script = Script(
        [
            [call("weather", city="Paris"), call("population", city="Paris")],
            {"city": "Paris", "temp_c": 14.5},
        ]
    )
    with (
        serve(script) as endpoint,
        openai.OpenAI(base_url=endpoint.base_url, api_key="none", max_retries=0) as client,
    ):
        yield client


def conversation(response):
    calls = [item for item in response.output if item.type == "function_call"]
    return [
        {"type": "message", "role": "user", "content": "Report on Paris"},
        *(item.model_dump(exclude={"parsed_arguments"}) for item in response.output),
        *(
            {"type": "function_call_output", "call_id": call.call_id, "output": "1"}
            for call in calls
        ),
    ]


def test_create_makes_parallel_calls(client):
    response = client.responses.create(model="m", input="Report on Paris", tools=TOOLS)

    assert [(item.name, item.arguments) for item in response.output] == [
        ("weather", '{"city": "Paris"}'),
        ("population", '{"city": "Paris"}'),
    ]


def test_parse_gives_the_typed_answer_after_the_tools(client):
    first = client.responses.create(model="m", input="Report on Paris", tools=TOOLS)
    parsed = client.responses.parse(
        model="m", input=conversation(first), tools=TOOLS, text_format=Report
    )

    assert parsed.output_parsed == Report(city="Paris", temp_c=14.5)


def test_create_with_stream_gives_typed_events(client):
    with client.responses.create(model="m", input="Report", tools=TOOLS, stream=True) as events:
        kinds = [event.type for event in events]

    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"
    assert kinds.count("response.function_call_arguments.done") == 2


def test_the_stream_helper_follows_calls_and_text(client):
    with client.responses.stream(model="m", input="Report on Paris", tools=TOOLS) as stream:
        stream.until_done()
        first = stream.get_final_response()
    with client.responses.stream(
        model="m", input=conversation(first), tools=TOOLS, text_format=Report
    ) as stream:
        snapshots = [
            event.snapshot for event in stream if event.type == "response.output_text.delta"
        ]
        final = stream.get_final_response()

    assert [item.name for item in first.output] == ["weather", "population"]
    assert snapshots[-1] == final.output_text
    assert final.output_parsed == Report(city="Paris", temp_c=14.5)


def test_previous_response_id_goes_on(client):
    first = client.responses.create(model="m", input="Report on Paris", tools=TOOLS)
    outputs = conversation(first)[-2:]
    second = client.responses.create(model="m", input=outputs, previous_response_id=first.id)

    assert second.output_text == '{"city": "Paris", "temp_c": 14.5}'


def test_a_bad_request_is_the_sdks_own_error(client):
    with pytest.raises(openai.BadRequestError) as refused:
        client.responses.create(model="m", input="x", tool_choice="required")

    assert refused.value.param == "tool_choice"
