"""The conversion table, row by row."""

import collections
import datetime as dt
import enum
import math
import uuid
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path, PurePosixPath
from types import MappingProxyType, SimpleNamespace
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, field_serializer

from toolstone import File, Image, limits, parts
from toolstone.tools.results import ResultProblem, render_result


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


class Item(BaseModel):
    name: str
    when: dt.date = dt.date(2026, 11, 21)
    price: Decimal = Decimal("1.10")

    @field_serializer("name")
    def shout(self, name):
        return name.upper()


class Wire(BaseModel):
    name: str

    @field_serializer("name", when_used="json")
    def shout(self, name):
        return name.upper()


class Count(int):
    pass


@dataclass
class Point:
    x: int
    colour: Colour = Colour.RED


class Pair(NamedTuple):
    a: int
    b: int


class Text(str):
    __slots__ = ()

    def __str__(self):
        raise RuntimeError


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("as it is\n", "as it is\n"),
        ("", ""),
        ("é😀", "é😀"),
        (Text("kept"), "kept"),
        (None, "null"),
        (True, "true"),
        (False, "false"),
        (3, "3"),
        (Count(3), "3"),
        (10**30, "1" + "0" * 30),
        (21.0, "21.0"),
        (1e22, "1e+22"),
        (-0.0, "-0.0"),
        (Decimal("1.10"), "1.10"),
        (Colour.RED, "red"),
        (Level.LOW, "1"),
        (dt.date(2026, 11, 21), "2026-11-21"),
        (dt.datetime(2026, 11, 21, 10, tzinfo=dt.UTC), "2026-11-21T10:00:00+00:00"),
        (dt.time(10, 30), "10:30:00"),
        (dt.timedelta(seconds=90), "PT1M30S"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (PurePosixPath("/a/b"), "/a/b"),
        (b"text", "text"),
        (b"\xff\x00", "base64:/wA="),
        ([], "[]"),
        ({"a": [1, 2.5, None, True, "x"]}, '{"a":[1,2.5,null,true,"x"]}'),
        ((1, "é"), '[1,"é"]'),
        ({1: "a", None: "b", 1.5: "c"}, '{"1":"a","null":"b","1.5":"c"}'),
        ({Colour.RED: {dt.date(2026, 1, 1)}}, '{"red":["2026-01-01"]}'),
        ({1: Decimal(1), None: 2, 1.5: 3, False: 4}, '{"1":"1","null":2,"1.5":3,"false":4}'),
        ({"b", "a", "c"}, '["a","b","c"]'),
        ({1, "b", None, Decimal(2)}, '["2","b",1,null]'),
        ([1.5, Decimal(2)], '[1.5,"2"]'),
        (frozenset({3, 1, 2}), "[1,2,3]"),
        (collections.deque([1, 2]), "[1,2]"),
        (MappingProxyType({"a": 1}), '{"a":1}'),
        (Pair(1, 2), "[1,2]"),
        (Point(1), '{"x":1,"colour":"red"}'),
        ([Point(1), Decimal(2)], '[{"x":1,"colour":"red"},"2"]'),
        (Item(name="a"), '{"name":"A","when":"2026-11-21","price":"1.10"}'),
        (Wire(name="a"), '{"name":"A"}'),
        ({"items": [Item(name="a")]}, '{"items":[{"name":"A","when":"2026-11-21","price":"1.10"}]}'),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)  # fmt: skip
def test_a_value_is_told_as_the_table_says(value, told):
    assert render_result(value) == told


def inside(value, lists):
    for _ in range(lists):
        value = [value]
    return value


class Odd(enum.Enum):
    LIST = Decimal(1)


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ([Decimal(1)], '["1"]'),
        ({"k": Decimal(1)}, '{"k":"1"}'),
        ({Decimal(1)}, '["1"]'),
        (Odd.LIST, '"1"'),
        (collections.deque([Decimal(1)]), '["1"]'),
        (Point(1, "x"), '{"x":1,"colour":"x"}'),
        (MappingProxyType({"k": 1}), '{"k":1}'),
        (Wire(name="a"), '{"name":"A"}'),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_is_nested_as_deep_as_json_may_be_is_told_and_no_deeper(value, told):
    most = limits.JSON_DEPTH - 2  # lists around what takes one level, or makes one

    assert render_result(inside(value, most)) == "[" * most + told + "]" * most
    with pytest.raises(ResultProblem, match=r"^a value that is nested too deep, or holds itself$"):
        render_result(inside(value, most + 1))


def cyclic():
    found = []
    found.append({"again": found})
    return found


class Broken(BaseModel):
    a: int

    @field_serializer("a")
    def fails(self, a):
        raise RuntimeError("s3cret")


class Endless(dict):
    def __iter__(self):
        raise RecursionError

    keys = __iter__


class Opaque:
    def __str__(self):
        raise RuntimeError

    __repr__ = __str__


async def coroutine():
    return 1


def later():
    made = coroutine()
    made.close()
    return made


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (math.nan, "a float that is nan"),
        ([math.inf], "a float that is inf"),
        (Decimal("NaN"), "a Decimal that is NaN"),
        (object(), "a 'object', which has no form"),
        (Opaque(), "a 'Opaque', which has no form"),
        (SimpleNamespace(a=1), "a 'SimpleNamespace'"),
        (ValueError("s3cret"), "a 'ValueError'"),
        ((x for x in "ab"), "a 'generator'"),
        (later(), "a 'coroutine'"),
        (map(str, []), "a 'map'"),
        (print, "a 'builtin_function_or_method'"),
        (Point, "a 'type'"),
        ([{"a": object()}], "a 'object'"),
        ({(1, 2): 3}, "a dict with a key of type 'tuple'"),
        (cyclic(), "nested too deep, or holds itself"),
        (Broken(a=1), "a Broken that failed to be written: PydanticSerializationError"),
        (Endless(), "a Endless that is nested too deep, or holds itself"),
    ],
    ids=lambda one: type(one).__name__,
)
def test_what_has_no_form_is_a_failure_that_names_the_type(value, says):
    with pytest.raises(ResultProblem) as caught:
        render_result(value)

    assert says in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert "0x" not in str(caught.value)


class Lazy:
    """A value that is fetched when somebody looks at it."""

    @property
    def __class__(self):
        raise RuntimeError


class Lazier(Lazy):
    pass


@pytest.mark.parametrize("kind", [Lazy, Lazier])
def test_a_value_that_may_not_be_there_yet_is_named_and_never_asked(kind):
    with pytest.raises(ResultProblem) as caught:
        render_result([kind()])

    assert str(caught.value) == (
        f"a {kind.__name__!r}, which stands for a value that may not be there yet; return the "
        "value itself"
    )


def test_a_value_without_a_form_is_told_what_has_one():
    with pytest.raises(ResultProblem) as caught:
        render_result(object())

    assert str(caught.value) == (
        "a 'object', which has no form a model could read; return text, numbers, dicts, lists, "
        "dataclasses or Pydantic models"
    )


def test_lone_surrogates_are_told_as_visible_escapes():
    assert render_result("a\ud800b") == "a\\ud800b"
    assert render_result({"k\udfff": ["\ud800"]}) == '{"k\\udfff":["\\ud800"]}'
    assert render_result({"k\udfff": {"\ud800"}}) == '{"k\\udfff":["\\ud800"]}'


@pytest.mark.parametrize("size", [99, 100, 101, 1000])
def test_long_text_is_cut_with_the_true_size(size):
    told = render_result("é" * size, most=200)

    if size <= 100:
        assert told == "é" * size
    else:
        assert told == "é" * 100 + f"\n[cut: the first 200 of {2 * size} bytes]"


def test_a_character_is_never_cut_in_two():
    assert render_result("é" * 3, most=3) == "é\n[cut: the first 3 of 6 bytes]"
    assert render_result(["x" * 50], most=10).endswith("[cut: the first 10 of 54 bytes]")


def test_the_limit_holds_for_each_text_between_content_parts():
    assert render_result(["abcd", parts.Text("kept")], most=3) == [
        {"type": "input_text", "text": "abc\n[cut: the first 3 of 4 bytes]"},
        {"type": "input_text", "text": "kept"},
    ]


def test_images_and_files_are_content_parts(tmp_path):
    picture = tmp_path / "a.png"
    picture.write_bytes(b"\x89PNGdata")

    assert render_result(Image(data=b"\xff\xd8\xffdata", detail="low")) == [
        {"type": "input_image", "image_url": "data:image/jpeg;base64,/9j/ZGF0YQ==", "detail": "low"}
    ]
    assert render_result(["two:", Image(path=picture), File(url="https://example.com/a.pdf")]) == [
        {"type": "input_text", "text": "two:"},
        {"type": "input_image", "image_url": "data:image/png;base64,iVBOR2RhdGE="},
        {"type": "input_file", "file_url": "https://example.com/a.pdf"},
    ]
    assert render_result([parts.Text("kept", cache_breakpoint=True), 3]) == [
        {
            "type": "input_text",
            "text": "kept",
            "prompt_cache_breakpoint": {"mode": "explicit"},
        },
        {"type": "input_text", "text": "3"},
    ]
    assert render_result(File(path=picture)) == [
        {
            "type": "input_file",
            "filename": "a.png",
            "file_data": "data:image/png;base64,iVBOR2RhdGE=",
        }
    ]
    assert render_result(File(data=b"x", name="a.bin"))[0]["file_data"].startswith("data:application/octet-stream;")  # fmt: skip


@pytest.mark.parametrize(
    ("value", "says"),
    [
        (Image(), "an Image with 0 of path=, data=, url= and file_id=; give exactly one"),
        (File(data=b"", url="x"), "a File with 2 of"),
        (Image(path=Path("/nowhere/at/all.png")), "all.png'.* cannot be read: FileNotFoundError"),
    ],
)
def test_an_image_or_file_that_cannot_be_is_a_failure(value, says):
    with pytest.raises(ResultProblem, match=says):
        render_result(value)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.dates() | st.decimals() | st.uuids() | st.builds(object),
    lambda inner: st.lists(inner) | st.tuples(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=8,
)  # fmt: skip


@given(anything)
def test_any_value_is_told_or_refused_and_always_sendable(value):
    try:
        told = render_result(value, most=1000)
    except ResultProblem:
        return
    told.encode()
    assert len(told.encode()) <= 1000 + 60
    assert render_result(value, most=1000) == told
