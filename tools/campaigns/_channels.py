"""Every way an object shows itself: to a person, a debugger, a report, a file."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import traceback
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["SHOWN", "TOLD", "shown", "told"]


def _vars(value: Any) -> str:
    """`__dict__` and slots, private ones too."""
    names = [n for kind in type(value).__mro__ for n in getattr(kind, "__slots__", ())]
    held = {name: getattr(value, name, None) for name in names if not name.startswith("__")}
    return repr({**held, **getattr(value, "__dict__", {})})


def _public(value: Any) -> str:
    """The public attributes, each as it shows itself."""
    found: list[str] = []
    for name in dir(value):
        if name.startswith("_"):
            continue
        try:
            attribute = getattr(value, name)
        except Exception as error:  # noqa: BLE001  what a property raises is shown too
            attribute = error
        if not callable(attribute):
            found.append(f"{name}={attribute!r}")
    return "\n".join(found)


def _asdict(value: Any) -> str:
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return ""
    return repr(dataclasses.asdict(value))


def _pickled(value: Any) -> bytes:
    return pickle.dumps(value)


def _copied(value: Any) -> str:
    return _vars(copy.copy(value))


def _deeply_copied(value: Any) -> str:
    return _vars(copy.deepcopy(value))


SHOWN: Final[dict[str, Callable[[Any], str | bytes]]] = {
    "repr": repr,
    "str": str,
    "format": format,
    "f-string !r": lambda value: f"{value!r:>1}",
    "vars": _vars,
    "public attributes": _public,
    "asdict": _asdict,
    "pickle": _pickled,
    "copy": _copied,
    "deepcopy": _deeply_copied,
}


def shown(value: Any) -> Iterator[tuple[str, str | bytes]]:
    """What is seen of an object by each way; a way it refuses shows what it says of that."""
    for name, show in SHOWN.items():
        try:
            yield name, show(value)
        except Exception as error:  # noqa: BLE001  a secret may refuse to be copied
            yield name, f"{error!r}"


def _all(error: BaseException) -> Iterator[BaseException]:
    """It and all that stands behind it, suppressed or not."""
    seen: set[int] = set()
    left: list[BaseException | None] = [error]
    while left:
        one = left.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        left += [one.__cause__, one.__context__]


def _with_locals(error: BaseException) -> str:
    """The local variables of every frame, as a crash reporter shows them."""
    return "\n".join(
        f"{frame.f_code.co_qualname} {name} = {_safely(value)}"
        for one in _all(error)
        for frame, _ in traceback.walk_tb(one.__traceback__)
        if "campaigns" not in frame.f_code.co_filename
        for name, value in frame.f_locals.items()
    )


def _safely(value: Any) -> str:
    try:
        return repr(value)
    except Exception as error:  # noqa: BLE001  half-made objects of others may fail
        return f"a repr that raised {error!r}"


def _behind(error: BaseException) -> str:
    """What stands behind it, each with all it holds."""
    return "\n".join(
        f"{one!r} {one} {one.args!r} {_vars(one)} {getattr(one, '__notes__', ())}"
        for one in _all(error)
    )


TOLD: Final[dict[str, Callable[[BaseException], str]]] = {
    "traceback": lambda error: "".join(traceback.format_exception(error)),
    "traceback with locals": _with_locals,
    "causes": _behind,
}


def told(error: BaseException) -> Iterator[tuple[str, str | bytes]]:
    """As `shown`, of an exception: also its traceback, with local variables, and its causes."""
    yield from shown(error)
    for name, show in TOLD.items():
        yield name, show(error)
