"""What a response cost, in tokens; sums over all attempts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from toolstone._dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Usage", "estimate_tokens"]

BYTES_PER_TOKEN: Final = 3


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one or more responses (responses-api.md §3.2).

    Cached and cache-write tokens are part of `input_tokens`, reasoning tokens of `output_tokens`.
    """

    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    requests: int = 0
    """How many responses are counted here."""

    @property
    def total_tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.cached_tokens + other.cached_tokens,
            self.cache_write_tokens + other.cache_write_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            self.requests + other.requests,
        )

    @classmethod
    def parse(cls, raw: Mapping[str, Any] | None) -> Usage:
        """Read a response's `usage`; what is absent, null, negative or no number counts as 0."""
        if type(raw) is not dict:
            return cls(requests=1)
        ins, outs = raw.get("input_tokens_details"), raw.get("output_tokens_details")
        ins = ins if type(ins) is dict else {}
        outs = outs if type(outs) is dict else {}
        found = (
            raw.get("input_tokens"),
            raw.get("output_tokens"),
            ins.get("cached_tokens"),
            ins.get("cache_write_tokens"),
            outs.get("reasoning_tokens"),
        )
        known = [n if type(n) is int and n > 0 else 0 for n in found]
        return cls(known[0], known[1], known[2], known[3], known[4], 1)


def estimate_tokens(size: int) -> int:
    """Input tokens of a request of so many bytes: one for three.

    English prose and JSON have about four bytes a token, Chinese and Japanese about three: the
    estimate errs on the high side, by up to 60 %.
    """
    return size // BYTES_PER_TOKEN + 1
