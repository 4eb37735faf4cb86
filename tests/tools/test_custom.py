"""Tools that take free text, and tools of the service, as definitions."""

import pytest

from toolstone import (
    CustomTool,
    DefinitionError,
    InputError,
    Other,
    ServerTool,
    Tool,
    Toolbox,
    dispatch,
    limits,
)
from toolstone import custom_tool as custom
from toolstone.tools import ArgumentsProblem, ToolContext, tool


def run(code: str) -> str:
    """Run some Python.

    Args:
        code: The program.
    """
    return code.upper()


def of_wire(raw):
    return Tool.of(raw).spec.raw


def custom_call(name, text, call_id="c"):
    return Other({"type": "custom_tool_call", "call_id": call_id, "name": name, "input": text})


def test_a_function_becomes_a_custom_tool_and_stays_a_function():
    python = custom(name="python")(run)

    made = Tool.of(python)
    assert (made.kind, made.name, python("x")) == ("custom", "python", "X")
    assert made.spec.raw == {
        "type": "custom",
        "name": "python",
        "description": "Run some Python.",
    }
    assert made.read("x = 1").arguments == {"code": "x = 1"}
    assert made.choice == {"type": "custom", "name": "python"}
    assert made.grammar is None
    del run.__toolstone__


def test_a_custom_tool_without_arguments_of_its_own_is_decorated_bare():
    @custom
    def note(text: str, context: ToolContext) -> None: ...

    assert Tool.of(note).wants_context
    assert Tool.of(note).spec.raw == {"type": "custom", "name": "note"}


def test_a_grammar_goes_to_the_wire():
    @custom(regex="[a-z]+")
    def word(text: str) -> None: ...

    assert Tool.of(word).grammar == {"type": "grammar", "syntax": "regex", "definition": "[a-z]+"}
    sum_ = CustomTool("sum", lark='start: NUMBER "+" NUMBER', description="Add up")
    assert sum_.spec.raw == {
        "type": "custom",
        "name": "sum",
        "description": "Add up",
        "format": {
            "type": "grammar",
            "syntax": "lark",
            "definition": 'start: NUMBER "+" NUMBER',
        },
    }
    assert (sum_.deferred, sum_.read("anything").arguments) == (True, {"text": "anything"})


@pytest.mark.parametrize("text", ["SELECT 1", "SELECT é"])
def test_text_that_matches_the_regular_expression_is_taken(text):
    made = CustomTool("sql", regex="SELECT .+")
    assert made.read(text).arguments == {"text": text}


@pytest.mark.parametrize(
    "text", ["", "select 1", "SELECT 1\n", "x SELECT 1", "SELECT 1; SELECT\n2"]
)
def test_text_that_does_not_match_as_a_whole_is_not(text):
    made = CustomTool("sql", regex="SELECT .+|DROP")
    with pytest.raises(ArgumentsProblem, match=r"does not match .* write it again"):
        made.read(text)


def test_a_regular_expression_that_would_take_python_for_ever_takes_no_time():
    made = CustomTool("a", regex="(a+)+b")
    with pytest.raises(ArgumentsProblem):
        made.read("a" * 20_000)


def test_text_of_any_length_is_not_taken():
    with pytest.raises(ArgumentsProblem, match="characters; at most"):
        CustomTool("a").read("x" * (limits.ARGUMENTS_BYTES + 1))


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: CustomTool("a b"), "tool name 'a b'"),
        (lambda: CustomTool("a", regex="a", lark="b"), "give one of them"),
        (lambda: CustomTool("a", regex=""), "a grammar is text of 1 to"),
        (lambda: CustomTool("a", lark=3), "not a 'int'"),
        (lambda: CustomTool("a", regex="(?=x)y"), "look-around"),
        (lambda: CustomTool("a", regex=r"(a)\1"), "back-references"),
        (lambda: CustomTool("a", regex="a)("), "not one that the service"),
        (lambda: CustomTool("a", lark="\ud800"), "not valid Unicode"),
        (lambda: CustomTool("a", lambda: None), "its function takes one text"),
        (lambda: CustomTool("a", run_number), "takes one text, as in f"),
        (lambda: custom()(run_number), "custom tool 'run_number'"),
        (lambda: custom(3), "cannot carry a policy"),
    ],
)
def test_a_custom_tool_that_cannot_be_is_refused_when_it_is_made(make, says):
    with pytest.raises(DefinitionError, match=says):
        make()


def run_number(number: int) -> None: ...


def test_a_method_can_be_a_custom_tool():
    class Shop:
        @custom(regex=".*")
        def ask(self, question: str) -> str:
            """Ask."""
            return question

    assert Tool.of(Shop().ask).read("x").arguments == {"question": "x"}


def test_a_prefixed_custom_tool_is_called_by_its_new_name_and_the_services_own_keep_theirs():
    @custom
    def sql(query: str) -> None: ...

    box = Toolbox([sql, {"type": "web_search"}]).filter(lambda one: True).prefix("db_")

    assert box.names == ("db_sql", "web_search")
    assert [one.spec.raw["type"] for one in box.offered()] == ["custom", "web_search"]
    assert box["db_sql"].spec.raw["name"] == "db_sql"
    assert isinstance(box["db_sql"], CustomTool)


def test_a_tool_of_the_service_is_its_definition():
    search = ServerTool("web_search", search_context_size="low")

    assert search.spec.raw == {"type": "web_search", "search_context_size": "low"}
    assert (search.kind, search.name, search.deferred) == ("server", "web_search", True)
    assert search.choice == {"type": "web_search"}
    assert repr(search) == "<Tool web_search>"


def test_connectors_are_told_apart_by_their_label():
    box = Toolbox(
        [ServerTool("mcp", server_label="crm", server_url="https://a"), {"type": "mcp", "server_label": "wiki"}]
    )  # fmt: skip
    assert box.names == ("mcp:crm", "mcp:wiki")
    assert box["mcp:crm"].choice == {"type": "mcp", "server_label": "crm"}
    with pytest.raises(DefinitionError, match="two tools are named 'web_search'"):
        Toolbox([ServerTool("web_search"), {"type": "web_search"}])


def test_definitions_as_the_wire_has_them_are_tools():
    assert of_wire({"type": "file_search", "vector_store_ids": ["v"]}) == {
        "type": "file_search",
        "vector_store_ids": ["v"],
    }
    pattern = {"type": "grammar", "syntax": "regex", "definition": "a+"}
    raw = {"type": "custom", "name": "a", "description": "A", "format": pattern}
    assert of_wire(raw) == raw
    made = Tool.of({"type": "function", "name": "f", "parameters": {"type": "object"}})
    assert (made.kind, made.name, made.deferred, made.strict) == ("function", "f", True, False)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ({"name": "x"}, "has its type in it"),
        ({"type": 3}, "has its type in it"),
        ({"type": "function"}, "a function tool given as a dict: no name"),
        ({"type": "custom", "name": "x", "syntax": "lark"}, r"unknown \['syntax'\]"),
        ({"type": "web_search", "filters": object()}, "cannot be written as JSON"),
    ],
)
def test_a_definition_that_cannot_be_is_refused(raw, says):
    with pytest.raises(DefinitionError, match=says):
        Tool.of(raw)


def test_functions_are_no_tools_of_the_service():
    with pytest.raises(DefinitionError, match="functions and CustomTools are given"):
        ServerTool("function", name="x")
    with pytest.raises(DefinitionError, match="not called here"):
        ServerTool("web_search").read("")


async def test_a_batch_of_custom_and_function_calls_is_dispatched(run_calls):
    shout = CustomTool("shout", run)

    @tool
    def add(a: int, b: int) -> int:
        return a + b

    outputs = await dispatch(
        [
            custom_call("shout", "hi"),
            Other({"type": "custom_tool_call", "call_id": "d", "name": "add", "input": "1+2"}),
            custom_call("sing", "la", "e"),
        ],
        [shout, add, ServerTool("web_search")],
    )

    assert [one.raw["output"] for one in outputs] == [
        "HI",
        "'add' takes JSON arguments; nothing was run, call it again that way",
        "there is no tool named 'sing' (tools: add, shout)",
    ]
    assert [one.raw["call_id"] for one in outputs] == ["c", "d", "e"]
    assert {one.type for one in outputs} == {"custom_tool_call_output"}
    with pytest.raises(InputError, match="'computer_call' is not made here"):
        await dispatch([Other({"type": "computer_call"})], [add])
