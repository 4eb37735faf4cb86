"""From `MODULE:NAME` to the object it names."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolstone.agent import Agent
from toolstone.errors import InputError, ToolstoneError

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["find_agent", "find_module", "find_target"]


def find_agent(target: str) -> Agent[Any]:
    """The agent that `MODULE:NAME` names; the name may be left out where there is but one.

    Raises:
        InputError: There is no such module or agent; lists those there are.
    """
    module, found = find_target(target)
    if isinstance(found, Agent):
        return found
    agents = {name: one for name, one in vars(module).items() if isinstance(one, Agent)}
    different = {id(one): one for one in agents.values()}
    if found is module and len(different) == 1:
        return next(iter(different.values()))
    what = "names a module" if found is module else f"is a {type(found).__name__}, not an agent"
    there = ", ".join(f"{target.partition(':')[0]}:{name}" for name in agents) or "none"
    raise InputError(f"{target!r} {what}; agents there: {there}")


def find_target(target: str) -> tuple[ModuleType, Any]:
    """The module that `MODULE` or `MODULE:NAME` names, and the object (or again the module).

    Raises:
        InputError: There is no such module, or nothing of that name in it.
    """
    where, _, name = target.partition(":")
    module = find_module(where)
    found: Any = module
    for step in name.split(".") if name else ():
        if not hasattr(found, step):
            raise InputError(f"module {where!r} has no {name!r}; names there: {_names(module)}")
        found = getattr(found, step)
    return module, found


def _names(module: ModuleType) -> str:
    """What the module itself makes, not what it imports."""
    own = (
        name
        for name, value in vars(module).items()
        if not name.startswith("_")
        and getattr(value, "__module__", module.__name__) == module.__name__
        and not isinstance(value, type(module))
    )
    return (
        ", ".join([*own, *(n for n, v in vars(module).items() if isinstance(v, Agent))]) or "none"
    )


def find_module(where: str) -> ModuleType:
    """Import a module by its name, from the working directory too, or by the path of its file.

    Raises:
        InputError: There is none, or importing it failed.
    """
    by_path = where.endswith(".py")
    if by_path and not Path(where).is_file():
        raise InputError(f"there is no file {where!r}")
    if not by_path:
        _put_on_path(Path.cwd())
    try:
        return _load(Path(where)) if by_path else _import(where)
    except ModuleNotFoundError as error:
        if by_path or not _is_part(error.name, where):
            raise InputError(f"{where!r} needs a module that is not here: {error.name}") from error
        raise InputError(
            f"there is no module {where!r} here; give the name of a module in "
            f"{str(Path.cwd())!r}, of an installed one, or the path of a file ending in '.py'"
        ) from error
    except ToolstoneError:
        raise
    except Exception as error:
        raise InputError(
            f"importing {where!r} raised {type(error).__name__}: {error}; "
            "--debug shows where it happened"
        ) from error


def _is_part(missing: str | None, wanted: str) -> bool:
    """Whether it is the module itself, or a package it is in, that is missing."""
    return missing is not None and (wanted == missing or wanted.startswith(f"{missing}."))


def _import(where: str) -> ModuleType:
    """The working directory's, if it has the module that was named; else an installed one."""
    top = where.partition(".")[0]
    here = PathFinder.find_spec(top, [str(Path.cwd())])
    if here is not None and here.loader is not None and top not in sys.modules:
        _run(here)
    return importlib.import_module(where)


def _load(path: Path) -> ModuleType:
    _put_on_path(path.resolve().parent)
    spec = ModuleSpec(path.stem, SourceFileLoader(path.stem, str(path)), origin=str(path))
    spec.has_location = True
    return _run(spec)


def _run(spec: ModuleSpec) -> ModuleType:
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    try:
        if spec.loader is not None:
            spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[spec.name]
        raise
    return module


def _put_on_path(folder: Path) -> None:
    """Behind all else: what stands beside the module is found, and takes nobody's place."""
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
