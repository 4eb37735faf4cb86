"""Which calls a request comes to: the tools weighed by how well they explain its words.

A model this small cannot be asked which tool to take: it names the first or the last. But it
knows how people ask. So every tool is put as a premise ("somebody who needs this tool says: ...")
and the likelihood of the words that were really said decides, against the premise that somebody
just talks. The request is weighed as a whole and clause by clause: a clause that explains itself by
a tool of its own is a call of its own; one that does not belongs to the clause before it.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from toolstone import limits
from toolstone._dataclass import dataclass
from toolstone.local.brains.llama.engine import Engine
from toolstone.local.brains.llama.fit import fills, fit, names, own_words, required_texts
from toolstone.local.brains.llama.prompts import request_prompt, spoken, talk_prompts, tool_words
from toolstone.local.brains.llama.words import numbers, related, stems, words

__all__ = ["Planned", "best_call", "plan_calls"]

Tool = Mapping[str, Any]

_CERTAIN = 1.3  # how much better than talk (in nats) a tool must explain a request
_CLAUSE_CERTAIN = 2.0  # a clause is shorter, and a mistake is a call too many
_FIELD_CERTAIN = 1.5  # a field of the output that a tool is said to supply
_CUT = re.compile(
    r"(?:,\s*|;\s*|[.?!]\s+)?\b(?:and then|and also|as well as|and|then|plus also)\b\s+"
    r"|[.?!;]\s+(?=\S)"
    r"|,\s+(?=(?:what|how|which|who|when|where)\b)",
    re.IGNORECASE,
)
_LINKS = frozenset(["in", "of", "for", "to", "from", "on", "at", "by", "with", "about"])


@dataclass(frozen=True, slots=True)
class Planned:
    """A call to be made, and the part of the request that asks for it."""

    tool: Tool
    clause: str


async def plan_calls(
    engine: Engine, request: str, tools: Sequence[Tool], *, needs: Mapping[str, str]
) -> list[Planned]:
    """Decide which calls a request comes to, in the order it asks for them.

    Args:
        engine: The model that weighs.
        request: What the user said.
        tools: The tools that may be called.
        needs: The fields of the output that is asked for, by name, each with its description.
    """
    judge = _Judge(engine, tools)
    clauses = [clause for clause in _CUT.split(request, limits.LOCAL_CLAUSES) if words(clause)]
    planned = await _by_clause(judge, clauses) if len(clauses) > 1 else []
    if len(planned) < 2:  # noqa: PLR2004  one call is better judged by the whole request
        best = await judge.best(request, _CERTAIN)
        planned = [Planned(best, request)] if best else planned
    return _lend(planned) + await _by_need(judge, request, needs, planned)


async def best_call(engine: Engine, request: str, tools: Sequence[Tool]) -> Planned:
    """Decide which tool fits best, where one must be called."""
    best = await _Judge(engine, tools).best(request, None)
    return Planned(best or tools[0], request)


class _Judge:
    """Weighs the tools of one request."""

    def __init__(self, engine: Engine, tools: Sequence[Tool]) -> None:
        self._engine = engine
        self.tools = tools

    def _likely(self, text: str) -> Sequence[Tool]:
        """Leave out, where very many tools are offered, those whose words fit least."""
        if len(self.tools) <= limits.LOCAL_WEIGHED_TOOLS:
            return self.tools
        ranked = sorted(self.tools, key=lambda tool: -len(own_words(tool, text)))
        return ranked[: limits.LOCAL_WEIGHED_TOOLS]

    async def best(self, text: str, certain: float | None) -> Tool | None:
        """Give the tool that explains a text best, if it beats talk by that much."""
        if not self.tools:
            return None
        said = f" {' '.join(text.split()[-limits.LOCAL_WEIGHED_WORDS :])}"
        tools = self._likely(said)
        weights = [await self._weight(tool, said) for tool in tools]
        top = max(weights)
        if certain is not None:
            talk = [await self._engine.likelihood(prompt, said) for prompt in talk_prompts()]
            if top - max(talk) < certain:
                return None
        return tools[weights.index(top)]

    async def _weight(self, tool: Tool, said: str) -> float:
        others = [other for other in self.tools if other is not tool]
        return await self._engine.likelihood(request_prompt(tool), said) + fit(tool, others, said)


async def _by_clause(judge: _Judge, clauses: Sequence[str]) -> list[Planned]:
    """Give each clause its tool; a clause without one joins, or repeats, the call before it."""
    planned: list[Planned] = []
    for clause in clauses:
        own = await judge.best(clause, _CLAUSE_CERTAIN)
        if not planned:
            first = own or await judge.best(" and ".join(clauses), _CERTAIN)
            planned += [Planned(first, clause)] if first else []
            continue
        last = planned[-1]
        own = own if _says_what(clause) else None
        if own is not None and (own is not last.tool or fills(own, clause)):
            planned.append(Planned(own, clause))
        elif own is None and _repeats(last, clause):
            planned.append(Planned(last.tool, clause))
        else:
            planned[-1] = Planned(last.tool, f"{last.clause} and {clause}")
    return planned


def _lend(planned: Sequence[Planned]) -> list[Planned]:
    """Let a clause that names nothing take the name from another: "... and is it warm there"."""
    return [_lent(plan, planned) for plan in planned]


def _lent(plan: Planned, planned: Sequence[Planned]) -> Planned:
    if names(plan.tool, plan.clause):
        return plan
    wanted = set(required_texts(plan.tool))
    for other in planned:
        if other.tool is plan.tool:
            continue  # the same call twice helps nobody
        if wanted & set(required_texts(other.tool)) and names(other.tool, other.clause):
            return Planned(plan.tool, other.clause)
    return plan


def _says_what(clause: str) -> bool:
    """Tell whether a clause has words besides names, numbers and function words."""
    return any(not w.empty and w.text[:1].islower() for w in words(clause)) or not _names(clause)


def _names(clause: str) -> bool:
    return all(w.empty or w.text[:1].isupper() or w.text[:1].isdigit() for w in words(clause)[1:])


def _repeats(last: Planned, clause: str) -> bool:
    """Tell whether a clause without a verb asks for the same again: "... and in Rome"."""
    start = clause.split(maxsplit=1)[0].lower()
    named = words(clause)[0].text[:1].isupper() or bool(numbers(clause)) or start in _LINKS
    return named and fills(last.tool, clause) and fills(last.tool, last.clause)


async def _by_need(
    judge: _Judge, request: str, needs: Mapping[str, str], planned: Sequence[Planned]
) -> list[Planned]:
    """Add the tools that supply a field of the output which nothing planned supplies."""
    inputs = {name for tool in judge.tools for name in _properties(tool)}
    called = [plan.tool for plan in planned]
    added: list[Planned] = []
    for name, description in needs.items():
        if name in inputs or any(_supplies(tool, name, description) for tool in called):
            continue
        tool = next((t for t in judge.tools if _supplies(t, name, description)), None)
        if tool is None and not planned:
            tool = await judge.best(f"What is the {spoken(name)}?", _FIELD_CERTAIN)
        if tool is not None and tool not in called:
            called.append(tool)
            added.append(Planned(tool, request))
    return added


def _supplies(tool: Tool, name: str, description: str) -> bool:
    said, purpose, _ = tool_words(tool)
    return related(stems(spoken(name)) | stems(description), stems(f"{said} {purpose}"))


def _properties(tool: Tool) -> list[str]:
    return list((tool.get("parameters") or {}).get("properties", {}))
