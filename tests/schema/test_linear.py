r"""Patterns mean what ECMAScript says, whatever the engine calls it, or are refused in words."""

import pytest

from toolstone import limits
from toolstone.schema.linear import PatternProblem, compile_pattern, pattern_problem


@pytest.fixture(autouse=True)
def _compiled_anew():
    """What an earlier test has compiled is not this one's."""
    compile_pattern.cache_clear()


SPACES = "\t\n\x0b\f\r \xa0\u1680\u2000\u200a\u2028\u2029\u202f\u205f\u3000\ufeff"
MEANT = [
    (r"^\d$", "059", "٣a/:"),
    (r"^\D$", "٣a/:", "059"),
    (r"^\w$", "09AZ_az", "é-@[`{"),
    (r"^\W$", "é-@[`{", "09AZ_az"),
    (r"^\s$", SPACES, "a\x85\x1c\u200b"),
    (r"^\S$", "a\x85\x1c\u200b", SPACES),
    (r"^.$", "aé\x85😀", "\n\r\u2028\u2029"),
    (r"^[.]$", ".", "a"),
    (r"^[[]$", "[", "]\\"),
    (r"^]$", "]", "[\\"),
    (r"^[a&&b]$", "a&b", "c"),
    (r"^[a~~b]$", "a~b", "c"),
    (r"^[a-c]$", "abc", "d-"),
    (r"^[!-&]$", "!#&", "-'"),
    (r"^[a-]$", "a-", "b"),
    (r"^[\d-]$", "1-", "d\\"),
    (r"^[-a]$", "-a", "b"),
    (r"^[a-c-e]$", "abc-e", "d"),
    (r"^[\d-a]$", "0-a", "d:["),
    (r"^[a-\d]$", "0-a", "b:["),
    (r"^[\d-\w]$", "0-a", ":["),
    (r"^[x\d-az]$", "0-axz", "bd"),
    (r"^[\x41-\x43]$", "ABC", "D-x"),
    (r"^[^a]$", "b\n", "a"),
    (r"^[^^]$", "a", "^"),
    (r"^[a^]$", "a^", "b"),
    (r"^[^]$", "a\n^", ""),
    (r"^[]$", "", "a\n"),
    (r"^[\b]$", "\x08", "b\\"),
    (r"^[\D]$", "a", "1"),
    (r"^[\s\d]$", "1 ", "a"),
    (r"^[\W_]$", "é_", "a"),
    (r"^[^\d]$", "a", "1"),
    (r"^[\]\-\\^]$", "]-\\^", "a["),
    (r"^[é]$", "é", "e"),
    (r"^\p{L}$", "éa", "1"),
    (r"^\P{L}$", "1", "éa"),
    (r"^[\p{L}1]$", "éa1", "2"),
    (r"^[\P{L}]$", "1", "éa"),
    (r"^\p{Script=Greek}$", "λ", "a"),
    (r"^\x4a$", "J", "4ax"),
    (r"^\u004A$", "J", "4Au"),
    (r"^\u{1F600}$", "😀", "u1"),
    (r"^[\x4a\u0031\u{1F600}]$", "J1😀", "xu4a"),
    (r"^\cA$", "\x01", "Ac"),
    (r"^\cz$", "\x1a", "zc"),
    (r"^[\cJ]$", "\n", "Jc"),
    (r"^\0$", "\0", "0"),
    (r"^[\0]$", "\0", "0"),
    (r"^\t$", "\t", "t"),
    (r"^\n$", "\n", "n"),
    (r"^\r$", "\r", "r"),
    (r"^\f$", "\f", "f"),
    (r"^\v$", "\v", "v"),
    (r"^[\t\v]$", "\t\v", "tv"),
    (r"^\.$", ".", "a"),
    (r"^\/$", "/", "\\"),
    (r"^(?:a)$", "a", "b"),
    (r"^(?:a|b)$", "ab", "c"),
    (r"^(a|b)$", "ab", "c"),
    (r"^(?i:a)$", "aA", "b"),
    (r"^(?<n>a)$", "a", "A"),
    (r"^(?P<n_1>a)$", "a", "A"),
]


@pytest.mark.parametrize(("pattern", "inside", "outside"), MEANT, ids=[one[0] for one in MEANT])
def test_a_pattern_finds_what_ecmascript_says(pattern, inside, outside):
    found_in = compile_pattern(pattern).found_in

    assert [char for char in inside if not found_in(char)] == []
    assert [char for char in outside if found_in(char)] == []


WORDS = [
    ("a", ["xax"], ["", "x"]),
    ("^a$", ["a"], ["ab", "ba", "a\n"]),
    (r"é\ba", ["éa"], ["ba"]),
    (r"a\b", ["a", "aé", "a-"], ["ab", "a1"]),
    ("^(?i:a)b$", ["ab", "Ab"], ["aB"]),
    ("^a{2}$", ["aa"], ["a", "aaa"]),
    ("^a{2,}$", ["aa", "aaaa"], ["a"]),
    ("^a{1,2}$", ["a", "aa"], ["", "aaa"]),
    ("^a{2}?$", ["aa"], ["a"]),
    ("^a*?b+?c?$", ["b", "abbc"], ["ac"]),
    ("^(ab)+$", ["abab"], ["aba"]),
    (r"^\x4a1$", ["J1"], ["J"]),
    (r"^\u004a1$", ["J1"], ["J"]),
    (r"^\cA1$", ["\x011"], ["\x01"]),
    (r"^\0a$", ["\0a"], ["\0"]),
    (r"^a\{b\}$", ["a{b}"], ["ab"]),
    ("^[]a]", [], ["a]", "]", "a"]),
    ("^(?<first>a)(?P<Second>b)$", ["ab"], ["a"]),
    ("^((a)(b))$", ["ab"], ["a"]),
]


@pytest.mark.parametrize(("pattern", "inside", "outside"), WORDS, ids=[one[0] for one in WORDS])
def test_a_pattern_of_several_parts_keeps_their_order(pattern, inside, outside):
    found_in = compile_pattern(pattern).found_in

    assert [text for text in inside if not found_in(text)] == []
    assert [text for text in outside if found_in(text)] == []


LAID_OUT = [
    ("", 1),
    ("a", 2),
    ("ab", 3),
    ("a{7}", 8),
    ("ab{7}c", 10),
    ("a{2,5}", 6),
    ("a{3,}", 5),
    ("a{0}", 2),
    ("a{0,0}", 2),
    ("a*", 2),
    ("a+?", 2),
    ("(a)", 4),
    ("(?:a)", 4),
    ("ab(cd{3})", 9),
    ("(ab){3}", 13),
    ("(?:(a){2}b){3}", 28),
    (".", 4),
    ("]", 2),
    (r"\d", 4),
    (r"\b", 2),
    (r"\t", 2),
    (r"\x41", 2),
    (r"\p{L}", 61),
    ("[a-z]", 4),
    ("[ab-]", 4),
    (r"[\d]", 7),
    (r"[\d\s]", 10),
    (r"[a-\d]", 7),
    (r"[\d-\d]", 10),
    (r"[\p{L}]", 64),
    (r"[\b\t]", 4),
]


@pytest.mark.parametrize(("pattern", "states"), LAID_OUT, ids=[one[0] for one in LAID_OUT])
def test_a_pattern_counts_the_states_that_a_text_may_visit(pattern, states):
    assert compile_pattern(pattern).states == states


REFUSED = [
    ("(?=a)", "look-around, flags and other special groups"),
    ("x(?!a)", "look-around, flags and other special groups"),
    ("(?i)a", "look-around, flags and other special groups"),
    ("(?<1>a)", "look-around, flags and other special groups"),
    (r"(a)\1", "a back-reference"),
    (r"\01", "a back-reference"),
    (r"[\1]", "a back-reference"),
    (r"\q", r"the escape \q"),
    (r"\B", r"the escape \B"),
    (r"[\q]", r"the escape \q"),
    (r"\é", r"the escape \é"),
    ("\\", "the escape \\"),
    (r"\x4", r"the escape \x"),
    (r"\u12", r"the escape \u"),
    (r"\p{}", r"the escape \p"),
    (r"\c", r"the escape \c"),
    (r"\c1", r"the escape \c"),
    (r"\cé", r"the escape \c"),
    ("a{", "a '{' that counts nothing; write it as '\\{'"),
    ("a}", "a '}' that counts nothing; write it as '\\}'"),
    ("a{,3}", "a '{' that counts nothing; write it as '\\{'"),
    ("(a", "a '(' without its ')'"),
    ("a)", "a ')' without its '('"),
    ("[a", "a '[' without its ']'"),
    ("[a-", "a '[' without its ']'"),
    ("[", "a '[' without its ']'"),
    ("a**", "a repetition of a repetition"),
    ("a{2}{3}", "a repetition of a repetition"),
    ("a{999999}", "more than 5000 states: limits.PATTERN_STATES"),
    ("*a", "repetition operator missing expression"),
    ("[z-a]", "invalid character class range, the start must be <= the end"),
    (r"\p{Nothing}", "Unicode property not found"),
]


@pytest.mark.parametrize(("pattern", "reason"), REFUSED, ids=[one[0] for one in REFUSED])
def test_what_the_engine_cannot_do_is_refused_with_the_reason(pattern, reason):
    said = f"pattern {pattern!r} does not run on a linear engine ({reason})"

    assert pattern_problem(pattern) == said
    with pytest.raises(PatternProblem) as refused:
        compile_pattern(pattern)
    assert str(refused.value) == said


def test_a_pattern_that_runs_has_no_problem():
    assert pattern_problem("a") is None


def test_a_pattern_may_be_as_long_as_the_limit_and_no_longer(monkeypatch):
    monkeypatch.setattr(limits, "PATTERN_CHARACTERS", 9)

    assert pattern_problem("ninechars") is None
    assert pattern_problem("ten chars!") == (
        "a pattern of 10 characters is longer than 9 (limits.PATTERN_CHARACTERS)"
    )


def test_a_pattern_may_have_as_many_states_as_the_limit_and_no_more(monkeypatch):
    monkeypatch.setattr(limits, "PATTERN_STATES", 11)

    assert pattern_problem("q{11}") is None
    assert "more than 11 states" in pattern_problem("q{12}")
    assert "more than 11 states" in pattern_problem("qq{11}")
    assert "more than 11 states" in pattern_problem("(?:r{9})t")
