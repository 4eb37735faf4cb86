"""Calls as the public leaderboard has them: they arrive as written, and wrong ones are refused.

The cases are of our own wording; `python tools/bfcl.py` puts the leaderboard's to the same code.
"""

import json
import tomllib

import bfcl
import bfcl_mutations
import pytest
import toolstone_rows as rows

QUESTIONS = json.loads((rows.DATA / "bfcl_style.json").read_text())


@pytest.fixture
def cases():
    return [case for one in QUESTIONS for case in bfcl.cases_of(one, one)]


def test_docs_become_closed_schemas_and_names_with_dots_aliases(cases):
    assert [case.tool.name for case in cases] == [
        "ferry--timetable",
        "garden--beds--plant",
        "garden--beds--plant",
        "lamp",
    ]
    assert cases[0].schema == {
        "type": "object",
        "properties": {
            "line": {"description": "Which line.", "enum": ["north", "south"], "type": "string"},
            "day": {"type": "string"},
            "seats": {"type": "integer"},
            "weight": {"type": "number"},
        },
        "required": ["line", "seats"],
        "additionalProperties": False,
    }
    assert cases[1].schema["properties"]["corner"] == {
        "type": "array",
        "items": {"type": "number"},
    }
    assert cases[1].schema["properties"]["notes"] == {"type": "object"}
    assert cases[1].schema["properties"]["tag"] == {}


def test_of_the_values_listed_the_first_that_fits_is_sent(cases):
    assert cases[0].arguments == {"line": "north", "day": "today", "seats": 3, "weight": 2}
    assert cases[1].arguments == {
        "beds": [{"plant": "leek", "rows": 4, "covered": False}, {"plant": "kale"}],
        "corner": [0.5, 2],
        "notes": {"soil": "dry"},
        "tag": 7,
    }
    assert cases[2].arguments == {"beds": [], "corner": [1.5, 2.5]}


async def test_what_fits_arrives_as_it_was_written_and_defects_are_named(cases):
    assert await bfcl.put_all(cases) == {"own_2#0": "on: must be of type boolean"}


async def test_every_mutation_is_refused(cases):
    made = bfcl_mutations.Mutations(seed=7)
    sound = cases[:3]
    wrong = [(case, one) for case in sound for one in made.every(case.schema, case.arguments)]
    wrong += made.generated(sound, 400)
    counts, let_in = await bfcl.refuse_all(wrong)

    assert let_in == []
    assert counts.total() == len(wrong) > 600
    kinds = ("missing", "one too many", "outside the enum", "str for integer", "a key twice")
    assert all(
        counts[kind] for kind in (*kinds, "NaN for a number", "in a list", "list for object")
    )


async def test_a_boundary_that_takes_everything_is_found_out(cases):
    """The alarm's own test: tools that do not check let the mutations in."""
    case = cases[0]
    object.__setattr__(case.tool, "_read", lambda text: {"anything": text})
    wrong = [(case, one) for one in bfcl_mutations.Mutations(1).every(case.schema, case.arguments)]
    counts, let_in = await bfcl.refuse_all(wrong)

    assert (counts.total(), len(let_in)) == (0, len(wrong))
    assert list(await bfcl.put_all([case])) == [case.name]


def test_the_same_seed_makes_the_same_mutations(cases):
    once, again = ([*bfcl_mutations.Mutations(3).generated(cases[:3], 50)] for _ in range(2))

    assert [one for _, one in once] == [one for _, one in again]


def test_the_list_of_defects_is_frozen():
    frozen = tomllib.loads(bfcl.DEFECTS.read_text())

    assert frozen["version"] == "2026.3.23"
    assert 0 < len(frozen["defects"]) <= 85
