"""A score as one page to look at: charts drawn in the page itself, nothing loaded, no script."""

from __future__ import annotations

import json
from collections import Counter
from html import escape
from typing import TYPE_CHECKING, Any, Final

from toolstone.extract.score import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from toolstone.extract.score import Compared, FieldScore, Score

__all__ = ["render_report"]

_ROW: Final = 26  # of a chart, in its own units
_LEFT: Final = 220
_WIDE: Final = 420
_LABEL: Final = 32  # characters of a field's name that have room
_SHOWN: Final = 300  # differences in the list
_LONG: Final = 300  # characters of a value there

_MEANING: Final = {
    "correct": "the right value",
    "wrong": "another value",
    "missing": "null where there is a value",
    "invented": "a value where there is none",
    "absent": "rightly null",
}


def render_report(score: Score, title: str) -> str:
    """The page: what is right and wrong of each field, which labels were confused, and where."""
    parts = [
        f"<h1>{escape(title)}</h1>",
        _headline(score),
        "<h2>F1 of each field</h2>",
        "<p>Line: recall. Dot: precision. Fields that nobody filled have none.</p>",
        _f1_chart([score.total, *score.fields]),
        "<h2>What became of each field</h2>",
        _legend(),
        _outcome_chart(score.fields),
        _table(score),
        *_confusions(score.confusion),
        _differences(score.compared),
    ]
    return _page(escape(title), "\n".join(parts))


def _headline(score: Score) -> str:
    told = [
        ("F1, all fields", _percent(score.total.f1)),
        ("precision", _percent(score.total.precision)),
        ("recall", _percent(score.total.recall)),
        ("F1, mean of fields", _percent(score.macro_f1)),
        ("all right", f"{score.exact} of {score.documents} documents"),
        ("without a value", str(score.failed)),
    ]
    tiles = "".join(f"<div><b>{escape(value)}</b><span>{name}</span></div>" for name, value in told)
    notes = ""
    if score.unknown:
        notes += f"<p>{score.unknown} records have no right values to compare with.</p>"
    if score.unasked:
        notes += f"<p>{len(score.unasked)} documents with right values have no record.</p>"
    return f'<div class="tiles">{tiles}</div>{notes}'


def _f1_chart(fields: Sequence[FieldScore]) -> str:
    rows = []
    for n, one in enumerate(fields):
        y = n * _ROW + 6
        rows.append(_name(one.path, y))
        if one.f1 is None:
            rows.append(f'<text x="{_LEFT + 4}" y="{y + 12}" class="dim">none</text>')
            continue
        rows.append(_bar(_LEFT, y, one.f1 * _WIDE, "f1", f"{one.path}: F1 {_percent(one.f1)}"))
        if one.recall is not None:
            x = _LEFT + one.recall * _WIDE
            rows.append(f'<path d="M{x:.1f} {y - 2}v20" class="mark"/>')
        if one.precision is not None:
            x = _LEFT + one.precision * _WIDE
            rows.append(f'<circle cx="{x:.1f}" cy="{y + 8}" r="4" class="dot"/>')
        rows.append(f'<text x="{_LEFT + _WIDE + 12}" y="{y + 12}">{_percent(one.f1)}</text>')
    return _svg(len(fields), rows, "F1 of each field")


def _outcome_chart(fields: Sequence[FieldScore]) -> str:
    rows = []
    for n, one in enumerate(fields):
        y, x = n * _ROW + 6, float(_LEFT)
        rows.append(_name(one.path, y))
        counts = {kind: getattr(one, kind) for kind in KINDS}
        total = sum(counts.values()) or 1
        for kind, count in counts.items():
            if count:
                wide = count / total * _WIDE
                rows.append(_bar(x, y, wide, kind, f"{one.path}: {count} {kind} of {total}"))
                x += wide
        rows.append(f'<text x="{_LEFT + _WIDE + 12}" y="{y + 12}">{total}</text>')
    return _svg(len(fields), rows, "What became of each field")


def _svg(count: int, rows: Iterable[str], label: str) -> str:
    high, wide = count * _ROW + 10, _LEFT + _WIDE + 70
    lines = "".join(
        f'<path d="M{_LEFT + share * _WIDE / 4} 0v{high}" class="grid"/>' for share in range(5)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" role="img" '
        f'aria-label="{label}">{lines}{"".join(rows)}</svg>'
    )


def _bar(x: float, y: float, wide: float, kind: str, told: str) -> str:
    return (
        f'<rect x="{x:.1f}" y="{y}" width="{wide:.1f}" height="16" class="{kind}">'
        f"<title>{escape(told)}</title></rect>"
    )


def _name(path: str, y: float) -> str:
    shown = path if len(path) <= _LABEL else "…" + path[1 - _LABEL :]
    return f'<text x="{_LEFT - 8}" y="{y + 12}" class="name">{escape(shown)}</text>'


def _legend() -> str:
    keys = "".join(
        f'<span><i class="{kind}"></i>{kind}: {meaning}</span>'
        for kind, meaning in _MEANING.items()
    )
    return f'<p class="legend">{keys}</p>'


def _table(score: Score) -> str:
    head = ("field", "precision", "recall", "F1", *KINDS)
    rows = [
        [
            one.path,
            _percent(one.precision),
            _percent(one.recall),
            _percent(one.f1),
            *(str(getattr(one, kind)) for kind in KINDS),
        ]
        for one in (*score.fields, score.total)
    ]
    return _html_table(head, rows, "numbers")


def _confusions(found: Mapping[str, Mapping[tuple[str, str], int]]) -> Iterable[str]:
    if found:
        yield "<h2>Which label for which</h2>"
        yield "<p>A row for each right label, a column for each that was found.</p>"
    for path, counts in found.items():
        labels = sorted({label for pair in counts for label in pair})
        most = Counter(dict.fromkeys(labels, 0))
        for (gold, _), count in counts.items():
            most[gold] += count
        yield f"<h3>{escape(path)}</h3><table class='heat'>"
        yield f"<tr><th></th>{''.join(f'<th>{escape(one)}</th>' for one in labels)}</tr>"
        for gold in labels:
            cells = (_heat(counts.get((gold, one), 0), most[gold], gold == one) for one in labels)
            yield f"<tr><th>{escape(gold)}</th>{''.join(cells)}</tr>"
        yield "</table>"


def _heat(count: int, most: int, right: bool) -> str:
    if not count:
        return "<td class='dim'>0</td>"
    kind = "correct" if right else "wrong"
    share = 15 + round(70 * count / most)
    colour = f"color-mix(in srgb, var(--{kind}) {share}%, transparent)"
    return f"<td style='background:{colour}'>{count}</td>"


def _differences(compared: Sequence[Compared]) -> str:
    wrong = [one for one in compared if one.kind not in {"correct", "absent"}]
    if not wrong:
        return "<h2>Differences</h2><p>There are none.</p>"
    shown = [
        [one.id, one.path, one.kind, _value(one.gold), _value(one.found)] for one in wrong[:_SHOWN]
    ]
    more = f" The first {_SHOWN} of them:" if len(wrong) > _SHOWN else ""
    table = _html_table(("document", "field", "", "right", "found"), shown, "differences")
    return (
        f"<h2>Differences</h2><p>{len(wrong):,} fields are not as they should be.{more}</p>{table}"
    )


def _html_table(head: Sequence[str], rows: Iterable[Sequence[str]], kind: str) -> str:
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join(
        f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>\n" for row in rows
    )
    return f"<table class='{kind}'><tr>{top}</tr>\n{body}</table>"


def _value(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONG else text[:_LONG] + "…"


def _percent(share: float | None) -> str:
    return "none" if share is None else f"{share:.1%}"


_STYLE: Final = """
:root { color-scheme: light dark; --text: #1c2024; --back: #ffffff; --dim: #6b7280;
  --line: #d9dde2; --f1: #2f6fb2; --correct: #00855f; --wrong: #c8500a; --missing: #e0a100;
  --invented: #b85c93; --absent: #b4bac2; }
@media (prefers-color-scheme: dark) { :root { --text: #e6e8eb; --back: #15181b; --dim: #9aa1a9;
  --line: #353b41; --f1: #5b9ad8; --correct: #2bb58a; --wrong: #ee7a35; --missing: #f0bd40;
  --invented: #d98ab8; --absent: #596069; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--text); background: var(--back);
  max-width: 960px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2.2rem } h3 { font-size: 1rem }
.tiles { display: flex; flex-wrap: wrap; gap: .75rem }
.tiles div { border: 1px solid var(--line); border-radius: 8px; padding: .6rem .9rem }
.tiles b { display: block; font-size: 1.25rem } .tiles span, .dim { color: var(--dim) }
svg { width: 100%; font: 13px system-ui, sans-serif } svg text { fill: var(--text) }
svg .name { text-anchor: end } svg .dim { fill: var(--dim) }
.grid { stroke: var(--line); fill: none } .mark { stroke: var(--text); stroke-width: 2 }
.dot { fill: var(--text); stroke: var(--back) }
rect.f1 { fill: var(--f1) }
.correct { fill: var(--correct) } .wrong { fill: var(--wrong) } .missing { fill: var(--missing) }
.invented { fill: var(--invented) } .absent { fill: var(--absent) }
.legend span { display: inline-block; margin-right: 1rem }
.legend i { display: inline-block; width: .8em; height: .8em; margin-right: .4em;
  border-radius: 2px }
i.correct { background: var(--correct) } i.wrong { background: var(--wrong) }
i.missing { background: var(--missing) } i.invented { background: var(--invented) }
i.absent { background: var(--absent) }
table { border-collapse: collapse; margin: .75rem 0; font-variant-numeric: tabular-nums }
td, th { border: 1px solid var(--line); padding: .2rem .55rem; text-align: left;
  vertical-align: top; overflow-wrap: anywhere }
.numbers td + td, .heat td { text-align: right }
.numbers { display: block; overflow-x: auto }
"""


def _page(title: str, body: str) -> str:
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>{title}</title><style>{_STYLE}</style></head>
<body>
{body}
</body></html>
"""
