"""What a service's "no" means, by one table, told by HTTP, an event or a failed response. Pure.

The first row that fits counts. Words are compared with the error's `code` and `type`, the pattern
with its message, the statuses with the HTTP status, if there is one (responses-api.md §12.2,
bedrock.md §11).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from toolstone import limits
from toolstone._secrets import redact
from toolstone.errors import AuthError, RateLimitError, ServerError, StatusError
from toolstone.wire.retry_after import retry_after

__all__ = ["SECRET", "TABLE", "Row", "Said", "failure", "read_error", "request_id", "sanitised"]


class Row(NamedTuple):
    """One line of the table; an empty field fits everything."""

    error: type[StatusError]
    retryable: bool
    words: frozenset[str] = frozenset()
    pattern: re.Pattern[str] | None = None
    statuses: frozenset[int] = frozenset()
    hint: str = ""
    means: str = ""
    """What it is about, in one word; see `StatusError.means`."""
    mend: str = ""
    """What may be tried once before it is final."""
    parameter: str = ""
    """The parameter it is about, where the error does not say."""

    def fits(self, status: int | None, said: Said) -> bool:
        """Whether this row speaks of that error."""
        if self.words and not self.words & {said.code, said.type}:
            return False
        if self.statuses and status not in self.statuses:
            return False
        return self.pattern is None or self.pattern.search(said.message) is not None

    def named(self, said: Said) -> str:
        """The parameter that an error of this row is about; empty if it says none."""
        found = self.pattern.search(said.message) if self.pattern is not None else None
        groups = found.groupdict().values() if found is not None else ()
        return said.param or next((name for name in groups if name), self.parameter)


class Said(NamedTuple):
    """What an error says of itself; absent parts are empty."""

    message: str = ""
    code: str = ""
    type: str = ""
    param: str = ""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text, re.IGNORECASE)


TABLE: Final[tuple[Row, ...]] = (
    Row(
        RateLimitError,
        retryable=False,
        words=_words(
            "insufficient_quota credit_balance_exhausted project_spend_limit_exceeded "
            "organization_spend_limit_exceeded billing_hard_limit_reached"
        ),
        hint="The account's quota is used up: add credit or raise the limit; waiting does not help",
        means="throttled",
    ),
    Row(
        RateLimitError,
        retryable=True,
        words=_words(
            "rate_limit_exceeded rate_limit_error too_many_requests throttling_error "
            "ThrottlingException TooManyRequestsException"
        ),
        hint="Ask for less at once: fewer runs side by side, or a lower max_output_tokens",
        means="throttled",
    ),
    Row(
        ServerError,
        retryable=True,
        words=_words(
            "server_error internal_error internal_server_error model_error overloaded_error "
            "server_overloaded slow_down service_unavailable service_unavailable_error "
            "api_error timeout vector_store_timeout InternalServerException "
            "ServiceUnavailableException ModelErrorException"
        ),
        means="transient",
    ),
    Row(
        StatusError,
        retryable=False,
        words=_words("context_length_exceeded exceed_context_size_error"),
        hint="Send less: a shorter history, as with Agent(view=LastTurns(...) or Summary(...)), "
        "fewer tools, or truncation='auto'",
        means="context",
    ),
    Row(
        StatusError,
        retryable=False,
        words=_words("previous_response_not_found"),
        hint="The response to go on from is gone; go on from the local history (state='local')",
        means="state-lost",
        mend="rebuild",
    ),
    Row(
        StatusError,
        retryable=False,
        statuses=frozenset({400, 404}),
        pattern=_pattern(r"\bprevious[ _]response\b.*\b(not found|does not exist|unknown|expired)"),
        hint="The response to go on from is gone; go on from the local history (state='local')",
        means="state-lost",
        mend="rebuild",
    ),
    Row(
        StatusError,
        retryable=False,
        words=_words("invalid_encrypted_content"),
        hint="Reasoning from another service, region or time; leave these items out",
        means="malformed",
        mend="strip-reasoning",
    ),
    Row(
        StatusError,
        retryable=False,
        statuses=frozenset({400, 404}),
        pattern=_pattern(r"\bitem with id '?rs_\w+'? not found"),
        hint="Reasoning that the service did not keep; leave these items out, or use store=True",
        means="malformed",
        mend="strip-reasoning",
    ),
    Row(
        StatusError,
        retryable=False,
        words=_words("model_not_found"),
        hint="Check the model's name, and that this base URL serves it",
        means="model",
    ),
    Row(
        StatusError,
        retryable=False,
        words=_words("unsupported_parameter unsupported_value unknown_parameter"),
        hint="This model does not take the parameter; leave it out of the settings",
        means="gate",
    ),
    Row(
        AuthError,
        retryable=False,
        words=_words(
            "invalid_api_key authentication_error UnrecognizedClientException "
            "ExpiredTokenException unsupported_country_region_territory"
        ),
        hint="Check the key, and that it belongs to this service, region and model",
        means="auth",
    ),
    Row(
        AuthError,
        retryable=False,
        words=_words("permission_error access_denied AccessDeniedException"),
        hint="Who asks is known, and is not allowed to: check the permissions of the key",
        means="permission",
    ),
    Row(
        AuthError,
        retryable=False,
        statuses=frozenset({401, 403}),
        hint="Check the key, and that it belongs to this service, region and model",
        means="auth",
    ),
    Row(
        ServerError,
        retryable=True,
        pattern=_pattern(r"^\W*internal server error"),
        hint="The service calls it a bad request, but it broke itself",
        means="transient",
    ),
    Row(RateLimitError, retryable=True, statuses=frozenset({429}), means="throttled"),
    # 408 gave up waiting for us, 409 lost a race, 425 came too early: as the official library does.
    Row(StatusError, retryable=True, statuses=frozenset({408, 409, 425})),
    Row(ServerError, retryable=True, statuses=frozenset(range(500, 600)), means="transient"),
    Row(
        StatusError,
        retryable=False,
        statuses=frozenset({404}),
        pattern=_pattern(r"^conversation\b.*\bnot found"),
        hint="It was deleted, or never made: make one with `await model.conversations.create()` "
        "and give its id",
        means="state-lost",
        mend="rebuild",
    ),
    Row(
        StatusError,
        retryable=False,
        statuses=frozenset({404}),
        pattern=_pattern(r"^(response|item|message)\b.*\bnot found"),
        hint="It was deleted, has ended, or was never kept: store=True keeps a response",
        means="state-lost",
        mend="rebuild",
    ),
    Row(
        StatusError,
        retryable=False,
        statuses=frozenset({404}),
        hint="Check the base URL: it ends before /responses or /chat/completions, often in /v1",
    ),
    Row(
        StatusError,
        retryable=False,
        statuses=frozenset({405}),
        hint="Check the base URL: something else answers here",
    ),
    Row(StatusError, retryable=False, statuses=frozenset({413}), hint="Send less"),
    Row(StatusError, retryable=False, statuses=frozenset(range(300, 500))),
    # No status: an event of a stream, or a failed response, with a word we do not know.
    Row(
        ServerError,
        retryable=True,
        pattern=_pattern(r"overloaded|unavailable|capacity|timed? ?out|try again|temporar"),
    ),
    Row(StatusError, retryable=False),
)


def read_error(raw: object) -> Said:
    """Find message, code and type in whatever an error is told in.

    `{"error": {…}}`, `{"error": "text"}`, the flat form of events, AWS's `{"Message": …}`,
    FastAPI's `{"detail": …}`, or plain text.
    """
    if isinstance(raw, str):
        return Said(raw)
    if not isinstance(raw, Mapping):
        return Said()
    inner = raw.get("error") or raw
    if isinstance(inner, str):
        return Said(inner)
    if not isinstance(inner, Mapping):
        return Said()
    message = next((inner[k] for k in ("message", "Message", "detail") if inner.get(k)), "")
    if not isinstance(message, str):
        message = f"{type(message).__name__} of {len(str(message))} characters"
    kind = _word(inner.get("type")) or _word(inner.get("__type")).rpartition("#")[2]
    kind = "" if kind == "error" else kind
    return Said(message, _word(inner.get("code")), kind, _word(inner.get("param")))


def _word(raw: object) -> str:
    return str(raw) if isinstance(raw, str | int) and not isinstance(raw, bool) else ""


def failure(
    said: Said,
    *,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
    body: bytes = b"",
    cut: bool = False,
    phase: str = "response",
    secrets: Sequence[str] = (),
    table: Sequence[Row] = TABLE,
) -> StatusError:
    """The exception for an error that the service told.

    Args:
        said: What it said.
        status: The HTTP status, if it was told by one.
        headers: Of the answer: `retry-after`, `x-should-retry`, `x-request-id`, `location`.
        body: What arrived; its beginning is kept, without secrets.
        cut: Whether the body broke off.
        phase: Where it happened.
        secrets: Values of the headers that said who asks; neither they nor their last words appear.
        table: What errors mean here; its last row fits everything.
    """
    headers = headers or {}
    secrets = _secret_parts(secrets)
    if not said.code and not said.type:
        said = said._replace(type=headers.get("x-amzn-errortype", "").partition(":")[0])
    row = next(row for row in table if row.fits(status, said))
    wait = retry_after(headers)
    error = row.error(
        _message(row, said, status, headers, wait, secrets, cut=cut),
        phase=phase,
        retryable=_should_retry(headers, row),
        status=status,
        code=sanitised(said.code or said.type, secrets)[:80] or None,
        request_id=request_id(headers),
        retry_after=wait,
        body=_redacted(body[: limits.ERROR_BODY_BYTES], secrets),
    )
    error.outcome = "none"
    error.means, error.mend = row.means, row.mend
    error.param = sanitised(row.named(said), secrets)[:80]
    return error


def _should_retry(headers: Mapping[str, str], row: Row) -> bool:
    asked = headers.get("x-should-retry", "").strip().lower()
    return {"true": True, "false": False}.get(asked, row.retryable)


def _message(
    row: Row,
    said: Said,
    status: int | None,
    headers: Mapping[str, str],
    wait: float | None,
    secrets: Sequence[str],
    *,
    cut: bool,
) -> str:
    word = sanitised(said.code or said.type, secrets)[:80]
    what = "the service failed" if status is None else f"the service answered {status}"
    parts = [what + (f" ({word})" if word else "")]
    text = sanitised(said.message, secrets)
    if text:
        parts[0] += f": {text}"
    if status is not None and 300 <= status < 400:  # noqa: PLR2004  the class of redirects
        parts.append(_redirect(headers))
    if cut:
        parts.append("Its body broke off")
    if row.hint:
        parts.append(row.hint)
    if wait is not None:
        parts.append(f"It asks to wait {wait:g} s")
    found = request_id(headers)
    if found:
        parts.append(f"Request id {found}")
    return ". ".join(part.rstrip(". ") for part in parts)


def _redirect(headers: Mapping[str, str]) -> str:
    try:
        there = urlsplit(headers.get("location", ""))
        host = there.netloc.rpartition("@")[2]
        origin = f"{there.scheme}://{host}" if host else "the same host"
    except ValueError:
        origin = "somewhere that is no URL"
    return (
        f"It points to {sanitised(origin)[:200]}, and redirects are not followed: nothing was "
        "sent there. If that is the right place, give it as base_url"
    )


def request_id(headers: Mapping[str, str]) -> str | None:
    """The service's own id of a request."""
    found = headers.get("x-request-id") or headers.get("x-amzn-requestid")
    return sanitised(found)[:200] if found else None


SECRET: Final = re.compile(
    r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}|\bsk-[A-Za-z0-9_-]{8,}|\b(AKIA|ASIA)[A-Z0-9]{12,}"
    r"|\bbedrock-api-key-[A-Za-z0-9+/=_-]{8,}|\bX-Amz-Signature=[0-9a-f]+"
)
"""What looks like a key wherever it stands."""
_TAGS: Final = re.compile(r"(?is)<(script|style)\b.*?</\1\s*>|<[^<>]{0,2000}>")
_SHOWN: Final = 500
_SECRET_LENGTH: Final = 6  # shorter values would be found in any text


def sanitised(text: str, secrets: Sequence[str] = ()) -> str:
    """Text of a stranger as one printable line of at most 500 characters, without secrets."""
    text = redact(text)
    for secret in secrets:
        text = text.replace(secret, "[redacted]")
    text = SECRET.sub("[redacted]", text[: 8 * _SHOWN])
    if "<" in text:
        text = _TAGS.sub(" ", text)
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _SHOWN else line[:_SHOWN] + "…"


def _secret_parts(values: Sequence[str]) -> list[str]:
    """A header's value, and the key alone that a scheme stands before."""
    parts = {part for value in values for part in (value, value.rpartition(" ")[2])}
    return sorted((part for part in parts if len(part) >= _SECRET_LENGTH), key=len, reverse=True)


def _redacted(body: bytes, secrets: Sequence[str]) -> bytes:
    for secret in secrets:
        body = body.replace(secret.encode(), b"[redacted]")
    return body
