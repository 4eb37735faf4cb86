"""The tools of a module: found, listed, explained."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING, Any

from toolstone.agent import Agent
from toolstone.cli.find import find_target
from toolstone.cli.words import clean
from toolstone.errors import InputError
from toolstone.tools.policy import ATTRIBUTE, Policy
from toolstone.tools.server import without_secrets
from toolstone.tools.tool import Tool
from toolstone.tools.toolbox import Toolbox

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["describe_tool", "find_tools", "put_tool"]


def find_tools(target: str) -> list[Tool]:
    """The tools of `MODULE` or `MODULE:NAME`, each once, in the order they are met.

    Of a module: functions with `@tool`, `Tool`s, and those in toolboxes and agents. A name may
    also be a plain function.

    Raises:
        InputError: There is no such module or name, or nothing in it is a tool.
        DefinitionError: A function cannot be a tool.
    """
    module, found = find_target(target)
    values = vars(module).values() if found is module else (found,)
    tools: dict[int, Tool] = {}
    for value in values:
        for one in _tools_in(value, plain=found is not module):
            tools.setdefault(id(one), one)
    if not tools:
        raise InputError(
            f"{target!r} holds no tools; decorate functions with @tool, or name one: MODULE:NAME"
        )
    return list(tools.values())


def _tools_in(value: Any, *, plain: bool) -> Iterator[Tool]:
    if isinstance(value, Tool):
        yield value
    elif isinstance(value, Toolbox):
        yield from value
    elif isinstance(value, Agent):
        yield from value.tools
    elif callable(value) and (plain or isinstance(getattr(value, ATTRIBUTE, None), Policy)):
        yield Tool.of(value)


def describe_tool(tool: Tool) -> dict[str, Any]:
    """A tool as plain data."""
    return {
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.spec.parameters,
        "strict": tool.strict,
        "reasons": list(tool.reasons),
        "policy": _policy(tool),
        "deferred": tool.deferred,
        "kind": tool.kind,
        **({} if tool.spec.raw is None else {"definition": without_secrets(tool.spec.raw)}),
    }


def _policy(tool: Tool) -> dict[str, Any]:
    approve = tool.approve if isinstance(tool.approve, bool) else "by arguments"
    return {
        "timeout": tool.timeout,
        "retries": tool.retries,
        "repeatable": tool.repeatable,
        "limit": None if tool.limit is None else {"name": tool.limit.name, "n": tool.limit.n},
        "serial": tool.serial,
        "approve": approve,
    }


def put_tool(tool: Tool, *, explain: bool, bold: Callable[[str], str] = str) -> str:
    """A tool as a few lines: name, description, parameters; or why it is strict or not."""
    lines = [bold(tool.name)]
    if tool.description:
        lines.append(textwrap.indent(clean(tool.description), "  "))
    if tool.spec.raw is not None:
        return "\n".join([*lines, *_definition(tool, explain=explain)])
    if explain:
        lines.append(f"  strict: {'yes' if tool.strict else 'no'}")
        lines += [f"    {clean(reason)}" for reason in tool.reasons]
        lines.append(textwrap.indent(json.dumps(tool.spec.parameters, indent=2), "  "))
        return "\n".join(lines)
    return "\n".join([*lines, *_parameters(tool.spec.parameters)])


def _definition(tool: Tool, *, explain: bool) -> list[str]:
    """A tool that is no function: what it is, and, to explain it, all that is sent of it."""
    what = "free text" if tool.kind == "custom" else "run by the service"
    raw = without_secrets(tool.spec.raw or {})
    form = raw.get("format")
    held = f", held to a {form['syntax']} grammar" if isinstance(form, dict) else ""
    if not explain:
        return [f"  {what}{held}"]
    shown = textwrap.indent(json.dumps(raw, indent=2, ensure_ascii=False), "  ")
    return [f"  {what}{held}", *(f"    {clean(reason)}" for reason in tool.reasons), clean(shown)]


def _parameters(schema: Any) -> list[str]:
    properties = schema.get("properties", {})
    return [
        f"  {clean(name)}: {clean(_kind(inner))}"
        + (f"  {clean(text)}" if (text := _text(inner)) else "")
        for name, inner in properties.items()
    ]


def _text(schema: Any) -> str:
    return str(schema.get("description", "")) if isinstance(schema, dict) else ""


def _kind(schema: Any) -> str:
    """The type of a parameter in a word or two."""
    if not isinstance(schema, dict):
        return "anything"
    if "enum" in schema:
        return " | ".join(json.dumps(one, ensure_ascii=False) for one in schema["enum"])
    if "anyOf" in schema:
        return " | ".join(_kind(one) for one in schema["anyOf"])
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    kind = schema.get("type", "anything")
    if kind == "array" and isinstance(schema.get("items"), dict):
        return f"array of {_kind(schema['items'])}"
    return " | ".join(kind) if isinstance(kind, list) else str(kind)
