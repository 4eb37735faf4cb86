"""Block A: which way to say who asks is taken, where a key counts, and who is asked for one."""

import asyncio
import http.server
import json
import socket
import threading
import time
from contextlib import asynccontextmanager, contextmanager

import pytest
import toolstone_peer as wire
import toolstone_rows as rows
import toolstone_wire_data as data
from toolstone_bedrock_stage import GPT, KEYS, Stage, told

from toolstone import Agent, limits
from toolstone.bedrock import ApiKey, MintedKey, SigV4, bedrock_model, diagnose
from toolstone.bedrock.credentials import Chain
from toolstone.errors import AuthError, ConfigError, FailedError

SERVICE = "bedrock-mantle"
URL = "https://bedrock-mantle.us-east-1.api.aws/v1/responses"


pytestmark = pytest.mark.usefixtures("no_credentials")


def whole(text="hello"):
    return wire.json_reply(told(data, text))


# -------------------------------------------------------------------------- A09: one way at once

WAYS = {
    "variables": ({"AWS_BEARER_TOKEN_BEDROCK": "ABSKenv", "AWS_ACCESS_KEY_ID": "AKIDENV"}, {}),
    "argument": ({"AWS_BEARER_TOKEN_BEDROCK": "ABSKenv"}, {"api_key": "ABSKmine"}),
    "auth": (
        {"AWS_BEARER_TOKEN_BEDROCK": "ABSKenv"},
        {"auth": SigV4("us-east-1", SERVICE, credentials=KEYS)},
    ),
    "header": ({}, {"api_key": "ABSKmine", "headers": {"Authorization": "Bearer other"}}),
    "openai": ({"OPENAI_API_KEY": "sk-other"}, {"api_key": "ABSKmine"}),
}


@asynccontextmanager
async def heads():
    """Answers well; the header lines of each request, as they came."""
    found = []

    async def serve(reader, writer):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        found.append([line.partition(": ")[::2] for line in head.split("\r\n")[1:-2]])
        writer.write(whole().replace(b"\r\n", b"\r\nconnection: close\r\n", 1))
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        found.append(server.sockets[0].getsockname()[1])
        yield found


async def say_one_way(way, monkeypatch):
    """The check: one `Authorization`, and nothing of the other way beside it."""
    variables, options = WAYS[way]
    for name, value in {**variables, "AWS_SECRET_ACCESS_KEY": "s"}.items():
        monkeypatch.setenv(name, value)
    async with heads() as found:
        base = f"http://127.0.0.1:{found.pop()}/v1"
        model = bedrock_model("bedrock/openai.gpt-oss-20b@us-east-1", endpoint=base, **options)
        assert (await Agent(model).run("hi")).output == "hello"
    [lines] = found
    names = [name.lower() for name, _ in lines]
    assert len(names) == len(set(names)), names
    [shown] = [value for name, value in lines if name.lower() == "authorization"]
    by_signature = shown.startswith("AWS4-HMAC-SHA256")
    assert by_signature == any(name.startswith("x-amz-") for name in names) == (way == "auth")
    assert "other" not in shown


@pytest.mark.parametrize("way", WAYS)
async def test_a09_one_way_is_taken_and_never_two_headers(way, monkeypatch):
    await say_one_way(way, monkeypatch)


async def test_a_signer_with_an_odd_spelling_would_send_two(monkeypatch):
    """The alarm's own test: two spellings of one header are two headers."""

    async def headers(self, *asked):
        return {"AUTHORIZATION": "Bearer mine"}

    monkeypatch.setattr(ApiKey, "headers", headers)
    with pytest.raises(AssertionError):
        await say_one_way("header", monkeypatch)


async def test_a09_the_doctor_shows_which_way_is_taken():
    environment = {
        "AWS_BEARER_TOKEN_BEDROCK": "ABSKexample-long-term",
        "AWS_ACCESS_KEY_ID": "AKIDENV",
        "AWS_SECRET_ACCESS_KEY": "s",
    }
    found = [
        finding
        async for finding in diagnose(
            "bedrock/openai.gpt-oss-20b@us-east-1", environment=environment, offline=True
        )
    ]
    told_all = json.dumps([[one.seen, one.next] for one in found])
    assert "AWS_BEARER_TOKEN_BEDROCK" in told_all
    assert "AWS_ACCESS_KEY_ID is set" in told_all


# -------------------------------------------------------------------------------- A14: elsewhere


@pytest.mark.parametrize("how", ["signed", "minted"])
@pytest.mark.parametrize("case", rows.row_cases("A14"))
def test_a14_a_key_of_another_region_or_partition_is_an_auth_error_with_a_hint(case, how):
    make = {
        "signed": lambda: SigV4(case["region"], SERVICE, credentials=KEYS),
        "minted": lambda: MintedKey(case["region"], credentials=KEYS),
    }[how]
    with Stage(["hello"], GPT) as stage, pytest.raises(FailedError, match="region") as caught:
        stage.agent(model=stage.model(auth=make())).run_sync("hi")
    assert type(caught.value.__cause__) is AuthError


# ---------------------------------------------------------------------------- A15: metadata


class Metadata(http.server.BaseHTTPRequestHandler):
    """An instance's metadata service."""

    def log_message(self, *_):
        pass

    def do_PUT(self):
        self.say(b"token")

    def do_GET(self):
        keys = {
            "Code": "Success",
            "AccessKeyId": "AKIDIMDS",
            "SecretAccessKey": "secret",
            "Token": "token",
            "Expiration": "2099-01-01T00:00:00Z",
        }
        self.say(b"role" if self.path.endswith("/") else json.dumps(keys).encode())

    def say(self, body):
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def instance():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Metadata) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class Silent:
    """Takes connections, says nothing, and notes how long each was kept."""

    def __enter__(self):
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listening.getsockname()[1]}"
        self.kept, self.thread = [], threading.Thread(target=self._serve)
        self.thread.start()
        return self

    def _serve(self):
        while True:
            connection, _ = self.listening.accept()
            began = time.monotonic()
            with connection:
                while found := connection.recv(65536):
                    if found == b"stop":
                        return
            self.kept.append(time.monotonic() - began)

    def __exit__(self, *_):
        with socket.create_connection(self.listening.getsockname()) as last:
            last.send(b"stop")
        self.thread.join()
        self.listening.close()


@pytest.fixture
def metadata(monkeypatch):
    monkeypatch.delenv("AWS_EC2_METADATA_DISABLED")
    return monkeypatch


async def test_a15_a_container_that_is_silent_costs_two_seconds_and_the_instance_is_asked(metadata):
    with Silent() as silent, instance() as url:
        metadata.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"{silent.url}/keys")
        metadata.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", url)
        keys = await Chain().keys()

    assert (keys.access_key, keys.source) == ("AKIDIMDS", "iam-role")
    assert sum(silent.kept) <= limits.BEDROCK_METADATA_SECONDS + 0.5


async def test_a15_an_instance_that_is_silent_costs_two_seconds(metadata):
    with Silent() as silent:
        metadata.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", silent.url)
        with pytest.raises(ConfigError, match="no AWS credentials were found"):
            await Chain().keys()

    assert len(silent.kept) == 2
    assert sum(silent.kept) <= limits.BEDROCK_METADATA_SECONDS + 0.5


async def test_a15_a_container_that_is_not_there_is_passed_over_at_once(metadata):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with instance() as url:
        metadata.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"http://127.0.0.1:{port}/keys")
        metadata.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", url)
        assert (await Chain().keys()).source == "iam-role"


async def test_a15_a_container_that_refuses_ends_the_search(metadata):
    """Whose credentials ours should be is said; the instance's would be a guess."""
    metadata.setattr("botocore.utils.ContainerMetadataFetcher.SLEEP_TIME", 0)
    async with wire.Peer(wire.json_reply({"message": "no"}, 403)) as container:
        with instance() as url:
            full = container.url.replace("127.0.0.1", "localhost")
            metadata.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", full)
            metadata.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", url)
            with pytest.raises(ConfigError, match="credential chain failed"):
                await Chain().keys()
