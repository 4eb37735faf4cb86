"""Set-ups that cannot be, each with a key in it: what is said of them."""

from __future__ import annotations

import asyncio
import pickle
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from campaigns._channels import told
from campaigns._spills import aws_keys
from toolstone import Agent, ToolError
from toolstone.bedrock.auth import SigV4
from toolstone.bedrock.choosing import choose_auth
from toolstone.bedrock.endpoint import resolve_endpoint
from toolstone.errors import ToolstoneError
from toolstone.models import resolve_model
from toolstone.responses import Responses
from toolstone.wire import BearerAuth, HttpxTransport, Retry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from campaigns._canaries import Canaries
    from campaigns._spills import Spill

__all__ = ["mistakes"]

_FORMS: Final = ("https://u:{}@h/v1#m", "responses+https://u:{}@h/v1#m", "responses+https://h?k={}")


def mistakes(marks: Canaries) -> Iterator[Spill]:
    """Set-ups that cannot be: what is said of them, and what stands in the frames."""
    for name, mistake in _mistakes(marks):
        try:
            made = mistake()
            if asyncio.iscoroutine(made):
                asyncio.run(made)
        except (ToolstoneError, TypeError) as error:
            yield from ((f"mistake {name}: {how}", seen) for how, seen in told(error))
        else:
            raise AssertionError(f"{name} is no mistake")


def _mistakes(marks: Canaries) -> Iterator[tuple[str, Callable[[], Any]]]:
    here = "http://127.0.0.1:9/v1"

    def client(**options: Any) -> Any:
        return Responses(**{"model": "m", "base_url": here, **options})

    def keyed(source: Any) -> Any:
        return BearerAuth(source).headers("POST", here, {}, b"")

    def chosen(environment: Callable[[], dict[str, str]], **options: Any) -> Any:
        end = resolve_endpoint("bedrock/openai.gpt-oss-120b@us-east-1", environment={})
        return choose_auth(end, environment=environment(), **options)

    yield "key with a break", lambda: client(api_key=f"{marks['API key']}\n")
    yield "key and no model", lambda: client(model="", api_key=marks["API key"])
    yield "key twice", lambda: client(api_key=marks["API key"], auth=BearerAuth(marks["API key"]))
    yield "key, given badly", lambda: keyed(lambda: f"{marks['API key']} x")
    yield "header with a break", lambda: client(headers={"x-api-key": f"{marks['header']}\n"})
    yield "user in a URL", lambda: client(base_url=f"https://u:{marks['proxy password']}@h/v1")
    yield "key in a query", lambda: client(base_url=f"https://h/v1?key={marks['API key']}")
    yield "key in a path", lambda: client(base_url=f"https://h/../{marks['API key']}\x00")
    for form in _FORMS:
        yield f"model {form}", partial(_named, marks, form, resolve_model)
        yield f"agent {form}", partial(_named, marks, form, Agent)
    yield "OpenAI's key for AWS", lambda: chosen(dict, api_key=f"sk-{marks['API key']}")
    yield (
        "OpenAI's key in AWS's variable",
        lambda: chosen(lambda: {"AWS_BEARER_TOKEN_BEDROCK": f"sk-{marks['API key']}"}),
    )
    yield (
        "two who ask",
        lambda: chosen(lambda: {"x": marks["secret key"]}, api_key=marks["API key"], profile="p"),
    )
    yield "credentials that are none", lambda: _signed(lambda: {"secret": marks["secret key"]})
    yield "credentials that fail", lambda: _signed(lambda: _raise(marks["secret key"]))
    yield "pickled keys", lambda: pickle.dumps(aws_keys(marks))
    yield "no way through a proxy", lambda: _through(marks, "http")
    yield "a proxy that is none", lambda: _through(marks, "no-such-scheme")


def _named(marks: Canaries, form: str, make: Callable[[str], Any]) -> Any:
    return make(form.format(marks["proxy password"]))


def _raise(_text: str) -> None:
    raise ToolError("no credentials")


async def _signed(provider: Any) -> None:
    await SigV4("us-east-1", "bedrock", credentials=provider).headers("POST", "https://h", {}, b"")


async def _through(marks: Canaries, scheme: str) -> None:
    proxy = f"{scheme}://me:{marks['proxy password']}@127.0.0.1:9"
    async with Responses(
        model="m",
        base_url="http://127.0.0.1:9/v1",
        api_key=marks["API key"],
        transport=HttpxTransport(proxy=proxy),
        retry=Retry(attempts=1),
    ) as model:
        await model.create(input=marks["prompt"])
