"""A caller who signs as botocore does and sends plain HTTP to a profile."""

import json
from contextlib import contextmanager

import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from toolstone.local import Script, serve
from toolstone.local.profiles.account import EXAMPLE


class Aws:
    """Sends requests to one endpoint under the names of real hosts.

    Whatever the request, `kind` and `region` say which host is meant.
    """

    def __init__(self, served, kind, region, key):
        self.origin = httpx.URL(served.base_url).copy_with(path="/")
        self.key = key
        self.host = {
            "mantle": f"bedrock-mantle.{region}.api.aws",
            "runtime": f"bedrock-runtime.{region}.amazonaws.com",
            "openai": "api.openai.com",
        }[kind]
        self.service = {"mantle": "bedrock-mantle", "runtime": "bedrock"}.get(kind, "")
        self.region = region
        self.prefix = "/v1" if kind == "openai" else "/openai/v1"

    def send(self, method, path, body=None, *, headers=(), bearer=None, timeout=10):
        raw = b"" if body is None else json.dumps(body).encode()
        url = f"https://{self.host}{path}"
        given = {"Content-Type": "application/json"} if raw else {}
        request = AWSRequest(method, url, {**given, **dict(headers)}, raw)
        if bearer is None:
            credentials = Credentials(self.key.id, self.key.secret, self.key.session)
            SigV4Auth(credentials, self.service, self.region).add_auth(request)
        else:
            request.headers["Authorization"] = f"Bearer {bearer}"
        sent = {"Host": self.host, **dict(request.headers.items())}
        target = self.origin.join(path)
        return httpx.request(method, target, content=raw, headers=sent, timeout=timeout)

    def create(self, model, *, prefix=None, headers=(), bearer=None, timeout=10, **body):
        path = f"{self.prefix if prefix is None else prefix}/responses"
        body = {"model": model, "input": "ping", **body}
        return self.send("POST", path, body, headers=headers, bearer=bearer, timeout=timeout)


@pytest.fixture(scope="session")
def pong():
    """One endpoint for all tests that leave nothing behind; it says pong."""
    with serve(Script(["pong"]), profile="mantle") as served:
        yield served


@pytest.fixture
def aws(pong):
    """Give a caller of a profile: `with aws(brain, kind, region, profile=...) as caller`.

    Without a brain or a profile it is a caller of the one endpoint that says pong.
    """

    @contextmanager
    def opened(brain=None, kind="mantle", region="us-east-1", *, key=EXAMPLE, profile=None):
        if brain is None and profile is None:
            yield Aws(pong, kind, region, key)
            return
        with serve(brain or Script(["pong"]), profile=profile or "mantle") as served:
            yield Aws(served, kind, region, key)

    return opened


@pytest.fixture
def callers():
    """The class itself, for tests with several callers of one endpoint."""
    return Aws


class Says:
    """A brain that says these pieces, whatever it is asked, and then perhaps breaks."""

    models = ()

    def __init__(self, *pieces, error=None):
        self.pieces, self.error, self.turns = pieces, error, []

    async def answer(self, turn):
        self.turns.append(turn)
        for piece in self.pieces:
            yield piece
        if self.error:
            raise self.error

    async def close(self):
        pass


@pytest.fixture
def says():
    """The class itself: `serve(says(Text("hi"), End()))`."""
    return Says
