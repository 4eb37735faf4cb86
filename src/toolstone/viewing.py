"""The views of an agent: sorted, checked against its settings, and their model opened."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from toolstone._dataclass import dataclass
from toolstone.errors import DefinitionError, Unsupported
from toolstone.models import check_model_string, resolve_model
from toolstone.runs.views import LastTurns, ServerCompaction, Summary, TrimResults

if TYPE_CHECKING:
    from toolstone.ports import Model, Profile, Settings
    from toolstone.runs.plan import Plan
    from toolstone.runs.views import View

__all__ = ["Views", "sorted_views"]

Output = TypeVar("Output")


@dataclass(slots=True, eq=False)
class Views:
    """What an agent's view comes to."""

    shorteners: tuple[LastTurns | TrimResults, ...] = ()
    compactor: Summary | ServerCompaction | None = None
    given: str | Model | None = None
    """The model that a `Summary` names."""
    model: Model | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        if isinstance(self.given, str):
            check_model_string(self.given)
        else:
            self.model = self.given

    @property
    def name(self) -> str | None:
        """The name of that model: the key of a price table."""
        if self.given is None or isinstance(self.given, str):
            return self.given
        return str(getattr(self.given, "name", ""))

    async def added_to(self, plan: Plan[Output]) -> Plan[Output]:
        """The plan of a run with these views.

        Raises:
            ConfigError: The model of a `Summary` cannot be had: a key or an extra is missing.
            DefinitionError: The service keeps the conversation, and would not notice a view.
            Unsupported: It is to compact conversations, and cannot.
        """
        self._check(plan.settings)
        if isinstance(self.compactor, ServerCompaction):
            _check_compacts(plan.model, plan.profile)
        if self.model is None and isinstance(self.given, str):
            self.model = await asyncio.to_thread(resolve_model, self.given)
        return replace(
            plan,
            shorteners=self.shorteners,
            compactor=self.compactor,
            compactor_model=self.model,
            compactor_name=self.name,
        )

    def _check(self, settings: Settings) -> None:
        kept = "conversation" if settings.conversation is not None else None
        if self.shorteners and settings.state == "server":
            kept = 'state="server"'
        if kept is not None:
            raise DefinitionError(
                f"view= has no effect with Settings({kept}): the service keeps the conversation "
                "and reads all of it; let it shorten that: Settings(compact_threshold=...)"
            )


def _check_compacts(model: Model, profile: Profile) -> None:
    instead = profile.unsupported.get("compaction", "Use view=Summary(...), which works everywhere")
    if "compaction" in profile.unsupported or not hasattr(model, "compact"):
        raise Unsupported(f"{profile.name} has no operation that compacts conversations. {instead}")


def sorted_views(given: View | Sequence[View]) -> Views:
    """The views of an agent.

    Raises:
        DefinitionError: One is no view, or two replace the history.
    """
    found: Sequence[Any] = given if isinstance(given, Sequence) else (given,)
    for one in found:
        if not isinstance(one, LastTurns | TrimResults | Summary | ServerCompaction):
            raise DefinitionError(
                f"view= holds a {type(one).__name__!r}: give LastTurns, TrimResults, Summary or "
                "ServerCompaction, or a list of them"
            )
    shorteners = tuple(one for one in found if isinstance(one, LastTurns | TrimResults))
    compactors = [one for one in found if isinstance(one, Summary | ServerCompaction)]
    if len(compactors) > 1:
        raise DefinitionError(
            "view= holds two that replace the history (Summary, ServerCompaction); give one"
        )
    compactor = compactors[0] if compactors else None
    return Views(shorteners, compactor, getattr(compactor, "model", None))
