"""`toolstone extract --dry-run`: what it would take, with nothing asked of a model.

All documents are read, and their requests made and measured. Some of them, by lot, are counted by
the endpoint where it counts tokens for nothing; the estimate of all is corrected by these.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
from contextlib import ExitStack
from dataclasses import field
from typing import TYPE_CHECKING, Any, Final

from pydantic_core import to_json

from toolstone._dataclass import dataclass
from toolstone.cli.words import clean, put_count
from toolstone.errors import InputError, ToolstoneError
from toolstone.extract.files.read import Unread
from toolstone.extract.job import Job, fingerprint
from toolstone.models import resolve_model
from toolstone.usage import Usage, estimate_tokens

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

    from toolstone.cli.extract.wanted import Wanted
    from toolstone.extract.plan import Plan
    from toolstone.extract.records import Document
    from toolstone.responses.objects import TokenCount

__all__ = ["look_ahead"]

_COUNTED: Final = 12  # requests that the endpoint is asked to count
_LOT: Final = 7


@dataclass(slots=True)
class Ahead:
    """What lies ahead: documents, requests, tokens."""

    documents: int = 0
    answered: int = 0
    """By the job, earlier."""
    same: int = 0
    unreadable: int = 0
    requests: int = 0
    estimated: int = 0
    drawn: list[dict[str, Any]] = field(default_factory=list)
    """Requests by lot, for counting."""
    factor: float | None = None
    """Counted tokens for one estimated; None where nothing was counted."""
    why: str = ""

    @property
    def input_tokens(self) -> int:
        """Of all requests."""
        return round(self.estimated * (1.0 if self.factor is None else self.factor))


def look_ahead(wanted: Wanted, plan: Plan[Any], documents: Iterable[Document | Unread]) -> int:
    """Say how much a job would be; the exit code.

    Raises:
        ConfigError: A key, a region or an extra is missing.
    """
    with ExitStack() as stack:
        ahead = _measure(plan, documents, _job_of(wanted, plan, stack))
    asyncio.run(_count(ahead, str(wanted.model)))
    most = plan.settings.max_output_tokens
    told = {
        "documents": ahead.documents,
        "answered_before": ahead.answered,
        "same_as_another": ahead.same,
        "unreadable": ahead.unreadable,
        "requests": ahead.requests,
        "input_tokens": ahead.input_tokens,
        "counted": "estimated" if ahead.factor is None else f"by the endpoint, {len(ahead.drawn)}",
        "output_tokens_at_most": None if most is None else most * ahead.requests,
        "dollars_at_least": _dollars(wanted, ahead, 0),
        "dollars_at_most": None if most is None else _dollars(wanted, ahead, most * ahead.requests),
    }
    sys.stdout.write(json.dumps(told) + "\n" if wanted.as_json else _put(ahead, told))
    return 0


def _job_of(wanted: Wanted, plan: Plan[Any], stack: ExitStack) -> Job | None:
    """The job that would go on, if there is one.

    Raises:
        ConfigError: Its answers would not go with new ones.
        ConflictError: It is being worked on.
    """
    named = wanted.job is not None or wanted.out is not None
    if not named or wanted.restart or not wanted.job_file.exists():
        return None
    job = stack.enter_context(Job(wanted.job_file))
    if job.kept:
        job.begin(plan.fingerprint())
    return job


def _measure(
    plan: Plan[Any], documents: Iterable[Document | Unread], job: Job | None = None
) -> Ahead:
    ahead, seen, lot = Ahead(), set(), random.Random(_LOT)  # noqa: S311  a lot is no secret
    for given in documents:
        ahead.documents += 1
        try:
            document = given.read() if isinstance(given, Unread) else given
        except InputError:
            ahead.unreadable += 1
            continue
        if job is not None and job.find(job.place(document)) is not None:
            ahead.answered += 1
            continue
        text = fingerprint(document.text)
        if text in seen or (job is not None and job.alike(text) is not None):
            ahead.same += 1
            continue
        seen.add(text)
        for body in plan.bodies(document):
            ahead.requests += 1
            ahead.estimated += _estimate(body)
            if len(ahead.drawn) < _COUNTED:
                ahead.drawn.append(dict(body))
            elif (place := lot.randrange(ahead.requests)) < _COUNTED:
                ahead.drawn[place] = dict(body)
    return ahead


def _estimate(body: Any) -> int:
    return estimate_tokens(len(to_json(dict(body))))


async def _count(ahead: Ahead, name: str) -> None:
    """Have the endpoint count some requests, if it does that."""
    model = await asyncio.to_thread(resolve_model, name)
    try:
        counter = _counter(model)
        counts = [] if counter is None else [await counter(body) for body in ahead.drawn]
    except ToolstoneError as error:
        ahead.why = f"the endpoint did not count: {error}"
        return
    finally:
        if hasattr(model, "aclose"):
            await model.aclose()
    if not counts or not all(one.exact for one in counts):
        ahead.why = "this endpoint counts no tokens"
        return
    ahead.factor = sum(one.tokens for one in counts) / sum(map(_estimate, ahead.drawn))


def _counter(model: Any) -> Callable[[Any], Awaitable[TokenCount]] | None:
    """What counts tokens: a method of the client, of Bedrock's of the client behind it."""
    own = getattr(model, "count_tokens", None)
    found: Callable[[Any], Awaitable[TokenCount]] | None = own or getattr(
        getattr(model, "client", None), "count_tokens", None
    )
    return found


def _dollars(wanted: Wanted, ahead: Ahead, output: int) -> float | None:
    price = wanted.prices()
    return None if price is None else price.of(Usage(ahead.input_tokens, output))


def _put(ahead: Ahead, told: dict[str, Any]) -> str:
    notes = [f"{ahead.answered:,} answered before"] if ahead.answered else []
    notes += [f"{ahead.same:,} the same as another"] if ahead.same else []
    notes += [f"{ahead.unreadable:,} cannot be read"] if ahead.unreadable else []
    more = f" ({', '.join(notes)})" if notes else ""
    if ahead.factor is None:
        how = f"estimated from bytes, rather too high: {clean(ahead.why)}"
    else:
        counted = put_count(len(ahead.drawn), "request")
        how = f"the endpoint counted {counted}, the rest by their length"
    documents = put_count(ahead.documents, "document")
    requests = put_count(ahead.requests, "request")
    lines = [
        f"{documents}{more}, {requests}; re-asks come on top",
        f"{ahead.input_tokens:,} tokens in ({how})",
        _put_output(told),
        "Nothing was asked.",
    ]
    return "".join(f"{line}\n" for line in lines if line)


def _put_output(told: dict[str, Any]) -> str:
    most, least, dollars = (
        told[key] for key in ("output_tokens_at_most", "dollars_at_least", "dollars_at_most")
    )
    if most is None:
        cost = "" if least is None else f"${least:.4f} for the input; "
        return f"{cost}what the answers take has no bound: --max-output-tokens N gives one"
    cost = "" if least is None else f"; ${least:.4f} for the input, at most ${dollars:.4f} in all"
    return f"at most {most:,} tokens out{cost}"
