"""Tools that take free text instead of JSON arguments: code, a query, a patch.

The service may hold the text to a grammar (responses-api.md §6.2). A regular expression is checked
here too before anything runs, by the same kind of engine; a Lark grammar is passed on unchecked.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

from pydantic_core import PydanticSerializationError, SchemaError, SchemaValidator, to_json
from pydantic_core.core_schema import str_schema

from toolstone import limits
from toolstone.errors import DefinitionError
from toolstone.ports import ToolSpec
from toolstone.schema.arguments import ArgumentsProblem
from toolstone.schema.docstring import read_docstring
from toolstone.schema.signature import (
    REQUIRED,
    Signature,
    UnknownNameError,
    name_of,
    read_signature,
)
from toolstone.tools.decorator import in_a_class
from toolstone.tools.policy import ATTRIBUTE, DEFAULT, Grammar, Policy
from toolstone.tools.tool import Tool, check_description, check_name

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from toolstone.tools.limiter import Limit

__all__ = ["CustomTool", "custom_tool", "custom_tool_of"]

F = TypeVar("F", bound="Callable[..., Any]")
_TEXT: Final = "text"


class CustomTool(Tool):
    """A tool whose input is one free text. `@custom_tool` makes one of a function.

    Args:
        name: What the model calls it.
        invoke: Called with the text, and the `ToolContext` if a parameter is annotated with it;
            async or not. None: the call waits to be settled.
        description: What the model is told.
        regex: What the text must match as a whole, in the syntax of Rust's `regex` without lazy
            quantifiers; held to by the service and checked here.
        lark: A Lark grammar, as LLGuidance reads it; held to by the service and not checked here.
        policy: How calls are made.

    Raises:
        DefinitionError: Name, description, function or grammar cannot be.

    Example:
        sql = CustomTool("sql", run_query, description="Read-only SQL", regex="SELECT .+")
        agent = Agent(model, tools=[sql])
    """

    __slots__ = ()

    def __init__(
        self,
        name: str,
        invoke: Callable[..., Any] | None = None,
        *,
        description: str = "",
        regex: str | None = None,
        lark: str | None = None,
        policy: Policy = DEFAULT,
    ) -> None:
        check_description(check_name(name), description)
        grammar = Grammar.of(regex, lark) or policy.grammar or Grammar()
        found = None if invoke is None else _signature(name, invoke)
        super().__init__(
            ToolSpec(name, description, {}, strict=False, raw=_raw(name, description, grammar)),
            (f"it takes free text{_in_words(grammar)}",),
            policy,
            deferred=invoke is None,
            wants_context=found is not None and found.context is not None,
            _read=_reader(name, found.parameters[0].name if found else _TEXT, grammar),
            _run=invoke,
            _waits=found is not None and found.waits,
            _context=None if found is None else found.context,
        )

    @property
    def grammar(self) -> Mapping[str, Any] | None:
        """The grammar as the wire has it; None for any text."""
        found: Mapping[str, Any] | None = (self.spec.raw or {}).get("format")
        return found


def custom_tool_of(function: Callable[..., Any], policy: Policy) -> Tool:
    """The tool of a function that `@custom_tool` stands on.

    Raises:
        DefinitionError: It cannot be.
    """
    text = read_docstring(read_signature(function).doc).text
    return CustomTool(
        policy.name or name_of(function),
        function,
        description=text if policy.description is None else policy.description,
        policy=policy,
    )


@overload
def custom_tool(function: F, /) -> F: ...
@overload
def custom_tool(
    *,
    regex: str | None = ...,
    lark: str | None = ...,
    timeout: float | None = ...,
    retries: int = ...,
    repeatable: bool = ...,
    limit: Limit | None = ...,
    serial: bool = ...,
    approve: bool | Callable[[Mapping[str, Any]], bool] = ...,
    name: str | None = ...,
    description: str | None = ...,
) -> Callable[[F], F]: ...
def custom_tool(
    function: F | None = None,
    /,
    *,
    regex: str | None = None,
    lark: str | None = None,
    **policy: Any,
) -> F | Callable[[F], F]:
    """Make a function a tool that takes free text: its one parameter is a `str`.

    The function stays what it is, callable and typed.

    Args:
        function: The function, where `@custom_tool` stands without arguments.
        regex: What the text must match as a whole; see `CustomTool`.
        lark: A Lark grammar; see `CustomTool`.
        **policy: As for `@tool`. `approve` as a function is given `{parameter: text}`.

    Raises:
        DefinitionError: The function or the grammar cannot be.

    Example:
        @custom_tool(regex=r"SELECT [^;]+", timeout=10)
        def sql(query: str) -> list[dict]:
            '''Run a read-only query.'''
    """
    made = replace(Policy(**policy), grammar=Grammar.of(regex, lark) or Grammar())

    def attach(function: F) -> F:
        try:
            setattr(function, ATTRIBUTE, made)
        except AttributeError as error:
            raise DefinitionError(
                f"a {type(function).__name__!r} cannot carry a policy; use CustomTool(name, it)"
            ) from error
        if not in_a_class(function):
            with suppress(UnknownNameError):  # defined further down, perhaps: the agent asks again
                Tool.of(function)
        return function

    return attach if function is None else attach(function)


def _signature(name: str, invoke: Callable[..., Any]) -> Signature:
    found = read_signature(invoke)
    asked = [one for one in found.parameters if one.default is REQUIRED] or list(found.parameters)
    if len(asked) != 1 or asked[0].annotation is not str:
        raise DefinitionError(
            f"custom tool {name!r}: its function takes one text, as in f(text: str), and a "
            "ToolContext if it wants one; for arguments of other types use @tool"
        )
    return found._replace(parameters=(asked[0],))


def _raw(name: str, description: str, grammar: Grammar) -> dict[str, Any]:
    """The definition as the wire has it."""
    raw: dict[str, Any] = {"type": "custom", "name": name}
    if description:
        raw["description"] = description
    if grammar.syntax is not None:
        said = {"syntax": grammar.syntax, "definition": grammar.definition}
        raw["format"] = {"type": "grammar", **said}
    try:
        to_json(raw)
    except (PydanticSerializationError, UnicodeEncodeError) as error:
        raise DefinitionError(f"custom tool {name!r}: it is not valid Unicode text") from error
    return raw


def _in_words(grammar: Grammar) -> str:
    match grammar.syntax:
        case "regex":
            return " that a regular expression is held to, by the service and here"
        case "lark":
            return " that a Lark grammar is held to, by the service alone"
        case _:
            return ""


def _reader(who: str, parameter: str, grammar: Grammar) -> Callable[[str], dict[str, Any]]:
    """What reads the model's text into the function's one argument."""
    fits = _whole_match(who, grammar.definition) if grammar.syntax == "regex" else None

    def read(text: str) -> dict[str, Any]:
        if len(text) > limits.ARGUMENTS_BYTES:
            raise ArgumentsProblem(
                f"the input has {len(text)} characters; at most {limits.ARGUMENTS_BYTES} are taken"
            )
        if fits is not None and not fits(text):
            raise ArgumentsProblem(
                f"the input does not match the tool's regular expression {grammar.definition!r}, "
                "and nothing was run; write it again so that all of it matches"
            )
        return {parameter: text}

    return read


def _whole_match(who: str, pattern: str) -> Callable[[str], bool]:
    """Whether a text matches as a whole; by an engine whose time is linear in the text."""
    try:
        _compiled(pattern)  # alone: what stands around it must not make it whole
        validator = _compiled(rf"\A(?:{pattern})\z")
    except SchemaError as error:
        said = str(error).partition("regex parse error:")[2] or str(error)
        raise DefinitionError(
            f"custom tool {who!r}: regex={pattern!r} is not one that the service could hold text "
            f"to: {' '.join(said.split())[:300]}; look-around and back-references are not known"
        ) from error

    def fits(text: str) -> bool:
        return validator.isinstance_python(text)

    return fits


def _compiled(pattern: str) -> SchemaValidator:
    return SchemaValidator(str_schema(pattern=pattern, regex_engine="rust-regex"))
