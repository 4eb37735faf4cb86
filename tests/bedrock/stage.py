"""A scripted host of Bedrock's, and models that believe it is AWS; loaded by conftest."""

from toolstone import Agent
from toolstone.bedrock import Keys, SigV4, bedrock_model, resolve_endpoint
from toolstone.events import Noted
from toolstone.local import Script, serve
from toolstone.local.profiles import Account, Habits, HostProfile, LoopbackTransport
from toolstone.local.profiles.account import EXAMPLE
from toolstone.wire import Retry

KEYS = Keys(EXAMPLE.id, EXAMPLE.secret)
GPT = "bedrock-mantle/openai.gpt-5.6-sol"
OSS = "bedrock/openai.gpt-oss-120b"
GEMMA = "bedrock/google.gemma-4-31b"
SEED_REGIONS = [
    *("us-east-2", "us-east-1", "us-west-2", "ap-southeast-3", "ap-south-1", "ap-northeast-1"),
    *("eu-central-1", "eu-west-1", "eu-west-2", "eu-south-1", "eu-north-1", "sa-east-1"),
]


async def quick(_seconds):
    """No pause between attempts."""


def weather(city: str) -> str:
    """Current weather.

    Args:
        city: Where.
    """
    return f"sunny in {city}"


class Stage:
    """A scripted host of Bedrock's, and models that believe it is AWS."""

    def __init__(
        self, script, model=OSS, *, region="us-east-1", account=None, by="question", **habits
    ):
        self.string, self.region = model, region
        self.endpoint = resolve_endpoint(f"{model}@{region}")
        self.played = HostProfile(
            kind=self.endpoint.host,
            region=region,
            account=account or Account(),
            habits=Habits(**habits),
        )
        self.script = Script(script, by=by)

    def __enter__(self):
        self._serving = serve(self.script, profile=self.played)
        self.transport = LoopbackTransport(self._serving.__enter__().base_url)
        return self

    def __exit__(self, *error):
        return self._serving.__exit__(*error)

    def model(self, **options):
        if "api_key" not in options:
            signer = SigV4(self.region, self.endpoint.service, credentials=KEYS)
            options.setdefault("auth", signer)
        options.setdefault("retry", Retry(sleep=quick))
        return bedrock_model(self.string, region=self.region, transport=self.transport, **options)

    def agent(self, *tools, model=None, **options):
        return Agent(model or self.model(), tools=tools or [weather], **options)


def sent_ids(result):
    return [
        [item["call_id"] for item in request["input"] if "call_id" in item]
        for request in result.requests
    ]


async def notes_of(ledger, session="s"):
    return [r.fact for r in await ledger.load(session) if type(r.fact) is Noted]


def whats(notes):
    return [note.what for note in notes]


class Peered:
    """A model whose host is the scripted peer."""

    def __init__(self, peer, *answers, model=GPT, **options):
        self._peer, self._model, self._options = peer.Peer(*answers), model, options

    async def __aenter__(self):
        self.peer = await self._peer.__aenter__()
        origin = self.peer.url.removesuffix("/v1")
        options = {"api_key": "ABSKkey", "retry": Retry(sleep=quick), **self._options}
        self.model = bedrock_model(f"{self._model}@us-east-1", endpoint=origin, **options)
        return self

    async def __aexit__(self, *error):
        await self._peer.__aexit__(*error)

    @property
    def paths(self):
        return [seen.target for seen in self.peer.requests]

    @property
    def bodies(self):
        return [seen.json for seen in self.peer.requests]

    def agent(self, *tools, **options):
        return Agent(self.model, tools=tools, **options)


def refusal(peer, status, message, code=None, param=None, **more):
    body = {"error": {"message": message, "code": code, "param": param, "type": "x", **more}}
    return peer.json_reply(body, status)


def told(wire, text="hello", **fields):
    part = {"type": "output_text", "text": text, "annotations": []}
    message = {**wire.MESSAGE, "content": [part]}
    return wire.response(message, **fields)


def tool_named(name):
    def made(city: str, deep: dict | None = None) -> str:
        """Weather.

        Args:
            city: Where.
            deep: More.
        """
        return f"sunny in {city}"

    made.__name__ = name
    return made


async def nobody(_deltas):
    """Nobody watches."""
