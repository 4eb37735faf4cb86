"""botocore's debug log, closed while it works for us: it holds requests, tokens and new keys."""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["hushed"]

_LOGGERS: Final = (
    *("args", "auth", "awsrequest", "client", "compat", "compress", "configprovider"),
    *("credentials", "discovery", "endpoint", "endpoint_provider", "handlers", "history"),
    *("hooks", "httpchecksum", "httpsession", "loaders", "monitoring", "paginate", "parsers"),
    *("plugin", "regions", "response", "retries.adaptive", "retries.special"),
    *("retries.standard", "retryhandler", "session", "tokens", "useragent", "utils", "waiter"),
)
"""Each by its name: a filter is not asked about what a logger's children write."""
_here: Final = threading.local()


@contextmanager
def hushed() -> Iterator[None]:
    """In this thread botocore writes nothing below `INFO`, whoever listens at whatever level."""
    _listen()
    before = getattr(_here, "hushed", False)
    _here.hushed = True
    try:
        yield
    finally:
        _here.hushed = before


class _Hush(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno > logging.DEBUG or not getattr(_here, "hushed", False)


@cache
def _listen() -> None:
    for name in (*(f"botocore.{part}" for part in _LOGGERS), "urllib3.connectionpool", "botocore"):
        logging.getLogger(name).addFilter(_Hush())
