"""A tool: something a model may call, with its policy. A function, or a schema written by hand."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import field, replace
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic_core import PydanticSerializationError, to_json

from toolstone import limits
from toolstone._dataclass import dataclass
from toolstone.errors import DefinitionError, ToolstoneError
from toolstone.ports import ToolSpec
from toolstone.schema.arguments import Arguments, ArgumentsProblem, describe_arguments
from toolstone.schema.docstring import read_docstring
from toolstone.schema.signature import REQUIRED, Signature, name_of, read_signature
from toolstone.tools.code import code_of
from toolstone.tools.policy import DEFAULT, Policy, policy_of
from toolstone.tools.threads import run_in_thread

if TYPE_CHECKING:
    from collections.abc import Callable

    from toolstone.schema.docstring import Documentation
    from toolstone.schema.strict import Wish
    from toolstone.tools.context import ToolContext
    from toolstone.tools.limiter import Gate, Limit

__all__ = ["ArgumentsProblem", "Bound", "Tool"]


class Bound:
    """A call's arguments, read: what the function will be given."""

    __slots__ = ("arguments", "text")

    def __init__(self, text: str, arguments: dict[str, Any]) -> None:
        self.text = text
        """As the model wrote them."""
        self.arguments = arguments
        """As Python values; what was left out is absent."""

    def __repr__(self) -> str:
        return f"<Bound {', '.join(self.arguments)}>"  # never the values


@dataclass(frozen=True, slots=True, eq=False)
class Tool:
    """Something a model may call. Frozen, safe to share.

    Attributes:
        spec: Name, description and schema, as the model sees them.
        reasons: Why the schema is not strict, or what was translated to make it so.
        policy: How calls are made: timeout, retries, approval, limits.
        deferred: Whether nobody here can run it: calls wait to be settled.
    """

    spec: ToolSpec
    reasons: tuple[str, ...]
    policy: Policy
    deferred: bool
    wants_context: bool
    _read: Callable[[str], dict[str, Any]] = field(repr=False)
    _run: Callable[..., Any] | None = field(repr=False)
    _waits: bool = field(repr=False)
    _context: str | None = field(repr=False)
    _copied: tuple[tuple[str, Any], ...] = field(default=(), repr=False)
    """Mutable defaults, of which each call gets a copy."""
    kind: Literal["function", "custom", "server"] = field(init=False)
    """What it is on the wire: takes arguments, takes free text, or is run by the service."""
    timeout: float | None = field(init=False)
    """Seconds a call may take."""
    gate: Gate | None = field(init=False, repr=False)
    """What a call must pass before it runs, if anything limits it."""
    direct: Callable[..., Any] | None = field(init=False, repr=False)
    """The function itself, if it is async and is given the arguments and nothing else."""

    def __post_init__(self) -> None:
        raw = self.spec.raw
        kind = "function" if raw is None else "custom" if raw.get("type") == "custom" else "server"
        object.__setattr__(self, "kind", kind)
        object.__setattr__(self, "timeout", self.policy.timeout)
        object.__setattr__(self, "gate", self.policy.gate)
        bare = self._waits and self._context is None and not self._copied and self.gate is None
        object.__setattr__(self, "direct", self._run if bare else None)

    @property
    def name(self) -> str:
        """What the model calls it."""
        return self.spec.name

    @property
    def choice(self) -> dict[str, Any]:
        """The `tool_choice` that asks for this tool (responses-api.md §7)."""
        raw = self.spec.raw or {}
        if self.kind != "server":
            return {"type": self.kind, "name": self.name}
        if raw.get("type") == "mcp":
            return {"type": "mcp", "server_label": raw.get("server_label")}
        return {"type": raw.get("type")}

    @property
    def description(self) -> str:
        """What the model is told of it."""
        return self.spec.description

    @property
    def strict(self) -> bool:
        """Whether the schema stands in the strict subset."""
        return self.spec.strict

    @property
    def approve(self) -> bool | Callable[[Mapping[str, Any]], bool]:
        """Whether a person must say yes first; or what decides it from the arguments."""
        return self.policy.approve

    @property
    def repeatable(self) -> bool:
        """Whether doing it twice is the same as once."""
        return self.policy.repeatable

    @property
    def retries(self) -> int:
        """How often a failed call is made again, without the model."""
        return self.policy.retries

    @property
    def code(self) -> str:
        """A hash of the function's code; empty of a tool that is none."""
        return code_of(self._run)

    @property
    def limit(self) -> Limit | None:
        """The resource it shares with others, and how many calls may use it at once."""
        return self.policy.limit

    @property
    def serial(self) -> bool:
        """Whether its calls never overlap."""
        return self.policy.serial

    @staticmethod
    def of(given: Callable[..., Any] | Tool | Mapping[str, Any]) -> Tool:
        """Make a tool of a function, or of a definition as the wire has it; a tool is one already.

        Raises:
            DefinitionError: It cannot be a tool; names the function, the parameter, and the mend.
        """
        if isinstance(given, Tool):
            return given
        if isinstance(given, Mapping):
            from toolstone.tools.server import tool_from_definition  # noqa: PLC0415  a cycle

            return tool_from_definition(given)
        policy = policy_of(given)
        if not isinstance(given, FunctionType):
            return _of(given, policy)
        known = given.__dict__.get(_KNOWN)  # functools.wraps copies it, so look whose it is
        if known is None or known[0] is not given or known[1:3] != (policy, given.__doc__):
            known = (given, policy, given.__doc__, _of(given, policy))
            given.__dict__[_KNOWN] = known
        made: Tool = known[3]
        return made

    @staticmethod
    def from_schema(
        name: str,
        parameters: Mapping[str, Any],
        invoke: Callable[..., Any] | None = None,
        *,
        description: str = "",
        strict: Wish = "auto",
        policy: Policy = DEFAULT,
    ) -> Tool:
        """Make a tool of a JSON Schema written by hand.

        Args:
            name: What the model calls it.
            parameters: JSON Schema (draft 2020-12) of the arguments object; references stay inside.
            invoke: Called with the arguments as a dict, and the `ToolContext` if it has a second
                parameter; async or not. None: the call waits to be settled.
            description: What the model is told.
            strict: Whether the schema is sent as strict; it is sent as it is, never translated.
            policy: How calls are made.

        Raises:
            DefinitionError: The schema is invalid, unsafe to validate with, or not strict as asked.
        """
        from toolstone.tools.handwritten import handwritten  # noqa: PLC0415  jsonschema loads there

        return handwritten(name, parameters, invoke, description, strict, policy)

    def read(self, arguments: str) -> Bound:
        """Read what the model wrote.

        Raises:
            ArgumentsProblem: It does not fit; the message is one sentence for the model.
        """
        return Bound(arguments, self._read(arguments))

    async def invoke(
        self, bound: Bound, context: ToolContext[Any] | None = None, gate: Gate | None = None
    ) -> Any:
        """Make one call. Blocking functions run on a thread, with the caller's context variables.

        Args:
            bound: The arguments, read by this tool.
            context: For the parameter annotated with it.
            gate: Passed already; given back when the function has really ended.

        Raises:
            BaseException: What the function raised.
        """
        given = bound.arguments
        if self._context is not None or self._copied:
            try:
                given = self._complete(given, context)
            except BaseException:
                if gate is not None:
                    gate.release()
                raise
        run = self._run
        if run is None:
            raise DefinitionError(f"tool {self.name!r} is deferred: its calls wait to be settled")
        if not self._waits:
            value = await run_in_thread(run, given, None if gate is None else gate.release)
            return await value if hasattr(type(value), "__await__") else value
        try:
            return await run(**given)
        finally:
            if gate is not None:
                gate.release()

    def renamed(self, name: str) -> Tool:
        """The same tool under another name; a tool of the service keeps its own.

        Raises:
            DefinitionError: A model cannot call it so.
        """
        if self.kind == "server":
            return self
        raw = None if self.spec.raw is None else {**self.spec.raw, "name": check_name(name)}
        made = copy.copy(self)
        object.__setattr__(made, "spec", replace(self.spec, name=check_name(name), raw=raw))
        return made

    def _complete(self, given: dict[str, Any], context: ToolContext[Any] | None) -> dict[str, Any]:
        given = dict(given)
        if self._context is not None:
            if context is None:
                raise DefinitionError(f"tool {self.name!r} wants a ToolContext; invoke it with one")
            given[self._context] = context
        for name, default in self._copied:
            if name not in given:
                given[name] = copy.deepcopy(default)
        return given

    def __repr__(self) -> str:
        return f"<Tool {self.name}>"


_KNOWN: Final = "__toolstone_tool__"
"""Where a function keeps the tool made of it: both are collected together."""


def _of(function: Callable[..., Any], policy: Policy) -> Tool:
    if policy.grammar is not None:
        from toolstone.tools.custom import custom_tool_of  # noqa: PLC0415  a cycle

        return custom_tool_of(function, policy)
    name = check_name(policy.name or name_of(function))
    try:
        found = read_signature(function)
        docs = _documented(name, found.doc)
        arguments = describe_arguments(name, found.parameters, docs.parameters, policy.strict)
    except ToolstoneError:
        raise
    except Exception as error:
        raise _unreadable(name, error) from error
    text = docs.text if policy.description is None else policy.description
    return Tool(
        _spec(name, text, arguments),
        arguments.reasons,
        policy,
        deferred=False,
        wants_context=found.context is not None,
        _read=arguments.read,
        _run=function,
        _waits=found.waits,
        _context=found.context,
        _copied=_mutable(found),
    )


def _documented(name: str, doc: str | None) -> Documentation:
    try:
        return read_docstring(doc)
    except DefinitionError as error:
        raise DefinitionError(f"tool {name!r}: {error}") from None


def _unreadable(name: str, error: Exception) -> DefinitionError:
    """The types of a function run code of their own, and it failed."""
    if isinstance(error, ImportError):
        needs = f"{error.name!r}" if error.name else f"something that is missing ({error})"
        return DefinitionError(
            f"tool {name!r}: its types need {needs}; install it, or offer the tool only where it "
            "is there"
        )
    return DefinitionError(
        f"tool {name!r}: reading its types raised {type(error).__name__} (chained to this); "
        "annotate its parameters with types that pydantic can describe"
    )


def _spec(name: str, text: str, arguments: Arguments) -> ToolSpec:
    check_description(name, text)
    check_sendable(name, arguments.schema)
    return ToolSpec(name, text, arguments.schema, arguments.strict)


_FIXED: Final = frozenset({str, int, float, bool, type(None), bytes})


def _mutable(found: Signature) -> tuple[tuple[str, Any], ...]:
    return tuple(
        (p.name, p.default)
        for p in found.parameters
        if p.default is not REQUIRED and type(p.default) not in _FIXED
    )


_NAME: Final = re.compile(limits.TOOL_NAME)


def check_name(name: str) -> str:
    """The name, if a model can call it.

    Raises:
        DefinitionError: It has other characters, or too many.
    """
    if not _NAME.fullmatch(name):
        raise DefinitionError(
            f"tool name {name!r}: a name is 1 to 64 letters, digits, '_' and '-'; "
            'give one with @tool(name="...")'
        )
    return name


def check_description(name: str, text: str) -> None:
    """Refuse a description too long to be sent with every request, or that cannot be sent.

    Raises:
        DefinitionError: It has more bytes than allowed, or half a character.
    """
    check_sendable(name, text)
    if (size := len(text.encode())) > limits.DESCRIPTION_BYTES:
        raise DefinitionError(
            f"tool {name!r}: its description has {size} bytes, at most {limits.DESCRIPTION_BYTES} "
            "are sent (limits.DESCRIPTION_BYTES); shorten the docstring or give "
            '@tool(description="...")'
        )


def check_sendable(name: str, part: object) -> None:
    """Refuse what no request could carry: a lone surrogate in a description, a name or a value.

    Raises:
        DefinitionError: It has one.
    """
    try:
        to_json(part)
    except PydanticSerializationError as error:
        raise DefinitionError(
            f"tool {name!r}: its description or schema holds text that is no Unicode (a lone "
            "surrogate, such as '\\ud800'), which no request can carry; correct it"
        ) from error
