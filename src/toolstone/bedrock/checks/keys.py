"""A short-term Bedrock API key read without asking anybody: region, date, end. Pure.

Such a key is a presigned request in disguise (bedrock.md §4.3); who holds it can read it.
"""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from typing import Final
from urllib.parse import parse_qs

from toolstone._dataclass import dataclass

__all__ = ["ShortTerm", "read_short_term"]

_PREFIX: Final = "bedrock-api-key-"


@dataclass(frozen=True, slots=True)
class ShortTerm:
    """What a short-term key says of itself.

    Attributes:
        region: The one region it counts in.
        minted: When it was made, in Unix seconds.
        ends: When it ends, at the latest.
        temporary: Whether it was minted from temporary credentials, and ends with them.
    """

    region: str
    minted: float
    ends: float
    temporary: bool


def read_short_term(key: str) -> ShortTerm | None:
    """What a key says of itself; None if it is no whole short-term key."""
    try:
        text = base64.b64decode(key.removeprefix(_PREFIX), validate=True).decode("ascii")
        said = {name: values[0] for name, values in parse_qs(text.partition("?")[2]).items()}
        region = said["X-Amz-Credential"].split("/")[2]
        stamp = datetime.strptime(said["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        seconds = int(said["X-Amz-Expires"])
    except (binascii.Error, UnicodeDecodeError, KeyError, IndexError, ValueError):
        return None
    minted = stamp.timestamp()
    return ShortTerm(region, minted, minted + seconds, "X-Amz-Security-Token" in said)
