"""What AWS's library and our use of it show: chains of credentials, signatures, a token service."""

from __future__ import annotations

import asyncio
import os
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from campaigns._channels import told
from campaigns._spills import listening
from toolstone.bedrock.auth import MintedKey, SigV4
from toolstone.bedrock.doctor import diagnose
from toolstone.errors import ToolstoneError
from toolstone.items import user
from toolstone.ports import Request
from toolstone.responses import Responses
from toolstone.testing.faults import SCENARIOS, Scenario
from toolstone.testing.faults.saying import reply
from toolstone.wire import Retry

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from campaigns._canaries import Canaries
    from campaigns._spills import Spill
    from toolstone.testing.faults import Faults
    from toolstone.testing.faults.steps import Asked, Step
    from toolstone.wire import Auth

__all__ = ["signing"]

_ASSUMED = """<{0}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><{0}Result>
<Credentials><AccessKeyId>{1}</AccessKeyId><SecretAccessKey>{2}</SecretAccessKey>
<SessionToken>{3}</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>
<Arn>arn:aws:sts::123456789012:assumed-role/r/s</Arn><UserId>u</UserId><Account>1</Account>
<AssumedRoleUser><Arn>arn:aws:sts::1:assumed-role/r/s</Arn><AssumedRoleId>a:b</AssumedRoleId>
</AssumedRoleUser></{0}Result></{0}Response>"""


def signing(
    marks: Canaries, peer: Faults, *, chains: Collection[int] = range(9)
) -> Iterator[Spill]:
    """Requests signed with credentials of every kind of chain, with all logs at level 1."""
    SCENARIOS["K04"] = Scenario("K04", "a token service that gives credentials", _token(marks))
    try:
        with tempfile.TemporaryDirectory() as name, listening() as heard:
            for number, variables in enumerate(_chains(marks, peer, Path(name))):
                if number not in chains:
                    continue
                with _environment(variables):
                    for auth in (SigV4("us-east-1", "bedrock"), MintedKey("us-east-1")):
                        yield from _asked(marks, peer, auth)
                    yield from asyncio.run(_doctor(peer))
        yield from heard
    finally:
        del SCENARIOS["K04"]


def _token(marks: Canaries) -> Callable[[Asked], Iterable[Step]]:
    def play(asked: Asked) -> Iterable[Step]:
        action = asked.body.decode().partition("Action=")[2].partition("&")[0]
        keys = (marks["access key"], marks["secret key"], marks["session token"])
        body = _ASSUMED.format(action, *keys).encode()
        return [reply(200, body, "content-type: text/xml", f"x-echo: {keys[2]}")]

    return play


def _chains(marks: Canaries, peer: Faults, folder: Path) -> Iterator[dict[str, str]]:
    """The environments, each with credentials of its own kind."""
    service = peer.base_url("K04").removesuffix("/v1")
    bare = {"HOME": str(folder), "AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": "us-east-1"}
    bare |= {"AWS_ENDPOINT_URL_STS": service, "AWS_ENDPOINT_URL": service}
    yield bare | {
        "AWS_ACCESS_KEY_ID": marks["access key"],
        "AWS_SECRET_ACCESS_KEY": marks["secret key"],
        "AWS_SESSION_TOKEN": marks["session token"],
    }
    token = folder / "token"
    token.write_text(marks["tool token"])
    yield (
        bare
        | {"AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/r"}
        | {"AWS_WEB_IDENTITY_TOKEN_FILE": str(token)}
    )
    config = folder / "config"
    config.write_text(
        "[default]\nrole_arn = arn:aws:iam::123456789012:role/r\nsource_profile = base\n"
        f"[profile base]\naws_access_key_id = {marks['access key']}\n"
        f"aws_secret_access_key = {marks['secret key']}\n"
    )
    yield bare | {"AWS_CONFIG_FILE": str(config)}  # fails: botocore wants to be told the region
    yield bare | {"AWS_CONFIG_FILE": str(config), "AWS_DEFAULT_REGION": "us-east-1"}


@contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """These variables, and no other of AWS's."""
    before = dict(os.environ)
    for name in list(os.environ):
        if name.startswith(("AWS_", "OPENAI_")):
            del os.environ[name]
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _asked(marks: Canaries, peer: Faults, auth: Auth) -> Iterator[Spill]:
    async def ask() -> None:
        async def nobody(_deltas: object) -> None:
            pass

        url, retry = peer.base_url("K11-forbidden"), Retry(attempts=1)
        async with Responses(model="m", base_url=url, auth=auth, retry=retry) as model:
            await model.respond(Request((user(marks["prompt"]),)), nobody)

    try:
        asyncio.run(ask(), debug=True)
    except ToolstoneError as error:
        yield from ((f"AWS {type(error).__name__}: {how}", seen) for how, seen in told(error))


async def _doctor(peer: Faults) -> list[Spill]:
    """What the doctor says, who asks AWS itself too."""
    place = peer.base_url("K11-auth").removesuffix("/v1")
    model = "bedrock/openai.gpt-oss-120b@us-east-1"
    found = diagnose(model, endpoint=place, ask_aws=True)
    return [("doctor's finding", repr(finding)) async for finding in found]
