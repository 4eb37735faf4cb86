"""The JSON of a chat completion becomes a `Response`; anything else is told for what it is. Pure.

How it ended is what `finish_reason` says:

| `finish_reason`                            | status, reason                              |
|--------------------------------------------|---------------------------------------------|
| `stop`, `tool_calls`, and their synonyms   | completed; calls count whichever it was     |
| `tool_calls`, and no call came             | `ProtocolError`: the call was lost on its way |
| `length`, and its synonyms                 | incomplete, `max_output_tokens`             |
| `content_filter`, and its synonyms         | incomplete, `content_filter`                |
| `error`, `abort` ...                       | `ServerError`                               |
| none                                       | `ProtocolError`: it is not the end          |
| any other word                             | that word: the run fails, and names it      |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from toolstone.chat.answer import read_message
from toolstone.errors import ProtocolError, ServerError
from toolstone.outcomes import needs_answer
from toolstone.ports import Response
from toolstone.responses.decode import decode
from toolstone.responses.failures import TABLE, failure, read_error, request_id, sanitised
from toolstone.responses.misread import json_object, misread, wrong_path
from toolstone.usage import Usage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from toolstone.errors import ServiceError
    from toolstone.responses.failures import Row

__all__ = ["completion_from", "parse_completion", "read_completion"]

JSON = dict[str, Any]

_NO_HEADERS: Final[Mapping[str, str]] = {}
_WANTED: Final = "a chat completion"
_CALLED: Final = frozenset({"tool_calls", "function_call", "tool_use"})
_ENDS: Final[dict[str, tuple[str, str | None]]] = {
    **dict.fromkeys(
        (*_CALLED, "stop", "eos", "eos_token", "end_turn", "stop_sequence", "complete"),
        ("completed", None),
    ),
    **dict.fromkeys(
        ("length", "max_tokens", "max_length", "model_length"),
        ("incomplete", "max_output_tokens"),
    ),
    **dict.fromkeys(
        ("content_filter", "content_filtered", "guardrail_intervened", "safety", "recitation"),
        ("incomplete", "content_filter"),
    ),
}
_BROKE: Final = frozenset({"error", "abort", "aborted", "insufficient_system_resource"})


def parse_completion(
    body: bytes,
    *,
    sent: bytes = b"",
    headers: Mapping[str, str] = _NO_HEADERS,
    secrets: Sequence[str] = (),
    table: Sequence[Row] = TABLE,
    tag: str = "",
) -> Response:
    """Read the body of a 200.

    Only `choices` must be there, with one choice that has a message and a `finish_reason`.

    Raises:
        ProtocolError: It is no chat completion, or does not say how it ended; says what it looks
            like and what to do.
        StatusError: It is an error.
    """
    if not body.startswith(b"{"):
        body = json_object(body, headers, _WANTED)
    raw = decode(body)
    if not isinstance(raw, dict):
        raise misread(f"JSON {type(raw).__name__}", "", body, headers, _WANTED)
    choice = _first_choice(raw)
    if not isinstance(choice, dict) or not isinstance(choice.get("message"), dict):
        raise _strange(raw, body, headers, secrets, table)
    return completion_from(
        raw, sent=sent, received=body, headers=headers, secrets=secrets, table=table, tag=tag
    )


def _first_choice(raw: JSON) -> object:
    """The first of the choices; one is asked for."""
    choices = raw.get("choices")
    return choices[0] if isinstance(choices, list) and choices else None


def completion_from(
    raw: JSON,
    *,
    sent: bytes = b"",
    received: bytes = b"",
    headers: Mapping[str, str] = _NO_HEADERS,
    secrets: Sequence[str] = (),
    table: Sequence[Row] = TABLE,
    tag: str = "",
) -> Response:
    """A `Response` from its decoded JSON object, whose first choice has a message.

    Raises:
        ProtocolError: A part of it is of no known shape, a call was lost, or it does not say how it
            ended; `partial` has what it holds.
        StatusError: It says that it broke; `partial` has what it holds.
    """
    response = read_completion(raw, sent=sent, received=received, tag=tag)
    choice: JSON = raw["choices"][0]
    if choice.get("error"):
        error: ServiceError = failure(
            read_error(choice["error"]), headers=headers, secrets=secrets, table=table
        )
    else:
        known = _distrusted(_word(choice.get("finish_reason")), response)
        if known is None:
            return response
        error = known
        error.request_id = request_id(headers)
    error.partial = response
    raise error


def read_completion(
    raw: JSON, *, sent: bytes = b"", received: bytes = b"", tag: str = ""
) -> Response:
    """What a completion holds; without a `finish_reason` its status is `in_progress`.

    Raises:
        ProtocolError: A part of it is of no known shape.
    """
    choice: JSON = raw["choices"][0]
    finish = _word(choice.get("finish_reason"))
    word = sanitised(finish)[:80]
    known = _ENDS.get(finish.lower())
    status, reason = known or (word or "in_progress", None)
    ident = _word(raw.get("id"))
    items = read_message(
        choice["message"],
        ident=ident,
        logprobs=choice.get("logprobs"),
        cut=status != "completed",
        tag=tag,
    )
    return Response(
        ident,
        status,
        items,
        read_usage(raw.get("usage")),
        _word(raw.get("model")),
        reason,
        None if known or not word else {"code": word, "message": "an unknown finish_reason"},
        service_tier=_word(raw.get("service_tier")) or None,
        sent=sent,
        received=received,
    )


def _distrusted(finish: str, response: Response) -> ServiceError | None:
    """Why an answer is none, if it is none."""
    if not finish:
        return ProtocolError(
            "the answer has no finish_reason: it is not whole",
            phase="body",
            outcome="partial",
            retryable=True,
        )
    if finish.lower() in _BROKE:
        return ServerError(f"the service broke off the answer: finish_reason {finish!r}")
    if finish.lower() in _CALLED and not any(map(needs_answer, response.items)):
        return ProtocolError(
            f"finish_reason is {finish!r}, and there is no call: the server lost one on its way. "
            "Check its chat template and tool parser",
            phase="body",
            retryable=True,
        )
    return None


def read_usage(raw: object) -> Usage:
    """Tokens, by the names of this protocol; what is absent, null or no number counts as 0."""
    if not isinstance(raw, dict):
        return Usage(requests=1)
    ins, outs = raw.get("prompt_tokens_details"), raw.get("completion_tokens_details")
    ins = ins if isinstance(ins, dict) else {}
    outs = outs if isinstance(outs, dict) else {}
    cached = ins.get("cached_tokens", raw.get("prompt_cache_hit_tokens"))
    thought = outs.get("reasoning_tokens", raw.get("reasoning_tokens"))
    return Usage.parse(
        {
            "input_tokens": raw.get("prompt_tokens"),
            "input_tokens_details": {**ins, "cached_tokens": cached},
            "output_tokens": raw.get("completion_tokens"),
            "output_tokens_details": {"reasoning_tokens": thought},
        }
    )


def _strange(
    raw: JSON,
    body: bytes,
    headers: Mapping[str, str],
    secrets: Sequence[str],
    table: Sequence[Row],
) -> Exception:
    if raw.get("error") or raw.get("object") == "error":
        said = read_error(raw)
        return failure(said, headers=headers, body=body[:1024], secrets=secrets, table=table)
    if (elsewhere := wrong_path(raw, body, headers, _WANTED)) is not None:
        return elsewhere
    if raw.get("object") == "response" or "output" in raw:
        then = "This is the newer API: write 'responses+https://host/v1#MODEL'"
        return misread("a response", then, body, headers, _WANTED)
    what = "a JSON object without choices"
    if isinstance(raw.get("choices"), list):
        what = "choices without a message" if raw["choices"] else "an empty list of choices"
    then = "Check that base_url is a Chat Completions endpoint"
    return misread(what, then, body, headers, _WANTED)


def _word(raw: object) -> str:
    return raw if isinstance(raw, str) else ""
