"""What is asked of databases and what is kept: SQL is literal, JSON the only format, names a grammar."""

import ast
import json
import sqlite3
from pathlib import Path

import pytest
from toolstone_bedrock_stage import weather

import toolstone
from toolstone import Agent, tool
from toolstone.errors import DefinitionError, InputError
from toolstone.ledgers.sqlite import SQLiteLedger
from toolstone.local import Script, serve
from toolstone.responses import Responses
from toolstone.testing import Scripted, call

SOURCE = Path(toolstone.__file__).parent
FILES = sorted(SOURCE.rglob("*.py"))
RUNS_SQL = frozenset({"execute", "executemany", "executescript"})
OTHER_FORMATS = frozenset(
    [
        *("pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"),
        *("dbm", "yaml", "ruamel", "msgpack", "cbor", "cbor2", "bson", "jsonpickle", "copyreg"),
        *("plistlib", "xml", "lxml"),
    ]
)

# ------------------------------------------------------------------------------------------- SQL


class Statements(ast.NodeVisitor):
    """Finds SQL that is not written out in the source."""

    def __init__(self, tree):
        self.tree, self.function, self.found = tree, None, []
        self.seen = 0

    def visit_FunctionDef(self, node):
        outer, self.function = self.function, node
        self.generic_visit(node)
        self.function = outer

    def visit_Call(self, node):
        if isinstance(node.func, ast.Attribute) and node.func.attr in RUNS_SQL:
            self.seen += 1
            if not node.args or not self.literal(node.args[0]):
                self.found.append(f"line {node.lineno}: {ast.unparse(node)[:80]}")
        self.generic_visit(node)

    def literal(self, node):
        """Whether a value can be nothing but text of the source."""
        match node:
            case ast.Constant(value=str()):
                return True
            case ast.IfExp():
                return self.literal(node.body) and self.literal(node.orelse)
            case ast.Subscript():
                return self.literal(node.value)
            case ast.Dict():
                return all(map(self.literal, node.values))
            case ast.Tuple():
                return all(map(self.literal, node.elts))
            case ast.Name():
                sources = [*self.assigned(node.id), *self.given(node.id)]
                return bool(sources) and all(map(self.literal, sources))
        return False

    def assigned(self, name):
        """Every value that a name is given in this function and in the module's own lines."""
        scopes = [ast.walk(self.function)] if self.function else []
        for scope in (*scopes, self.tree.body):
            for node in scope:
                match node:
                    case ast.Assign(targets=[ast.Name(id=found)]) if found == name:
                        yield node.value
                    case ast.AnnAssign(target=ast.Name(id=found)) if found == name:
                        yield node.value
                    case ast.For(target=ast.Name(id=found)) if found == name:
                        yield node.iter
                    case ast.AugAssign(target=ast.Name(id=found)) if found == name:
                        yield ast.Name("unknown")

    def given(self, name):
        """What every caller in this module gives for an argument of this function."""
        arguments = self.function.args.args if self.function else []
        place = next((n for n, one in enumerate(arguments) if one.arg == name), None)
        if place is None:
            return
        defaults = self.function.args.defaults
        if place >= len(arguments) - len(defaults):
            yield defaults[place - len(arguments)]
        for node in ast.walk(self.tree):
            if not isinstance(node, ast.Call):
                continue
            method = getattr(node.func, "attr", "") == self.function.name
            if method or getattr(node.func, "id", "") == self.function.name:
                if len(node.args) > place - method:  # a method is not handed its object
                    yield node.args[place - method]
                yield from (word.value for word in node.keywords if word.arg == name)


def statements(text):
    found = Statements(ast.parse(text))
    found.visit(found.tree)
    return found


def test_sql_is_literal():
    looked = {str(path): statements(path.read_text()) for path in FILES}

    assert {name: one.found for name, one in looked.items() if one.found} == {}
    assert sum(one.seen for one in looked.values()) > 40


@pytest.mark.parametrize(
    "text",
    [
        'def f(c, name): c.execute(f"SELECT {name}")',
        'def f(c, name): c.execute("SELECT %s" % name)',
        'def f(c, name): c.execute("SELECT {}".format(name))',
        'def f(c, name): c.execute("SELECT " + name)',
        "def f(c, name): c.execute(name)",
        'def f(c, name):\n    query = "SELECT " + name\n    c.execute(query)',
        'def f(c, name):\n    query = "SELECT "\n    query += name\n    c.execute(query)',
        'def f(c, q="SELECT 1"): c.execute(q)\ndef g(c, name): f(c, name)',
        'def f(c, q="SELECT 1"): c.execute(q)\ndef g(c, name): f(c, q=name)',
        "def f(c, names):\n    for name in names: c.executescript(name)",
        "def f(c, names): c.executemany(names[0], [])",
        "class C:\n    def f(self, q): self.c.execute(q)\n    def g(self, name): self.f(name)",
    ],
)
def test_sql_that_is_put_together_is_found(text):
    """The alarm's own test."""
    assert statements(text).found


# ---------------------------------------------------------------------------------------- formats


def imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (node.module or "").partition(".")[0]
        elif isinstance(node, ast.Call) and getattr(node.func, "id", "") in (
            "__import__",
            "eval",
            "exec",
        ):
            yield node.func.id


def test_json_is_the_only_format_that_is_stored():
    """TOML is read where people write it; the rest of these can make objects of data."""
    wrong = {"__import__", "eval", "exec", *OTHER_FORMATS}
    assert [str(path) for path in FILES if wrong & set(imported(path))] == []


def test_another_format_is_found(tmp_path):
    """The alarm's own test."""
    for line in ("import pickle", "from yaml import load", "def f(): import shelve", "eval('1')"):
        (tmp_path / "x.py").write_text(line)
        assert {"eval", *OTHER_FORMATS} & set(imported(tmp_path / "x.py"))


def texts(path):
    """Every text in a database that begins as JSON does, or is a whole record."""
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as connection:
        tables = [
            name
            for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        ]
        for table in tables:
            for row in connection.execute(f'SELECT * FROM "{table}"'):
                yield from ((table, value) for value in row)
    connection.close()


async def test_a_ledger_holds_json_and_names_alone(tmp_path):
    ledger = SQLiteLedger(tmp_path / "runs.sqlite3")
    model = Scripted([call("weather", city="Paris")], "done")
    await Agent(model, tools=[weather], ledger=ledger).run("hi", session="s-1")
    await ledger.aclose()

    stored = [value for _, value in texts(tmp_path / "runs.sqlite3") if isinstance(value, str)]
    records = [value for value in stored if value != "s-1"]
    assert len(records) >= 5
    assert {type(json.loads(value)) for value in records} == {dict}
    assert not [value for _, value in texts(tmp_path / "runs.sqlite3") if isinstance(value, bytes)]


async def test_the_endpoints_store_holds_json_and_one_secret_alone(tmp_path):
    path = tmp_path / "store.sqlite3"
    with serve(Script(["hello"]), store=path) as served:
        async with Responses(model="m", base_url=served.base_url) as client:
            made = await client.create(input="hi", store=True)
            talk = await client.conversations.create()
            await client.create(input="hi", conversation=talk.id, store=True)
    kept = list(texts(path))
    bytes_kept = {(table, len(value)) for table, value in kept if isinstance(value, bytes)}
    told = [json.loads(value) for _, value in kept if isinstance(value, str) and value[:1] in "{["]
    assert bytes_kept <= {("settings", 32)}
    assert made.id in [one.get("id") for one in told if isinstance(one, dict)]


# ------------------------------------------------------------------------------------------ names

ODD = ["", " ", "a b", "a/b", "../a", "a\n", "a\0", "é", "a'; DROP TABLE records; --", "%s", "{x}", "a" * 65, "a.b", "\uff41"]  # fmt: skip


@pytest.mark.parametrize("name", ODD)
async def test_a_session_is_named_by_a_grammar_and_nothing_is_stored_under_another(name, tmp_path):
    ledger = SQLiteLedger(tmp_path / "runs.sqlite3")
    model = Scripted("done")
    with pytest.raises(InputError):
        await Agent(model, ledger=ledger).run("hi", session=name)
    with pytest.raises(InputError):
        await Agent(model, ledger=ledger).resume(name)
    assert await ledger.sessions() == []
    assert model.requests == []
    await ledger.aclose()


@pytest.mark.parametrize("name", ODD[1:])  # an empty one is the function's own
def test_a_tool_is_named_by_a_grammar(name):
    with pytest.raises(DefinitionError):
        tool(name=name)(weather)
