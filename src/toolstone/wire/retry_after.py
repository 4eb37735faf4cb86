"""How long a server asks to be left alone, read from its headers. Pure."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["retry_after"]

_SECONDS: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,9})?")


def retry_after(headers: Mapping[str, str], now: Callable[[], float] = time.time) -> float | None:
    """The seconds a server asks to wait, or None; what cannot be understood counts as absent.

    `retry-after-ms` and `x-amz-retry-after` are milliseconds; `retry-after` is seconds or a date,
    which is compared with the answer's own `date`, as clocks differ.
    """
    for name in ("retry-after-ms", "x-amz-retry-after"):
        given = _number(headers.get(name))
        if given is not None:
            return given / 1000
    text = headers.get("retry-after")
    seconds = _number(text)
    if seconds is not None or text is None:
        return seconds
    then = _date(text)
    if then is None:
        return None
    here = _date(headers.get("date", ""))
    left = then - (now() if here is None else here)
    return left if left > 0 else None


def _number(text: str | None) -> float | None:
    said = (text or "").strip()  # of more than `float` takes off
    return (float(said) or None) if _SECONDS.fullmatch(said) else None


def _date(text: str) -> float | None:
    from email.utils import parsedate_to_datetime  # noqa: PLC0415  ten modules, for a rare header

    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
