"""Reading a body within limits: size, compression, and what is left of one that breaks off.

We ask for `accept-encoding: identity`: answers are small, streams must not be held back by a
compressor, and a bomb cannot go off. A server or proxy that compresses all the same (gzip or
deflate) is understood, within `limits.DECOMPRESSION_RATIO` and `limits.DECOMPRESSED_BYTES`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from toolstone import limits
from toolstone.errors import LimitError, ProtocolError, TransportError
from toolstone.wire.transport import HttpReply

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from toolstone.wire.transport import HttpStream

__all__ = ["decoded", "read_reply"]

_ZLIB: Final = {"gzip": 31, "x-gzip": 31, "deflate": 47}
_FREE: Final = limits.MIB
"""Below this size the ratio is not looked at: a small body may compress well."""


def decoded(headers: Mapping[str, str], chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The chunks without their content encoding.

    Raises:
        ProtocolError: An encoding that was not asked for and is not understood.
    """
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding in ("", "identity"):
        return chunks
    if encoding not in _ZLIB:
        raise ProtocolError(
            f"the answer is compressed as {encoding[:40]!r}; it was asked for uncompressed, and "
            "only gzip and deflate are understood. Something in between compresses: turn it off",
            phase="headers",
        )
    return _inflated(chunks, encoding)


async def _inflated(chunks: AsyncIterator[bytes], encoding: str) -> AsyncIterator[bytes]:
    import zlib  # noqa: PLC0415  answers are asked for uncompressed

    inflate = zlib.decompressobj(_ZLIB[encoding])
    taken = given = 0
    async for chunk in chunks:
        taken += len(chunk)
        rest = b"" if inflate.eof else chunk  # what follows the end is not kept
        while rest:
            try:
                piece = inflate.decompress(rest, 64 * limits.KIB)
            except zlib.error as error:
                raise ProtocolError(
                    f"the answer says that it is {encoding} and is not: {error}", phase="body"
                ) from error
            given += len(piece)
            _check_ratio(taken, given)
            if piece:
                yield piece
            if inflate.eof:
                break
            rest = inflate.unconsumed_tail
    if not inflate.eof:
        raise TransportError("the compressed answer breaks off", phase="body")


def _check_ratio(taken: int, given: int) -> None:
    if given > limits.DECOMPRESSED_BYTES:
        raise LimitError(
            f"the answer decompresses to more than {limits.DECOMPRESSED_BYTES} bytes "
            "(limits.DECOMPRESSED_BYTES)",
            phase="body",
        )
    if given > _FREE and given > taken * limits.DECOMPRESSION_RATIO:
        raise LimitError(
            f"the answer decompresses to more than {limits.DECOMPRESSION_RATIO} times its size "
            "(limits.DECOMPRESSION_RATIO)",
            phase="body",
        )


async def read_reply(answer: HttpStream) -> HttpReply:
    """The whole body of a success; of anything else its beginning, as far as it arrives.

    Raises:
        LimitError: A success has more than `limits.BODY_BYTES`.
        TransportError: A success breaks off.
    """
    succeeded = 200 <= answer.status < 300  # noqa: PLR2004  the class of HTTP successes
    limit = limits.BODY_BYTES if succeeded else limits.ERROR_BODY_BYTES
    parts: list[bytes] = []
    size, cut = 0, False
    try:
        async for chunk in answer.chunks:
            parts.append(chunk)
            size += len(chunk)
            if size > limit:
                break
    except (TransportError, ProtocolError, LimitError):
        if succeeded:
            raise
        cut = True
    if size > limit and succeeded:
        raise LimitError(
            f"the answer has more than {limit} bytes (limits.BODY_BYTES)", phase="body"
        )
    return HttpReply(answer.status, answer.headers, b"".join(parts)[:limit], cut)
