import pytest

from toolstone.errors import DefinitionError, InputError
from toolstone.tools import Tool, Toolbox, tool
from toolstone.tools.toolbox import gather


def read(path: str) -> str:
    """Read a file."""
    return path


def write(path: str, text: str) -> str:
    """Write a file."""
    return path + text


@tool(name="look", repeatable=True)
def search(query: str) -> str:
    """Look it up."""
    return query


FILES = Toolbox([read, write], name="files")


def names(tools):
    return [one.name for one in tools]


def test_a_toolbox_is_its_tools_in_order():
    assert names(FILES) == ["read", "write"]
    assert len(FILES) == 2
    assert "read" in FILES
    assert FILES["read"] is Tool.of(read)
    assert repr(FILES) == "<Toolbox files: read, write>"


def test_it_is_prefixed_picked_from_and_reduced():
    assert names(FILES.prefix("fs_")) == ["fs_read", "fs_write"]
    assert names(FILES.pick("write", "read")) == ["write", "read"]
    assert names(FILES.without("write")) == ["read"]
    assert names(FILES) == ["read", "write"]


def test_a_prefixed_tool_is_the_same_but_for_its_name():
    renamed = FILES.prefix("fs_")["fs_read"]

    assert renamed.spec.parameters is FILES["read"].spec.parameters
    assert renamed.policy is FILES["read"].policy
    assert renamed.read('{"path":"x"}').arguments == {"path": "x"}


def test_boxes_are_merged():
    both = FILES | Toolbox([search], name="web")

    assert names(both) == names(FILES + Toolbox([search])) == ["read", "write", "look"]
    assert both.name == "files|web"


def test_a_filter_is_asked_each_turn():
    allowed = {"read"}
    box = Toolbox([FILES.filter(lambda one: one.name in allowed), search])

    assert names(box.offered()) == ["read", "look"]
    allowed.add("write")
    assert names(box.offered()) == ["read", "write", "look"]
    assert names(box) == ["read", "write", "look"]
    assert (FILES.fixed, box.fixed) == (True, False)


def test_filters_survive_prefix_pick_and_each_other():
    box = FILES.filter(lambda one: "read" in one.name).prefix("fs_")

    assert names(box.offered()) == ["fs_read"]
    assert names(box.pick("fs_read").filter(lambda _one: False).offered()) == []


def test_a_clash_of_names_is_refused_and_names_both():
    with pytest.raises(
        DefinitionError,
        match="two tools are named 'read': one from toolbox 'files', one from 'tools'",
    ):
        Toolbox([FILES, read])
    with pytest.raises(DefinitionError, match="from toolbox 'files', one from toolbox 'other'"):
        FILES | Toolbox([read], name="other")


def test_an_unknown_name_is_refused():
    with pytest.raises(
        InputError, match="toolbox 'files' has no tool 'delete'; it has read, write"
    ):
        FILES.pick("delete")
    with pytest.raises(InputError, match="has no tool 'delete'"):
        FILES.without("delete")
    with pytest.raises(InputError):
        FILES["delete"]


def test_a_prefix_that_makes_no_name_is_refused():
    with pytest.raises(DefinitionError, match="tool name 'f s/read'"):
        FILES.prefix("f s/")


def test_what_an_agent_is_given_is_gathered_with_its_filters():
    tools, filters = gather(
        [FILES.filter(bool), search, Tool.from_schema("hand", {"type": "object"})]
    )

    assert list(tools) == ["read", "write", "look", "hand"]
    assert set(filters) == {"read", "write"}
