"""What no line of ours may do: read data as code, start a shell, trust no certificate ... Pure."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

MODULES: Final = frozenset(
    {"pickle", "cPickle", "marshal", "shelve", "dill", "cloudpickle", "jsonpickle", "yaml", "pty"}
)
"""They make objects or processes out of data."""
NAMES: Final = frozenset({"eval", "exec", "compile", "__import__"})
CALLS: Final = frozenset(
    {
        "os.system",
        "os.popen",
        "tempfile.mktemp",
        "subprocess.getoutput",
        "subprocess.getstatusoutput",
        "builtins.eval",
        "builtins.exec",
        "builtins.compile",
        "ssl._create_unverified_context",
        "asyncio.create_subprocess_shell",
    }
)
ALLOWED: Final = {
    ("src/toolstone/bedrock/dialect.py", "pattern"): "patterns of our own table",
    ("src/toolstone/bedrock/dialect_schema.py", "pattern"): "the same, while it is checked",
    ("src/toolstone/bedrock/names.py", "template"): "a host name of our own table, of a region",
    ("src/toolstone/local/profiles/guard.py", "template"): "ARNs of our own table",
    ("src/toolstone/local/profiles/habits.py", "template"): "call ids of our own table",
    ("src/toolstone/local/profiles/observed.py", "template"): "messages of our own table",
    ("src/toolstone/local/profiles/observed.py", "pattern"): "patterns of our own table",
    ("src/toolstone/local/profiles/routes.py", "pattern"): "paths of our own table, escaped",
    ("src/toolstone/responses/failures.py", "pattern"): "the rows of the table below it",
    ("tools/campaigns/_channels.py", "module"): "a pickle is a channel that is looked into",
    ("tools/campaigns/_mistakes.py", "module"): "the same",
}
"""Where a rule is not kept, and why that is no danger."""

_RE: Final = frozenset(
    {"compile", "match", "search", "fullmatch", "sub", "subn", "split", "findall", "finditer"}
)
_CONSTANT: Final = re.compile(r"_{0,2}[A-Z][A-Z0-9_]*")


class Hit(NamedTuple):
    """One line that breaks a rule."""

    path: str
    line: int
    rule: str
    says: str


def find_banned(path: str, source: str) -> list[Hit]:
    """What a file does that it may not.

    Args:
        path: From the root of the repository; of `src/` more is asked.
        source: What stands in it.
    """
    found = []
    for node in ast.walk(ast.parse(source)):
        for rule, says in _broken(node, strict=path.startswith("src/")):
            if (path, rule) not in ALLOWED:
                found.append(Hit(path, getattr(node, "lineno", 0), rule, says))
    return found


def _broken(node: ast.AST, *, strict: bool) -> Iterator[tuple[str, str]]:
    match node:
        case ast.Import(names=names):
            yield from (_module(one.name) for one in names if _is_banned(one.name))
        case ast.ImportFrom(module=str(module), names=names):
            if _is_banned(module):
                yield _module(module)
            yield from (
                ("call", f"imports {module}.{one.name}")
                for one in names
                if f"{module}.{one.name}" in CALLS
            )
        case ast.Call():
            yield from _broken_call(node, strict=strict)
        case ast.Assert(test=test) if strict and not _says_type(test):
            yield "assert", "an assert is gone under -O; raise"
        case ast.Attribute(attr="CERT_NONE"):
            yield "certificate", "a certificate that nobody checks"
        case _:
            return


def _is_banned(module: str) -> bool:
    return module.partition(".")[0] in MODULES


def _module(name: str) -> tuple[str, str]:
    return "module", f"imports {name}"


def _broken_call(node: ast.Call, *, strict: bool) -> Iterator[tuple[str, str]]:
    name = _dotted(node.func)
    if name in NAMES or name in CALLS:
        yield "call", f"calls {name}"
    for given in node.keywords:
        if given.arg == "shell" and not _is_false(given.value):
            yield "shell", "a shell reads what is a string"
        if given.arg in {"verify", "check_hostname"} and _is_false(given.value):
            yield "certificate", "a certificate that nobody checks"
    if not strict:
        return
    if isinstance(node.func, ast.Attribute) and node.func.attr in {"format", "format_map"}:
        if not isinstance(node.func.value, ast.Constant):
            yield "template", "str.format of a template that is no literal reads attributes"
    elif name.startswith("re.") and name[3:] in _RE and node.args and not _is_ours(node.args[0]):
        yield "pattern", "a pattern that is not ours runs on an engine that backtracks"


def _dotted(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attr):
            return f"{_dotted(value)}.{attr}"
        case _:
            return ""


def _is_false(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def _is_ours(node: ast.expr) -> bool:
    """Whether a pattern is made of literals and constants alone."""
    match node:
        case ast.Constant():
            return True
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return _CONSTANT.fullmatch(name) is not None
        case ast.JoinedStr(values=values):
            return all(map(_is_ours, values))
        case ast.FormattedValue(value=value):
            return _is_ours(value)
        case ast.BinOp(left=left, right=right):
            return _is_ours(left) and _is_ours(right)
        case ast.Call(func=func):
            return _dotted(func) == "re.escape"
        case _:
            return False


def _says_type(test: ast.expr) -> bool:
    """Whether an assertion only tells the type checker what is known."""
    match test:
        case ast.Compare(ops=[ast.IsNot()], comparators=[ast.Constant(value=None)]):
            return True
        case ast.Call(func=ast.Name(id="isinstance")):
            return True
        case _:
            return False
