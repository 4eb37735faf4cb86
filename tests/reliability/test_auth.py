"""Block A: who asks. Keys, credentials that end and change, clocks, providers that misbehave."""

import asyncio
import datetime as dt
import threading
import time

import pytest
import toolstone_peer as wire
import toolstone_rows as rows
import toolstone_virtual as virtual
import toolstone_wire_data as data
from botocore.credentials import Credentials, ReadOnlyCredentials
from toolstone_bedrock_stage import KEYS, Peered, Stage, told

from toolstone import Agent, ChatCompletions, Responses, Settings, limits, tool
from toolstone.bedrock import ApiKey, Keys, MintedKey, SigV4, bedrock_model
from toolstone.bedrock.verify import AccessKey, Asked, Verifier
from toolstone.errors import AuthError, ConfigError, FailedError
from toolstone.local.profiles import LoopbackTransport
from toolstone.wire import BearerAuth, HttpxTransport

SERVICE = "bedrock-mantle"
URL = "https://bedrock-mantle.us-east-1.api.aws/v1/responses"


pytestmark = pytest.mark.usefixtures("no_credentials")


def whole(text="hello"):
    return wire.json_reply(told(data, text))


# --------------------------------------------------------------------------------- A01: odd keys

DOORS = {
    "responses": lambda key, url, env: Responses(model="m", base_url=url, api_key=key),
    "function": lambda key, url, env: Responses(model="m", base_url=url, api_key=lambda: key),
    "chat": lambda key, url, env: ChatCompletions(model="m", base_url=url, api_key=key),
    "bedrock": lambda key, url, env: bedrock_model(
        "bedrock/openai.gpt-oss-20b@us-east-1", endpoint=url, api_key=key
    ),
    "AWS_BEARER_TOKEN_BEDROCK": lambda key, url, env: env(
        "bedrock/openai.gpt-oss-20b@us-east-1", AWS_BEARER_TOKEN_BEDROCK=key, AWS_BEDROCK_BASE_URL=url
    ),
    "OPENAI_API_KEY": lambda key, url, env: env(
        "openai/m", OPENAI_API_KEY=key, OPENAI_BASE_URL=url
    ),
}  # fmt: skip


async def refuse_key(key, door, peer, monkeypatch):
    """The check: a config error that does not show the key, and nobody was asked."""

    def ambient(model, **variables):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return model

    try:
        await Agent(DOORS[door](key, peer.base_url("H38"), ambient)).run("hi")
        raised = None
    except Exception as error:
        raised = error
    assert not peer.met
    assert isinstance(raised, ConfigError), repr(raised)
    shown = "".join(repr(e) + str(e) for e in (raised, raised.__cause__, raised.__context__))
    assert "canary" not in shown


ODD = [
    pytest.param(case.values[0], door, id=f"{case.id}-{door}")
    for case in rows.row_cases("A01")
    for door in DOORS
    if not (door.isupper() and "\0" in case.values[0]["key"])  # no variable can hold it
]


@pytest.mark.parametrize(("case", "door"), ODD)
async def test_a01_an_odd_key_is_refused_before_anything_is_sent(case, door, peer, monkeypatch):
    await refuse_key(case["key"], door, peer, monkeypatch)


async def test_a_key_that_nobody_looked_at_is_sent(peer, monkeypatch):
    """The alarm's own test."""
    monkeypatch.setattr("toolstone.wire.auth._bearer", lambda key: f"Bearer {key}")
    with pytest.raises(AssertionError):
        await refuse_key("canary key", "responses", peer, monkeypatch)


# ------------------------------------------------------------------ A02, A03: keys that have ended


class Rotating:
    """A provider whose credentials change whenever it is told to."""

    def __init__(self, step=0):
        self.n, self.step, self.asked = 1, step, 0

    def __call__(self):
        self.asked += 1
        keys = self.keys(self.n)
        self.n += self.step
        return keys

    @staticmethod
    def keys(n):
        return Keys(f"ASIA{n:012d}", f"secret-{n}-of-many", f"token-{n}-of-many")


def signers(provider):
    keys = iter(range(100))
    return {
        "signed": lambda: SigV4("us-east-1", SERVICE, credentials=provider),
        "minted": lambda: MintedKey("us-east-1", credentials=provider),
        "function": lambda: ApiKey(lambda: f"ABSKkey-{next(keys)}"),
    }


@pytest.mark.parametrize("how", ["signed", "minted", "function"])
@pytest.mark.parametrize("case", rows.row_cases("A02"))
async def test_a02_an_expired_key_is_renewed_once_and_the_answer_comes(case, how):
    refused = wire.json_reply({"message": case["message"]}, case["status"])
    options = {"auth": signers(Rotating(step=1))[how](), "api_key": None}
    async with Peered(wire, refused, whole(), **options) as stage:
        assert (await stage.agent().run("hi")).output == "hello"
        first, second = (seen.headers["authorization"] for seen in stage.peer.requests)
    assert first != second


@pytest.mark.parametrize("how", ["signed", "minted", "function"])
@pytest.mark.parametrize("case", rows.row_cases("A02"))
async def test_a02_a_key_that_is_refused_again_is_an_auth_error(case, how):
    refused = wire.json_reply({"message": case["message"]}, case["status"])
    options = {"auth": signers(Rotating(step=1))[how](), "api_key": None}
    async with Peered(wire, refused, **options) as stage:
        with pytest.raises(FailedError) as caught:
            await stage.agent().run("hi")
        assert len(stage.peer.requests) == 2
    assert (type(caught.value.__cause__), caught.value.__cause__.kind) == (AuthError, "auth")


def signed_by(seen, n, at):
    """Whether a request that arrived is signed whole with the nth credentials."""
    keys = Rotating.keys(n)
    known = AccessKey(keys.access_key, keys.secret_key, keys.token)
    verifier = Verifier([known], clock=lambda: dt.datetime.fromtimestamp(at, dt.UTC))
    asked = Asked(
        seen.method, seen.target, list(seen.headers.items()), seen.body, SERVICE, "us-east-1"
    )
    return verifier(asked).kind == "signature"


async def test_a03_each_attempt_and_each_turn_is_signed_with_the_credentials_of_now():
    provider = Rotating(step=1)

    @tool
    def look(city: str) -> str:
        """Look."""
        return "sunny"

    call = {**data.CALL, "name": "look", "arguments": '{"city":"Paris"}'}
    busy = wire.json_reply({"message": "busy"}, 503)
    answers = [busy, wire.json_reply(data.response(call)), busy, whole()]
    auth = SigV4("us-east-1", SERVICE, credentials=provider)
    async with Peered(wire, *answers, auth=auth, api_key=None) as stage:
        result = await stage.agent(look).run("hi")
        seen = stage.peer.requests
    assert (result.output, len(seen)) == ("hello", 4)
    assert all(signed_by(one, n, time.time()) for n, one in enumerate(seen, 1))


async def test_a03_credentials_that_end_in_a_stream_do_not_end_it():
    provider, go = Rotating(), asyncio.Event()
    events = data.narrate(data.RESPONSES["text"])
    begun, rest = data.encode(events[:5]), data.encode(events[5:])
    stream = [wire.chunked_head(), wire.chunk(begun), go, wire.chunk(rest), wire.END]
    auth = SigV4("us-east-1", SERVICE, credentials=provider)
    async with Peered(wire, stream, auth=auth, api_key=None) as stage:
        running = asyncio.create_task(stage.agent(settings=Settings(stream=True)).run("hi"))
        await stage.peer.asked.wait()
        provider.n, asked = 9, provider.asked
        go.set()
        result = await running
        [seen] = stage.peer.requests
    assert result.output == "It is 21 °C in Paris. 😀"
    assert provider.asked == asked
    assert signed_by(seen, 1, time.time())


# ----------------------------------------------------------------------------- A04: never mixed


class RotatingChain(Credentials):
    """botocore's kind of credentials, other ones whenever they are looked at."""

    method = "rotating"

    def __init__(self):
        self.n, self._lock = 0, threading.Lock()
        super().__init__("x", "x", "x")

    def refresh_needed(self):
        return True

    def _next(self):
        with self._lock:
            self.n += 1
            return Rotating.keys(self.n)

    access_key = property(lambda self: self._next().access_key, lambda self, _: None)
    secret_key = property(lambda self: self._next().secret_key, lambda self, _: None)
    token = property(lambda self: self._next().token, lambda self, _: None)

    def get_frozen_credentials(self):
        keys = self._next()
        return ReadOnlyCredentials(keys.access_key, keys.secret_key, keys.token)


def sign_at_once(auth, threads=4, waves=25, each=10):
    """A thousand signatures at once, from several event loops; each is whole of one triple."""
    found, now = [], time.time()

    async def many():
        headers = {"host": "bedrock-mantle.us-east-1.api.aws"}
        for wave in range(waves):
            bodies = [f"{wave} {n}".encode() for n in range(each)]
            signed = await asyncio.gather(*(auth.headers("POST", URL, headers, b) for b in bodies))
            found.extend(zip(bodies, signed, strict=True))

    running = [threading.Thread(target=lambda: asyncio.run(many())) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    assert len(found) == threads * waves * each
    for body, headers in found:
        n = int(headers["x-amz-security-token"].split("-")[1])
        sent = {"host": "bedrock-mantle.us-east-1.api.aws", **headers}
        assert signed_by(wire.Seen("POST", "/v1/responses", sent, body), n, now)
    return len({headers["x-amz-security-token"] for _, headers in found})


def test_a04_a_thousand_signatures_while_the_providers_credentials_change_are_never_mixed():
    auth = SigV4("us-east-1", SERVICE, credentials=Rotating(step=1))

    assert sign_at_once(auth) > 10


def test_a04_nor_are_those_of_botocores_chain(monkeypatch):
    chain = RotatingChain()
    monkeypatch.setattr("botocore.session.Session.get_credentials", lambda self: chain)

    assert sign_at_once(SigV4("us-east-1", SERVICE)) > 10


def test_credentials_that_are_read_in_parts_are_found_to_be_mixed(monkeypatch):
    """The alarm's own test: key, secret and token, each looked at by itself."""
    chain = RotatingChain()
    monkeypatch.setattr("botocore.session.Session.get_credentials", lambda self: chain)
    monkeypatch.setattr(
        "toolstone.bedrock.credentials._frozen",
        lambda found: Keys(found.access_key, found.secret_key, found.token),
    )
    from toolstone.bedrock.verify import VerifyError

    with pytest.raises(VerifyError):
        sign_at_once(SigV4("us-east-1", SERVICE), threads=1, waves=1, each=3)


# ------------------------------------------------------------------------- A05: odd providers


async def ask(auth):
    return await auth.headers("POST", URL, {}, b"{}")


@pytest.mark.parametrize("how", ["signed", "minted"])
@pytest.mark.parametrize("ends", ["well", "raising", "None"])
async def test_a05_a_thousand_who_wait_for_a_slow_provider_ask_it_once(how, ends):
    asked, met = [], threading.Event()

    def provider():
        asked.append(1)
        assert met.wait(5)
        if ends == "raising":
            raise OSError("canary")
        return KEYS if ends == "well" else None

    auth = signers(provider)[how]()
    waiting = [asyncio.create_task(ask(auth)) for _ in range(1000)]
    await asyncio.sleep(0)
    met.set()
    found = await asyncio.gather(*waiting, return_exceptions=True)

    assert len(asked) == 1
    if ends != "well":
        assert {type(one) for one in found} == {ConfigError}
        assert len({id(one) for one in found}) == 1000
        assert "canary" not in str(found[0])


@pytest.mark.parametrize("how", ["signed", "minted"])
def test_a05_a_provider_that_hangs_is_named_after_a_minute(how):
    auth = signers(threading.Event().wait)[how]()

    async def main():
        with pytest.raises(ConfigError, match=r"limits\.CREDENTIALS_SECONDS"):
            await ask(auth)
        return virtual.now()

    assert virtual.run_virtually(main()) == pytest.approx(limits.CREDENTIALS_SECONDS, abs=0.01)


async def _raises():
    raise OSError("canary")


async def _returns_none():
    return None


async def _hangs():
    await asyncio.Event().wait()


@pytest.mark.parametrize("make", [BearerAuth, ApiKey])
@pytest.mark.parametrize("function", [_raises, _returns_none, _hangs, lambda: 1 / 0, lambda: None])
def test_a05_a_function_that_gives_no_key_is_a_config_error(function, make):
    with pytest.raises(ConfigError, match="API key") as caught:
        virtual.run_virtually(ask(make(function)))
    assert "canary" not in str(caught.value)


# ------------------------------------------------------------------------------------ A06: clocks


class Counting:
    def __init__(self, inner):
        self.inner, self.requests, self.stream, self.aclose = inner, 0, inner.stream, inner.aclose

    async def send(self, request):
        self.requests += 1
        return await self.inner.send(request)


@pytest.mark.parametrize("case", rows.row_cases("A06"))
def test_a06_a_clock_that_is_off_costs_one_attempt_once(case):
    with Stage(["hello", "hello"], skew=case["seconds"], by="sequence") as stage:
        counting = Counting(HttpxTransport())
        stage.transport = LoopbackTransport(stage.transport._served, counting)
        agent, requests = stage.agent(), []
        for _ in range(2):
            before = counting.requests
            assert agent.run_sync("hi").output == "hello"
            requests.append(counting.requests - before)
    assert requests == case["requests"]
