"""Rows out: what stands in JSON lines, CSV and Parquet, and what a crash leaves there."""

import csv
import json
from decimal import Decimal

import pytest
from pydantic import BaseModel

from toolstone.errors import DefinitionError, InputError, StorageError
from toolstone.extract.files.columns import columns_of, value_schema
from toolstone.extract.files.write import LineWriter, check_output, write_parquet
from toolstone.extract.records import Evidence, Failure, Record
from toolstone.extract.shape import Shape
from toolstone.usage import Usage


class Address(BaseModel):
    city: str
    zip: str | None


class Line(BaseModel):
    what: str
    amount: float


class Invoice(BaseModel):
    number: int
    total: float
    paid: bool | None
    to: Address
    lines: list[Line]
    tags: list[str]
    extra: dict[str, int] | str


def schema_of(kind):
    return value_schema(Shape.of(kind).output)


VALUE = Invoice(
    number=7, total=12, paid=True, to=Address(city="Köln", zip=None),
    lines=[Line(what='a "b",\nc', amount=1.5)], tags=["x", "y"], extra={"k": 1},
)  # fmt: skip
GOOD = Record(
    "a",
    VALUE,
    evidence=(Evidence("number", "7", 3, 4),),
    usage=Usage(10, 2, requests=1),
    attempts=1,
    warnings=("w",),
).as_row()
BAD = Record("b", error=Failure("refused", "no", ("to.city",)), attempts=2).as_row()
NAMES = [
    "_id",
    "number",
    "total",
    "paid",
    "to.city",
    "to.zip",
    "lines",
    "tags",
    "extra",
    "_error",
    "_message",
    "_attempts",
    "_input_tokens",
    "_output_tokens",
    "_same_as",
    "_evidence",
    "_warnings",
]


def written(path, rows, kind=Invoice, **options):
    with LineWriter(path, schema_of(kind), **options) as out:
        for row in rows:
            out.write(row)
        return out.sync()


def table(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_json_lines_hold_the_whole_record(tmp_path):
    path = tmp_path / "out.jsonl"
    size = written(path, [GOOD, BAD])
    assert [json.loads(line) for line in path.read_text().splitlines()] == [GOOD, BAD]
    assert size == path.stat().st_size


def test_csv_takes_objects_apart_and_gives_the_rest_as_json(tmp_path):
    path = tmp_path / "out.csv"
    written(path, [GOOD, BAD])
    first, second = table(path)
    assert list(first) == NAMES
    assert (first["number"], first["total"], first["paid"], first["to.city"], first["to.zip"]) == (
        "7",
        "12.0",
        "true",
        "Köln",
        "",
    )
    assert json.loads(first["lines"]) == GOOD["value"]["lines"]
    assert json.loads(first["tags"]) == ["x", "y"]
    assert (second["_id"], second["_error"], second["_message"], second["number"]) == (
        "b",
        "refused",
        "no",
        "",
    )


def test_parquet_has_the_types_of_the_schema(tmp_path):
    import pyarrow.parquet

    path = tmp_path / "out.parquet"
    assert write_parquet(path, schema_of(Invoice), iter([GOOD, BAD])) == 2
    found = pyarrow.parquet.read_table(path)
    assert found.column_names == NAMES
    types = {field.name: str(field.type) for field in found.schema}
    assert (types["number"], types["total"], types["paid"], types["tags"]) == (
        "int64",
        "double",
        "bool",
        "list<element: string>",
    )
    first, second = found.to_pylist()
    assert (first["number"], first["total"], first["paid"], first["tags"]) == (
        7,
        12.0,
        True,
        ["x", "y"],
    )
    assert json.loads(first["lines"][0]) == {"what": 'a "b",\nc', "amount": 1.5}
    assert (second["number"], second["_error"]) == (None, "refused")
    assert [one.name for one in tmp_path.iterdir()] == ["out.parquet"]


def test_parquet_of_no_rows_is_an_empty_table(tmp_path):
    import pyarrow.parquet

    write_parquet(tmp_path / "out.parquet", schema_of(Invoice), [])
    assert pyarrow.parquet.read_table(tmp_path / "out.parquet").num_rows == 0


def test_a_number_too_large_for_parquet_leaves_the_old_file_and_no_part(tmp_path):
    path = tmp_path / "out.parquet"
    write_parquet(path, schema_of(Invoice), [GOOD])
    before = path.read_bytes()
    huge = {**GOOD, "value": {**GOOD["value"], "number": 2**70}}
    with pytest.raises(StorageError, match="write them to another place or kind of file"):
        write_parquet(path, schema_of(Invoice), [GOOD, huge])
    assert path.read_bytes() == before
    assert [one.name for one in tmp_path.iterdir()] == ["out.parquet"]


def test_what_was_not_noted_is_cut_off_and_written_again(tmp_path):
    path = tmp_path / "out.csv"
    noted = written(path, [GOOD])
    with path.open("ab") as file:
        file.write(b"half a row, written and not no")
    written(path, [BAD], offset=noted)
    assert [row["_id"] for row in table(path)] == ["a", "b"]


def test_rows_before_the_first_note_are_written_again_with_their_heading(tmp_path):
    path = tmp_path / "out.csv"
    written(path, [GOOD])
    written(path, [GOOD, BAD], offset=0)
    assert [row["_id"] for row in table(path)] == ["a", "b"]


@pytest.mark.parametrize("lines", [0, 1_000])
def test_an_output_that_somebody_changed_is_not_written_on(tmp_path, lines):
    path = tmp_path / "out.jsonl"
    noted = written(path, [GOOD])
    path.write_text("changed " * lines)
    with pytest.raises(
        StorageError, match=rf"has {8 * lines:,} bytes, and its job has written {noted}: somebody"
    ):
        LineWriter(path, schema_of(Invoice), offset=noted)
    assert path.read_text() == "changed " * lines


def test_a_decimal_stands_in_a_table_as_it_is(tmp_path):
    import pyarrow.parquet

    class Bill(BaseModel):
        total: Decimal
        parts: list[Decimal | None]
        code: int | str
        share: int | float

    row = Record("a", Bill(total="12.50", parts=["1.0", None], code=7, share=1)).as_row()
    written(tmp_path / "out.csv", [row], Bill)
    (found,) = table(tmp_path / "out.csv")
    assert (found["total"], found["parts"], found["code"]) == ("12.50", '["1.0",null]', "7")
    write_parquet(tmp_path / "out.parquet", schema_of(Bill), [row])
    (found,) = pyarrow.parquet.read_table(tmp_path / "out.parquet").to_pylist()
    assert (found["total"], found["parts"], found["code"], found["share"]) == (
        "12.50", ["1.0", None], "7", 1.0,
    )  # fmt: skip


def test_a_full_disk_says_how_to_go_on(tmp_path):
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with LineWriter(tmp_path / "out.jsonl", schema_of(Invoice)) as out:
        out.write(GOOD)
        resource.setrlimit(resource.RLIMIT_FSIZE, (10, hard))
        try:
            with pytest.raises(
                StorageError, match=r"'out.jsonl' cannot be written: .*; what was answered is kept"
            ):
                out.sync()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_directory_is_no_output(tmp_path):
    (tmp_path / "out.jsonl").mkdir()
    with pytest.raises(StorageError, match=r"'out.jsonl' cannot be opened: Is a directory"):
        LineWriter(tmp_path / "out.jsonl", schema_of(Invoice))


def test_half_a_character_does_not_stop_the_output(tmp_path):
    odd = Record("\ud800", {"a": "x\udfff"}).as_row()
    kind = {"type": "object", "properties": {"a": {"type": "string"}}}
    path = tmp_path / "out.jsonl"
    written(path, [odd], kind)
    assert json.loads(path.read_text()) == odd
    written(tmp_path / "out.csv", [odd], kind)
    assert table(tmp_path / "out.csv")[0]["a"] == "x?"
    write_parquet(tmp_path / "out.parquet", schema_of(kind), [odd])


def test_a_value_that_is_no_object_is_one_column():
    names = [column.name for column in columns_of(schema_of(list[int]))]
    assert names[:2] == ["_id", "value"]


def test_a_type_that_holds_itself_ends_in_json():
    class Node(BaseModel):
        name: str
        below: "Node | None"

    names = [column.name for column in columns_of(schema_of(Node))]
    assert [name for name in names if not name.startswith("_")] == [
        "name",
        "below.name",
        "below.below",
    ]


def test_two_columns_of_one_name_are_refused():
    kind = {
        "type": "object",
        "properties": {
            "a.b": {"type": "string"},
            "a": {"type": "object", "properties": {"b": {"type": "string"}}},
        },
    }
    with pytest.raises(DefinitionError, match=r"two columns of the table would be named 'a.b'"):
        columns_of(kind)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("out.xlsx", "ends in one of .jsonl, .ndjson, .csv, .parquet"),
        ("gone/out.csv", "is not there; make it"),
    ],
)
def test_an_output_that_cannot_be_is_refused_at_once(tmp_path, name, why):
    with pytest.raises(InputError, match=why):
        check_output(tmp_path / name)
