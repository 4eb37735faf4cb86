"""A named set of tools: prefixed, picked from, filtered each turn, merged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from toolstone.errors import DefinitionError, InputError
from toolstone.tools.tool import Tool

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["AnyTool", "Toolbox", "gather"]


class Toolbox:
    """Tools under one name. Never changed: every method gives a new one.

    Args:
        tools: Functions, tools, other toolboxes, or definitions as the wire has them.
        name: For messages; two toolboxes whose tools clash are named in the error.

    Raises:
        DefinitionError: Two tools have the same name, or one cannot be a tool.

    Example:
        files = Toolbox([read, write], name="files").prefix("files_")
        agent = Agent(model, tools=[files.without("files_write"), search])
    """

    __slots__ = ("_filters", "_tools", "name")

    def __init__(self, tools: Iterable[AnyTool] = (), *, name: str = "tools") -> None:
        self.name = name
        self._tools, self._filters = gather(tools, name)

    def __iter__(self) -> Iterator[Tool]:
        """All tools, in the order given, whatever the filters say."""
        return iter(self._tools.values())

    def __len__(self) -> int:
        return len(self._tools)

    def __contains__(self, name: object) -> bool:
        return name in self._tools

    def __getitem__(self, name: str) -> Tool:
        self._check([name])
        return self._tools[name]

    @property
    def names(self) -> tuple[str, ...]:
        """The tools' names, in order."""
        return tuple(self._tools)

    @property
    def fixed(self) -> bool:
        """Whether all tools are offered in every turn."""
        return not self._filters

    def offered(self) -> tuple[Tool, ...]:
        """The tools offered now: those that every filter lets through. Asked before each turn."""
        return tuple(
            one
            for name, one in self._tools.items()
            if all(keep(one) for keep in self._filters.get(name, ()))
        )

    def prefix(self, text: str) -> Toolbox:
        """The same tools under longer names: `text` and the name; the service's own keep theirs."""
        renamed = {name: one.renamed(text + name) for name, one in self._tools.items()}
        filters = {renamed[name].name: keep for name, keep in self._filters.items()}
        return self._with({one.name: one for one in renamed.values()}, filters)

    def pick(self, *names: str) -> Toolbox:
        """Only these tools, in this order.

        Raises:
            InputError: There is none of a name.
        """
        self._check(names)
        return self._with({name: self._tools[name] for name in names}, self._filters)

    def without(self, *names: str) -> Toolbox:
        """All tools but these.

        Raises:
            InputError: There is none of a name.
        """
        self._check(names)
        kept = {name: one for name, one in self._tools.items() if name not in names}
        return self._with(kept, self._filters)

    def filter(self, keep: Callable[[Tool], bool]) -> Toolbox:
        """The same tools, but a turn offers only those for which `keep` is true then."""
        filters = {name: (*self._filters.get(name, ()), keep) for name in self._tools}
        return self._with(dict(self._tools), filters)

    def __or__(self, other: Toolbox) -> Toolbox:
        if not isinstance(other, Toolbox):
            return NotImplemented
        return Toolbox([self, other], name=f"{self.name}|{other.name}")

    __add__ = __or__

    def __repr__(self) -> str:
        return f"<Toolbox {self.name}: {', '.join(self._tools)}>"

    def _with(
        self, tools: dict[str, Tool], filters: dict[str, tuple[Callable[[Tool], bool], ...]]
    ) -> Toolbox:
        made = Toolbox(name=self.name)
        made._tools = tools
        made._filters = {name: found for name, found in filters.items() if name in tools}
        return made

    def _check(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in self._tools:
                raise InputError(
                    f"toolbox {self.name!r} has no tool {name!r}; it has {', '.join(self._tools)}"
                )


AnyTool = Callable[..., Any] | Tool | Toolbox | Mapping[str, Any]
"""What may be given as a tool; a dict is a definition as the wire has it."""
_Filters = dict[str, tuple["Callable[[Tool], bool]", ...]]


def gather(tools: Iterable[AnyTool], name: str = "tools") -> tuple[dict[str, Tool], _Filters]:
    """Everything that can be a tool, by name, and the filters on some.

    Raises:
        DefinitionError: Two have the same name; says where both came from.
    """
    found: dict[str, Tool] = {}
    origins: dict[str, str] = {}
    filters: _Filters = {}
    for given in [tools] if isinstance(tools, Toolbox) else tools:
        box = given if isinstance(given, Toolbox) else None
        origin = f"{name!r}" if box is None else f"toolbox {box.name!r}"
        for one in (Tool.of(given),) if not isinstance(given, Toolbox) else given:
            if one.name in found:
                raise DefinitionError(
                    f"two tools are named {one.name!r}: one from {origins[one.name]}, one from "
                    f'{origin}; rename one with @tool(name="...") or Toolbox.prefix'
                )
            found[one.name] = one
            origins[one.name] = origin
        if box is not None:
            filters |= box._filters  # noqa: SLF001  a function of this class's own file
    return found, filters
