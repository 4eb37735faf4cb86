"""Tools that are no functions of ours: the service runs them itself, or calls come as items.

Their definitions are sent as they are, beside the functions (responses-api.md §6.3).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from pydantic_core import PydanticSerializationError, to_json

from toolstone._secrets import PRIVATE, Hidden, Secret
from toolstone.errors import DefinitionError
from toolstone.ports import ToolSpec
from toolstone.tools.policy import DEFAULT
from toolstone.tools.tool import Tool

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ServerTool", "tool_from_definition", "without_secrets"]

_SECRETS: Final = frozenset({"authorization", "headers"})
_FUNCTION: Final = frozenset({"type", "name", "parameters", "description", "strict"})
_CUSTOM: Final = frozenset({"type", "name", "description", "format"})


class ServerTool(Tool):
    """A tool of the service: `web_search`, `mcp`, `code_interpreter`, `computer` ...

    What the service does with it comes back as items, which stand in `Result.items` and are sent
    along unchanged. Items that need an answer from here, such as `computer_call`, wait to be
    settled. A service that is known not to have the tool is not asked: `Unsupported`.

    Args:
        type: The type of the tool on the wire.
        **options: The rest of its definition, sent as it is.

    Raises:
        DefinitionError: It cannot be said in JSON.

    Example:
        Agent(model, tools=[weather, ServerTool("web_search", search_context_size="low")])
    """

    __slots__ = ()

    def __init__(self, type: str, /, **options: Any) -> None:  # noqa: A002  the wire's name for it
        if not (isinstance(type, str) and type) or type in {"function", "custom"}:
            raise DefinitionError(
                f"ServerTool({type!r}): give the type of a tool that the service runs, such as "
                "'web_search'; functions and CustomTools are given to the agent as they are"
            )
        raw = {"type": type, **_hidden(options)}
        try:
            to_json(raw)
        except (PydanticSerializationError, ValueError) as error:
            raise DefinitionError(
                f"ServerTool({type!r}) cannot be written as JSON ({error.__class__.__name__}); "
                "give text, numbers, dicts and lists"
            ) from error
        label = raw.get("server_label") or raw.get("name")
        name = f"{type}:{label}" if isinstance(label, str) else type
        super().__init__(
            ToolSpec(name, "", {}, strict=False, raw=raw),
            ("the service runs it; its definition is sent as it is",),
            DEFAULT,
            deferred=True,
            wants_context=False,
            _read=_never,
            _run=None,
            _waits=False,
            _context=None,
        )


def _never(_text: str) -> dict[str, Any]:
    raise DefinitionError("a tool of the service is not called here")


def tool_from_definition(definition: Mapping[str, Any]) -> Tool:
    """A tool from its definition as the wire has it.

    A function or custom tool given so has nobody to run it here: its calls wait to be settled.

    Raises:
        DefinitionError: It is no definition of a tool.
    """
    raw = dict(definition)
    kind = raw.get("type")
    if not isinstance(kind, str) or not all(isinstance(key, str) for key in raw):
        raise DefinitionError(
            "a tool given as a dict has its type in it, such as {'type': 'web_search'}"
        )
    if kind not in {"function", "custom"}:
        return ServerTool(raw.pop("type"), **raw)
    unknown = sorted(raw.keys() - (_FUNCTION if kind == "function" else _CUSTOM))
    if unknown or not isinstance(raw.get("name"), str):
        raise DefinitionError(
            f"a {kind} tool given as a dict: {f'unknown {unknown}' if unknown else 'no name'}; "
            f"known are {sorted(_FUNCTION if kind == 'function' else _CUSTOM)}"
        )
    return _function(raw) if kind == "function" else _custom(raw)


def _function(raw: dict[str, Any]) -> Tool:
    return Tool.from_schema(
        raw["name"],
        raw.get("parameters") or {"type": "object", "properties": {}},
        description=raw.get("description") or "",
        strict=raw.get("strict") or False,
    )


def _custom(raw: dict[str, Any]) -> Tool:
    from toolstone.tools.custom import CustomTool  # noqa: PLC0415  loads for who has one

    form = raw.get("format") or {"type": "text"}
    held = form.get("definition") if form.get("type") == "grammar" else None
    return CustomTool(
        raw["name"],
        description=raw.get("description") or "",
        regex=held if form.get("syntax") == "regex" else None,
        lark=held if form.get("syntax") == "lark" else None,
    )


def _hidden(options: Mapping[str, Any]) -> dict[str, Any]:
    """The same, with what stands for somebody's identity in objects that do not show it."""
    hidden = {**options}
    if isinstance(token := options.get("authorization"), str):
        hidden["authorization"] = Secret(token)
    if isinstance(headers := options.get("headers"), dict):
        hidden["headers"] = {name: _private(name, value) for name, value in headers.items()}
    return hidden


def _private(name: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    return Secret(value) if PRIVATE.search(name) else Hidden(value)


def without_secrets(raw: Mapping[str, Any]) -> dict[str, Any]:
    """A definition as it may be shown: what stands for somebody's identity is left out."""
    return {key: "..." if key in _SECRETS else value for key, value in raw.items()}
