"""What of an exchange a cassette keeps, by name; whatever is not named here is left out. Pure.

Kept is what makes the answer: the input, the tools, the parameters. Left out is who asked and how
it was carried: headers, `metadata`, `user`, `safety_identifier`, cache keys, `store`, `stream`, and
every field that nobody has put on these lists. Files and images in the input become their SHA-256,
and URLs of them lose what stands before the host and after the path. What looks like a key is
struck out wherever it stands.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from toolstone._secrets import redact
from toolstone.responses.failures import SECRET, sanitised

__all__ = ["REQUEST", "RESPONSE", "TOOL", "keep_error", "keep_request", "keep_response"]

JSON = dict[str, Any]

REQUEST: Final = frozenset(
    {
        *("model", "input", "instructions", "previous_response_id", "include", "truncation"),
        *("tools", "tool_choice", "parallel_tool_calls", "max_tool_calls"),
        *("text", "reasoning", "context_management", "max_output_tokens"),
        *("temperature", "top_p", "top_logprobs", "presence_penalty", "frequency_penalty"),
    }
)
"""The fields of a request that are kept, and compared."""

TOOL: Final = frozenset(
    {
        *("type", "name", "description", "parameters", "strict", "format", "tools", "execution"),
        *("server_label", "server_description", "allowed_tools", "require_approval"),
        *("filters", "search_context_size", "max_num_results"),
    }
)
"""The fields of a tool's definition that are kept: not `authorization`, `headers`, `server_url`."""

RESPONSE: Final = frozenset(
    {
        *("id", "status", "model", "output", "usage"),
        *("error", "incomplete_details", "service_tier"),
    }
)
"""The fields of a response that are kept; the rest echoes the request, or is the time."""

_LINKS: Final = frozenset({"image_url", "file_url", "video_url"})
_BLOBS: Final = frozenset({"file_data", "data"})


def keep_request(body: Mapping[str, Any]) -> JSON:
    """Give what is kept of a request's body."""
    kept = {key: value for key, value in body.items() if key in REQUEST and value is not None}
    if isinstance(kept.get("tools"), list):
        kept["tools"] = [_tool(tool) for tool in kept["tools"]]
    if "input" in kept:
        kept["input"] = _input(kept["input"])
    return _struck(kept)


def keep_response(response: Mapping[str, Any]) -> JSON:
    """Give what is kept of a response."""
    return _struck({k: v for k, v in response.items() if k in RESPONSE and v is not None})


def keep_error(status: int, error: Mapping[str, Any]) -> JSON:
    """Give what is kept of an HTTP error.

    Args:
        status: The HTTP status.
        error: What stands under `error` in the envelope.
    """
    known = {key: error.get(key) for key in ("message", "type", "param", "code")}
    said = {k: sanitised(v) if isinstance(v, str) else v for k, v in known.items()}
    return {"status": status, "error": said}


def _tool(tool: Any) -> Any:
    if not isinstance(tool, Mapping):
        return tool
    kept = {key: value for key, value in tool.items() if key in TOOL}
    if isinstance(kept.get("tools"), list):  # a namespace
        kept["tools"] = [_tool(inner) for inner in kept["tools"]]
    return kept


def _input(value: Any, key: str = "") -> Any:
    """Replace files by their digests, and shorten links."""
    if isinstance(value, Mapping):
        return {name: _input(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        return [_input(inner) for inner in value]
    if not isinstance(value, str):
        return value
    if value.startswith("data:") and "," in value:
        return _digest(value.partition(",")[0].removeprefix("data:").partition(";")[0], value)
    if key in _BLOBS:
        return _digest("", value)
    return _link(value) if key in _LINKS else value


def _digest(kind: str, value: str) -> str:
    return f"data:{kind};sha256,{hashlib.sha256(value.encode('utf-8', 'replace')).hexdigest()}"


def _link(url: str) -> str:
    try:
        parts = urlsplit(url)
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        return "a URL that is none"
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def _struck(kept: Mapping[str, Any]) -> JSON:
    """Strike out what looks like a key."""
    return {key: _strike(value) for key, value in kept.items()}


def _strike(value: Any) -> Any:
    if isinstance(value, Mapping):
        return _struck(value)
    if isinstance(value, list | tuple):
        return [_strike(inner) for inner in value]
    return SECRET.sub(_redacted, redact(value)) if isinstance(value, str) else value


def _redacted(found: re.Match[str]) -> str:
    """Leave words alone: "basic arithmetic" is no key, and a key has digits."""
    return "[redacted]" if any(c.isdigit() for c in found[0]) else found[0]
