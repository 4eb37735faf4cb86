"""`dataclasses.dataclass`, with less to compile: that was a third of our own part of a start.

Until Python 3.13 the standard library compiles each method of a class by itself, six for a frozen
one. Comparison, hash and `repr` of a frozen class are plain functions here, made of the fields'
names; they do the same. What it saves stands in docs/performance.md.
"""

from __future__ import annotations

import dataclasses
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any

__all__ = ["dataclass"]

if TYPE_CHECKING:
    from dataclasses import dataclass
else:

    def dataclass(**options: Any) -> Any:
        """A class decorator, as `dataclasses.dataclass(...)` is."""
        if not options.get("frozen"):
            return dataclasses.dataclass(**options)
        make = dataclasses.dataclass(**{**options, "eq": False, "repr": False})

        def decorate(cls: type) -> type:
            own = dict(vars(cls))
            made = make(cls)
            if options.get("eq", True):
                _compare(made, own)
            if options.get("repr", True) and "__repr__" not in own:
                _show(made)
            return made

        return decorate


def _compare(cls: Any, own: dict[str, Any]) -> None:
    names = [field.name for field in dataclasses.fields(cls) if field.compare]
    parts: Any = attrgetter(*names) if names else lambda _: ()

    def equal(self: Any, other: object) -> bool:
        return parts(self) == parts(other) if type(other) is type(self) else NotImplemented

    def hashed(self: Any) -> int:
        return hash(parts(self))

    if "__eq__" not in own:
        cls.__eq__ = equal
    if own.get("__hash__") is None:  # a class with `__eq__` alone has None there
        cls.__hash__ = hashed


def _show(cls: Any) -> None:
    names = [field.name for field in dataclasses.fields(cls) if field.repr]

    @recursive_repr()
    def shown(self: Any) -> str:
        inside = ", ".join(f"{name}={getattr(self, name)!r}" for name in names)
        return f"{type(self).__qualname__}({inside})"

    cls.__repr__ = shown
