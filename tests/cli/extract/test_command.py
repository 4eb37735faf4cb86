"""`toolstone extract`: from a folder to a table, again and again, over a real endpoint."""

import csv
import json
import re
import threading

import pytest
from typer.testing import CliRunner

from toolstone.cli.app import app
from toolstone.local import Function, refusal, serve

SCHEMA = __file__.replace("test_command.py", "invoices_under_test.py:Invoice")


class Clerk:
    """Reads `Invoice 7: 1.50 EUR`; remembers what it was asked, and can be told to wait."""

    def __init__(self):
        self.asked = []
        self.open = threading.Event()
        self.open.set()

    def answer(self, turn):
        text = turn.items[-1]["content"]
        number, total, currency = re.search(r"Invoice (\d+): ([\d.]+) (\w+)", text).groups()
        self.asked.append(int(number))
        assert self.open.wait(20)
        if "private" in text:
            return refusal("no")
        return {
            "number": int(number),
            "total": float(total),
            "currency": currency,
            "customer": None,
        }


@pytest.fixture
def clerk():
    return Clerk()


@pytest.fixture
def model(clerk):
    with serve(Function(clerk.answer, models=["clerk"])) as endpoint:
        yield f"responses+{endpoint.base_url}#clerk"


@pytest.fixture
def inbox(tmp_path):
    folder = tmp_path / "inbox"
    folder.mkdir()
    for n in range(1, 6):
        (folder / f"{n}.txt").write_text(f"Invoice {n}: {n}.50 EUR")
    return folder


@pytest.fixture
def extract(model, tmp_path, monkeypatch):
    """Run `toolstone extract SCHEMA WORDS...`, by default with the clerk; the result."""
    monkeypatch.chdir(tmp_path)

    def run(*words, schema=SCHEMA, asked=model, stdin=None):
        named = ("-m", asked) if asked else ()
        return CliRunner().invoke(app, ["extract", schema, *map(str, words), *named], input=stdin)

    return run


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def values(path):
    return {row["id"]: row["value"] and row["value"]["number"] for row in rows(path)}


# ------------------------------------------------------------------------------------ what you get


def test_a_folder_becomes_a_row_for_each_file(command, inbox, model, tmp_path):
    done = command("extract", SCHEMA, "inbox", "-o", "out.jsonl", "-m", model)
    assert (done.returncode, done.stderr) == (0, "")
    assert "5 documents: 5 extracted, none failed\n5 requests, " in done.stdout
    assert values(tmp_path / "out.jsonl") == {f"{n}.txt": n for n in range(1, 6)}
    first = min(rows(tmp_path / "out.jsonl"), key=lambda row: row["id"])
    assert first["value"] == {"number": 1, "total": 1.5, "currency": "EUR", "customer": None}
    assert {"path": "total", "quote": "1.50", "start": 11, "end": 15} in first["evidence"]


def test_the_same_command_asks_nothing_again(extract, inbox, clerk, tmp_path):
    extract(inbox, "-o", "out.jsonl")
    before = (tmp_path / "out.jsonl").read_bytes()
    again = extract(inbox, "-o", "out.jsonl")
    assert again.exit_code == 0
    assert "5 from an earlier run\nin all 5 requests" in again.stdout
    assert sorted(clerk.asked) == [1, 2, 3, 4, 5]
    assert (tmp_path / "out.jsonl").read_bytes() == before


def test_a_trial_of_a_few_is_taken_up_by_the_whole(extract, inbox, clerk, tmp_path):
    extract(inbox, "-o", "out.jsonl", "--limit", 2)
    assert sorted(clerk.asked) == [1, 2]
    extract(inbox, "-o", "out.jsonl")
    assert sorted(clerk.asked) == [1, 2, 3, 4, 5]
    assert len(rows(tmp_path / "out.jsonl")) == 5


def test_a_sample_is_the_same_each_time(extract, inbox, clerk):
    for out in ("a.jsonl", "b.jsonl"):
        assert extract(inbox, "-o", out, "--sample", 3).exit_code == 0
    assert len(clerk.asked) == 6
    assert sorted(clerk.asked[:3]) == sorted(clerk.asked[3:])


@pytest.mark.parametrize("out", ["out.csv", "out.parquet"])
def test_tables_have_a_column_for_each_field(extract, inbox, tmp_path, out):
    assert extract(inbox, "-o", out).exit_code == 0
    if out == "out.csv":
        with (tmp_path / out).open(newline="") as file:
            found = [(row["_id"], float(row["total"])) for row in csv.DictReader(file)]
    else:
        import pyarrow.parquet

        found = [
            (row["_id"], row["total"])
            for row in pyarrow.parquet.read_table(tmp_path / out).to_pylist()
        ]
    assert sorted(found) == [(f"{n}.txt", n + 0.5) for n in range(1, 6)]


def test_rows_of_a_table_and_of_standard_input_are_documents(extract, tmp_path):
    (tmp_path / "in.csv").write_text("key,body\na,Invoice 1: 2 EUR\nb,Invoice 2: 3 USD\n")
    assert extract("in.csv", "--id", "key", "--text", "body", "-o", "csv.jsonl").exit_code == 0
    assert values(tmp_path / "csv.jsonl") == {"a": 1, "b": 2}
    assert (
        extract("-", "-o", "in.jsonl", stdin='{"id": "x", "text": "Invoice 3: 4 EUR"}\n').exit_code
        == 0
    )
    assert values(tmp_path / "in.jsonl") == {"x": 3}


def test_a_json_schema_is_as_good_as_a_type(extract, inbox, tmp_path):
    schema = {
        "type": "object",
        "required": ["number"],
        "properties": {
            "number": {"type": "integer"},
            "total": {"type": "number"},
            "currency": {},
            "customer": {},
        },
    }
    (tmp_path / "invoice.json").write_text(json.dumps(schema))
    assert extract(inbox, "-o", "out.jsonl", schema="invoice.json").exit_code == 0
    assert values(tmp_path / "out.jsonl") == {f"{n}.txt": n for n in range(1, 6)}


def test_the_output_may_stand_among_the_documents(extract, inbox, clerk):
    for _ in range(2):
        done = extract(inbox, "-o", inbox / "out.jsonl")
        assert done.exit_code == 0, done.output
    assert len(clerk.asked) == 5


def test_the_right_values_may_stand_among_the_documents(extract, inbox):
    (inbox / "gold.jsonl").write_text('{"id": "1.txt", "gold": {"number": 1}}')
    words = ("--score", inbox / "gold.jsonl", "--json")
    before = json.loads(extract(inbox, *words, "--dry-run").stdout)
    after = json.loads(extract(inbox, *words, "-o", "out.jsonl").stdout)
    assert before["documents"] == after["documents"] == 5


def test_json_is_one_object_for_programs(extract, inbox):
    done = extract(inbox, "-o", "out.jsonl", "--json", "--price", "1000,2000,100")
    told = json.loads(done.stdout)
    assert done.stderr == ""
    assert (told["documents"], told["extracted"], told["failed"], told["requests"]) == (5, 5, {}, 5)
    assert told["dollars"] == (told["input_tokens"] * 1000 + told["output_tokens"] * 2000) / 1e6
    assert (told["output"], told["job"]) == ("out.jsonl", "out.jsonl.job")


# --------------------------------------------------------------------------------- what goes wrong


def test_failures_have_rows_and_an_exit_code(extract, inbox, tmp_path):
    (inbox / "6.txt").write_text("Invoice 6: 6 EUR, private")
    done = extract(inbox, "-o", "out.jsonl")
    assert done.exit_code == 1
    assert "6 documents: 5 extracted, 1 failed (1 refused)" in done.stdout
    assert values(tmp_path / "out.jsonl")["6.txt"] is None
    assert extract(inbox, "-o", "out.jsonl", "--failures-allowed", "1").exit_code == 0
    assert extract(inbox, "-o", "out.jsonl", "--failures-allowed", "10%").exit_code == 1
    assert extract(inbox, "-o", "out.jsonl", "--failures-allowed", "17%").exit_code == 0


def test_a_file_that_cannot_be_read_is_told_and_tried_again(extract, inbox, clerk, tmp_path):
    (inbox / "6.pdf").write_bytes(b"broken")
    done = extract(inbox, "-o", "out.jsonl")
    assert done.exit_code == 1
    assert "6.pdf: unreadable: '6.pdf' cannot be read as PDF" in done.stdout
    (inbox / "6.pdf").unlink()
    (inbox / "6.txt").write_text("Invoice 6: 6 EUR")
    assert extract(inbox, "-o", "out.jsonl").exit_code == 0
    assert sorted(clerk.asked) == [1, 2, 3, 4, 5, 6]
    assert len(rows(tmp_path / "out.jsonl")) == 6


def test_a_broken_line_ends_the_job_after_what_stands_before_it(extract, clerk, tmp_path):
    good = [json.dumps({"id": n, "text": f"Invoice {n}: 1 EUR"}) + "\n" for n in range(1, 4)]
    (tmp_path / "in.jsonl").write_text("".join([*good[:2], "{broken\n", good[2]]))
    done = extract("in.jsonl", "-o", "out.jsonl")
    assert done.exit_code == 2
    assert "'in.jsonl', line 3 (8 characters) is no JSON" in done.stderr
    assert values(tmp_path / "out.jsonl") == {"1": 1, "2": 2}
    (tmp_path / "in.jsonl").write_text("".join(good))
    assert extract("in.jsonl", "-o", "out.jsonl").exit_code == 0
    assert sorted(clerk.asked) == [1, 2, 3]


def test_another_question_is_not_mixed_with_the_old_answers(extract, inbox, clerk, tmp_path):
    extract(inbox, "-o", "out.jsonl")
    other = extract(inbox, "-o", "out.jsonl", "--instructions", "In euros.")
    assert other.exit_code == 1
    assert "job 'out.jsonl.job' was begun with another instructions" in other.stderr
    assert len(clerk.asked) == 5
    assert (
        extract(inbox, "-o", "out.jsonl", "--instructions", "In euros.", "--restart").exit_code == 0
    )
    assert (len(clerk.asked), len(rows(tmp_path / "out.jsonl"))) == (10, 5)


def test_a_file_of_somebody_else_is_not_written_over(extract, inbox, clerk, tmp_path):
    (tmp_path / "out.jsonl").write_text("mine\n")
    done = extract(inbox, "-o", "out.jsonl")
    assert (done.exit_code, clerk.asked) == (2, [])
    assert "'out.jsonl' is there already and does not come from this job" in done.stderr
    assert (tmp_path / "out.jsonl").read_text() == "mine\n"


def test_an_output_that_was_moved_away_is_written_again_without_asking(
    extract, inbox, clerk, tmp_path
):
    extract(inbox, "-o", "out.csv")
    before = (tmp_path / "out.csv").read_bytes()
    (tmp_path / "out.csv").unlink()
    assert extract(inbox, "-o", "out.csv").exit_code == 0
    assert (tmp_path / "out.csv").read_bytes() == before
    assert len(clerk.asked) == 5


@pytest.mark.parametrize("out", ["out.csv", "out.parquet"])
def test_a_first_run_that_reached_nobody_is_simply_done_again(extract, inbox, tmp_path, out):
    for _ in range(2):
        done = extract(inbox, "-o", out, "--limit", 1, asked="responses+http://127.0.0.1:9/v1#m")
        assert done.exit_code == 1
        assert "1 failed (1 transport)" in done.stdout


def test_a_spent_budget_keeps_what_is_done_and_a_larger_one_goes_on(
    extract, inbox, clerk, tmp_path
):
    one = json.loads(extract(inbox, "-o", "one.jsonl", "--limit", 1, "--json").stdout)
    clerk.asked.clear()
    rates = ("--price", "0,1000000", "--max-output-tokens", "100", "--concurrency", "1")  # $1 each
    small = 2 * one["output_tokens"] + 100  # after two, a third can still be reserved
    done = extract(inbox, "-o", "out.jsonl", *rates, "--budget", small)
    assert done.exit_code == 1
    assert "StoppedError" in done.stderr
    assert "done: 3 documents; the same command goes on" in done.stderr
    assert len(rows(tmp_path / "out.jsonl")) == len(clerk.asked) == 3
    assert extract(inbox, "-o", "out.jsonl", *rates, "--budget", 1000).exit_code == 0
    assert sorted(clerk.asked) == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["inbox"], "say where to: -o OUT.jsonl"),
        (["inbox", "-o", "out.xlsx"], "'out.xlsx': what is written ends in one of .jsonl"),
        (["inbox", "-o", "o.jsonl", "--budget", "5"], "--budget counts dollars: add --price"),
        (["inbox", "-o", "o.jsonl", "--price", "cheap"], "--price 'cheap': two or three numbers"),
        (["inbox", "-o", "o.jsonl", "--overlap", "5"], "add --split TOKENS"),
        (
            ["inbox", "-o", "o.jsonl", "--split", "9", "--overlap", "8"],
            "the overlap is at most half",
        ),
        (["inbox", "-o", "o.jsonl", "--limit", "1", "--sample", "1"], "give --limit or --sample"),
        (["inbox", "-o", "o.jsonl", "--report", "r.html"], "add --score GOLD"),
        (
            ["inbox", "-o", "o.jsonl", "--failures-allowed", "few"],
            "a number, or a share such as 2%",
        ),
        (["inbox", "-o", "o.jsonl", "--passes", "2"], "passes=2: give 1, or an odd number"),
        (
            ["inbox", "-o", "o.jsonl", "--instructions", "@gone"],
            "'@gone' cannot be read: No such file",
        ),
        (["inbox", "-o", "o.jsonl", "--score", "gone.jsonl"], "'gone.jsonl' cannot be read"),
        (
            ["inbox", "-o", "o.jsonl", "--score", "gold.csv"],
            "right values are read from JSON lines",
        ),
        (["in.jsonl", "-o", "in.jsonl"], "OUT is INPUT: it would be written over"),
        (["inbox", "-o", "g.jsonl", "--score", "g.jsonl"], "OUT is GOLD"),
        (["inbox", "-o", "o.jsonl", "--job", "./o.jsonl"], "the job is OUT"),
        (["inbox", "-o", "o.jsonl", "--score", "g", "--report", "o.jsonl"], "the report is OUT"),
        (["gone", "-o", "o.jsonl"], "there is no 'gone'"),
        (["https://example.com/", "-o", "o.jsonl"], "URLs are never fetched"),
    ],
)
def test_a_mistake_in_the_command_is_told_before_anything_is_asked(
    extract, inbox, clerk, words, told
):
    done = extract(*words)
    assert (done.exit_code, clerk.asked) == (2, [])
    assert told in done.stderr


@pytest.mark.parametrize(
    ("schema", "told"),
    [
        (SCHEMA.partition(":")[0], "say which type of it: "),
        (SCHEMA.replace("Invoice", "Bill"), "has no 'Bill'"),
        ("gone.json", "'gone.json' cannot be read"),
        ("bad.json", "'bad.json' is no JSON"),
        ("list.json", "is JSON of type list, and no schema"),
    ],
)
def test_a_schema_that_is_not_there_is_told(extract, inbox, tmp_path, schema, told):
    (tmp_path / "bad.json").write_text("{")
    (tmp_path / "list.json").write_text("[]")
    done = extract(inbox, "-o", "o.jsonl", schema=schema)
    assert done.exit_code == 2
    assert told in done.stderr


def test_without_a_model_it_says_how_to_name_one(extract, inbox, monkeypatch):
    monkeypatch.delenv("TOOLSTONE_MODEL", raising=False)
    done = extract(inbox, "-o", "o.jsonl", asked=None)
    assert done.exit_code == 2
    assert "-m MODEL, or the variable TOOLSTONE_MODEL" in done.stderr


# ------------------------------------------------------------------------------- before and after


def test_a_dry_run_counts_and_asks_nothing(extract, inbox, clerk, tmp_path):
    (inbox / "again.txt").write_text("Invoice 1: 1.50 EUR")
    (inbox / "bad.pdf").write_bytes(b"broken")
    done = extract(
        inbox, "--dry-run", "--price", "1,2", "--max-output-tokens", "100", "--passes", "3"
    )
    assert (done.exit_code, clerk.asked) == (0, [])
    assert "7 documents (1 the same as another, 1 cannot be read), 15 requests" in done.stdout
    assert "(the endpoint counted 12 requests, the rest by their length)" in done.stdout
    assert "at most 1,500 tokens out; $" in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["inbox"]


def test_a_dry_run_comes_near_what_it_takes(extract, inbox):
    before = json.loads(extract(inbox, "--dry-run", "--json").stdout)
    after = json.loads(extract(inbox, "-o", "out.jsonl", "--json").stdout)
    assert before["requests"] == after["requests"] == 5
    assert before["counted"] == "by the endpoint, 5"
    assert before["input_tokens"] == pytest.approx(after["input_tokens"], rel=0.05)
    assert before["output_tokens_at_most"] is None


def test_a_dry_run_leaves_out_what_the_job_has_answered(extract, inbox, clerk):
    extract(inbox, "-o", "out.jsonl", "--limit", "3")
    (inbox / "again.txt").write_text((inbox / "1.txt").read_text())
    asked = list(clerk.asked)

    told = json.loads(extract(inbox, "-o", "out.jsonl", "--dry-run", "--json").stdout)
    assert (told["documents"], told["answered_before"], told["same_as_another"]) == (6, 3, 1)
    assert told["requests"] == 2
    said = extract(inbox, "-o", "out.jsonl", "--dry-run").stdout
    assert "6 documents (3 answered before, 1 the same as another), 2 requests" in said
    anew = extract(inbox, "-o", "out.jsonl", "--dry-run", "--json", "--restart").stdout
    assert json.loads(anew)["answered_before"] == 0
    other = extract(inbox, "-o", "out.jsonl", "--dry-run", "--passes", "3")
    assert other.exit_code != 0
    assert "another passes" in other.stderr
    assert clerk.asked == asked

    extract(inbox, "-o", "out.jsonl")
    assert len(clerk.asked) == len(asked) + 2


def test_where_nobody_counts_a_dry_run_says_that_it_estimates(extract, inbox, model):
    asked = model.replace("responses+", "chat+")
    done = extract(inbox, "--dry-run", "--price", "1,2", asked=asked)
    assert (
        "tokens in (estimated from bytes, rather too high: this endpoint counts no tokens)"
        in done.stdout
    )
    assert "for the input; what the answers take has no bound" in done.stdout


def test_an_endpoint_that_cannot_be_reached_is_named_in_a_dry_run(extract, inbox):
    done = extract(inbox, "--dry-run", asked="responses+http://127.0.0.1:9/v1#m")
    assert done.exit_code == 0
    assert "the endpoint did not count: " in done.stdout


def test_a_score_says_which_fields_are_right(extract, inbox, tmp_path):
    gold = [
        {
            "id": f"{n}.txt",
            "gold": {
                "number": n,
                "total": n + 0.5,
                "currency": "EUR",
                "customer": None if n < 5 else "Ann",
            },
        }
        for n in range(1, 6)
    ]
    gold[0]["gold"]["currency"] = "USD"
    (tmp_path / "gold.jsonl").write_text("".join(json.dumps(row) + "\n" for row in gold))
    done = extract(inbox, "-o", "out.jsonl", "--score", "gold.jsonl")
    assert done.exit_code == 0
    assert re.search(r"^currency +80.0% +80.0% +80.0%$", done.stdout, re.MULTILINE)
    assert re.search(r"^customer +- +0.0% +0.0%$", done.stdout, re.MULTILINE)
    assert "all right: 3 of 5 documents\nreport: out.score.html" in done.stdout
    page = (tmp_path / "out.score.html").read_text()
    assert "<h3>currency</h3>" in page
    told = json.loads(
        extract(
            inbox, "-o", "out.jsonl", "--score", "gold.jsonl", "--json", "--report", "r.html"
        ).stdout
    )
    assert told["score"]["fields"]["number"] == {"precision": 1.0, "recall": 1.0, "f1": 1.0}
    assert (tmp_path / "r.html").read_text() == page


def test_right_values_are_named_as_the_documents_are(extract, tmp_path):
    value = {"number": 1, "total": 2, "currency": "EUR", "customer": None}
    rows = [{"key": "a", "body": "Invoice 1: 2 EUR", "gold": value}]
    rows += [{"key": "b", "body": "Invoice 2: 3 EUR", "gold": None}]  # no invoice at all
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ("in.jsonl", "--id", "key", "--text", "body", "--score", "in.jsonl", "-o", "out.jsonl")
    done = extract(*words, "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)["score"]
    assert (told["documents"], told["all_right"], told["recall"]) == (2, 1, 1.0)
    (tmp_path / "in.jsonl").write_text(
        "".join(json.dumps({**row, "key": "a"}) + "\n" for row in rows)
    )
    done = extract(*words)
    assert done.exit_code == 2
    assert "'in.jsonl', row 2: another says otherwise of this 'id'" in done.stderr


def test_documents_of_one_name_are_scored_each(extract, tmp_path):
    value = {"number": 1, "total": 2, "currency": "EUR", "customer": None}
    rows = [{"id": "a", "text": f"Invoice 1: 2 EUR{dot}", "gold": value} for dot in ("", ".")]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = extract("in.jsonl", "--score", "in.jsonl", "-o", "out.jsonl")
    assert "all right: 2 of 2 documents" in done.stdout


def test_a_report_that_cannot_be_written_is_told(extract, inbox, tmp_path):
    (tmp_path / "gold.jsonl").write_text('{"id": "1.txt", "gold": {"number": 1}}')
    (tmp_path / "page.html").mkdir()
    done = extract(inbox, "-o", "out.jsonl", "--score", "gold.jsonl", "--report", "page.html")
    assert done.exit_code == 1
    assert "the report 'page.html' cannot be written: Is a directory" in done.stderr


def test_right_values_may_stand_beside_the_texts(extract, tmp_path):
    row = {
        "text": "Invoice 1: 2 EUR",
        "value": {"number": 1, "total": 2, "currency": "EUR", "customer": None},
    }
    (tmp_path / "in.jsonl").write_text(json.dumps(row))
    done = extract("in.jsonl", "-o", "out.jsonl", "--score", "in.jsonl")
    assert "all right: 1 of 1 document" in done.stdout


# ------------------------------------------------------------------------------------ at a terminal


def test_at_a_terminal_a_bar_grows_and_ctrl_c_can_be_gone_on_from(
    terminal, inbox, clerk, model, tmp_path
):
    clerk.open.clear()
    words = (
        "extract",
        SCHEMA,
        "inbox",
        "-o",
        "out.jsonl",
        "-m",
        model,
        "--price",
        "1,2",
        "--concurrency",
        "1",
    )
    seen = terminal(*words)
    seen.wait_for("0/5")
    seen.interrupt()
    seen.wait_for("stopped")
    assert seen.end() == 130
    clerk.open.set()
    seen = terminal(*words)
    seen.wait_for("5/5", "tokens, $0.00, 0 failed", "5 documents: 5 extracted, none failed")
    assert seen.end() == 0
    assert len(rows(tmp_path / "out.jsonl")) == 5
