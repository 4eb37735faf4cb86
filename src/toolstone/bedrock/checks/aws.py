"""What AWS itself tells, through boto3: who the caller is, their quotas, the inference profiles."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from toolstone import limits
from toolstone.bedrock.checks.case import failed, passed, skipped
from toolstone.bedrock.flight import Flight
from toolstone.responses.failures import sanitised

if TYPE_CHECKING:
    from collections.abc import Callable

    from toolstone.bedrock.checks.answers import Visit
    from toolstone.bedrock.checks.case import Finding

__all__ = ["caller", "profiles", "quotas"]

_CODES: Final = {"mantle": "bedrock-mantle", "runtime": "bedrock"}


async def caller(visit: Visit) -> Finding:
    """Whose credentials the chain has, by `sts:GetCallerIdentity`."""

    def ask() -> Finding:
        arn = str(_client("sts", visit).get_caller_identity()["Arn"])
        return passed("caller", f"AWS knows the credentials of the chain as {arn}")

    return await _asked("caller", ask)


async def quotas(visit: Visit) -> Finding:
    """The quotas that Service Quotas has for the model."""
    end = visit.endpoint

    def ask() -> Finding:
        client = _client("service-quotas", visit)
        pages = client.get_paginator("list_service_quotas").paginate(
            ServiceCode=_CODES[end.host], PaginationConfig={"MaxItems": 2000}
        )
        rows = [row for page in pages for row in page["Quotas"]]
        return _judged(end.bare, [row for row in rows if _is_of(row, end.bare)])

    return await _asked("service quotas", ask)


def _judged(model: str, rows: list[dict[str, Any]]) -> Finding:
    name = "service quotas"
    if not rows:
        seen = f"none is published for {model}: its capacity is not known"
        return skipped(name, seen, "retries are the only remedy; AWS Support raises quotas")
    listed = "; ".join(f"{row['QuotaName']}: {row['Value']:,.0f}" for row in rows[:4])
    if any(row["Value"] == 0 for row in rows):
        return failed(name, listed, "a quota is zero: ask AWS Support for an increase")
    return passed(name, listed)


def _is_of(row: dict[str, Any], model: str) -> bool:
    """Whether a quota's name speaks of the model: 'GPT-5.6 Sol' of `openai.gpt-5.6-sol`."""
    return _plain(model.rpartition(".gpt")[2] or model) in _plain(str(row["QuotaName"]))


def _plain(text: str) -> str:
    return "".join(c for c in text.lower() if c.isalnum())


async def profiles(visit: Visit) -> Finding:
    """Whether the account's region has the inference profile that the id names."""
    name, end = "inference profiles", visit.endpoint
    if end.host != "runtime" or end.model.startswith("arn:"):
        return skipped(name, "the id names none")

    def ask() -> Finding:
        client = _client("bedrock", visit)
        pages = client.get_paginator("list_inference_profiles").paginate()
        known = [
            str(p["inferenceProfileId"]) for q in pages for p in q["inferenceProfileSummaries"]
        ]
        if end.model in known:
            return passed(name, f"{end.model} is one of {len(known)} in {end.region}")
        near = ", ".join(one for one in known if one.endswith(end.bare)) or "none for this model"
        seen = f"{end.model} is not among the {len(known)} of {end.region}"
        return failed(name, seen, f"there is {near}")

    return await _asked(name, ask)


async def _asked(name: str, ask: Callable[[], Finding]) -> Finding:
    try:
        return await Flight(ask).answer()
    except Exception as error:  # noqa: BLE001  boto3 raises what it likes; the next check goes on
        why = sanitised(f"{type(error).__name__}: {error}")
        return skipped(name, f"AWS could not be asked ({why})")


def _client(service: str, visit: Visit) -> Any:
    from boto3.session import Session  # noqa: PLC0415  at first need: 200 ms
    from botocore.config import Config  # noqa: PLC0415

    config = Config(
        connect_timeout=limits.DOCTOR_CONNECT_SECONDS,
        read_timeout=limits.DOCTOR_IDLE_SECONDS,
        retries={"total_max_attempts": 1},
    )
    session: Any = Session()
    return session.client(service, region_name=visit.endpoint.region or None, config=config)
