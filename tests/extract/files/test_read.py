"""Documents out of places: what is read, in which order, under which name, and what is refused."""

import codecs
import io
import json
import os
import sys

import pytest

from toolstone.errors import ConfigError, InputError
from toolstone.extract import Document, read_documents
from toolstone.extract.files.read import Unread, row_document

HTML = b"""<!doctype html><html><head><meta charset="iso-8859-1"><title>Bill</title>
<style>p { color: red }</style><script>alert("no")</script></head><body>
<p>Caf\xe9 <b>Lu</b>na owes <i>12</i> EUR
<ul><li>one<li>two</ul>
<table><tr><th>item<th>price<tr><td>tea<td>3.50</table>
<img src="data:image/png;base64,AAAA" alt="seal"></body></html>"""


def pdf(*pages, encrypt=False):
    """A PDF of so many pages, each with one line of text; written by hand, byte by byte."""
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    kids = []
    for line in pages:
        stream = b"BT /F1 12 Tf 72 700 Td (" + line.encode("latin-1") + b") Tj ET" if line else b""
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R /Resources << /Font << /F1 3 0 R >> >> >>"
            % len(objects)
        )
        kids.append(b"%d 0 R" % len(objects))
    objects[1] = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (b" ".join(kids), len(kids))
    out, places = bytearray(b"%PDF-1.4\n"), []
    for n, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (n, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    lock = (
        b" /Encrypt << /Filter /Standard /V 1 /R 2 /O ("
        + b"o" * 32
        + b") /U ("
        + b"u" * 32
        + b") /P -4 >> /ID [(a) (a)]"
        if encrypt
        else b""
    )
    out += b"trailer << /Size %d /Root 1 0 R%s >>\nstartxref\n%d\n%%%%EOF\n" % (
        len(objects) + 1,
        lock,
        start,
    )
    return bytes(out)


def read_all(where, **options):
    found = read_documents(where, **options)
    return [one.read() if isinstance(one, Unread) else one for one in found]


def ids(where, **options):
    return [one.id for one in read_documents(where, **options)]


def put(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


# ---------------------------------------------------------------------------------------- places


def test_a_directory_gives_its_files_by_name_and_leaves_hidden_ones_out(tmp_path):
    put(tmp_path / "b.txt", "bee")
    put(tmp_path / "a" / "z.md", "# zed")
    put(tmp_path / ".git" / "config.txt", "no")
    put(tmp_path / ".secret.txt", "no")
    assert [(one.id, one.text) for one in read_all(tmp_path)] == [
        ("a/z.md", "# zed"),
        ("b.txt", "bee"),
    ]


def test_names_do_not_depend_on_how_the_directory_is_spelt(tmp_path, monkeypatch):
    put(tmp_path / "in" / "a" / "x.txt", "x")
    monkeypatch.chdir(tmp_path)
    spelt = [tmp_path / "in", "in", "./in", "in/", "in/**/*.txt", "./in/*/x.txt"]
    assert {tuple(ids(where)) for where in spelt} == {("a/x.txt",)}


def test_a_glob_takes_what_it_names(tmp_path):
    for name in ("a.txt", "b.md", "sub/c.txt"):
        put(tmp_path / name, name)
    assert ids(f"{tmp_path}/*.txt") == ["a.txt"]
    assert ids(f"{tmp_path}/**/*.txt") == ["a.txt", "sub/c.txt"]


def test_a_name_with_brackets_is_that_file_if_there_is_one(tmp_path):
    put(tmp_path / "a[1].txt", "one")
    assert ids(tmp_path / "a[1].txt") == ["a[1].txt"]


def test_nothing_is_read_before_its_turn(tmp_path):
    put(tmp_path / "a.txt", "good")
    put(tmp_path / "b.txt", b"\xff\xfe\xff")
    first, second = read_documents(tmp_path)
    assert first.read() == Document("a.txt", "good", str(tmp_path / "a.txt"))
    with pytest.raises(InputError, match=r"'b.txt' is no utf-16 text: byte 2 does not fit"):
        second.read()


def test_documents_may_be_gone_through_again_and_counted(tmp_path):
    put(tmp_path / "a.txt", "a")
    put(tmp_path / "rows.jsonl", '{"id": 1, "text": "x"}\n\n"y"\n')
    found = read_documents(tmp_path)
    assert len(list(found)) == len(list(found)) == found.count() == 3


def test_what_the_command_writes_is_no_document(tmp_path):
    put(tmp_path / "a.txt", "a")
    put(tmp_path / "out.jsonl", '"row"')
    assert ids(tmp_path, leave_out=[tmp_path / "sub" / ".." / "out.jsonl"]) == ["a.txt"]


@pytest.mark.parametrize(
    "where", ["https://example.com/a.txt", "file:///etc/passwd", "s3://bucket/a"]
)
def test_a_url_is_never_fetched(where):
    with pytest.raises(InputError, match="URLs are never fetched"):
        read_documents(where)


def test_other_kinds_of_files_are_named_before_anything_is_read(tmp_path):
    put(tmp_path / "a.txt", "a")
    for name in ("b.docx", "c.png", "d.zip", "e.exe"):
        put(tmp_path / name, "x")
    with pytest.raises(InputError, match=r"'b.docx', 'c.png', 'd.zip' and 1 more; there are .txt"):
        read_documents(tmp_path)


@pytest.mark.parametrize("name", ["gone", "gone/*.txt", "empty"])
def test_a_place_with_nothing_is_an_error(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="there is no"):
        read_documents(tmp_path / name)


def test_a_link_out_of_the_directory_is_not_followed(tmp_path):
    put(tmp_path / "outside.txt", "not yours")
    put(tmp_path / "in" / "a.txt", "a")
    (tmp_path / "in" / "b.txt").symlink_to("a.txt")
    assert ids(tmp_path / "in") == ["a.txt", "b.txt"]
    (tmp_path / "in" / "c.txt").symlink_to(tmp_path / "outside.txt")
    with pytest.raises(InputError, match=r"c.txt. leads out of the directory by a link"):
        read_documents(tmp_path / "in")


def test_a_glob_does_not_follow_a_link_out_either(tmp_path):
    put(tmp_path / "outside" / "secret.txt", "not yours")
    put(tmp_path / "in" / "a.txt", "a")
    (tmp_path / "in" / "sub").symlink_to(tmp_path / "outside")
    assert ids(f"{tmp_path}/in/*.txt") == ["a.txt"]
    with pytest.raises(InputError, match=r"secret.txt' leads out of the directory by a link"):
        read_documents(f"{tmp_path}/in/**/*.txt")


def test_a_link_to_nothing_or_to_itself_is_a_file_that_cannot_be_read(tmp_path):
    (tmp_path / "a.txt").symlink_to("gone.txt")
    (tmp_path / "b.txt").symlink_to("b.txt")
    for found in read_documents(tmp_path):
        with pytest.raises(InputError, match="cannot be read: "):
            found.read()


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl", "a.csv", "a.parquet"])
def test_a_pipe_does_not_hang_the_job(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with pytest.raises(InputError, match="no plain file"):
        read_all(tmp_path)


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv", "a.parquet"])
def test_a_table_that_is_gone_is_told_when_it_is_counted_or_read(tmp_path, name):
    (tmp_path / name).symlink_to("gone")
    found = read_documents(tmp_path)
    for look in (lambda: list(found), *([found.count] if name != "a.csv" else [])):
        with pytest.raises(InputError, match=f"'{name}' cannot be read: No such file"):
            look()


# ------------------------------------------------------------------------------------------ texts


def test_html_is_text_with_its_tables_and_without_scripts(tmp_path):
    put(tmp_path / "a.html", HTML)
    (found,) = read_all(tmp_path)
    assert "Café Luna owes 12 EUR" in found.text
    assert "| tea | 3.50 |" in found.text
    assert "* one\n* two" in found.text
    assert not [word for word in ("alert", "color", "base64") if word in found.text]


def test_a_pdf_is_the_text_of_its_pages(tmp_path):
    put(tmp_path / "a.pdf", pdf("Invoice 17", "Total 12.50 EUR"))
    assert read_all(tmp_path)[0].text == "Invoice 17\n\nTotal 12.50 EUR"


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.pdf", b"no pdf at all", r"'a.pdf' cannot be read as PDF \(PdfStreamError\)$"),
        ("a.pdf", pdf("secret", encrypt=True), "it is encrypted: take the password off"),
        ("a.pdf", pdf(""), "holds no text; a scan needs text recognition"),
        ("a.txt", b" \n", r"\(2 bytes\) holds no text$"),
        ("a.txt", b"MZ\0\0", "holds a zero at character 2"),
        ("a.txt", "Größe".encode("latin-1"), "is no utf-8 text: byte 2 does not fit; convert it"),
        ("a.html", b"<div>" * 50_000, "its HTML is nested too deeply to be read"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path, name, content, why):
    put(tmp_path / name, content)
    with pytest.raises(InputError, match=why):
        read_all(tmp_path)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_understood_and_left_out(tmp_path, encoding):
    put(tmp_path / "a.txt", "Größe 7".encode(encoding))
    assert read_all(tmp_path)[0].text == "Größe 7"


def test_a_file_that_is_too_large_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr("toolstone.limits.DOCUMENT_BYTES", 10)
    put(tmp_path / "a.txt", "x" * 11)
    with pytest.raises(InputError, match=r"has 11 bytes; at most 10 are read \(limits.DOCUMENT"):
        read_all(tmp_path)


def test_a_file_that_is_gone_when_its_turn_comes_says_so(tmp_path):
    put(tmp_path / "a.txt", "a")
    (found,) = read_documents(tmp_path)
    (tmp_path / "a.txt").unlink()
    with pytest.raises(InputError, match=r"'a.txt' cannot be read: No such file"):
        found.read()


def test_a_path_of_another_kind_is_refused_by_its_suffix(tmp_path):
    with pytest.raises(
        InputError, match=r"'a.docx': no document of a kind that is read; there are"
    ):
        Unread("a", put(tmp_path / "a.docx", "x")).read()


@pytest.mark.parametrize(
    ("name", "module", "told"),
    [
        ("a.html", "bs4", r"HTML needs 'bs4'; run: pip install 'toolstone\[documents\]'"),
        ("a.pdf", "pypdf", r"PDF needs 'pypdf'; run: pip install 'toolstone\[documents\]'"),
        ("a.parquet", "pyarrow.parquet", r"run: pip install 'toolstone\[tables\]'"),
    ],
)
def test_an_extra_that_is_not_installed_is_named(tmp_path, monkeypatch, name, module, told):
    monkeypatch.setitem(sys.modules, module, None)
    put(tmp_path / name, "x")
    with pytest.raises(ConfigError, match=told):
        read_all(tmp_path)


# ------------------------------------------------------------------------------------------- rows


def test_json_lines_are_objects_or_texts(tmp_path):
    path = put(
        tmp_path / "rows.jsonl", '{"id": 7, "text": "seven"}\n\n"just text"\n{"a": 1, "b": [2]}\n'
    )
    assert [(one.id, one.text) for one in read_documents(path)] == [
        ("7", "seven"),
        (Document.of("just text").id, "just text"),
        (Document.of("a: 1\nb: [2]\n").id, "a: 1\nb: [2]\n"),
    ]


def test_rows_of_several_files_are_told_apart(tmp_path):
    for name in ("a.jsonl", "b.jsonl"):
        put(tmp_path / name, '{"id": 1, "text": "x"}')
    assert ids(tmp_path) == ["a.jsonl:1", "b.jsonl:1"]


def test_csv_has_long_cells_quotes_and_names_of_its_own(tmp_path):
    long = "word " * 60_000
    path = put(tmp_path / "t.csv", f'number,body\n1,"a ""b"",\nc"\n\n2,{long}\n')
    assert [(one.id, one.text) for one in read_documents(path, text="body", id="number")] == [
        ("1", 'a "b",\nc'),
        ("2", long),
    ]


def test_tabs_separate_a_tsv(tmp_path):
    assert read_all(put(tmp_path / "t.tsv", "id\ttext\n1\ta, b\n"))[0].text == "a, b"


def test_parquet_rows_are_read_in_batches(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet

    table = pa.table({"id": list(range(600)), "text": [f"text {n}" for n in range(600)]})
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet")
    found = read_documents(tmp_path / "t.parquet")
    assert found.count() == 600
    assert [(one.id, one.text) for one in found] == [(str(n), f"text {n}") for n in range(600)]


def test_a_parquet_with_damaged_pages_is_told(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet

    path = tmp_path / "t.parquet"
    pyarrow.parquet.write_table(pa.table({"text": [f"text {n}" for n in range(600)]}), path)
    raw = bytearray(path.read_bytes())
    raw[4:200] = b"\xff" * 196
    path.write_bytes(raw)
    with pytest.raises(InputError, match=r"'t.parquet' cannot be read"):
        list(read_documents(path))


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
def test_standard_input_is_json_lines_in_utf_8_whatever_the_locale(monkeypatch, mark):
    raw = io.BytesIO(mark + '"Größe"\n{"text": "two"}\n'.encode())
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(raw, "ascii", errors="surrogateescape"))
    found = read_documents("-")
    assert found.count() is None
    assert [one.text for one in found] == ["Größe", "two"]


def test_standard_input_that_is_no_utf_8_says_so(monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b'"Gr\xf6\xdfe"\n'), "latin-1"))
    with pytest.raises(InputError, match="standard input is no UTF-8"):
        list(read_documents("-"))


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        (
            "t.jsonl",
            '"a"\n{"b": \n',
            r"line 2 \(7 characters\) is no JSON; one object or one string",
        ),
        ("t.jsonl", "[1]", "line 1 is JSON of type list"),
        ("t.jsonl", b'"\xff"', "is no UTF-8"),
        ("t.csv", "a,b\n1,2\n1,2,3\n", "line 3: 3 cells under 2 names"),
        ("t.csv", "a,a\n1,2\n", "two columns of one name"),
        ("t.csv", 'a\n"b', "line 2 is no CSV"),
        ("t.parquet", b"no parquet", "'t.parquet' cannot be read as Parquet"),
    ],
)
def test_a_broken_table_names_the_line(tmp_path, name, content, why):
    path = put(tmp_path / name, content)
    with pytest.raises(InputError, match=why):
        list(read_documents(path))


def test_a_row_whose_text_is_null_has_an_empty_one():
    assert row_document({"text": None, "id": 1}) == Document("1", "")


@pytest.mark.parametrize(
    ("row", "options", "why"),
    [
        ({"a": 1}, {"text": "body"}, "a row has no column 'body'; it has: 'a'"),
        ({"text": 1}, {}, "column 'text' holds a int: the text of a row is text"),
        ({"text": "x", "id": 1.5}, {}, "column 'id' holds a float: a row is named by"),
        ({"text": "x"}, {"id": "number"}, "a row has no column 'number'"),
    ],
)
def test_a_row_without_its_columns_is_refused(row, options, why):
    with pytest.raises(InputError, match=why):
        row_document(row, **options)


def test_what_a_row_says_is_in_no_message(tmp_path):
    path = put(tmp_path / "t.jsonl", json.dumps({"text": "x"}) + "\nhunter2-secret\n")
    with pytest.raises(InputError) as caught:
        list(read_documents(path))
    assert "hunter2" not in str(caught.value)
