"""How right is it: survey answers read by a JSON Schema, compared with answers known to be right.

The answers are made up. So is the model, a function behind an endpoint on this machine that knows
two moods where there are three.

Prints:
    60 answers, 40 of them right in every field
    mood: precision 0.67, recall 0.67
    rating: precision 1.00, recall 1.00
    neutral was taken for negative 20 times
"""

import re
from typing import Any

from toolstone import extract_many_sync
from toolstone.extract import Document
from toolstone.extract.score import score
from toolstone.local import Function, Turn, serve

SCHEMA = {
    "title": "Answer",
    "type": "object",
    "properties": {
        "mood": {"enum": ["positive", "neutral", "negative"]},
        "rating": {"type": "integer", "minimum": 1, "maximum": 5},
    },
    "required": ["mood", "rating"],
    "additionalProperties": False,
}
SAID = {"positive": ("Lovely!", 5), "neutral": ("It is all right.", 3), "negative": ("No.", 1)}
MOODS = {f"answer-{n}": mood for n, mood in enumerate([*SAID] * 20)}
GOLD = {name: {"mood": mood, "rating": SAID[mood][1]} for name, mood in MOODS.items()}
DOCUMENTS = [
    Document(name, f"Guest {name} says: {SAID[mood][0]} {SAID[mood][1]} stars.")
    for name, mood in MOODS.items()
]


def read(turn: Turn) -> dict[str, Any]:
    """What the model makes of an answer."""
    stars = int(re.findall(r"(\d) stars", turn.items[-1]["content"])[0])
    return {"mood": "positive" if stars > 3 else "negative", "rating": stars}  # noqa: PLR2004


with serve(Function(read)) as endpoint:
    model = f"responses+{endpoint.base_url}#any"
    rows = [r.as_row() for r in extract_many_sync(DOCUMENTS, SCHEMA, model=model)]

found = score(rows, GOLD, SCHEMA)
print(f"{found.documents} answers, {found.exact} of them right in every field")
for field in found.fields:
    print(f"{field.path}: precision {field.precision:.2f}, recall {field.recall:.2f}")
mistaken = found.confusion["mood"]["neutral", "negative"]
print(f"neutral was taken for negative {mistaken} times")
