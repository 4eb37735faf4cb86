"""Block N: whom we speak to. Every socket is audited (tests/reach.py), in every test."""

import asyncio
import socket
from contextlib import asynccontextmanager, suppress
from urllib.parse import quote, urlsplit

import httpx
import pytest
import toolstone_peer as wire
import toolstone_reach as reach
import toolstone_rows as rows
import toolstone_wire_data as data
from toolstone_bedrock_stage import told
from toolstone_meeting import KEY, PROMPT, Meeting

from toolstone import Agent, ChatCompletions, File, Image, Responses, Settings, tool
from toolstone.errors import InputError, ServiceError
from toolstone.items import parse_item, user
from toolstone.local import Script, serve
from toolstone.models import resolve_model
from toolstone.ports import Request
from toolstone.testing.faults import SCENARIOS
from toolstone.wire import Deadlines, HttpxTransport

pytestmark = pytest.mark.usefixtures("no_credentials")
MUCH = frozenset({"H22", "H30", "H32", "S10", "S11"})
"""Rows whose scenarios send very much: test_http.py and test_sse.py meet them, audited too."""


def ports():
    """The ports that this process has connected to in this test."""
    return {place[1] for place in reach.heard()}


def port_of(url):
    return urlsplit(url).port


# ---------------------------------------------------------------------------- N01, N02: elsewhere


async def meet_all(peer, names, transport, carrier=None):
    """The check: whatever the peer does, we speak to it alone."""
    for name in names:
        make = transport if carrier is None else lambda: carrier
        deadlines = Deadlines(connect=5, idle=0.1, total=0.5)
        met = Meeting(peer, peer.base_url(name), make, deadlines=deadlines)
        for door in ("plain", "streamed"):
            await met.ask(door)
        await met.model.aclose()
    assert peer.strayed == 0
    known = {port_of(peer.base_url(name)) for name in names}
    assert ports() <= known
    for one in (met for met in peer.met if met.headers):  # H02 reads nothing
        assert one.headers.get("authorization") == f"Bearer {KEY}", one


@pytest.mark.parametrize("scenario", ["H36-307", "H36-308", "H37-301", "H37-302", "H38"])
async def test_n01_a_redirect_is_not_followed_anywhere(scenario, peer, transport):
    await meet_all(peer, [scenario], transport)

    assert len(peer.met) == 2
    assert not any(PROMPT in str(one.headers) for one in peer.met)


class Following(httpx.AsyncClient):
    """A client that follows redirects whatever it is told."""

    async def send(self, request, **options):
        return await super().send(request, **{**options, "follow_redirects": True})


async def test_a_client_that_follows_redirects_is_found(peer):
    """The alarm's own test."""
    async with Following(timeout=0.3) as client:
        with pytest.raises(AssertionError):
            await meet_all(peer, ["H36-307"], None, carrier=HttpxTransport(client))


@pytest.mark.parametrize("block", ["H", "S", "E"])
async def test_n02_no_scenario_makes_us_speak_to_anybody_else(block, peer, transport):
    first = {name.partition("-")[0]: name for name in reversed(SCENARIOS) if name[0] == block}
    await meet_all(peer, [name for row, name in first.items() if row not in MUCH], transport)

    assert ports()


def test_a_test_that_leaves_this_machine_fails_and_does_not_get_there(audit):
    """The alarm's own test: the audit itself, on what must not be."""
    far = [("192.0.2.1", 9), ("2001:db8::1", 9), ("169.254.169.254", 80), ("10.0.0.1", 443)]
    for place in far:
        family = socket.AF_INET6 if ":" in place[0] else socket.AF_INET
        with socket.socket(family) as one, pytest.raises(OSError, match="this machine alone"):
            one.connect(place)
    with socket.socket(type=socket.SOCK_DGRAM) as one, pytest.raises(OSError, match="alone"):
        one.sendto(b"x", far[0])
    with pytest.raises(OSError, match="alone"):
        socket.getaddrinfo("service.example", 443)
    assert len(audit.outside) == 6
    with pytest.raises(pytest.fail.Exception, match="it went outside"):
        end = audit.pytest_runtest_teardown()
        next(end)
        end.send(None)


@pytest.fixture
def audit(request):
    """The plugin of this very run; what this test did on purpose is taken from it again."""
    plugin = request.config.pluginmanager.getplugin("reach")
    yield plugin
    plugin.outside = []


# --------------------------------------------------------------------- N04: what content may say


@asynccontextmanager
async def elsewhere():
    """An origin where nobody should ever come."""
    came = []

    async def note(reader, writer):
        came.append(await reader.read(65536))
        writer.close()

    async with await asyncio.start_server(note, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", came


def pointing(url):
    """An answer that names another origin wherever it can: in a call, fields and headers."""
    call = {**data.CALL, "name": "look", "arguments": '{"city":"Paris"}'}
    fields = ("base_url", "endpoint", "url", "status_url", "location", "next", "callback_url")
    extra = dict.fromkeys(fields, url) | {"metadata": {"base_url": url, "endpoint": url}}
    headers = ("location", "content-location", "refresh", "alt-svc", "link", "x-amz-endpoint")
    lines = [f"{name}: {url}" for name in headers]
    return wire.json_reply(data.response(call, **extra), 200, *lines)


async def obey_nothing(send=None):
    """The check: a run whose answer and tool name another origin goes on where it was."""
    async with elsewhere() as (url, came):

        @tool
        def look(city: str) -> str:
            """Look."""
            return f'{{"base_url": "{url}/v1", "OPENAI_BASE_URL": "{url}", "location": "{url}"}}'

        async with wire.Peer(pointing(url), wire.json_reply(told(data))) as peer:
            transport = HttpxTransport()
            if send is not None:
                transport.send = send(transport.send)
            model = Responses(model="m", base_url=peer.url, api_key=KEY, transport=transport)
            async with model:
                result = await Agent(model, tools=[look]).run("hi")
            assert (result.output, len(peer.requests)) == ("hello", 2)
            assert ports() == {peer.port}
        assert came == []


async def test_n04_what_an_answer_or_a_tool_says_moves_no_request():
    await obey_nothing()


async def test_a_client_that_obeys_what_an_answer_says_is_found():
    """The alarm's own test."""
    from dataclasses import replace

    def obeying(send):
        there = []

        async def moved(request):
            if there:
                request = replace(request, url=f"{there[0]}/v1/responses")
            reply = await send(request)
            there.extend(value for name, value in reply.headers.items() if name == "location")
            return reply

        return moved

    with pytest.raises((AssertionError, Exception)) as caught:
        await obey_nothing(obeying)
    assert "hello" not in str(caught.value)


# ------------------------------------------------------------------- N08: URLs that are told of


def history(url):
    """Items that name URLs in every place that one may stand in."""
    parts = [
        {"type": "input_image", "image_url": f"{url}/image.png", "detail": "auto"},
        {"type": "input_file", "file_url": f"{url}/file.pdf"},
        {"type": "input_text", "text": f"![x]({url}/markdown.png) <img src='{url}/tag.png'>"},
    ]
    cited = {
        "type": "url_citation",
        "url": f"{url}/cited",
        "title": "x",
        "start_index": 0,
        "end_index": 1,
    }
    text = {"type": "output_text", "text": f"[x]({url}/link)", "annotations": [cited]}
    call = {**data.CALL, "call_id": "call_x", "name": "look", "arguments": f'{{"city":"{url}"}}'}
    output = {"type": "function_call_output", "call_id": "call_x", "output": parts[:2]}
    said = {"type": "message", "role": "assistant", "status": "completed", "content": [text]}
    return [{"type": "message", "role": "user", "content": parts}, said, call, output]


def raw_clients(base):
    made = {"base_url": base, "model": "m", "api_key": KEY}
    return Responses(**made), ChatCompletions(**made)


async def every_door(base, url):
    """Send the history through all that takes one."""
    items = [parse_item(raw) for raw in history(url)]
    native, chat = raw_clients(base)
    new = user([Image(url=f"{url}/new.png"), File(url=f"{url}/new.pdf"), "What is this?"])
    attempts = [
        *(model.respond(Request((*items, new), stream=stream), _nobody)
          for model in (native, chat) for stream in (False, True)),
        native.count_tokens(input=history(url)),
        native.compact(input=history(url)),
        native.create(input=history(url)),
        native.create(input=history(url), background=True, store=True),
        native.conversations.create(items=history(url)),
        Agent(native, tools=[_show(url)]).run([*items, new]),
        Agent(native, settings=Settings(stream=True)).run([*items, new]),
    ]  # fmt: skip
    for attempt in attempts:
        with suppress(Exception):  # the brain does not see images; what counts is who is asked
            await attempt
    await native.aclose()
    await chat.aclose()


async def _nobody(_):
    pass


def _show(url):
    @tool
    def show(city: str) -> Image:
        """Show."""
        return Image(url=f"{url}/shown.png")

    return show


async def fetch_nothing():
    """The check: URLs in a history are passed on, and nobody looks at them."""
    async with elsewhere() as (url, came):
        with serve(Script(["a picture", "hello"], by="sequence")) as served:
            await every_door(served.base_url, url)
            assert ports() == {port_of(served.base_url)}
        async with wire.Peer(wire.json_reply(told(data))) as peer:
            await every_door(peer.url, url)
            assert any(f"{url}/image.png" in seen.body.decode() for seen in peer.requests)
            assert ports() <= {port_of(served.base_url), peer.port}
        assert came == []


async def test_n08_urls_in_a_history_are_never_fetched():
    await fetch_nothing()


async def test_n08_nor_by_the_brains_of_the_local_endpoint():
    """Those that pass a request on, and those that answer by a function."""
    async with elsewhere() as (url, came), wire.Peer(wire.json_reply(told(data))) as upstream:
        model = Responses(model="m", base_url=upstream.url, api_key=KEY)
        with serve(model) as served:
            await every_door(served.base_url, url)
            assert ports() <= {port_of(served.base_url), upstream.port}
        await model.aclose()
        assert came == []


async def test_a_renderer_that_looks_at_an_image_is_found(monkeypatch):
    """The alarm's own test: a helper that measures images before they are sent."""
    import toolstone.parts

    told_of = toolstone.parts._reachable

    def looking(part, most):
        url = told_of(part, most)
        host, port = urlsplit(url).hostname, urlsplit(url).port
        socket.create_connection((host, port)).close()
        return url

    monkeypatch.setattr(toolstone.parts, "_reachable", looking)
    with pytest.raises(AssertionError):
        await fetch_nothing()


# ------------------------------------------------------------------------------ N09: ids in paths

PLACES = {
    "retrieve": lambda c, i: c.retrieve(i),
    "cancel": lambda c, i: c.cancel(i),
    "delete": lambda c, i: c.delete(i),
    "input_items": lambda c, i: c.input_items(i),
    "wait": lambda c, i: c.wait(i),
    "find_model": lambda c, i: c.find_model(i),
    "conversation": lambda c, i: c.conversations.retrieve(i),
    "conversation items": lambda c, i: c.conversations.items(i),
    "conversation item": lambda c, i: c.conversations.item("conv_1", i),
    "forget conversation": lambda c, i: c.conversations.delete(i),
    "forget item": lambda c, i: c.conversations.remove(i, "msg_1"),
    "update": lambda c, i: c.conversations.update(i, {}),
    "add items": lambda c, i: c.conversations.add(i, [user("x")]),
}
BEGINS = ("/v1/responses/", "/v1/models/", "/v1/conversations/")


async def ask_by_id(given, place):
    """The check: an odd id is refused, or stands in the path as one step."""
    before = len(reach.heard())
    async with wire.Peer(wire.json_reply({"error": {"message": "x"}}, 400)) as peer:
        async with Responses(model="m", base_url=peer.url, api_key=KEY) as client:
            with suppress(ServiceError, InputError):
                await PLACES[place](client, given)
        for seen in peer.requests:
            path = seen.target.partition("?")[0]
            begin = next(one for one in BEGINS if path.startswith(one))
            steps = path.removeprefix(begin).split("/")
            assert steps[0] in (quote(given, safe=""), "conv_1")
            assert not {"", ".", ".."} & set(steps)
            assert len(steps) <= 3
            assert set(steps[1:]) <= {
                "cancel",
                "input_items",
                "items",
                quote(given, safe=""),
                "msg_1",
            }
        assert {place[1] for place in reach.heard()[before:]} <= {peer.port}
        return len(peer.requests)


@pytest.mark.parametrize("case", rows.row_cases("N09"))
async def test_n09_an_id_is_one_step_of_a_path_or_refused(case):
    sent = [await ask_by_id(case["id"], place) for place in PLACES]

    if case["id"].startswith("resp_1") and set(case["id"]) <= set("resp_1:2+3=~."):
        assert all(sent)


@pytest.mark.parametrize("given", ["resp_1/../../admin", "../admin", "resp_1?x=1"])
async def test_ids_that_are_pasted_into_paths_are_found(given, monkeypatch):
    """The alarm's own test."""
    for where in ("operations", "client", "polling", "conversations", "background"):
        monkeypatch.setattr(
            f"toolstone.responses.{where}.path_segment", lambda text, name=False: text
        )
    with pytest.raises((AssertionError, StopIteration, RuntimeError)):
        await ask_by_id(given, "retrieve")


@pytest.mark.parametrize("given", ["../../admin", "resp_1/cancel", "http://evil.example/"])
async def test_n09_an_id_that_a_server_gives_is_not_trusted_either(given):
    accepted = {**data.response(), "id": given, "status": "queued", "output": []}
    async with wire.Peer(wire.json_reply(accepted)) as peer:
        async with Responses(model="m", base_url=peer.url, api_key=KEY) as model:
            with pytest.raises(Exception, match="id") as caught:
                await Agent(model, settings=Settings(background=True)).run("hi")
        assert [seen.target for seen in peer.requests] == ["/v1/responses"]
    assert type(caught.value).__module__ == "toolstone.errors"


def test_n10_there_is_no_tracing():
    """What the row says is missing is not there."""
    from pathlib import Path

    import toolstone

    for path in Path(toolstone.__file__).parent.rglob("*.py"):
        text = path.read_text().lower()
        assert "traceparent" not in text, path
        assert "baggage" not in text, path


def test_the_strings_of_models_are_resolved_without_asking_anybody():
    for name in ("bedrock/openai.gpt-oss-20b@us-east-1", "responses+https://x.example/v1#m"):
        resolve_model(name)
    assert ports() == set()
