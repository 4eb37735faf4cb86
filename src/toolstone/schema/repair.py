"""Finding the one JSON value in an answer: fences, prose and junk are set aside, and said."""

from __future__ import annotations

import json
import re
from typing import Final

from toolstone import limits
from toolstone.schema.strictjson import find_problem

__all__ = ["find_json"]

_FENCE: Final = re.compile(r"```[A-Za-z0-9_-]*[ \t]*\r?\n(.*?)\r?\n?[ \t]*```", re.DOTALL)
_START: Final = re.compile(r"[{\[]")
_decode: Final = json.JSONDecoder().raw_decode


def find_json(text: str) -> tuple[str, str | None, str | None]:
    """The JSON of an answer.

    Returns:
        The JSON text, what was set aside (None: nothing), why there is none (None: there is one).
    """
    bare = text.strip("\ufeff \t\r\n")
    problem = find_problem(bare, limits.BODY_BYTES, root=None)
    if problem is None:
        return bare, None, None
    fences = _FENCE.findall(bare)
    if len(fences) == 1 and find_problem(fences[0], limits.BODY_BYTES, root=None) is None:
        return fences[0], "took the JSON out of a code fence", None
    spans = _values(bare)
    if len(spans) == 1:
        start, end = spans[0]
        said = bare[start:end]
        if find_problem(said, limits.BODY_BYTES, root=None) is None:
            aside = len(bare) - len(said)
            return said, f"set aside {aside} characters around the JSON", None
    if len(spans) > 1:
        return bare, None, "the answer holds several JSON values; give one"
    return bare, None, problem


def _values(text: str) -> list[tuple[int, int]]:
    """Where objects and arrays stand in a text, the first two at most."""
    spans: list[tuple[int, int]] = []
    at = 0
    tries = 0
    while len(spans) < 2 and tries < _TRIES and (found := _START.search(text, at)):  # noqa: PLR2004
        tries += 1
        try:
            _, end = _decode(text, found.start())
        except (ValueError, RecursionError):
            at = found.end()
        else:
            spans.append((found.start(), end))
            at = end
    return spans


_TRIES: Final = 16
"""Openings that are tried; the bound keeps a long broken answer linear."""
