"""What is tried once before a refusal is final: another path, id or parameter. Pure.

What helps at any endpoint, another history, is tried a floor below: `toolstone.responses.mending`.

A `Draft` is one request on its way. A refusal that the table knows a mend for (`StatusError.mend`)
makes the next draft; each kind of mend is tried once, parameters one by one. What turned out right
is remembered for the process, in `Learnt`, once the service has answered.
"""

from __future__ import annotations

from dataclasses import field, replace
from typing import TYPE_CHECKING, Any, Final

from toolstone._dataclass import dataclass
from toolstone.bedrock.gating import Refusal, field_of, value_of, without

if TYPE_CHECKING:
    from toolstone.bedrock.dialect import Dialect
    from toolstone.bedrock.endpoint import Endpoint
    from toolstone.errors import StatusError
    from toolstone.ports import Request

__all__ = ["Draft", "Learnt", "mend"]

Change = dict[str, Any] | None
"""What is different in the next draft; None if this cannot help."""


@dataclass(slots=True)
class Learnt:
    """What the service has taught about one model at one origin.

    Attributes:
        prefix: The path that worked where the table's did not.
        model: The id that worked where the table's did not.
        refused: Values of parameters that are not taken.
        plain: Whether items must have their documented fields alone.
    """

    prefix: str | None = None
    model: str | None = None
    refused: frozenset[Refusal] = frozenset()
    plain: bool = False


@dataclass(frozen=True, slots=True)
class Draft:
    """One request, and how it is sent.

    Attributes:
        request: What is asked.
        prefix: The path it is sent under.
        model: The id it is sent with.
        plain: Whether items have their documented fields alone.
        refused: What this request had to leave out.
        tried: The mends it has been through.
        why: What the last one was, for people.
    """

    request: Request
    prefix: str
    model: str
    plain: bool = False
    refused: frozenset[Refusal] = frozenset()
    tried: frozenset[str] = field(default_factory=frozenset)
    why: str = ""

    def learn(self, learnt: Learnt, endpoint: Endpoint) -> None:
        """Remember what was needed for this request to be answered."""
        if self.prefix != endpoint.prefix:
            learnt.prefix = self.prefix
        if self.model != endpoint.model:
            learnt.model = self.model
        learnt.plain = learnt.plain or self.plain
        learnt.refused |= self.refused


def mend(draft: Draft, error: StatusError, endpoint: Endpoint, dialect: Dialect) -> Draft | None:
    """The next draft; None if the refusal is final."""
    if error.mend == "drop-parameter":
        return _drop(draft, error)
    kind = error.mend or ("switch-prefix" if _is_elsewhere(draft, error, endpoint) else "")
    if kind not in _MENDS or kind in draft.tried:
        return None
    changed = _MENDS[kind](draft, endpoint, dialect)
    return None if changed is None else replace(draft, tried=draft.tried | {kind}, **changed)


def _is_elsewhere(draft: Draft, error: StatusError, endpoint: Endpoint) -> bool:
    """A wrong path has been seen to answer 401 (bedrock.md §1)."""
    return error.means == "auth" and error.status == 401 and draft.prefix != endpoint.family.prefix  # noqa: PLR2004  unauthorized


def _switch(draft: Draft, endpoint: Endpoint, dialect: Dialect) -> Change:
    prefixes: list[str] = dialect.host(endpoint.host)["prefixes"]
    known = [endpoint.family.prefix, *prefixes]
    other = next((p for p in known if p in prefixes and p != draft.prefix), None)
    why = f"the path {draft.prefix!r} was refused, and {other!r} tried"
    return None if other is None else {"prefix": other, "why": why}


def _translate(draft: Draft, endpoint: Endpoint, dialect: Dialect) -> Change:
    if endpoint.host != "runtime" or draft.model.startswith("arn:"):
        return None
    geography = dialect.profiles(endpoint.region)[0]
    other = f"{geography}.{endpoint.bare}"
    if other == draft.model:
        return None
    return {"model": other, "why": f"the id {draft.model!r} was refused, and {other!r} tried"}


def _drop(draft: Draft, error: StatusError) -> Draft | None:
    names = ("effort", "summary") if error.param == "reasoning" else (field_of(error.param),)
    said = [(name, value_of(draft.request, name)) for name in names]
    there = [(name, value) for name, value in said if value is not None]
    if not there:
        return None
    request = draft.request
    for name, _ in there:
        request = without(request, name)
    refused = draft.refused | {Refusal.of(name, value) for name, value in there}
    why = f"{' and '.join(name for name, _ in there)} was refused, and left out"
    return replace(draft, request=request, refused=refused, why=why)


def _bare(draft: Draft, _: Endpoint, __: Dialect) -> Change:
    return None if draft.plain else {"plain": True, "why": "items were sent bare"}


_MENDS: Final = {
    "switch-prefix": _switch,
    "translate-id": _translate,
    "strip-items": _bare,
}
