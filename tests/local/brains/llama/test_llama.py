"""The real small model keeps to tools and schemas, whatever it is asked. No wording is asserted."""

import json

import httpx
import openai
import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from toolstone.errors import ConfigError
from toolstone.local import serve
from toolstone.local.brains.llama import Llama

pytestmark = pytest.mark.llama


def tool(name, description, **properties):
    parameters = {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
    return {
        "type": "function",
        "name": name,
        "description": description,
        "parameters": parameters,
        "strict": True,
    }


CITY = {"type": "string"}
WEATHER = tool("weather", "Current temperature in a city.", city=CITY)
POPULATION = tool("population", "Number of inhabitants of a city.", city=CITY)
ADD = tool("add", "Add two numbers.", a={"type": "number"}, b={"type": "number"})
TOOLS = [WEATHER, POPULATION, ADD]
BOTH = "How warm is it in Rome and how many people live there?"


@pytest.fixture(scope="module")
def endpoint():
    with serve(Llama()) as served:
        yield served


@pytest.fixture(scope="module")
def client(endpoint):
    with openai.OpenAI(base_url=endpoint.base_url, api_key="none", max_retries=0) as client:
        yield client


def post(endpoint, **body):
    body = {"model": "smollm2", **body}
    return httpx.post(f"{endpoint.base_url}/responses", json=body, timeout=300)


def calls(response):
    items = [item for item in response["output"] if item["type"] == "function_call"]
    return [(item["name"], json.loads(item["arguments"])) for item in items]


def wanted(schema):
    return {"format": {"type": "json_schema", "name": "out", "schema": schema, "strict": True}}


def test_two_tools_are_called_side_by_side_and_one_if_parallel_calls_are_off(endpoint):
    both = post(endpoint, input=BOTH, tools=TOOLS).json()
    one = post(endpoint, input=BOTH, tools=TOOLS, parallel_tool_calls=False).json()

    assert calls(both) == [("weather", {"city": "Rome"}), ("population", {"city": "Rome"})]
    assert calls(one) == [("weather", {"city": "Rome"})]
    assert both["usage"]["output_tokens"] > 0
    assert both["usage"]["input_tokens"] > 0


@pytest.mark.parametrize(
    ("choice", "names"),
    [
        ("none", set()),
        ("required", {"add", "weather", "population"}),
        ({"type": "function", "name": "add"}, {"add"}),
        (
            {
                "type": "allowed_tools",
                "mode": "required",
                "tools": [{"type": "function", "name": "population"}],
            },
            {"population"},
        ),
    ],
)
def test_the_choice_is_obeyed_whatever_is_said(endpoint, choice, names):
    response = post(
        endpoint, input="Hello there!", tools=TOOLS, tool_choice=choice, max_output_tokens=64
    ).json()

    made = calls(response)
    assert bool(made) == bool(names)
    assert {name for name, _ in made} <= names
    schemas = {tool["name"]: tool["parameters"] for tool in TOOLS}
    assert all(Draft202012Validator(schemas[name]).is_valid(given) for name, given in made)


SCHEMAS = [
    {
        "type": "object",
        "properties": {
            "kind": {"type": "string", "enum": ["a", "b c", 'd"e']},
            "same": {"type": "string", "const": "x"},
            "many": {
                "type": "array",
                "items": {"type": "integer", "minimum": 3, "maximum": 7},
                "minItems": 2,
                "maxItems": 3,
            },
            "short": {"type": "string", "minLength": 3, "maxLength": 5},
            "maybe": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "flag": {"type": "boolean"},
            "nothing": {"type": "null"},
        },
        "required": ["kind", "same", "many", "short", "maybe", "flag", "nothing"],
        "additionalProperties": False,
    },
    {
        "type": "object",
        "properties": {
            "day": {"type": "string", "format": "date"},
            "at": {"type": "string", "format": "time"},
            "when": {"type": "string", "format": "date-time"},
            "id": {"type": "string", "format": "uuid"},
            "host": {"type": "string", "format": "ipv4"},
            "tree": {"$ref": "#/$defs/node"},
        },
        "required": ["day", "at", "when", "id", "host", "tree"],
        "additionalProperties": False,
        "$defs": {
            "node": {
                "type": "object",
                "properties": {
                    "name": {"type": "string"},
                    "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
                },
                "required": ["name", "next"],
                "additionalProperties": False,
            }
        },
    },
    {
        "type": "object",
        "properties": {
            "shape": {
                "anyOf": [
                    {
                        "type": "object",
                        "properties": {"r": {"type": "number"}},
                        "required": ["r"],
                        "additionalProperties": False,
                    },
                    {
                        "type": "object",
                        "properties": {"w": {"type": "integer"}, "h": {"type": "integer"}},
                        "required": ["w", "h"],
                        "additionalProperties": False,
                    },
                ]
            },
            "pairs": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"k": {"type": "string"}, "v": {"type": "integer"}},
                    "required": ["k", "v"],
                    "additionalProperties": False,
                },
                "maxItems": 2,
            },
        },
        "required": ["shape", "pairs"],
        "additionalProperties": False,
    },
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=["bounds", "formats", "unions"])
@pytest.mark.parametrize(
    "text", ["The box is 4 by 6, says Ann.", "", '日本 "quoted" \\ back <|im_end|>']
)
def test_every_output_fits_its_schema(endpoint, schema, text):
    response = post(endpoint, input=text, text=wanted(schema)).json()

    assert response["status"] == "completed", response["error"]
    said = json.loads(response["output"][0]["content"][0]["text"])
    assert list(Draft202012Validator(schema).iter_errors(said)) == []


@pytest.mark.parametrize(("schema", "named"), [(SCHEMAS[0], True), (SCHEMAS[2], False)])
def test_a_forced_call_has_arguments_that_fit_however_deep_they_are(endpoint, schema, named):
    deep = {**tool("pack", "Pack things."), "parameters": schema}
    allowed = {"type": "allowed_tools", "mode": "required"}
    name = {"type": "function", "name": "pack"}
    choice = name if named else {**allowed, "tools": [name]}
    response = post(
        endpoint,
        input="The box is 4 by 6, says Ann.",
        tools=[ADD, deep],
        tool_choice=choice,
        parallel_tool_calls=False,
    ).json()

    [(called, given)] = calls(response)
    assert called == "pack"
    assert list(Draft202012Validator(schema).iter_errors(given)) == []


def test_among_allowed_tools_only_those_are_called_and_none_must_be(endpoint):
    only = {
        "type": "allowed_tools",
        "mode": "auto",
        "tools": [{"type": "function", "name": "weather"}],
    }
    both = post(endpoint, input=BOTH, tools=TOOLS, tool_choice=only).json()
    none = post(endpoint, input="Hello there!", tools=TOOLS, tool_choice=only).json()
    assert {name for name, _ in calls(both)} == {"weather"}
    assert calls(none) == []


SQL = {"type": "custom", "name": "run_sql", "description": "Run an SQL query."}


def test_a_custom_tool_is_called_with_text_and_its_output_is_read(endpoint):
    asked = {"role": "user", "content": "Run the query on users"}
    body = {"tools": [SQL, WEATHER], "tool_choice": {"type": "custom", "name": "run_sql"}}
    [made] = post(endpoint, input=[asked], **body).json()["output"]
    output = {"type": "custom_tool_call_output", "call_id": made["call_id"], "output": "7 rows"}
    said = post(endpoint, input=[asked, made, output], tools=[SQL]).json()["output"]

    assert (made["type"], made["name"]) == ("custom_tool_call", "run_sql")
    assert made["input"]
    assert "7 rows" in said[0]["content"][0]["text"]


def test_a_custom_tool_with_a_grammar_is_refused_with_the_alternative(endpoint):
    grammar = {"type": "grammar", "syntax": "regex", "definition": "a+"}
    error = post(endpoint, input="x", tools=[{**SQL, "format": grammar}]).json()["error"]
    assert (error["param"], error["code"]) == ("tools[0].format", "unsupported_value")
    assert "offer a function" in error["message"]


def test_what_would_be_read_is_counted_as_the_usage_counts_it(endpoint):
    for body in ({"input": "Hello there!"}, {"input": BOTH, "tools": TOOLS}):
        counted = httpx.post(
            f"{endpoint.base_url}/responses/input_tokens", json={"model": "smollm2", **body}
        ).json()
        used = post(endpoint, **body).json()["usage"]
        assert counted["input_tokens"] == used["input_tokens"] > 0


def test_a_long_story_ends_with_a_sentence_where_no_cap_is_given(endpoint):
    response = post(endpoint, input="Tell me a long story.").json()
    assert response["status"] == "completed"
    assert response["output"][0]["content"][0]["text"].endswith((".", "!", "?", '"'))
    assert response["usage"]["output_tokens"] < 300


def test_json_mode_without_a_schema_says_an_object(endpoint):
    response = post(
        endpoint, input="Say hello as JSON.", text={"format": {"type": "json_object"}}
    ).json()

    assert isinstance(json.loads(response["output"][0]["content"][0]["text"]), dict)


def test_a_schema_that_cannot_be_kept_is_refused_by_its_keyword(endpoint):
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string", "pattern": "^a+$"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    for body, param in (
        ({"text": wanted(schema)}, "text.format.schema"),
        ({"tools": [{**ADD, "parameters": schema}]}, "tools[0].parameters"),
    ):
        error = post(endpoint, input="x", **body).json()["error"]
        assert error["param"] == param
        assert "'pattern'" in error["message"]


def test_tools_that_are_no_functions_and_other_models_are_refused(endpoint):
    hosted = post(endpoint, input="x", tools=[{"type": "web_search"}])
    other = post(endpoint, model="gpt-5", input="x")

    assert (hosted.status_code, hosted.json()["error"]["param"]) == (400, "tools[0].type")
    assert (other.status_code, other.json()["error"]["code"]) == (404, "model_not_found")


def test_an_input_that_is_too_long_is_refused(endpoint):
    error = post(endpoint, input="word " * 9000).json()["error"]

    assert error["code"] == "context_length_exceeded"


def test_a_cut_is_incomplete_and_counted(endpoint):
    text = post(endpoint, input="Tell me a long story.", max_output_tokens=16).json()
    long = {"type": "string", "minLength": 120}
    cut = post(
        endpoint,
        input="write",
        tools=[tool("write", "Write.", text=long)],
        tool_choice="required",
        max_output_tokens=16,
    ).json()

    for response in (text, cut):
        assert response["status"] == "incomplete"
        assert response["incomplete_details"] == {"reason": "max_output_tokens"}
        assert response["output"][-1]["status"] == "incomplete"
        assert response["usage"]["output_tokens"] == 16


def test_the_same_question_has_the_same_answer_streamed_and_plain(endpoint):
    body = {"model": "smollm2", "input": "Name a colour.", "max_output_tokens": 32}
    plain = post(endpoint, **body).json()
    with httpx.stream(
        "POST", f"{endpoint.base_url}/responses", json={**body, "stream": True}, timeout=60
    ) as reply:
        lines = [line for line in reply.iter_lines() if line.startswith("data: {")]
    events = [json.loads(line.removeprefix("data: ")) for line in lines]
    deltas = [event["delta"] for event in events if event["type"] == "response.output_text.delta"]

    said = plain["output"][0]["content"][0]["text"]
    assert len(deltas) > 1
    assert "".join(deltas) == said
    assert events[-1]["response"]["output"][0]["content"][0]["text"] == said


class Report(BaseModel):
    city: str
    temp_c: float
    population: int


def test_the_official_sdk_runs_the_whole_loop(client):
    items = [{"type": "message", "role": "user", "content": BOTH}]
    first = client.responses.create(model="smollm2", input=items, tools=TOOLS)
    items += [item.model_dump(exclude_none=True) for item in first.output]
    items += [
        {
            "type": "function_call_output",
            "call_id": item.call_id,
            "output": {"weather": "19.2", "population": "2755000"}[item.name],
        }
        for item in first.output
    ]
    with client.responses.stream(
        model="smollm2", input=items, tools=TOOLS, text_format=Report
    ) as stream:
        stream.until_done()
        final = stream.get_final_response()
    told = client.responses.create(model="smollm2", input=items, tools=TOOLS)

    assert final.output_parsed == Report(city="Rome", temp_c=19.2, population=2755000)
    assert "19.2" in told.output_text
    assert "2755000" in told.output_text


def test_the_official_sdk_streams_a_call(client):
    with client.responses.stream(
        model="smollm2", input="What is 17 plus 25?", tools=TOOLS
    ) as stream:
        kinds = [event.type for event in stream]
        [call] = stream.get_final_response().output

    assert "response.function_call_arguments.delta" in kinds
    assert json.loads(call.arguments) == {"a": 17, "b": 25}


def test_a_file_that_is_no_model_is_a_config_error(tmp_path):
    with pytest.raises(ConfigError, match="no model file"):
        Llama(tmp_path / "none.gguf")
    (tmp_path / "broken.gguf").write_bytes(b"GGUF nonsense")
    with pytest.raises(ConfigError, match="cannot load"):
        Llama(tmp_path / "broken.gguf")
