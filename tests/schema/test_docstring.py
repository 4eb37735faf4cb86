import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolstone.errors import DefinitionError
from toolstone.schema import sections
from toolstone.schema.docstring import read_docstring

GOOGLE = """Number of inhabitants.

    Counted at the last census,
    not estimated.

    Args:
        city: The city to count in,
            with its suburbs.
        year (int): Which year.

    Returns:
        The number.

    Raises:
        KeyError: There is no such city.

    Examples:
        >>> population("Paris")
        2100000
    """
NUMPY = """Number of inhabitants.

    Counted at the last census,
    not estimated.

    Parameters
    ----------
    city : str
        The city to count in,
        with its suburbs.
    year : int
        Which year.

    Returns
    -------
    int
        The number.

    Notes
    -----
    Nothing else.
    """
REST = """Number of inhabitants.

    Counted at the last census,
    not estimated.

    :param city: The city to count in,
        with its suburbs.
    :type city: str
    :param year: Which year.
    :returns: The number.
    :raises KeyError: There is no such city.
    """
EPYDOC = """Number of inhabitants.

    Counted at the last census,
    not estimated.

    @param city: The city to count in,
        with its suburbs.
    @type city: str
    @param year: Which year.
    @return: The number.
    """


@pytest.mark.parametrize("doc", [GOOGLE, NUMPY, REST, EPYDOC])
def test_every_style_says_the_same(doc):
    read = read_docstring(doc)

    assert read.text == "Number of inhabitants.\n\nCounted at the last census, not estimated."
    assert read.parameters == {
        "city": "The city to count in, with its suburbs.",
        "year": "Which year.",
    }


def test_the_short_way_reads_what_the_library_reads(monkeypatch):
    short = read_docstring.__wrapped__(GOOGLE)
    monkeypatch.setattr(sections, "_everyday", lambda _sections: None)

    assert read_docstring.__wrapped__(GOOGLE) == short


@pytest.mark.parametrize(
    "section", ["Note", "Warning", "Todo", "See Also", "References", "Yields", "Example"]
)
def test_no_section_leaks(section):
    read = read_docstring(
        f"Does it.\n\n{section}:\n    Leaked.\n\nArgs:\n    a: An a.\n\n{section}:\n    Leaked."
    )

    assert read.text == "Does it."
    assert read.parameters == {"a": "An a."}


def test_prose_after_the_arguments_does_not_run_into_the_last_one():
    read = read_docstring("Does it.\n\nArgs:\n    a: An a.\n\nMore prose.")

    assert read.parameters == {"a": "An a."}


def test_a_docstring_without_sections_is_all_description():
    assert read_docstring("  Does it.  ").text == "Does it."
    assert read_docstring("Note: only in France.").text == "Note: only in France."
    assert read_docstring("Does it.\n\n>>> it()\n1").text == "Does it."
    assert read_docstring(None).text == read_docstring("  \n ").text == ""


def test_lists_keep_their_lines():
    doc = "Modes are:\n\n- fast: now\n- slow: later,\n  or never"

    assert read_docstring(doc).text == "Modes are:\n\n- fast: now\n- slow: later,\n  or never"


def test_several_arguments_may_share_a_line():
    read = read_docstring("Move.\n\nParameters\n----------\nx, y : int\n    Where to.")

    assert read.parameters == {"x": "Where to.", "y": "Where to."}


def test_a_malformed_section_tells_nothing():
    assert read_docstring("Does it.\n\nArgs:\n    no colon here\n").parameters == {}


def test_a_huge_docstring_is_refused():
    with pytest.raises(DefinitionError, match="65537 characters: at most 65536"):
        read_docstring("x" * (64 * 1024 + 1))


@given(
    st.lists(
        st.sampled_from(
            [
                "Args:\n",
                "    a: x\n",
                "        more\n",
                "Returns:\n",
                "\n",
                ":param a: b\n",
                "-----\n",
                "@param: x\n",
                "text\n",
                ">>> x\n",
                "  odd\n",
                "Parameters\n",
            ]
        )
    ).map("".join)
)
def test_any_docstring_is_read(doc):
    read = read_docstring(doc)

    assert "Returns:\n" not in read.text
    assert all(isinstance(text, str) for text in read.parameters.values())
