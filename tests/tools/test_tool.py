"""From a callable to a call: the table of callables, what is read, what is run."""

import functools
import gc
import subprocess
import sys
import weakref
from pathlib import Path
from typing import Self

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from toolstone import limits
from toolstone.errors import DefinitionError
from toolstone.items import CallKey
from toolstone.schema import strict_problems
from toolstone.tools import ArgumentsProblem, Tool, ToolContext, tool
from toolstone.tools.policy import Policy


def context(deps=None):
    return ToolContext("run", CallKey(0, 0), deps)


async def call(function, text, deps=None):
    made = Tool.of(function)
    return await made.invoke(made.read(text), context(deps))


def population(city: str, year: int | None = None) -> str:
    """Number of inhabitants.

    Args:
        city: Where to count.
        year: When to count; the last census if absent.

    Returns:
        A number.
    """
    return f"{city} {year}"


class Shop:
    """A shop."""

    def __init__(self, name):
        self.name = name

    def sell(self, item: str) -> str:
        """Sell it."""
        return f"{self.name} sells {item}"

    def join(self, other: "list[str] | None" = None, twin: Self | None = None) -> str:
        return f"{other} {twin}"

    @classmethod
    def found(cls, name: str) -> str:
        """Found one."""
        return f"{cls.__name__} {name}"

    @staticmethod
    async def count(n: int) -> int:
        return n + 1

    def __call__(self, n: int) -> str:
        """Be called."""
        return f"{self.name} {n}"


class Async:
    """Calls later."""

    async def __call__(self, n: int) -> int:
        return n


@functools.wraps(population)
def wrapped(*args, **kwargs):
    return "wrapped " + population(*args, **kwargs)


async def later(n: int) -> int:
    return n


def hands_on(n: int):
    return later(n)


def test_a_function_becomes_a_tool():
    made = Tool.of(population)

    assert made.spec.parameters == {
        "type": "object",
        "properties": {
            "city": {"type": "string", "description": "Where to count."},
            "year": {
                "anyOf": [{"type": "integer"}, {"type": "null"}],
                "description": "When to count; the last census if absent.",
            },
        },
        "required": ["city", "year"],
        "additionalProperties": False,
    }
    assert (made.name, made.description, made.strict) == (
        "population",
        "Number of inhabitants.",
        True,
    )
    assert made.reasons == ("year: required, since null is its default",)
    assert (made.timeout, made.retries, made.repeatable, made.approve, made.deferred) == (
        60.0,
        0,
        False,
        False,
        False,
    )


@pytest.mark.parametrize(
    ("function", "name", "text", "value"),
    [
        (population, "population", '{"city":"P","year":null}', "P None"),
        (Shop("A").sell, "sell", '{"item":"x"}', "A sells x"),
        (Shop.found, "found", '{"name":"B"}', "Shop B"),
        (Shop.count, "count", '{"n":1}', 2),
        (Shop("A"), "Shop", '{"n":1}', "A 1"),
        (Async(), "Async", '{"n":1}', 1),
        (functools.partial(population, "Rome"), "population", '{"year":1}', "Rome 1"),
        (functools.partial(population, year=9), "population", '{"city":"P"}', "P 9"),
        (functools.partial(later, 3), "later", "{}", 3),
        (wrapped, "population", '{"city":"P","year":1}', "wrapped P 1"),
        (hands_on, "hands_on", '{"n":4}', 4),
        (tool(name="none")(lambda: "nothing"), "none", "{}", "nothing"),
    ],
)
async def test_every_kind_of_callable_is_called(function, name, text, value):
    if function is hands_on:
        hands_on.__annotations__["n"] = int
    made = Tool.of(function)

    assert made.name == name
    assert await call(function, text) == value
    Draft202012Validator.check_schema(made.spec.parameters)
    assert strict_problems(made.spec.parameters) == []


def test_a_tool_is_a_tool_already():
    made = Tool.of(population)

    assert Tool.of(made) is made
    assert Tool.of(population) is made
    assert repr(made) == "<Tool population>"


def test_a_wrapper_is_not_taken_for_what_it_wraps():
    inner = Tool.of(population)

    @functools.wraps(population)
    def outer(city: str) -> str:
        return city

    del outer.__wrapped__
    assert Tool.of(outer) is not inner
    assert list(Tool.of(outer).spec.parameters["properties"]) == ["city"]


def test_a_function_and_its_tool_are_collected_together():
    def made_here(n: int) -> int:
        return n

    watch = weakref.ref(made_here)
    Tool.of(made_here)
    del made_here
    gc.collect()

    assert watch() is None


async def test_mutable_defaults_are_copied_for_each_call():
    def collect(item: str, into: list[str] = []) -> list[str]:  # noqa: B006  the point of it
        into.append(item)
        return into

    assert await call(collect, '{"item":"a","into":null}') == ["a"]
    assert await call(collect, '{"item":"b"}') == ["b"]
    assert collect.__defaults__ == ([],)


async def test_the_context_is_injected_and_absent_from_the_schema():
    async def asks(city: str, ctx: ToolContext[str]) -> str:
        return f"{ctx.deps} {city}"

    assert list(Tool.of(asks).spec.parameters["properties"]) == ["city"]
    assert Tool.of(asks).wants_context
    assert await call(asks, '{"city":"P"}', deps="from") == "from P"


async def test_without_a_context_a_tool_that_wants_one_says_so():
    async def asks(ctx: ToolContext[str]) -> str: ...

    with pytest.raises(DefinitionError, match="tool 'asks' wants a ToolContext"):
        await Tool.of(asks).invoke(Tool.of(asks).read("{}"))


async def test_parameters_named_like_pydantic_attributes_work():
    def odd(model_config: str, schema: int, json: bool, self_: str = "") -> str:
        return f"{model_config} {schema} {json}"

    assert await call(odd, '{"model_config":"a","schema":1,"json":true,"self_":null}') == "a 1 True"


def test_bad_arguments_are_one_sentence():
    with pytest.raises(ArgumentsProblem) as caught:
        Tool.of(population).read('{"city":5}')

    assert (
        str(caught.value)
        == "invalid arguments: city: input should be a valid string (got an integer)"
    )
    assert "5" not in repr(Tool.of(population).read('{"city":"5"}'))


def test_an_unknown_type_may_be_defined_later():
    namespace = {"tool": tool}
    exec("@tool\ndef early(x: 'Later') -> str: return x", namespace)
    with pytest.raises(DefinitionError, match="the type name 'Later' is not known"):
        Tool.of(namespace["early"])
    exec("from pydantic import BaseModel\nclass Later(BaseModel):\n  a: int", namespace)

    assert Tool.of(namespace["early"]).read('{"x":{"a":1}}').arguments["x"].a == 1


@pytest.mark.parametrize("name", ["has space", "", "x" * 65, "naïve", "<lambda>", "a.b"])
def test_a_name_a_model_cannot_call_is_refused(name):
    with pytest.raises(DefinitionError, match="a name is 1 to 64 letters"):
        tool(name=name)(lambda: "") if name else Tool.from_schema(name, {"type": "object"})


@pytest.mark.parametrize("size", [limits.DESCRIPTION_BYTES, limits.DESCRIPTION_BYTES + 1])
def test_a_description_has_a_limit(size):
    def long() -> str: ...

    long.__doc__ = "x" * size
    if size > limits.DESCRIPTION_BYTES:
        with pytest.raises(DefinitionError, match="tool 'long': its description has 4097 bytes"):
            Tool.of(long)
    else:
        assert Tool.of(long).description == "x" * size


def test_a_changed_docstring_is_seen():
    def changes() -> str:
        """Before."""

    before = Tool.of(changes)
    changes.__doc__ = "After."

    assert (before.description, Tool.of(changes).description) == ("Before.", "After.")


# ---------------------------------------------------------------------------- written by hand

BY_HAND = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": False}  # fmt: skip


@pytest.mark.parametrize("waits", [True, False])
@pytest.mark.parametrize("with_context", [True, False])
async def test_a_schema_written_by_hand_is_called_with_a_dict(waits, with_context):
    async def later(given, ctx=None):
        return given, ctx and ctx.deps

    def now(given, ctx=None):
        return given, ctx and ctx.deps

    def alone(given):
        return given, None

    async def alone_later(given):
        return given, None

    invoke = (later if waits else now) if with_context else (alone_later if waits else alone)
    made = Tool.from_schema("count", BY_HAND, invoke, description="Count.")

    assert await made.invoke(made.read('{"n":1}'), context("deps")) == (
        {"n": 1},
        "deps" if with_context else None,
    )
    assert made.strict
    assert made.wants_context == with_context
    assert made.description == "Count."


def test_a_schema_without_an_implementation_is_deferred():
    made = Tool.from_schema("ask", BY_HAND)

    assert made.deferred
    with pytest.raises(ArgumentsProblem, match="n: must be of type integer"):
        made.read('{"n":"1"}')


async def test_a_deferred_call_is_not_made_here():
    made = Tool.from_schema("ask", BY_HAND)

    with pytest.raises(DefinitionError, match="tool 'ask' is deferred"):
        await made.invoke(made.read('{"n":1}'))


def test_a_schema_by_hand_is_sent_as_it_is_and_says_why_it_is_not_strict():
    loose = {"type": "object", "properties": {"n": {"type": "integer"}}}
    made = Tool.from_schema("count", loose)

    assert made.spec.parameters == loose
    assert not made.strict
    assert made.reasons[0].startswith("the value: any keys are allowed")
    with pytest.raises(DefinitionError, match="tool 'count' cannot be strict"):
        Tool.from_schema("count", loose, strict=True)
    assert Tool.from_schema("count", BY_HAND, strict=False).reasons == (
        "strict=False was asked for",
    )


def test_a_schema_by_hand_takes_a_policy():
    made = Tool.from_schema("count", BY_HAND, policy=Policy(timeout=1, repeatable=True))

    assert (made.timeout, made.repeatable) == (1, True)


# ----------------------------------------------------------------------------- laziness, cost


def test_tools_of_functions_load_neither_jsonschema_nor_tenacity():
    code = """
import sys
from toolstone.tools import Tool
def f(a: int, b: str = "x") -> str: return b
Tool.of(f).read('{"a":1}')
print([m for m in ("jsonschema", "tenacity", "docstring_parser", "httpx") if m in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )

    assert done.stdout.strip() == "[]"


def test_a_hanging_thread_does_not_keep_the_process_alive():
    code = """
import asyncio, threading
from toolstone.tools import Tool, tool, dispatch
from toolstone.items import FunctionCall
@tool(timeout=0.01)
def hangs() -> str: threading.Event().wait()
call = FunctionCall({"type": "function_call", "call_id": "c", "name": "hangs", "arguments": "{}"})
print(asyncio.run(dispatch([call], [hangs]))[0].output)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )

    assert done.stdout.strip() == "timed out after 0.01 s; outcome unknown"


def test_a_forked_child_has_threads_of_its_own():
    code = """
import asyncio, os, sys, warnings
warnings.simplefilter("ignore")
from toolstone.tools.threads import run_in_thread
asyncio.run(run_in_thread(print, {}))
if os.fork() == 0:
    asyncio.run(run_in_thread(print, {"end": "child"}))
    sys.stdout.flush()
    os._exit(0)
os.wait()
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )

    assert done.stdout.strip().endswith("child")


def test_no_file_is_as_long_as_to_hide_a_second_idea():
    root = Path(__file__).parents[2] / "src" / "toolstone"
    long = [p.name for part in ("schema", "tools") for p in (root / part).glob("*.py") if len(p.read_text().splitlines()) > 400]  # fmt: skip

    assert long == []


class Deep(BaseModel):
    n: int


def test_types_of_the_module_are_found_from_text_annotations():
    def takes(one: "Deep", many: "list[Deep]") -> str: ...

    assert Tool.of(takes).read('{"one":{"n":1},"many":[]}').arguments == {
        "one": Deep(n=1),
        "many": [],
    }
