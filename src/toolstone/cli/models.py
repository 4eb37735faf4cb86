"""`toolstone models`: what Bedrock lists, with what the table says of it."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, Final, Literal

from toolstone.bedrock.catalogue import list_models, list_runtime_models
from toolstone.bedrock.choosing import choose_auth
from toolstone.bedrock.dialect import Dialect
from toolstone.bedrock.endpoint import resolve_endpoint
from toolstone.bedrock.names import check_region
from toolstone.cli.failures import FAILED
from toolstone.cli.words import clean
from toolstone.errors import InputError, ToolstoneError
from toolstone.wire import HttpxTransport

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolstone.bedrock.catalogue import Listed
    from toolstone.wire import Transport

__all__ = ["HostName", "see_models"]

HostName = Literal["mantle", "runtime"]
_ANY: Final = "openai.gpt-oss-120b"
_AT_ONCE: Final = 4
_COLUMNS: Final = ("model", "region", "status", "family", "prefix", "APIs")


def see_models(
    host: HostName, *, region: str | None, all_regions: bool, responses: bool, as_json: bool
) -> int:
    """List the models of one region or of all, as a table or as one JSON object a line.

    Args:
        host: `mantle` tells itself; for `runtime` the service API is asked through boto3.
        region: The region; the environment's unless given.
        all_regions: Every region where the table knows the host.
        responses: Only those that the table knows to speak the Responses API.
        as_json: One JSON object a line.

    Returns:
        The exit code: 1 if some region could not be asked.

    Raises:
        InputError: A region is named, and all of them too.
        ConfigError: There is no region.
    """
    if region is not None and all_regions:
        raise InputError("give --region or --all-regions: one of them says where")
    if region is not None:
        check_region(region)
    regions = Dialect.load().regions(host) if all_regions else (_region(host, region),)
    listed, refused = asyncio.run(_ask_all(host, regions))
    if len(regions) == 1 and refused:
        raise next(iter(refused.values()))
    shown = [one for one in listed if one.speaks_responses or not responses]
    for one in shown if as_json else ():
        sys.stdout.write(json.dumps(_plain(one), ensure_ascii=False) + "\n")
    if not as_json:
        sys.stdout.write(_table(shown))
    for where, error in refused.items():
        sys.stderr.write(f"{where}: {clean(str(error))}\n")
    return FAILED if refused else 0


def _region(host: HostName, region: str | None) -> str:
    return resolve_endpoint(f"bedrock-{host}/{_ANY}", region=region).region


async def _ask_all(
    host: HostName, regions: Sequence[str]
) -> tuple[list[Listed], dict[str, ToolstoneError]]:
    """The models of every region, and why a region did not tell."""
    listed: list[Listed] = []
    refused: dict[str, ToolstoneError] = {}
    transport, few = HttpxTransport(), asyncio.Semaphore(_AT_ONCE)

    async def one(region: str) -> tuple[Listed, ...]:
        async with few:
            return await _ask(host, region, transport)

    answers = await asyncio.gather(*map(one, regions), return_exceptions=True)
    await transport.aclose()
    for region, answer in zip(regions, answers, strict=True):
        if isinstance(answer, ToolstoneError):
            refused[region] = answer
        elif isinstance(answer, BaseException):
            raise answer
        else:
            listed += answer
    return listed, refused


async def _ask(host: HostName, region: str, transport: Transport) -> tuple[Listed, ...]:
    if host == "runtime":
        return await list_runtime_models(region)
    end = resolve_endpoint(f"bedrock-mantle/{_ANY}", region=region)
    return await list_models(end, choose_auth(end).auth, transport=transport)


def _plain(one: Listed) -> dict[str, object]:
    return {
        "id": one.id,
        "host": one.host,
        "region": one.region,
        "status": one.status,
        "reason": one.reason,
        "family": one.family,
        "prefix": one.prefix,
        "apis": list(one.apis),
        "responses": one.speaks_responses,
    }


def _table(listed: Sequence[Listed]) -> str:
    rows = [_COLUMNS, *(_row(one) for one in listed)]
    widths = [max(len(row[n]) for row in rows) for n in range(len(_COLUMNS))]
    lines = ("  ".join(f"{cell:<{w}}" for cell, w in zip(r, widths, strict=True)) for r in rows)
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _row(one: Listed) -> tuple[str, ...]:
    status = f"{one.status}: {one.reason}" if one.reason else one.status
    told = (one.id, one.region, status, one.family or "unknown", one.prefix, ", ".join(one.apis))
    return tuple(clean(cell) or "-" for cell in told)
