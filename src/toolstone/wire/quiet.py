"""What HTTP libraries write to their logs, without keys: a server may say back who asked."""

from __future__ import annotations

import logging
from functools import cache

from toolstone._secrets import holds_secret, redact

__all__ = ["without_secrets"]


class _Clean(logging.Filter):
    """Strikes live secrets out of a record; nothing is lost of one that has none."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record through, clean."""
        try:
            said = record.getMessage()
        except Exception:  # noqa: BLE001  the handler will say what is wrong with it
            return True
        if holds_secret(said) or holds_secret(repr(record.args)):
            record.msg, record.args = redact(said), None
        return True


@cache
def without_secrets(*loggers: str) -> None:
    """See to it that these loggers write no live secret, whoever listens and at what level."""
    for name in loggers:
        logging.getLogger(name).addFilter(_Clean())
