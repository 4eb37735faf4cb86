"""What a callable asks for: its parameters, their types resolved, and which one is the context."""

from __future__ import annotations

import inspect
import sys
import typing
from functools import partial
from types import FrameType, FunctionType, MethodType, UnionType
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from toolstone.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

__all__ = [
    "REQUIRED",
    "Parameter",
    "Signature",
    "UnknownNameError",
    "check_parameters",
    "name_of",
    "read_signature",
]

REQUIRED: Final = inspect.Parameter.empty
"""Stands where a parameter has no default."""

CONTEXT_MARK: Final = "__toolstone_context__"
"""A class with this attribute set is injected, not asked of the model."""


class UnknownNameError(DefinitionError):
    """An annotation names something not defined (yet)."""


class Parameter(NamedTuple):
    """One parameter that the model fills in."""

    name: str
    annotation: Any
    default: Any = REQUIRED


class Signature(NamedTuple):
    """A callable, read."""

    parameters: tuple[Parameter, ...]
    context: str | None
    """The parameter that receives the `ToolContext`, if there is one."""
    doc: str | None
    waits: bool
    """Whether calling it gives an awaitable."""


def name_of(function: Any) -> str:
    """What to call a callable in a message, and by default to the model's face."""
    inner = _inner(function)
    found = getattr(inner, "__name__", None)
    return found if isinstance(found, str) else type(inner).__name__


def read_signature(function: Callable[..., Any]) -> Signature:
    """Read a function, method, partial, callable object, or something wrapped around one.

    Raises:
        DefinitionError: It cannot be a tool; says which parameter, and the mend.
    """
    who = _qualified(function)
    _refuse_what_is_no_function(function, who)
    asked = _asked(function, who)
    check_parameters(who, asked)
    types = _types(function, asked, who)
    contexts = [name for name, kind in types.items() if _is_context(kind)]
    if len(contexts) > 1:
        raise DefinitionError(
            f"{who}: parameters {contexts[0]!r} and {contexts[1]!r} are both the context; keep one"
        )
    return Signature(
        tuple(Parameter(p.name, types[p.name], p.default) for p in asked if p.name not in contexts),
        contexts[0] if contexts else None,
        _documentation(function),
        _is_async(function),
    )


class Asked(NamedTuple):
    """A parameter as it is written."""

    name: str
    kind: int
    annotation: Any
    default: Any


def _asked(function: Any, who: str) -> list[Asked]:
    if type(function) is FunctionType and (found := _asked_plainly(function)) is not None:
        return found
    try:
        read = inspect.signature(function).parameters.values()
    except (TypeError, ValueError) as error:
        raise DefinitionError(
            f"{who}: its signature cannot be read ({error}); wrap it in a function with "
            "annotated parameters"
        ) from error
    fixed = _fixed_keywords(function)
    return [Asked(p.name, p.kind, p.annotation, p.default) for p in read if p.name not in fixed]


_STARS: Final = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS


def _asked_plainly(function: FunctionType) -> list[Asked] | None:
    """What `inspect.signature` says of an everyday function, at a tenth of its price."""
    code = function.__code__
    if code.co_posonlyargcount or code.co_flags & _STARS:
        return None
    if not _OURS.issuperset(function.__dict__):  # __wrapped__, __signature__ ...
        return None
    names = code.co_varnames[: code.co_argcount]
    only = code.co_varnames[code.co_argcount : code.co_argcount + code.co_kwonlyargcount]
    given = function.__defaults__ or ()
    defaults = dict(zip(names[len(names) - len(given) :], given, strict=True))
    defaults.update(function.__kwdefaults__ or {})
    types = function.__annotations__
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    return [
        Asked(name, kind, types.get(name, REQUIRED), defaults.get(name, REQUIRED))
        for name in (*names, *only)
    ]


_OURS: Final = frozenset({"__toolstone__", "__toolstone_tool__"})


def check_parameters(who: str, parameters: Sequence[Asked | inspect.Parameter]) -> None:
    """Refuse what a model cannot fill in.

    Raises:
        DefinitionError: `*args`, `**kwargs`, a positional-only or an untyped parameter.
    """
    for p in parameters:
        if p.kind == inspect.Parameter.VAR_POSITIONAL:
            raise DefinitionError(
                f"{who}: parameter '*{p.name}' has no name a model could fill in; "
                f"take a list instead, such as {p.name}: list[str]"
            )
        if p.kind == inspect.Parameter.VAR_KEYWORD:
            raise DefinitionError(
                f"{who}: parameter '**{p.name}' has no names a model could fill in; "
                "name the parameters, or take one dict"
            )
        if p.kind == inspect.Parameter.POSITIONAL_ONLY:
            raise DefinitionError(
                f"{who}: parameter {p.name!r} is positional-only, and a model's arguments come "
                "by name; remove the '/'"
            )
        if p.annotation is REQUIRED:
            raise DefinitionError(
                f"{who}: parameter {p.name!r} has no type; annotate it so that the model can be "
                "told what to send" + _unbound_hint(p.name)
            )


def _unbound_hint(name: str) -> str:
    if name not in {"self", "cls"}:
        return ""
    return " (a method must be bound: give instance.method instead of Class.method)"


# ------------------------------------------------------------------------- what kind of callable


def _refuse_what_is_no_function(function: Any, who: str) -> None:
    inner = _inner(function)
    if isinstance(inner, type):
        raise DefinitionError(f"{who} is a class; give a function, or a method of an instance")
    if not callable(inner):
        raise DefinitionError(
            f"{who}: a {type(inner).__name__!r} cannot be called; give a function"
        )
    code = _called(inner)
    if inspect.isgeneratorfunction(code) or inspect.isasyncgenfunction(code):
        raise DefinitionError(
            f"{who} yields; return one value, and report what happens on the way with "
            "ToolContext.progress"
        )


def _inner(function: Any) -> Any:
    while isinstance(function, partial):
        function = function.func
    return function


def _called(inner: Any) -> Any:
    """The function that runs when `inner` is called."""
    return inner if isinstance(inner, FunctionType | MethodType) else type(inner).__call__


def _is_async(function: Any) -> bool:
    inner = _inner(function)
    return inspect.iscoroutinefunction(inner) or inspect.iscoroutinefunction(_called(inner))


def _fixed_keywords(function: Any) -> set[str]:
    """Parameters that a partial has settled; nobody is asked for them any more."""
    fixed: set[str] = set()
    while isinstance(function, partial):
        fixed |= set(function.keywords)
        function = function.func
    return fixed


def _qualified(function: Any) -> str:
    inner = _inner(function)
    found = getattr(inner, "__qualname__", None) or type(inner).__qualname__
    return str(found)


def _documentation(function: Any) -> str | None:
    inner = _inner(function)
    if isinstance(inner, FunctionType | MethodType):
        return inner.__doc__
    called = getattr(_called(inner), "__doc__", None)
    own = type(inner).__doc__
    return called if isinstance(_called(inner), FunctionType) and called else own


def _is_context(kind: Any) -> bool:
    if type(kind) is type:
        return hasattr(kind, CONTEXT_MARK)
    origin = typing.get_origin(kind)
    if origin is typing.Annotated or origin in {typing.Union, UnionType}:
        return any(_is_context(one) for one in typing.get_args(kind))
    return bool(getattr(origin or kind, CONTEXT_MARK, False))


# ------------------------------------------------------------------------------ resolving types


def _types(function: Any, asked: list[Asked], who: str) -> dict[str, Any]:
    owner = _owner(function)
    hints = {p.name: p.annotation for p in asked}
    if any(_wants_resolving(kind) for kind in hints.values()):
        hints = _resolved(function, hints, who, owner)
    if owner is None:
        return hints
    return {name: _with_self(kind, owner) for name, kind in hints.items()}


def _wants_resolving(kind: Any) -> bool:
    if isinstance(kind, type):
        return False
    if isinstance(kind, str | typing.ForwardRef):
        return True
    return any(_wants_resolving(one) for one in typing.get_args(kind))


def _resolved(function: Any, hints: dict[str, Any], who: str, owner: type | None) -> dict[str, Any]:
    unwrapped = inspect.unwrap(_inner(function))
    code = unwrapped if isinstance(unwrapped, FunctionType | MethodType) else _called(unwrapped)
    code = inspect.unwrap(code)
    module = vars(sys.modules.get(getattr(code, "__module__", ""), None) or typing)
    names = getattr(code, "__globals__", module)
    near = _Near(code, owner)
    holder = FunctionType((lambda: None).__code__, {})
    holder.__annotations__ = hints
    try:
        return typing.get_type_hints(holder, names, near, include_extras=True)
    except NameError as error:
        raise UnknownNameError(
            f"{who}: the type name {error.name!r} is not known where the function is defined; "
            "import it there, also at run time (not only under TYPE_CHECKING)"
        ) from error
    except (TypeError, SyntaxError, AttributeError) as error:
        raise DefinitionError(f"{who}: an annotation is not a type: {error}") from error


class _Near(dict[str, Any]):
    """Names around a function that are not global: its closure, its class, its callers' locals."""

    def __init__(self, code: Any, owner: type | None) -> None:
        super().__init__(inspect.getclosurevars(code).nonlocals if _closes(code) else {})
        self.owner = owner
        if owner is not None:
            self.setdefault(owner.__name__, owner)
        if type_params := getattr(code, "__type_params__", ()):
            self.update({p.__name__: p for p in type_params})
        self._globals: Mapping[str, Any] = getattr(code, "__globals__", {})

    def __missing__(self, name: str) -> Any:
        if name in self._globals:
            raise KeyError(name)
        for frame in _frames():
            if name in frame.f_locals:
                return frame.f_locals[name]
        raise KeyError(name)


def _closes(code: Any) -> bool:
    return bool(getattr(code, "__closure__", None))


def _frames() -> Iterator[FrameType]:
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001  a local class of the caller
    while frame is not None:
        if not frame.f_globals.get("__name__", "").startswith(("toolstone.", "typing")):
            yield frame
        frame = frame.f_back


def _owner(function: Any) -> type | None:
    inner = _inner(function)
    if isinstance(inner, MethodType):
        bound = inner.__self__
        return bound if isinstance(bound, type) else type(bound)
    return None if isinstance(inner, FunctionType) else type(inner)


def _with_self(kind: Any, owner: type) -> Any:
    """The annotation with `Self` made the class it stands for."""
    if kind is typing.Self:
        return owner
    arguments = typing.get_args(kind)
    if not arguments or typing.Self not in _flat(kind):
        return kind
    mended = tuple(_with_self(one, owner) for one in arguments)
    if isinstance(kind, UnionType) or typing.get_origin(kind) is typing.Union:
        return typing.Union[mended]  # noqa: UP007  of a tuple
    if typing.get_origin(kind) is typing.Annotated:
        return typing.Annotated[mended]
    return kind.copy_with(mended) if hasattr(kind, "copy_with") else kind.__origin__[mended]


def _flat(kind: Any) -> list[Any]:
    return [kind, *(deep for one in typing.get_args(kind) for deep in _flat(one))]
