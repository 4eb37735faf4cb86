"""Where a server is: base URLs that keys and prompts may be sent to, and model strings. Pure."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlsplit

from toolstone._secrets import Hidden
from toolstone.errors import ConfigError, InputError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from urllib.parse import SplitResult

__all__ = ["OPENAI", "check_base_url", "parse_model_string", "path_segment"]

OPENAI: Final = "https://api.openai.com/v1"
_HOST: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?(\.[A-Za-z0-9_-]+)*")
_PATH: Final = re.compile(r"(/[A-Za-z0-9._~!$&'()*+,;=:@%-]*)*")
_ID: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._:=+~-]{0,1023}")
_MODEL: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._:=+~@/-]{0,1023}")


def check_base_url(url: str) -> str:
    """The URL without a slash at its end; nothing else of it changes.

    Raises:
        ConfigError: It is not https (http is for this machine alone), or holds user, query,
            fragment, a name outside ASCII, a dot at the end of the host, or `..` in the path.
    """
    url, why = Hidden(url), _wrong(url)
    if why:
        raise ConfigError(f"base_url {why}")
    return url.rstrip("/")


def _wrong(url: str) -> str:
    """What is wrong with it, and how it is written; empty if nothing is."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return f"({len(url)} characters) is no URL; write it like 'https://host/v1'"
    why = _fault(url, parts, port)
    if not why:
        return ""
    right = "write it like 'https://host/v1', with the key in api_key="
    return f"{_shown(parts)}: {why}; {right}"


def _fault(url: str, parts: SplitResult, port: int | None) -> str | None:
    host = parts.hostname or ""
    faults = {
        "it has a user or password": "@" in parts.netloc,
        "it has a query": "?" in url,
        "it has a fragment": "#" in url,
        "it must begin with https:// or http://": parts.scheme not in ("http", "https"),
        "it has no host": not host,
        "its host is no plain name or address": not (_HOST.fullmatch(host) or _address(host)),
        "port 0 is none": port == 0,
        "its path has a step '..', or a character that URLs cannot hold": (
            not _safe(parts.path) or not url.isprintable()
        ),
        "http:// sends keys and prompts for all to read; only this machine may be reached so": (
            parts.scheme == "http" and not _here(host)
        ),
    }
    return next((why for why, wrong in faults.items() if wrong), None)


def _safe(path: str) -> bool:
    steps = path.replace("%2e", ".").replace("%2E", ".").split("/")
    return _PATH.fullmatch(path) is not None and not {".", ".."} & set(steps)


def _shown(parts: SplitResult) -> str:
    """Scheme and host: what else a URL holds may be secret."""
    return repr(f"{parts.scheme[:20]}://{(parts.hostname or '')[:100]}")


def _address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return "%" not in host  # a zone is this machine's own word


def _here(host: str) -> bool:
    return host == "localhost" or (_address(host) and ip_address(host).is_loopback)


def path_segment(text: str, *, name: bool = False) -> str:
    """An id as one step of a path: whatever it holds, it cannot lead elsewhere.

    Args:
        text: The id, as a server gave it.
        name: Whether it is a model's name; those may have a `/` in them, which is escaped.

    Raises:
        InputError: It is none.
    """
    if not (isinstance(text, str) and (_MODEL if name else _ID).fullmatch(text)):
        size = f" of {len(text)} characters" if isinstance(text, str) else ""
        raise InputError(
            f"{'a model name' if name else 'an id'} given as {type(text).__name__!r}{size}: it "
            "begins with a letter or digit and goes on with those or ._:=+~-; take it as the "
            "server gave it"
        )
    return quote(text, safe="")


def parse_model_string(text: str, scheme: str = "responses") -> tuple[str, str]:
    """Base URL and model of `responses+http://host:port/v1#MODEL`, or of another scheme.

    Raises:
        ConfigError: It is not of this form.
    """
    url, _, model = text.removeprefix(f"{scheme}+").partition("#")
    if not text.startswith(f"{scheme}+") or not model:
        raise ConfigError(
            f"model string of {len(text)} characters: a compatible server is written "
            f"'{scheme}+https://host/v1#MODEL' (http:// for this machine)"
        )
    return check_base_url(url), model


def openai_settings(environment: Mapping[str, str]) -> tuple[str, str]:
    """Base URL and key for `openai/MODEL`: `OPENAI_BASE_URL` and `OPENAI_API_KEY`.

    Raises:
        ConfigError: There is no key, or the URL cannot be.
    """
    key = Hidden(environment.get("OPENAI_API_KEY", ""))
    if not key.strip():
        raise ConfigError(
            "OPENAI_API_KEY is not set; set it, or use Responses(base_url=..., api_key=...)"
        )
    return check_base_url(environment.get("OPENAI_BASE_URL") or OPENAI), key
