"""What a 200 is that is not the answer asked for: told by what it looks like. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolstone.errors import ProtocolError
from toolstone.responses.failures import request_id, sanitised

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["json_object", "misread", "wrong_path"]


def json_object(body: bytes, headers: Mapping[str, str], wanted: str) -> bytes:
    """The body from its brace on, if only white space or a byte order mark stands before it.

    Args:
        body: What came.
        headers: With it.
        wanted: What should have come, such as `a response`.

    Raises:
        ProtocolError: It is empty, a web page, or not UTF-8.
    """
    text = body.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n")
    if text.startswith(b"{"):
        return text
    if not text:
        then = "Something in between may answer"
        raise misread("an empty body", then, body, headers, wanted)
    if text.startswith(b"<"):
        then = "Is a proxy, a login page or a captive portal in between? Check base_url"
        raise misread("a web page", then, body, headers, wanted)
    if text.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in text[:4]:
        raise misread("UTF-16 or UTF-32", "JSON on the wire is UTF-8", body, headers, wanted)
    return body


def misread(
    what: str, then: str, body: bytes, headers: Mapping[str, str], wanted: str
) -> ProtocolError:
    """The error for a 200 that holds something else.

    Args:
        what: What it looks like.
        then: What to do.
        body: What came.
        headers: With it.
        wanted: What should have come.
    """
    kind = sanitised(headers.get("content-type", ""))[:80]
    said = f" (content-type {kind!r}, {len(body)} bytes)" if kind else f" ({len(body)} bytes)"
    return ProtocolError(
        f"the service answered 200, but not with {wanted}: {what}{said}. {then}".rstrip(". "),
        phase="body",
        request_id=request_id(headers),
        body=body[:1024],
    )


def wrong_path(
    raw: Mapping[str, Any], body: bytes, headers: Mapping[str, str], wanted: str
) -> ProtocolError | None:
    """The error for a 200 in which AWS says that it has no such path; None if it does not.

    Args:
        raw: What came, decoded.
        body: What came.
        headers: With it.
        wanted: What should have come.
    """
    output = raw.get("Output")
    if not isinstance(output, dict) or "__type" not in output:
        return None
    return misread(
        f"an AWS {str(output['__type']).rpartition('#')[2]!r} error",
        "The path is wrong for this host: check the prefix in base_url (/openai/v1, /v1)",
        body,
        headers,
        wanted,
    )
