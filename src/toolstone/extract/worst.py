"""What a request costs at worst, in tokens, before it is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic_core import to_json

from toolstone import limits
from toolstone.usage import estimate_tokens

if TYPE_CHECKING:
    from toolstone.ports import OutputFormat, Request

__all__ = ["WorstCase"]


class WorstCase:
    """Estimates requests of one job: they share a schema, whose size is counted once."""

    def __init__(self) -> None:
        self._format: OutputFormat | None = None
        self._format_bytes = 0

    def __call__(self, request: Request) -> tuple[int, int]:
        """Input tokens, estimated from bytes, and the most output tokens that may come."""
        size = sum([len(item.rendered or item.json) for item in request.items])
        size += len((request.instructions or "").encode()) + self._schema_bytes(request.output)
        output = request.settings.max_output_tokens or limits.EXTRACT_OUTPUT_TOKENS
        return estimate_tokens(size), output

    def _schema_bytes(self, output: OutputFormat | None) -> int:
        if output is not self._format:
            self._format = output
            self._format_bytes = 0 if output is None else len(to_json(dict(output.schema)))
        return self._format_bytes
