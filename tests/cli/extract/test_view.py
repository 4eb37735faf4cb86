"""What somebody who waits for `toolstone extract` sees."""

import re

from toolstone.cli.extract.view import Tally, choose_progress, put_summary
from toolstone.extract.records import Evidence, Failure, Record
from toolstone.runs.budget import Price
from toolstone.usage import Usage


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def done(name, **more):
    return Record(
        name, {"a": 1}, usage=Usage(1_000, 10, cached_tokens=400, requests=1), attempts=1, **more
    )


def failed(name, kind, *, attempts=1, retryable=False, message="why"):
    return Record(name, error=Failure(kind, message, (), retryable), attempts=attempts)


def tally_of(*records, seconds=2.0, **options):
    clock = Clock()
    tally = Tally(clock=clock, **options)
    for record in records:
        tally.add(record)
    clock.now = seconds
    return tally


def test_a_summary_says_what_came_of_it_and_what_it_cost():
    nowhere = Evidence("a", "")
    tally = tally_of(
        done("1", evidence=(nowhere, Evidence("b", "x", 0, 1))),
        done("2", same_as="1"),
        failed("3", "refused"),
        failed("4", "truncated"),
        failed("5", "refused"),
        price=Price(1.0, 2.0),
    )
    assert put_summary(tally) == (
        "5 documents: 2 extracted, 3 failed (2 refused, 1 truncated); 1 the same as another\n"
        "2 requests, 2,000 tokens in (800 cached), 20 out, $0.0020, 2.0 s, 2.5 documents/s\n"
        "1 value without evidence in the text\n"
        "  3: refused: why\n"
        "  4: truncated: why\n"
        "  5: refused: why\n"
    )


def test_a_job_that_goes_on_tells_all_it_has_cost_and_how_fast_it_is_now():
    told = put_summary(tally_of(*(done(str(n)) for n in range(4)), earlier=3))
    assert "4 documents: 4 extracted, none failed; 3 from an earlier run\nin all 4 requests" in told
    assert told.endswith("; now 2.0 s, 0.5 documents/s\n")


def test_the_first_five_failures_are_told_in_words_and_how_many_have_no_row():
    lost = [
        failed(f"doc\x1b[2J{n}", "transport", retryable=True, message="no network")
        for n in range(5)
    ]
    unread = failed("a.pdf", "unreadable", attempts=0, message="'a.pdf' cannot be read as PDF")
    told = put_summary(tally_of(unread, failed("b", "validation", attempts=0), *lost)).splitlines()
    assert told[2:] == [
        "  a.pdf: unreadable: 'a.pdf' cannot be read as PDF",
        "  b: validation: why",
        *(f"  doc\\x1b[2J{n}: transport: no network" for n in range(3)),
        "  ...",
        "6 of the failed without a row: the same command tries again",
    ]


def test_without_a_terminal_a_line_comes_every_ten_seconds(capsys):
    tally = tally_of(done("1"), failed("2", "refused"), seconds=9.0, price=Price(1_000.0, 0.0))
    progress = choose_progress(5, quiet=False)
    for second in (9.0, 12.0, 15.0, 23.0):
        tally.clock.now = second
        progress.show(tally)
    progress.close()
    assert capsys.readouterr().err == (
        "2 of 5 documents; 0.2/s, 1.0k tokens, $1.00, 1 failed\n"
        "2 of 5 documents; 0.1/s, 1.0k tokens, $1.00, 1 failed\n"
    )


def test_a_bar_shows_rate_tokens_cost_and_failures(monkeypatch, capsys):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "100")
    progress = choose_progress(None, quiet=False)
    progress.show(tally_of(*(done(str(n)) for n in range(2_000)), price=Price(1.0, 1.0)))
    progress.close()
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", capsys.readouterr().err)
    assert "2000/?" in shown
    assert "1000.0/s, 2.0M tokens, $2.02, 0 failed" in shown
