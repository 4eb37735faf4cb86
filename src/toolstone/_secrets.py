"""Secrets of this process: text that shows itself to nobody, and is found wherever it turns up."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from typing import Any, Final, NoReturn
from urllib.parse import quote
from weakref import finalize

__all__ = [
    "FORMS",
    "PRIVATE",
    "REDACTED",
    "Hidden",
    "Secret",
    "Variables",
    "holds_secret",
    "redact",
    "redact_bytes",
    "redact_json",
]

REDACTED: Final = "[redacted]"
PRIVATE: Final = re.compile(r"(?i)auth|cookie|credential|key|pass|secret|signature|token")
"""In the name of a header that may say who asks; what other headers hold is no secret."""
_SHORTEST: Final = 12
"""Shorter ones are no secrets: they would be found in any text."""
_ENOUGH: Final = 24
"""So many characters tell a secret that is twice as long."""

FORMS: Final[list[str]] = []
"""Every live secret in every way it may be written, longest first; changed in place."""
_live: Final[dict[int, tuple[str, ...]]] = {}


class Hidden(str):
    """Text that is used as any other, whose `repr` says nothing, and that is in no pickle or copy.

    So it can stand in a variable, a header or a field while a report of a failure shows these.
    """

    __slots__ = ("__weakref__",)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(...)"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret cannot be pickled or copied; find it again")


class Secret(Hidden):
    """Hidden text that `redact` finds in any other text, for as long as it lives.

    At least 12 characters; shorter text (`lm-studio`, `not-needed`) is hidden, and not looked for.
    """

    __slots__ = ()

    def __init__(self, text: str) -> None:
        if len(text) >= _SHORTEST and (forms := _forms(text)):
            number = id(self)
            _live[number] = forms
            finalize(self, _forget, number).atexit = False
            _sort()


class Variables(Mapping[str, str]):
    """Environment variables, of which a `repr` shows nothing."""

    __slots__ = ("_all",)

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._all = variables

    def __repr__(self) -> str:
        return "Variables(...)"

    def __getitem__(self, name: str) -> str:
        return self._all[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)


def holds_secret(text: str) -> bool:
    """Whether a live secret stands in it, however written; or the beginning of a long one."""
    return any(_beginning(form) in text for form in tuple(FORMS))


def redact(text: str) -> str:
    """The text without live secrets: plain, in base64, URL-encoded, in hexadecimal, in JSON.

    One that is cut off, by the end of the text or by who wrote it, is none the less one.
    """
    forms = tuple(FORMS)
    for form in forms:
        text = text.replace(form, REDACTED)
    for form in forms:
        begins, at = _beginning(form), 0
        while (at := text.find(begins, at)) >= 0:
            text = f"{text[:at]}{REDACTED}{text[at + _same(form, text[at:]) :]}"
            at += len(REDACTED)  # a key may stand in what replaces it
    cut = max((_cut(form, text) for form in forms), default=0)
    return f"{text[:-cut]}{REDACTED}" if cut else text


def _beginning(form: str) -> str:
    """What of it is enough to know it by."""
    return form[:_ENOUGH] if len(form) >= 2 * _ENOUGH else form


def _same(form: str, text: str) -> int:
    """How many characters both begin with."""
    differ = (n for n, (one, other) in enumerate(zip(form, text, strict=False)) if one != other)
    return next(differ, min(len(form), len(text)))


def _cut(form: str, text: str) -> int:
    """How much of a secret stands at the end of a text, if it is much."""
    end = text[-len(form) :]
    start = end.find(form[:_SHORTEST])
    while start >= 0 and not form.startswith(end[start:]):
        start = end.find(form[:_SHORTEST], start + 1)
    return len(end) - start if start >= 0 else 0


def redact_bytes(body: bytes) -> bytes:
    """As `redact`, of bytes."""
    return redact(body.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def redact_json(value: Any) -> Any:
    """As `redact`, of every text in plain JSON data."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, Mapping):
        return {redact(name): redact_json(inner) for name, inner in value.items()}
    return [redact_json(inner) for inner in value] if isinstance(value, list | tuple) else value


def _forget(number: int) -> None:
    _live.pop(number, None)
    _sort()


def _sort() -> None:
    known = None
    # Until they are so: another thread's secret may have begun or ended meanwhile. No lock, since a
    # secret may end anywhere, and a process fork.
    while known != (now := {form for forms in list(_live.values()) for form in forms}):
        known = now
        FORMS[:] = sorted(now, key=len, reverse=True)


def _forms(text: str) -> tuple[str, ...]:
    import json  # noqa: PLC0415  not needed to begin with

    raw = text.encode("utf-8", "surrogatepass")
    encoded = {piece for start in range(3) for piece in _base64(raw, start)}
    quoted = quote(raw, safe="")
    told = json.dumps(text)[1:-1]
    return (
        *(text, quoted, quoted.lower(), quote(raw), told, told.replace("/", "\\/")),
        *(raw.hex(), raw.hex().upper(), *encoded),
    )


def _base64(raw: bytes, start: int) -> tuple[str, str]:
    """What of it looks always the same, whatever stands before (so many bytes) and after it."""
    padded = b"\0" * start + raw
    whole = b64encode(padded[: len(padded) // 3 * 3]).decode()
    own = whole[-(-start * 8 // 6) if start else 0 :]
    return own, own.replace("+", "-").replace("/", "_")
