"""Names from elsewhere become names a model can call, and are read back."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolstone import limits
from toolstone.errors import DefinitionError
from toolstone.tools.aliases import alias, name_behind


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("weather", "weather"),
        ("get_weather-now", "get_weather-now"),
        ("math.factorial", "math--factorial"),
        ("a.b.c", "a--b--c"),
        ("files/read", "files-x2f-read"),
        ("a--b", "a-x2d--b"),
        ("a-.b", "a-x2d---b"),
        ("a-x2d-", "a-x2d-x2d-x2d-"),
        ("größe", "gr-xf6--xdf-e"),
        ("end-", "end-x2d-"),
    ],
)
def test_a_name_and_its_alias(name, written):
    assert alias(name) == written
    assert name_behind(written) == name


@given(st.text(alphabet=st.sampled_from("abxz2df._-/ é\U0001f600"), min_size=1, max_size=8))
def test_every_name_comes_back_and_none_shares_its_alias(name):
    written = alias(name)

    assert re.fullmatch(limits.TOOL_NAME, written)
    assert name_behind(written) == name
    assert alias(name_behind(written)) == written


@given(st.text(alphabet="abxz2df-_", max_size=12))
def test_what_is_no_alias_is_said_to_be_none(text):
    try:
        name = name_behind(text)
    except DefinitionError:
        return
    assert alias(name) == text


def test_a_long_name_is_cut_and_found_again_among_the_names_there_are():
    names = ["a" * 65, "service." * 9 + "read", "service." * 9 + "write", "-" * 64]

    assert [name_behind(alias(name), names) for name in names] == names
    assert all(re.fullmatch(limits.TOOL_NAME, alias(name)) for name in names)
    with pytest.raises(DefinitionError, match="is no alias"):
        name_behind(alias(names[0]), names[1:])


def test_nothing_has_no_alias():
    with pytest.raises(DefinitionError):
        alias("")
    with pytest.raises(DefinitionError):
        name_behind("")
