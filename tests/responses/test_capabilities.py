"""What an endpoint is known not to have is refused before anything is sent, with the alternative."""

from dataclasses import replace

import pytest

from toolstone import Agent, Responses, ServerTool, Settings, Unsupported, require, user
from toolstone.bedrock import bedrock_model
from toolstone.bedrock.dialect import Dialect
from toolstone.events import Noted
from toolstone.ports import Profile, Request, ToolSpec
from toolstone.responses.capabilities import check_request, needed

DIALECT = Dialect.load()
PLACES = ("openai", "mantle", "runtime", "local")
CAPABILITIES = DIALECT.data["capabilities"]


def hosted(**raw):
    return ToolSpec(raw["type"], "", {}, strict=False, raw=raw)


ASKING = [
    ("background", Request((), settings=Settings(background=True))),
    ("conversations", Request((), settings=Settings(conversation="conv_1"))),
    ("server_compaction", Request((), settings=Settings(compact_threshold=1_000))),
    ("json_mode", Request((), settings=Settings(json_mode=True))),
    ("logprobs", Request((), settings=Settings(top_logprobs=2))),
    ("explicit_caching", Request((), settings=Settings(prompt_cache_options={"ttl": "30m"}))),
    (
        "encrypted_reasoning",
        Request((), settings=Settings(include=["reasoning.encrypted_content"])),
    ),
    ("stateful", Request((), previous="resp_1")),
    ("stateful", Request((), settings=Settings(state="server"))),
    ("moderation", Request((), settings=Settings(extra={"moderation": {"model": "m"}}))),
    ("prompt_templates", Request((), settings=Settings(extra={"prompt": {"id": "p"}}))),
    ("audio_streaming", Request((), settings=Settings(extra={"modalities": ["audio"]}))),
    ("web_search", Request((), settings=Settings(extra={"tools": [{"type": "web_search"}]}))),
    ("web_search", Request((), tools=(hosted(type="web_search_preview"),))),
    ("custom_tools", Request((), tools=(hosted(type="custom", name="c"),))),
    ("computer_use", Request((), tools=(hosted(type="computer"),))),
    ("shell", Request((), tools=(hosted(type="local_shell"),))),
    ("tool_search", Request((), tools=(hosted(type="namespace"),))),
    ("mcp_servers", Request((), tools=(hosted(type="mcp", server_url="https://x.test"),))),
    ("mcp_connectors", Request((), tools=(hosted(type="mcp", connector_id="arn:aws:x"),))),
    ("file_search", Request((), tools=(hosted(type="file_search"),))),
    ("image_input", Request((user([{"type": "input_image", "image_url": "https://x.test"}]),))),
    ("file_input", Request((user([{"type": "input_file", "file_id": "f"}]),))),
    ("audio_input", Request((user([{"type": "input_audio", "input_audio": {}}]),))),
    ("video_input", Request((user([{"type": "input_video", "video_url": "https://x.test"}]),))),
]


@pytest.mark.parametrize(("name", "request_"), ASKING, ids=[name for name, _ in ASKING])
def test_a_request_says_what_it_needs(name, request_):
    assert list(needed(request_)) == [name]


def test_text_and_functions_need_nothing():
    spec = ToolSpec("f", "", {"type": "object"}, strict=True)
    settings = Settings(temperature=0, effort="low", background=False, store=True)

    assert not list(needed(Request((user("hi"),), tools=(spec,), settings=settings)))


def test_what_nobody_has_a_word_for_needs_nothing():
    parts = [{"type": "input_text", "text": "x"}, {"type": "input_smell"}, {"type": 7}]
    settings = Settings(extra={"tools": "none", "modalities": None, "future": True})

    assert not list(needed(Request((user(parts),), settings=settings)))


def test_messages_are_looked_into_only_where_that_is_asked_for():
    request = Request((user([{"type": "input_file", "file_id": "f"}]),))

    assert not list(needed(request, parts=False))


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("name", "request_"), ASKING, ids=[name for name, _ in ASKING])
def test_each_endpoint_refuses_exactly_what_its_table_says_it_has_not(place, name, request_):
    profile = Profile(place, unsupported=DIALECT.unsupported(place))

    if CAPABILITIES[name][place] != "no":
        check_request(request_, profile)
        return
    with pytest.raises(Unsupported) as refused:
        check_request(request_, profile)
    assert f"{place} has no {name}; nothing was sent. {CAPABILITIES[name]['instead']}" in str(
        refused.value
    )


@pytest.mark.parametrize("name", CAPABILITIES)
@pytest.mark.parametrize("place", PLACES)
def test_what_no_request_can_say_is_asked_by_name(place, name):
    model = Responses(
        model="m",
        base_url="https://host.test/v1",
        profile=Profile(place, unsupported=DIALECT.unsupported(place)),
    )

    if CAPABILITIES[name][place] != "no":
        require(model, name)
        return
    with pytest.raises(Unsupported) as refused:
        require(model, name)
    assert CAPABILITIES[name]["instead"] in str(refused.value)


def test_a_model_without_a_profile_can_do_anything():
    require(object(), "webhooks")


class NoTransport:
    """Nothing may reach it."""

    def __init__(self):
        self.sent = 0

    async def send(self, request):
        self.sent += 1
        raise AssertionError

    stream = send

    async def aclose(self):
        pass


@pytest.mark.parametrize("host", ["mantle", "runtime"])
@pytest.mark.parametrize(
    "tool",
    [
        {"type": "file_search", "vector_store_ids": ["v"]},
        {"type": "code_interpreter", "container": {"type": "auto"}},
        {"type": "image_generation"},
        {"type": "shell"},
        {"type": "mcp", "server_label": "s", "server_url": "https://mcp.test"},
    ],
    ids=lambda tool: tool["type"],
)
async def test_on_bedrock_a_hosted_tool_that_is_not_there_is_refused_before_sending(host, tool):
    wire = NoTransport()
    model = bedrock_model(
        f"bedrock-{host}/openai.gpt-5.6-sol", region="us-east-1", api_key="k", transport=wire
    )

    with pytest.raises(Unsupported, match="nothing was sent"):
        await Agent(model).run("hi", settings=Settings(extra={"tools": [tool]}))
    assert not wire.sent


async def test_your_own_table_has_the_last_word():
    table = DIALECT.with_(capabilities={"file_search": {"mantle": "passed"}})
    profile = Profile("mantle", unsupported=table.unsupported("mantle"))

    check_request(Request((), tools=(hosted(type="file_search"),)), profile)
    with pytest.raises(Unsupported):
        check_request(
            Request((), tools=(hosted(type="file_search"),)),
            replace(profile, unsupported=DIALECT.unsupported("mantle")),
        )


async def test_tools_that_the_service_runs_come_with_a_warning_once():
    from toolstone.local import Script, serve

    search = ServerTool("web_search", search_context_size="low")
    with serve(Script(["found", "again"], by="sequence")) as endpoint:
        model = Responses(base_url=endpoint.base_url, model="any")
        agent = Agent(model, tools=[search])
        first, second = await agent.run("look"), await agent.run("look again")
        await model.aclose()

    warnings = [fact for fact in facts(first) if fact.what == "warning"]
    assert [fact.data for fact in warnings] == [{"tools": ["web_search"]}]
    assert "neither checks, limits nor prices" in warnings[0].text
    assert not [fact for fact in facts(second) if fact.what == "warning"]


def facts(result):
    return [record.fact for record in result.records if isinstance(record.fact, Noted)]
