"""What a process shows of its secrets while it works and while it fails, seen from inside."""

from __future__ import annotations

import asyncio
import io
import logging
import os
import tempfile
import warnings
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from campaigns._channels import shown, told
from campaigns._echoes import KINDS
from toolstone import Agent, ToolError
from toolstone.bedrock.auth import ApiKey, MintedKey, SigV4
from toolstone.bedrock.checks.case import make_case
from toolstone.bedrock.credentials import Keys
from toolstone.bedrock.dialect import Dialect
from toolstone.bedrock.model import bedrock_model
from toolstone.chat import ChatCompletions
from toolstone.errors import ToolstoneError
from toolstone.items import user
from toolstone.ledgers.sqlite import SQLiteLedger
from toolstone.observers.console import Console
from toolstone.observers.jsonl import JSONLines
from toolstone.ports import Request
from toolstone.responses import Responses
from toolstone.testing import Cassette
from toolstone.testing.faults import SCENARIOS, Scenario
from toolstone.testing.faults.saying import answer, call, message, response
from toolstone.tools.server import ServerTool
from toolstone.wire import AiohttpTransport, BearerAuth, Deadlines, HttpxTransport, Retry
from toolstone.wire.proxies import Proxies
from toolstone.wire.transport import HttpRequest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from campaigns._canaries import Canaries
    from toolstone.testing.faults import Faults
    from toolstone.testing.faults.steps import Asked, Step
    from toolstone.wire import Auth, Transport

__all__ = ["AUTHS", "CARRIERS", "Spill", "agents", "aws_keys", "failures", "listening", "objects"]

Spill = tuple[str, str | bytes]
"""A channel, and what it showed."""

CARRIERS: Final[dict[str, Callable[[], Transport]]] = {
    "httpx": HttpxTransport,
    "aiohttp": AiohttpTransport,
}


def aws_keys(marks: Canaries) -> Keys:
    """Credentials that are marks."""
    return Keys(marks["access key"], marks["secret key"], marks["session token"])


AUTHS: Final[dict[str, Callable[[Canaries], Auth]]] = {
    "bearer": lambda marks: BearerAuth(marks["API key"]),
    "function": lambda marks: BearerAuth(lambda: marks["API key"]),
    "signed": lambda marks: SigV4("us-east-1", "bedrock", credentials=aws_keys(marks)),
    "minted": lambda marks: MintedKey("us-east-1", credentials=aws_keys(marks)),
}


class _Time:
    """No time is lost between two attempts."""

    async def sleep(self, seconds: float) -> None:
        """Go on at once."""

    def retry(self) -> Retry:
        """Two attempts."""
        return Retry(attempts=2, sleep=self.sleep)


@contextmanager
def listening() -> Iterator[list[Spill]]:
    """Everything that any logger says at level 1, and every warning, as channels."""
    heard: list[Spill] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            name = record.name.partition(".")[0]
            heard.append((f"log {name}", f"{self.format(record)}\n{record.__dict__!r}"))

    root, ear = logging.getLogger(), Ear(1)
    ear.setFormatter(logging.Formatter("%(name)s %(message)s %(exc_text)s"))
    level = root.level
    root.addHandler(ear)
    root.setLevel(1)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            yield heard
        finally:
            root.removeHandler(ear)
            root.setLevel(level)
            heard += [("warnings", str(one.message)) for one in warned]


# -------------------------------------------------------------------------------------- objects


def objects(marks: Canaries) -> Iterator[Spill]:
    """Models, agents, configuration and credentials, by every way they show themselves."""
    for name, made in _made(marks):
        for how, seen in shown(made):
            yield f"{name}: {how}", seen


def _made(marks: Canaries) -> Iterator[tuple[str, Any]]:
    url = "http://127.0.0.1:9/v1"
    key = marks["API key"]
    headers = {"x-api-key": marks["header"]}
    proxy = f"http://me:{marks['proxy password']}@127.0.0.1:9"
    model = Responses(model="m", base_url=url, api_key=key, headers=headers)
    yield "client", model
    yield "chat client", ChatCompletions(model="m", base_url=url, api_key=key, headers=headers)
    yield "Bedrock model", bedrock_model("bedrock/openai.gpt-oss-120b@us-east-1", api_key=key)
    remote = ServerTool("mcp", server_label="s", authorization=marks["tool token"])
    yield "agent", Agent(model, tools=[remote])
    yield "tool", remote
    yield "tool's definition", remote.spec
    for name, auth in AUTHS.items():
        yield f"credentials, {name}", auth(marks)
    yield "credentials, Bedrock's", ApiKey(key)
    yield "credentials, AWS's", aws_keys(marks)
    for name, carrier in CARRIERS.items():
        yield f"transport, {name}", carrier(proxy=proxy)  # type: ignore[call-arg]
    yield "proxies", Proxies(proxy, trust_env=False)
    yield "configuration", _case(marks)
    sent = HttpRequest("POST", url, asyncio.run(BearerAuth(key).headers("POST", url, {}, b"")))
    yield "request", sent


def _case(marks: Canaries) -> Any:
    return make_case(
        "bedrock/openai.gpt-oss-120b@us-east-1",
        dialect=Dialect.load(),
        environment={
            "AWS_BEARER_TOKEN_BEDROCK": marks["API key"],
            "AWS_SECRET_ACCESS_KEY": marks["secret key"],
        },
        now=0.0,
    )


# -------------------------------------------------------------------------------------- failures


def failures(
    marks: Canaries,
    peer: Faults,
    *,
    carriers: Iterable[str] = CARRIERS,
    auths: Iterable[str] = AUTHS,
    kinds: Iterable[str] = KINDS,
) -> Iterator[Spill]:
    """Every kind of error, met at a service that says back who asked; and all logs of it."""
    asyncio.run(_mint(marks))
    with listening() as heard:
        for carrier in carriers:
            for auth in auths:
                for error in _met(marks, peer, (carrier, auth), kinds):
                    name = type(error).__name__
                    yield from ((f"{name}: {how}", seen) for how, seen in told(error))
                    yield f"{name}: notes", repr(getattr(error, "notes", ""))
                    yield f"{name}: body", getattr(error, "body", b"")
    yield from heard


async def _mint(marks: Canaries) -> None:
    """Learn how the minted key looks: all of it but the time and the signature is known."""
    found = await MintedKey("us-east-1", credentials=aws_keys(marks), clock=lambda: 0.0).headers(
        "POST", "https://a", {}, b""
    )
    marks.learn("minted key", str(found["authorization"])[7:180])


def _met(
    marks: Canaries, peer: Faults, way: tuple[str, str], kinds: Iterable[str]
) -> list[BaseException]:
    return asyncio.run(_meet(marks, peer, way, kinds), debug=True)


async def _meet(
    marks: Canaries, peer: Faults, way: tuple[str, str], kinds: Iterable[str]
) -> list[BaseException]:
    asyncio.get_running_loop().slow_callback_duration = 0.0
    found: list[BaseException] = []
    for scenario in kinds:
        for streamed in (False, True):
            with suppress(BaseExceptionGroup):
                error = await _ask(marks, peer.base_url(scenario), way, streamed=streamed)
                found += [] if error is None else [error]
    return found


async def _ask(
    marks: Canaries, url: str, way: tuple[str, str], *, streamed: bool
) -> BaseException | None:
    async def nobody(_deltas: object) -> None:
        pass

    limit = 0.2 if "hang" in url else 30.0
    async with Responses(
        model="m",
        base_url=url,
        auth=AUTHS[way[1]](marks),
        transport=CARRIERS[way[0]](),
        headers={"x-api-key": marks["header"]},
        deadlines=Deadlines(total=limit),
        retry=_Time().retry(),
    ) as model:
        try:
            await model.respond(Request((user(marks["prompt"]),), stream=streamed), nobody)
        except ToolstoneError as error:
            return error
    return None


# -------------------------------------------------------------------------------------- runs


def agents(marks: Canaries, peer: Faults) -> Iterator[Spill]:
    """A run whose tools spill keys: what the model, ledger, observers, cassette and logs get."""
    with tempfile.TemporaryDirectory() as name, listening() as heard:
        SCENARIOS["K13"] = Scenario("K13", "calls every tool, then answers", _play(marks))
        try:
            yield from asyncio.run(_run(marks, peer, Path(name)), debug=True)
        finally:
            del SCENARIOS["K13"]
    yield from heard


def _play(marks: Canaries) -> Callable[[Asked], Iterable[Step]]:
    def play(asked: Asked) -> Iterable[Step]:
        if asked.outputs:
            return [answer(asked, response(message(marks["answer"])))]
        said = f'{{"text":"{marks["argument"]}"}}'
        calls = [call(tool["name"], said, number) for number, tool in enumerate(asked.tools)]
        return [answer(asked, response(*calls))]

    return play


def _tools(marks: Canaries) -> list[Any]:
    key = marks["API key"]

    def tell(text: str) -> dict[str, Any]:
        """Give back everything it knows."""
        from base64 import b64encode, urlsafe_b64encode  # noqa: PLC0415
        from urllib.parse import quote  # noqa: PLC0415

        raw = key.encode()
        written = [
            key,
            b64encode(b"a" + raw),
            urlsafe_b64encode(raw),
            quote(key, safe=""),
            raw.hex(),
        ]
        return {
            "output": marks["output"],
            "said": len(text),
            "all": written,
            key: 1,
            "environment": dict(os.environ),
        }

    def refuse(text: str) -> str:
        """Say no, and too much."""
        raise ToolError(f"{text}: not with {key}")

    def fail(text: str) -> str:
        """Fail, and say too much."""
        raise ValueError(f"{len(text)}: bad key {key}")

    return [tell, refuse, fail]


async def _run(marks: Canaries, peer: Faults, folder: Path) -> list[Spill]:
    found: list[Spill] = []
    before = len(peer.met)
    watched = io.StringIO()
    model = Responses(model="m", base_url=peer.base_url("K13"), api_key=marks["API key"])
    agent = Agent(
        Cassette(folder / "cassette.jsonl", model, record=True),
        tools=_tools(marks),
        ledger=SQLiteLedger(folder / "ledger.db"),
        observers=[Console(watched), JSONLines(folder / "observed.jsonl")],
    )
    result = await agent.run(marks["prompt"], session="s")
    found += [(f"result: {how}", seen) for how, seen in shown(result)]
    found += [(f"call: {how}", seen) for one in result.calls for how, seen in shown(one)]
    found += [(f"record: {how}", seen) for one in result.records for how, seen in shown(one)]
    found.append(("observer, console", watched.getvalue()))
    found += [(f"file {path.name}", path.read_bytes()) for path in _files(folder)]
    found += [("told to the model", met.body) for met in peer.met[before:]]
    failing = Agent(
        Responses(model="m", base_url=peer.base_url("K11-auth"), api_key=marks["API key"]),
        ledger=agent.ledger,
    )
    try:
        await failing.run(marks["prompt"], session="t")
    except ToolstoneError as error:
        found += [(f"RunError: {how}", seen) for how, seen in told(error)]
    found += await _cancelled(marks, peer)
    await model.aclose()
    return found


def _files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


async def _cancelled(marks: Canaries, peer: Faults) -> list[Spill]:
    """A run that is cancelled while it waits for an answer."""
    found: list[Spill] = []
    for name, carrier in CARRIERS.items():
        model = Responses(
            model="m",
            base_url=peer.base_url("K11-hang"),
            api_key=marks["API key"],
            transport=carrier(),
        )
        before = len(peer.met)
        task = asyncio.create_task(Agent(model).run(marks["prompt"]))
        while len(peer.met) == before:  # noqa: ASYNC110  the peer is in another thread
            await asyncio.sleep(0.005)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError as error:
            found += [(f"cancelled, {name}: {how}", seen) for how, seen in told(error)]
        await model.aclose()
    return found
