"""`typing.TypedDict` as pydantic wants it: before Python 3.12 it reads only the backported kind."""

from __future__ import annotations

import sys
import typing
from functools import lru_cache
from types import UnionType
from typing import Any

import typing_extensions

__all__ = ["modern"]


def modern(kind: Any) -> Any:
    """The annotation, its `typing.TypedDict` classes replaced by equal ones that pydantic reads."""
    if sys.version_info >= (3, 12):
        return kind
    if isinstance(kind, type) and typing.is_typeddict(kind):
        return kind if type(kind).__module__ == "typing_extensions" else _rebuilt(kind)
    inner = typing.get_args(kind)
    if not inner or typing.get_origin(kind) is typing.Literal:
        return kind
    changed = tuple(modern(one) for one in inner)
    if all(new is old for new, old in zip(changed, inner, strict=True)):
        return kind
    if isinstance(kind, UnionType):
        return typing.Union[changed]  # noqa: UP007  of a tuple
    if typing.get_origin(kind) is typing.Annotated:
        return typing.Annotated[(changed[0], *kind.__metadata__)]
    return kind.copy_with(changed) if hasattr(kind, "copy_with") else kind.__origin__[changed]


@lru_cache(maxsize=1024)
def _rebuilt(kind: Any) -> Any:
    hints = typing.get_type_hints(kind, include_extras=True)
    fields = {}
    for name, hint in hints.items():
        bare, needed = hint, name in kind.__required_keys__
        while (said := typing.get_origin(bare)) in {typing.Required, typing.NotRequired}:
            needed = said is typing.Required  # `__required_keys__` cannot see it in text
            (bare,) = typing.get_args(bare)
        wrapper: Any = typing_extensions.Required if needed else typing_extensions.NotRequired
        fields[name] = wrapper[modern(bare)]
    made: Any = typing_extensions.TypedDict(kind.__name__, fields)  # type: ignore[misc]
    made.__doc__, made.__module__ = kind.__doc__, kind.__module__
    return made
