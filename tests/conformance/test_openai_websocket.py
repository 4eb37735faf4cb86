"""The official `openai` library takes turns over a WebSocket, blocking and not."""

import openai
import pytest

from toolstone.local import Script, call, serve

# How openai 3.54 opens a socket is deprecated in websockets 17.
pytestmark = pytest.mark.filterwarnings("ignore:connect\\(\\) must be used:DeprecationWarning")
KEY = "sk-local-hunter2"
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}
TOOLS = [{"type": "function", "name": "weather", "strict": True, "parameters": CITY}]
ENDS = ("response.completed", "response.failed", "response.incomplete", "error")


@pytest.fixture(scope="module")
def base_url():
    script = Script([call("weather", city="Paris"), "It is mild."], by="conversation")
    with serve(script, api_key=KEY) as endpoint:
        yield endpoint.base_url


def turn(connection, **body):
    connection.response.create(model="m", tools=TOOLS, store=False, **body)
    for event in connection:
        if event.type in ENDS:
            return event
    return None


def outputs_of(response):
    return [
        {"type": "function_call_output", "call_id": made.call_id, "output": "mild"}
        for made in response.output
    ]


def test_calls_are_answered_turn_by_turn(base_url):
    client = openai.OpenAI(base_url=base_url, api_key=KEY, max_retries=0)
    with client, client.responses.connect() as connection:
        first = turn(connection, input="What is the weather?").response
        second = turn(connection, input=outputs_of(first), previous_response_id=first.id).response

    assert [made.name for made in first.output] == ["weather"]
    assert second.output_text == "It is mild."


def test_an_error_is_an_event_of_its_own_type(base_url):
    client = openai.OpenAI(base_url=base_url, api_key=KEY, max_retries=0)
    with client, client.responses.connect() as connection:
        refused = turn(connection, input="x", previous_response_id="resp_never_made")
        after = turn(connection, input="And now?")

    assert type(refused).__name__ == "ResponseWsError"
    assert (refused.status, refused.error.code) == (400, "previous_response_not_found")
    assert after.response.status == "completed"


async def test_the_asynchronous_client_takes_turns_too(base_url):
    async with openai.AsyncOpenAI(base_url=base_url, api_key=KEY, max_retries=0) as client:
        async with client.responses.connect() as connection:
            await connection.response.create(model="m", input="x", tools=TOOLS)
            kinds = []
            async for event in connection:
                kinds.append(event.type)
                if event.type in ENDS:
                    break

    assert kinds[0] == "response.created"
    assert kinds[-1] == "response.completed"
    assert "response.function_call_arguments.done" in kinds


def test_a_wrong_key_is_the_librarys_own_error(base_url):
    client = openai.OpenAI(base_url=base_url, api_key="wrong", max_retries=0)
    with client, pytest.raises(openai.AuthenticationError) as refused:
        client.responses.create(model="m", input="x")

    assert refused.value.code == "invalid_api_key"
