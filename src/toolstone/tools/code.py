"""Whether the code behind a tool is still the same: a short hash of it. Pure."""

from __future__ import annotations

from hashlib import sha256
from types import CodeType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["code_of"]


def code_of(function: Callable[..., Any] | None) -> str:
    """A hash of a function's byte code and constants; empty where there is none to be seen.

    What the function calls is not part of it, but for a function that it was made around.
    """
    found = _inner(function)
    if found is None:
        return ""
    around = [_inner(cell.cell_contents) for cell in _cells(function)]
    told = [_described(code) for code in (found, *around) if code is not None]
    return sha256(repr(told).encode(errors="replace")).hexdigest()[:16]


def _inner(function: Any) -> CodeType | None:
    """The code of a function, of what a partial or a method is of, or of an object's call."""
    for _ in range(8):  # somebody may wrap in circles
        for name in ("__wrapped__", "func", "__func__"):
            if hasattr(function, name):
                function = getattr(function, name)
                break
        else:
            break
    code = getattr(function, "__code__", None)
    if code is None and callable(function):
        code = getattr(vars(type(function)).get("__call__"), "__code__", None)
    return code if isinstance(code, CodeType) else None


def _cells(function: Any) -> list[Any]:
    cells = getattr(function, "__closure__", None) or ()
    return [cell for cell in cells if _is_filled(cell)]


def _is_filled(cell: Any) -> bool:
    try:
        return callable(cell.cell_contents)
    except ValueError:  # it is given its value later
        return False


def _described(code: CodeType) -> list[Any]:
    constants = [_constant(one) for one in code.co_consts]
    return [code.co_code.hex(), code.co_names, code.co_varnames, constants]


def _constant(value: Any) -> Any:
    if isinstance(value, CodeType):
        return _described(value)
    if isinstance(value, tuple):
        return [_constant(one) for one in value]
    if isinstance(value, frozenset):
        return sorted(map(repr, value))  # its own order is another in each process
    return repr(value)
