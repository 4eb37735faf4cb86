"""HTTP without a protocol: transports, who asks, deadlines, retries, server-sent events."""

from toolstone.wire.aiohttp_transport import AiohttpTransport
from toolstone.wire.auth import Auth, BearerAuth, NoAuth
from toolstone.wire.deadlines import Deadlines, Watch
from toolstone.wire.httpx_transport import HttpxTransport
from toolstone.wire.reading import decoded, read_reply
from toolstone.wire.retry import Quota, Retry
from toolstone.wire.sse import SseDecoder
from toolstone.wire.transport import HttpReply, HttpRequest, HttpStream, Transport, reply_headers

__all__ = [
    "AiohttpTransport",
    "Auth",
    "BearerAuth",
    "Deadlines",
    "HttpReply",
    "HttpRequest",
    "HttpStream",
    "HttpxTransport",
    "NoAuth",
    "Quota",
    "Retry",
    "SseDecoder",
    "Transport",
    "Watch",
    "decoded",
    "read_reply",
    "reply_headers",
]
