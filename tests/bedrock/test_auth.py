"""Who asks: keys, minted keys and signatures, against botocore and AWS's own generator."""

import asyncio
import copy
import datetime as dt
import hashlib
import logging
import os
import pickle
import random
import string
import subprocess
import sys
import threading
from email.utils import format_datetime

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials, ReadOnlyCredentials

from toolstone import limits
from toolstone.bedrock import ApiKey, Keys, MintedKey, SigV4
from toolstone.bedrock.credentials import Chain, MissingCredentialsError
from toolstone.bedrock.flight import Flight
from toolstone.bedrock.signing import mint, sign
from toolstone.errors import ConfigError
from toolstone.wire import Auth

AT = dt.datetime(2026, 11, 21, 12, 34, 56, tzinfo=dt.UTC)
NOW = AT.timestamp()
KEYS = Keys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
SESSION = Keys(KEYS.access_key, KEYS.secret_key, "FwoGZXIvYXdzE+/=a b&c%")
URL = "https://bedrock-mantle.us-west-2.api.aws/v1/responses"
HEADERS = {
    "user-agent": "toolstone",
    "content-type": "application/json",
    "accept-encoding": "identity",
    "accept": "text/event-stream",
}
SECRETS = (KEYS.secret_key, SESSION.token)
# Of the official generator 1.1.0, at AT in us-west-2 for twelve hours.
GENERATED = {
    None: "20a43a1bebc6a3bd0d2b111a622b4002be8e507852ac861f3149773e098c27b4",
    SESSION.token: "6f0c02633f736c29f91a64d77959df27114117e859f1ccfd983ba1fa2490a522",
}


@pytest.fixture
def frozen(monkeypatch):
    """botocore's own clock, for what it signs beside us."""
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_, **__: AT)


def botocore_signed(keys, method, url, headers, body, region, service):
    """What plain botocore makes of a request."""
    request = AWSRequest(method=method, url=url, data=body)
    for name, value in headers.items():
        request.headers[name] = value
    request.headers["X-Amz-Content-SHA256"] = hashlib.sha256(body).hexdigest()
    credentials = Credentials(keys.access_key, keys.secret_key, keys.token)
    botocore.auth.SigV4Auth(credentials, service, region).add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()}


async def ask(auth, url=URL, body=b"{}"):
    return await auth.headers("POST", url, HEADERS, body)


def token_of(headers):
    return headers["authorization"].removeprefix("Bearer ")


class Clock:
    def __init__(self, now=NOW):
        self.now = now

    def __call__(self):
        return self.now


# ------------------------------------------------------------------------------------- API keys


async def test_an_api_key_is_a_bearer():
    assert await ask(ApiKey("ABSKkey")) == {"authorization": "Bearer ABSKkey"}


async def test_a_function_is_asked_for_every_attempt_and_after_a_refusal():
    keys = iter(["ABSKone", "ABSKtwo"])
    auth = ApiKey(lambda: next(keys))
    assert token_of(await ask(auth)) == "ABSKone"
    assert await auth.learn(403, {})
    assert token_of(await ask(auth)) == "ABSKtwo"
    assert not await auth.learn(500, {})


async def test_a_fixed_key_learns_nothing():
    assert not await ApiKey("ABSKkey").learn(401, {})


@pytest.mark.parametrize(
    "url",
    [
        URL,
        "https://bedrock-runtime.eu-west-1.amazonaws.com/openai/v1/responses",
        "https://bedrock-runtime-fips.us-east-1.amazonaws.com/openai/v1/responses",
    ],
)
async def test_a_left_over_openai_key_never_goes_to_aws(url):
    with pytest.raises(ConfigError, match="was not sent to AWS") as caught:
        await ask(ApiKey(lambda: "sk-proj-very-secret"), url=url)
    assert "very-secret" not in str(caught.value)


async def test_a_gateway_of_your_own_may_have_keys_that_look_like_any():
    assert token_of(await ask(ApiKey("sk-1234567"), url="http://127.0.0.1:1/v1/responses"))


@pytest.mark.parametrize("key", ["", "  ", "a b", "k\n", "kéy"])
def test_a_key_that_cannot_be_is_refused_without_being_shown(key):
    with pytest.raises(ConfigError) as caught:
        ApiKey(key)
    assert not key.strip() or key not in str(caught.value)


# ------------------------------------------------------------------------------------- signatures


@pytest.mark.parametrize("keys", [KEYS, SESSION], ids=["permanent", "temporary"])
@pytest.mark.parametrize("service", ["bedrock-mantle", "bedrock"])
async def test_a_signature_is_botocores(frozen, keys, service):
    auth = SigV4("us-west-2", service, credentials=keys, clock=Clock())
    body = '{"input":"é😀"}'.encode()
    ours = await ask(auth, body=body)
    signed = {"content-type": HEADERS["content-type"]}
    assert isinstance(auth, Auth)
    theirs = botocore_signed(keys, "POST", URL, signed, body, "us-west-2", service)
    assert ours == {name: theirs[name] for name in ours}
    assert ours["x-amz-content-sha256"] == hashlib.sha256(body).hexdigest()
    assert ("x-amz-security-token" in ours) == (keys is SESSION)
    assert f"/us-west-2/{service}/aws4_request" in ours["authorization"]


PLAIN = string.ascii_letters + string.digits + "-_.~"


def random_request(chance):
    host = f"{''.join(chance.choices(string.ascii_lowercase, k=6))}.us-east-1.api.aws"
    steps = ["".join(chance.choices(PLAIN + "%:@ é", k=chance.randint(0, 8))) for _ in range(4)]
    pairs = [
        f"{chance.choice('abcABC')}{chance.choice(['', '=', '=x', '=%20y', '=z='])}"
        for _ in range(chance.randint(0, 4))
    ]
    port = chance.choice(["", ":443", ":8443"])
    url = f"https://{host}{port}/{'/'.join(steps)}" + ("?" + "&".join(pairs) if pairs else "")
    headers = {
        chance.choice(["content-type", "X-Custom", "openai-project", "x-amz-meta-a"]): "".join(
            chance.choices(PLAIN + "  \t,;", k=chance.randint(1, 20))
        ).strip()
        or "v"
        for _ in range(chance.randint(0, 4))
    }
    body = chance.randbytes(chance.choice([0, 1, 7, 64, 1000]))
    keys = Keys(
        "AKIA" + "".join(chance.choices(string.ascii_uppercase, k=16)),
        "".join(chance.choices(PLAIN + "+/", k=40)),
        chance.choice([None, "".join(chance.choices(PLAIN + "+/=", k=80))]),
    )
    return keys, chance.choice(["POST", "GET", "DELETE"]), url, headers, body


def test_random_requests_are_signed_as_plain_botocore_signs_them(frozen):
    """100,000 with TOOLSTONE_LONG=1; the seed is fixed, so that a difference can be found again."""
    chance = random.Random(20261121)
    for number in range(100_000 if os.environ.get("TOOLSTONE_LONG") else 2_000):
        keys, method, url, headers, body = random_request(chance)
        region = chance.choice(["us-east-1", "ap-southeast-3"])
        service = chance.choice(["bedrock", "bedrock-mantle"])
        ours = sign(keys, method, url, headers, body, region=region, service=service, at=NOW)
        theirs = botocore_signed(keys, method, url, headers, body, region, service)
        assert ours == {name: theirs[name] for name in ours}, number


async def test_what_proxies_change_is_not_signed_and_a_callers_authorization_is_replaced():
    auth = SigV4("us-west-2", "bedrock", credentials=SESSION, clock=Clock())
    given = {**HEADERS, "Authorization": "Bearer sk-other", "openai-project": "proj_1"}
    found = await auth.headers("POST", URL, given, b"")
    assert (
        "SignedHeaders=content-type;host;openai-project;x-amz-content-sha256;x-amz-date;"
        "x-amz-security-token" in found["authorization"]
    )


# ---------------------------------------------------------------------------------- minted keys


@pytest.mark.parametrize("keys", [KEYS, SESSION], ids=["permanent", "temporary"])
@pytest.mark.parametrize("seconds", [1, 900, 43_200])
def test_a_minted_key_is_the_official_generators(frozen, keys, seconds):
    generator = pytest.importorskip("aws_bedrock_token_generator.token_generator")
    credentials = Credentials(keys.access_key, keys.secret_key, keys.token)
    theirs = generator._generate_token(credentials, "us-west-2", seconds)
    assert mint(keys, region="us-west-2", seconds=seconds, at=NOW) == theirs


@pytest.mark.parametrize("keys", [KEYS, SESSION], ids=["permanent", "temporary"])
def test_a_minted_key_is_what_the_official_generator_was_seen_to_make(keys):
    made = mint(keys, region="us-west-2", seconds=43_200, at=NOW)
    assert hashlib.sha256(made.encode()).hexdigest() == GENERATED[keys.token]


async def test_a_minted_key_is_shared_until_most_of_its_life_is_over():
    clock = Clock()
    auth = MintedKey("us-west-2", credentials=KEYS, seconds=1000, clock=clock)
    first = token_of(await ask(auth))
    assert first == mint(KEYS, region="us-west-2", seconds=1000, at=NOW)
    clock.now += 799
    assert token_of(await ask(auth)) == first
    clock.now += 2
    assert token_of(await ask(auth)) == mint(KEYS, region="us-west-2", seconds=1000, at=NOW + 801)


async def test_a_minted_key_is_renewed_before_the_credentials_behind_it_end():
    clock, made = Clock(), []

    def provider():
        made.append(Keys("AKID", f"secret{len(made)}", "token", expires=clock.now + 1000))
        return made[-1]

    auth = MintedKey("us-west-2", credentials=provider, seconds=3600, clock=clock)
    first = token_of(await ask(auth))
    clock.now += 1000 - limits.BEDROCK_KEY_MARGIN - 1
    assert token_of(await ask(auth)) == first
    clock.now += 2
    assert token_of(await ask(auth)) != first
    assert len(made) == 2


async def test_a_refused_minted_key_is_dropped_with_the_credentials_behind_it():
    asked = []

    def provider():
        asked.append(1)
        return Keys("AKID", f"secret{len(asked)}", expires=NOW + 9999)

    auth = MintedKey("us-west-2", credentials=provider, clock=Clock())
    first = token_of(await ask(auth))
    assert await auth.learn(401, {})
    assert token_of(await ask(auth)) != first
    assert not await auth.learn(429, {})


async def test_a_thousand_requests_mint_one_key():
    met, asked = threading.Event(), []

    def provider():
        asked.append(1)
        assert met.wait(5)
        return KEYS

    auth = MintedKey("us-west-2", credentials=provider, clock=Clock())
    waiting = [asyncio.create_task(ask(auth)) for _ in range(1000)]
    await asyncio.sleep(0)
    waiting[0].cancel()  # the one who began it goes away
    await asyncio.sleep(0)
    met.set()
    found = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(found[0], asyncio.CancelledError)
    assert len({token_of(headers) for headers in found[1:]}) == 1
    assert len(asked) == 1


@pytest.mark.parametrize("seconds", [0, 43_201, -1])
def test_a_life_that_cannot_be_is_refused(seconds):
    with pytest.raises(ConfigError, match="43200"):
        MintedKey("us-west-2", credentials=KEYS, seconds=seconds)


def test_a_region_is_needed_to_sign():
    for make in (lambda: MintedKey("", credentials=KEYS), lambda: SigV4("", "bedrock")):
        with pytest.raises(ConfigError, match="AWS_REGION"):
            make()


# ----------------------------------------------------------------------------------------- clock


@pytest.mark.parametrize("off", [-1200, -240, 240, 1200])
async def test_a_clock_that_is_off_is_corrected_by_a_refusal_and_stays_so(off):
    auth = SigV4("us-west-2", "bedrock", credentials=KEYS, clock=Clock(NOW + off))
    assert (await ask(auth))["x-amz-date"] != "20261121T123456Z"
    refusal = {"date": format_datetime(AT, usegmt=True)}
    assert await auth.learn(403, refusal)
    assert (await ask(auth))["x-amz-date"] == "20261121T123456Z"
    assert not await auth.learn(403, refusal)


async def test_a_minted_key_has_the_corrected_time_too():
    auth = MintedKey("us-west-2", credentials=KEYS, clock=Clock(NOW + 900))
    await ask(auth)
    assert await auth.learn(401, {"date": format_datetime(AT, usegmt=True)})
    assert token_of(await ask(auth)) == mint(KEYS, region="us-west-2", seconds=3600, at=NOW)


@pytest.mark.parametrize("date", ["", "yesterday", "Sat, 21 Nov 2026 12:35:20 GMT"])
async def test_a_date_that_says_nothing_new_teaches_nothing(date):
    auth = SigV4("us-west-2", "bedrock", credentials=KEYS, clock=Clock())
    await ask(auth)
    assert not await auth.learn(401, {"date": date})


async def test_only_a_refusal_of_who_asks_is_learnt_from():
    auth = SigV4("us-west-2", "bedrock", credentials=KEYS, clock=Clock(NOW + 900))
    assert not await auth.learn(500, {"date": format_datetime(AT, usegmt=True)})


# ----------------------------------------------------------------------------------- credentials


async def test_rotating_credentials_are_never_mixed():
    """Each call of the provider gives another triple; a signature must be of one of them."""
    lock, count = threading.Lock(), [0]

    def provider():
        with lock:
            count[0] += 1
            n = count[0]
        return (f"AKID{n:06d}", f"secret{n:06d}", f"token{n:06d}")

    auth = SigV4("us-west-2", "bedrock", credentials=provider, clock=Clock())

    async def one(number):
        if number % 7 == 0:
            await asyncio.sleep(0)
        return await ask(auth, body=str(number).encode())

    for number, found in enumerate(await asyncio.gather(*(one(n) for n in range(1000)))):
        name = found["x-amz-security-token"].removeprefix("token")
        keys = Keys(f"AKID{name}", f"secret{name}", f"token{name}")
        body = str(number).encode()
        assert found == sign(
            keys, "POST", URL, HEADERS, body, region="us-west-2", service="bedrock", at=NOW
        )
    again = await ask(auth)
    assert again["x-amz-security-token"] == f"token{count[0]:06d}"
    assert count[0] >= 2


async def test_credentials_refreshed_after_a_refusal_ask_for_one_more_attempt():
    triples = [("A", "s1", "t1"), ("A", "s1", "t1"), ("B", "s2", "t2"), ("B", "s2", "t2")]
    auth = SigV4("us-west-2", "bedrock", credentials=lambda: triples.pop(0), clock=Clock())
    assert (await ask(auth))["x-amz-security-token"] == "t1"
    assert not await auth.learn(403, {})  # the same again: another attempt would say the same
    assert await auth.learn(403, {})
    assert (await ask(auth))["x-amz-security-token"] == "t2"


async def test_a_refusal_is_of_the_keys_that_this_task_has_used():
    """Somebody else has already had the keys renewed when our refusal arrives."""
    current = [("A", "s1", "t1")]
    auth = SigV4("us-west-2", "bedrock", credentials=lambda: current[0], clock=Clock())
    sent, renewed = asyncio.Event(), asyncio.Event()

    async def late():
        await ask(auth)
        sent.set()
        await renewed.wait()
        return await auth.learn(401, {})

    task = asyncio.create_task(late())
    await sent.wait()
    current[0] = ("B", "s2", "t2")
    await ask(auth)
    renewed.set()
    assert await task


class Refreshing(Credentials):
    """Credentials of botocore's kind that refresh themselves, and note in which thread."""

    method = "refreshing"

    def __init__(self):
        super().__init__("A0", "s0", "t0")
        self.threads, self.due, self.n = [], True, 0
        self._expiry_time = AT + dt.timedelta(hours=1)

    def refresh_needed(self):
        return self.due

    def get_frozen_credentials(self):
        if self.due:
            self.threads.append(threading.current_thread())
            self.due, self.n = False, self.n + 1
        return ReadOnlyCredentials(f"A{self.n}", f"s{self.n}", f"t{self.n}")


async def test_the_chains_credentials_refresh_in_a_thread_and_only_when_due(monkeypatch):
    found = Refreshing()
    monkeypatch.setattr("botocore.session.Session.get_credentials", lambda self: found)
    auth = SigV4("us-west-2", "bedrock", clock=Clock())
    assert (await ask(auth))["x-amz-security-token"] == "t1"
    assert (await ask(auth))["x-amz-security-token"] == "t1"
    found.due = True
    assert (await ask(auth))["x-amz-security-token"] == "t2"
    assert len(found.threads) == 2
    assert threading.main_thread() not in found.threads


async def test_the_chain_finds_what_the_environment_says(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "envsecret")
    keys = await Chain().keys()
    assert (keys.access_key, keys.secret_key, keys.token, keys.source) == (
        "AKIDENV",
        "envsecret",
        None,
        "env",
    )


async def test_the_chain_finds_a_profile_by_name_and_looks_anew_once_told_to(tmp_path):
    file = tmp_path / "credentials"
    file.write_text("[work]\naws_access_key_id = AKIDFILE\naws_secret_access_key = one\n")
    auth = SigV4("us-west-2", "bedrock", profile="work", clock=Clock())
    assert "AKIDFILE" in (await ask(auth))["authorization"]
    file.write_text("[work]\naws_access_key_id = AKIDNEXT\naws_secret_access_key = two\n")
    assert await auth.learn(403, {})
    assert "AKIDNEXT" in (await ask(auth))["authorization"]


async def test_without_credentials_the_ways_to_have_some_are_named():
    with pytest.raises(
        MissingCredentialsError, match=r"AWS_BEARER_TOKEN_BEDROCK.*profile.*api_key="
    ):
        await ask(SigV4("us-west-2", "bedrock"))
    with pytest.raises(MissingCredentialsError, match="AWS_ACCESS_KEY_ID"):
        await ask(MintedKey("us-west-2"))


async def test_a_profile_that_is_not_there_is_told_by_name():
    with pytest.raises(ConfigError, match="nobody"):
        await ask(SigV4("us-west-2", "bedrock", profile="nobody"))


def raising():
    raise RuntimeError("the secret is hunter2")


@pytest.mark.parametrize(
    "provider", [raising, lambda: None, lambda: 5, lambda: ("a",), lambda: ("a", ""), lambda: "ab"]
)
@pytest.mark.parametrize("make", ["signed", "minted"])
async def test_a_provider_that_gives_no_credentials_is_a_config_error(provider, make):
    auth = (
        SigV4("us-west-2", "bedrock", credentials=provider)
        if make == "signed"
        else MintedKey("us-west-2", credentials=provider)
    )
    with pytest.raises(ConfigError, match="credentials provider") as caught:
        await ask(auth)
    assert "hunter2" not in str(caught.value)


async def test_one_provider_call_serves_all_who_wait_and_the_next_one_is_new():
    calls, met = [], threading.Event()

    def slow():
        calls.append(1)
        assert met.wait(5)
        return len(calls)

    flight = Flight(slow)
    waiting = [asyncio.create_task(flight.answer()) for _ in range(100)]
    await asyncio.sleep(0)
    met.set()
    assert await asyncio.gather(*waiting) == [1] * 100
    assert await flight.answer() == 2


def test_one_who_signs_serves_several_event_loops():
    auth = SigV4("us-west-2", "bedrock", credentials=lambda: ("A", "s", "t"), clock=Clock())
    assert asyncio.run(ask(auth)) == asyncio.run(ask(auth))


# --------------------------------------------------------------------------------------- secrets


def everything():
    return [
        ApiKey("ABSKvery-secret-key"),
        SigV4("us-west-2", "bedrock", credentials=SESSION),
        MintedKey("us-west-2", credentials=SESSION),
        SESSION,
    ]


def test_no_secret_is_shown_pickled_or_copied():
    for one in everything():
        assert not [s for s in (*SECRETS, "very-secret") if s in f"{one!r} {one!s}"]
        for way in (pickle.dumps, copy.copy, copy.deepcopy):
            with pytest.raises(TypeError):
                way(one)


async def test_nothing_secret_is_logged_at_any_level(caplog, monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDENV")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SESSION.secret_key)
    monkeypatch.setenv("AWS_SESSION_TOKEN", SESSION.token)
    with caplog.at_level(1):
        logging.getLogger("botocore").setLevel(1)
        await ask(SigV4("us-west-2", "bedrock"))
        await ask(SigV4("us-west-2", "bedrock", credentials=SESSION))
        await ask(MintedKey("us-west-2", credentials=SESSION))
    logging.getLogger("botocore").setLevel(logging.NOTSET)
    assert not [s for s in SECRETS if s in caplog.text]


def test_botocore_is_loaded_at_the_first_need_and_in_a_thread():
    code = """
import asyncio, sys, threading
from toolstone.bedrock import SigV4, Keys, MintedKey, resolve_endpoint
resolve_endpoint("bedrock/openai.gpt-oss-20b@us-east-1")
where = []
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "botocore":
            where.append(threading.current_thread() is threading.main_thread())
sys.meta_path.insert(0, Watch())
auth = SigV4("us-east-1", "bedrock", credentials=Keys("a", "b"))
assert "botocore" not in sys.modules
asyncio.run(auth.headers("POST", "https://h/", {}, b""))
assert "botocore" in sys.modules and "boto3" not in sys.modules
print(where)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("[False]", "")


async def test_a_date_without_a_zone_is_in_utc():
    auth = SigV4("us-west-2", "bedrock", credentials=KEYS, clock=Clock(NOW + 900))
    await ask(auth)
    assert await auth.learn(403, {"date": "Sat, 21 Nov 2026 12:34:56 -0000"})
    assert (await ask(auth))["x-amz-date"] == "20261121T123456Z"


async def test_credentials_that_cannot_be_found_again_end_the_matter():
    found = [("A", "s", "t")]
    auth = SigV4("us-west-2", "bedrock", credentials=found.pop, clock=Clock())
    await ask(auth)
    assert not await auth.learn(403, {})


async def test_a_key_that_somebody_else_has_renewed_is_not_dropped_again():
    auth = MintedKey("us-west-2", credentials=KEYS, clock=Clock())
    await ask(auth)
    held = auth._held
    auth._held = (held[0] + "x", held[1])
    assert await auth.learn(401, {})
    assert auth._held == (held[0] + "x", held[1])


def test_credentials_and_profile_at_once_are_refused():
    for make in (
        lambda **both: SigV4("us-west-2", "bedrock", **both),
        lambda **both: MintedKey("us-west-2", **both),
    ):
        with pytest.raises(ConfigError, match="one of them"):
            make(credentials=KEYS, profile="work")


@pytest.mark.parametrize(
    "found",
    [
        Credentials("AKID", "secret", "token"),
        ReadOnlyCredentials("AKID", "secret", "token"),
        ("AKID", "secret", "token"),
        ["AKID", "secret", "token"],
        Keys("AKID", "secret", "token"),
    ],
    ids=["botocore", "frozen", "triple", "list", "ours"],
)
async def test_a_provider_may_return_credentials_in_any_usual_form(found):
    auth = SigV4("us-west-2", "bedrock", credentials=lambda: found, clock=Clock())
    ours = SigV4("us-west-2", "bedrock", credentials=Keys("AKID", "secret", "token"), clock=Clock())
    assert await ask(auth) == await ask(ours)


async def test_half_a_pair_is_no_credentials(monkeypatch):
    monkeypatch.setattr(
        "botocore.session.Session.get_credentials", lambda self: Credentials("AKID", "")
    )
    with pytest.raises(MissingCredentialsError, match="not whole"):
        await ask(SigV4("us-west-2", "bedrock"))
