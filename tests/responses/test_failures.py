"""The table of failures: what is said, what is tried again, and what never appears."""

import json
import re

import pytest

from toolstone import limits
from toolstone.errors import AuthError, RateLimitError, ServerError, StatusError
from toolstone.responses import failure, read_error
from toolstone.responses.failures import TABLE, Row, Said, request_id, sanitised

S, A, R, V = StatusError, AuthError, RateLimitError, ServerError


@pytest.mark.parametrize(
    ("status", "code", "kind", "message", "error", "retryable"),
    [
        # By status alone.
        (400, "", "", "", S, False),
        (401, "", "", "", A, False),
        (403, "", "", "", A, False),
        (404, "", "", "", S, False),
        (405, "", "", "", S, False),
        (408, "", "", "", S, True),
        (409, "", "", "", S, True),
        (413, "", "", "", S, False),
        (422, "", "", "", S, False),
        (425, "", "", "", S, True),
        (429, "", "", "", R, True),
        (500, "", "", "", V, True),
        (502, "", "", "", V, True),
        (503, "", "", "", V, True),
        (504, "", "", "", V, True),
        (529, "", "", "", V, True),
        (307, "", "", "", S, False),
        # Codes and types of OpenAI and Open Responses.
        (400, "unsupported_parameter", "invalid_request_error", "", S, False),
        (400, "context_length_exceeded", "", "", S, False),
        (400, "exceed_context_size_error", "", "", S, False),
        (400, "previous_response_not_found", "", "", S, False),
        (404, "previous_response_not_found", "", "", S, False),
        (400, "invalid_encrypted_content", "", "", S, False),
        (404, "model_not_found", "", "", S, False),
        (401, "invalid_api_key", "invalid_request_error", "", A, False),
        (429, "rate_limit_exceeded", "tokens", "", R, True),
        (429, "", "too_many_requests", "", R, True),
        (429, "insufficient_quota", "insufficient_quota", "", R, False),
        (429, "credit_balance_exhausted", "", "", R, False),
        (429, "project_spend_limit_exceeded", "", "", R, False),
        (429, "organization_spend_limit_exceeded", "", "", R, False),
        (500, "", "model_error", "", V, True),
        (503, "server_overloaded", "", "", V, True),
        # Bedrock.
        (400, "validation_error", "invalid_request_error", "Internal server error", V, True),
        (401, "access_denied", "", "User: x is not authorized", A, False),
        (400, "validation_error", "", "unknown variant", S, False),
        (429, "", "ThrottlingException", "", R, True),
        # In a stream there is no status.
        (None, "server_error", "", "", V, True),
        (None, "rate_limit_exceeded", "", "", R, True),
        (None, "insufficient_quota", "", "", R, False),
        (None, "", "overloaded_error", "", V, True),
        (None, "", "", "The server is overloaded, please try again", V, True),
        (None, "", "", "Internal server error", V, True),
        (None, "invalid_prompt", "", "no", S, False),
        (None, "", "", "", S, False),
    ],
)
def test_the_table(status, code, kind, message, error, retryable):
    made = failure(Said(message, code, kind), status=status)

    assert (type(made), made.retryable, made.status) == (error, retryable, status)


SAYINGS = (
    "Internal server error",
    "overloaded",
    "Previous response with id 'resp_1' not found.",
    "Conversation with id 'conv_1' not found.",
    "Response with id 'resp_1' not found.",
    "Item with id 'rs_1' not found.",
)


def test_every_row_can_be_reached():
    """A row that another one above always takes first would be dead."""
    for row in TABLE:
        said = Said("x", next(iter(row.words), ""), "")
        if row.pattern is not None:
            said = Said(next(text for text in SAYINGS if row.pattern.search(text)))
        status = next(iter(sorted(row.statuses)), None)
        assert next(r for r in TABLE if r.fits(status, said)) is row


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (
            {"error": {"message": "m", "type": "t", "code": "c", "param": "p"}},
            Said("m", "c", "t", "p"),
        ),
        ({"error": {"message": "m", "type": "t", "code": None}}, Said("m", "", "t")),
        ({"error": {"message": "m", "code": 400}}, Said("m", "400", "")),
        ({"error": "text"}, Said("text")),
        ({"type": "error", "code": "c", "message": "m"}, Said("m", "c", "")),
        ({"type": "error", "error": {"type": "t", "message": "m"}}, Said("m", "", "t")),
        ({"Message": "m"}, Said("m")),
        ({"message": "m"}, Said("m")),
        (
            {"message": "m", "__type": "com.amazon#ThrottlingException"},
            Said("m", "", "ThrottlingException"),
        ),
        ({"message": "m", "__type": "ThrottlingException"}, Said("m", "", "ThrottlingException")),
        ({"detail": "m"}, Said("m")),
        ({"detail": [{"loc": ["body"], "msg": "secret"}]}, Said("list of 36 characters")),
        ("plain", Said("plain")),
        (None, Said()),
        ([], Said()),
        ({}, Said()),
        ({"error": {}}, Said()),
        ({"error": ["x"]}, Said()),
    ],
)
def test_an_error_is_found_in_whatever_it_is_told_in(raw, said):
    assert read_error(raw) == said


@pytest.mark.parametrize(
    ("said", "header", "error", "code"),
    [
        (Said("m"), "ThrottlingException:http://internal.example/", R, "ThrottlingException"),
        (Said("m"), "ThrottlingException", R, "ThrottlingException"),
        (Said("m", code="c"), "ThrottlingException", S, "c"),
        (Said("m", type="t"), "ThrottlingException", S, "t"),
        (Said("m"), "", S, None),
    ],
)
def test_the_name_in_amazons_header_counts_where_the_error_has_none(said, header, error, code):
    headers = {"x-amzn-errortype": header} if header else {}
    made = failure(said, status=400, headers=headers)

    assert (type(made), made.code) == (error, code)


@pytest.mark.parametrize(
    ("said", "parameter"),
    [
        (Said("field depth is none"), "depth"),
        (Said("option 'depth' is none"), "depth"),
        (Said("field depth is none", param="width"), "width"),
        (Said("there are none"), "height"),
        (Said("it broke"), ""),
    ],
)
def test_the_parameter_is_the_errors_or_the_one_in_its_words_or_the_rows(said, parameter):
    row = Row(
        StatusError,
        retryable=False,
        pattern=re.compile(r"field (?P<a>\w+)|option '(?P<b>\w+)'|none"),
        parameter="height",
    )

    assert failure(said, table=(row, Row(StatusError, retryable=False))).param == parameter


def test_an_error_says_where_it_came_from_and_that_nothing_was_done():
    error = failure(Said("m"))
    streamed = failure(Said("m"), phase="stream", body=b"beginning")

    assert (error.phase, error.outcome, error.body) == ("response", "none", b"")
    assert (streamed.phase, streamed.outcome, streamed.body) == ("stream", "none", b"beginning")


def test_each_lost_state_has_its_own_next_step():
    conversation = failure(Said("Conversation with id 'conv_1' not found."), status=404)
    response = failure(Said("Response with id 'resp_1' not found."), status=404)

    assert "model.conversations.create()" in str(conversation)
    assert "store=True" not in str(conversation)
    assert "store=True" in str(response)


def test_the_server_may_say_whether_to_try_again():
    said = Said("m")
    assert not failure(said, status=503, headers={"x-should-retry": "false"}).retryable
    assert failure(said, status=400, headers={"x-should-retry": "TRUE"}).retryable
    assert failure(said, status=503, headers={"x-should-retry": "maybe"}).retryable


def test_a_message_says_what_where_and_what_next():
    error = failure(
        Said("The model 'x' does not exist", "model_not_found"),
        status=404,
        headers={"x-amzn-requestid": "req_7", "retry-after": "3"},
    )

    assert str(error) == (
        "the service answered 404 (model_not_found): The model 'x' does not exist. "
        "Check the model's name, and that this base URL serves it. It asks to wait 3 s. "
        "Request id req_7"
    )
    assert (error.code, error.request_id, error.retry_after) == ("model_not_found", "req_7", 3.0)


@pytest.mark.parametrize(
    ("said", "options", "message"),
    [
        (Said(), {}, "the service failed"),
        (Said("it broke", type="odd"), {}, "the service failed (odd): it broke"),
        (Said("... it broke. . "), {}, "the service failed: ... it broke"),
        (Said("BOX"), {"cut": True}, "the service failed: BOX. Its body broke off"),
        (Said(), {"status": 413, "cut": True}, "the service answered 413. Its body broke off. Send less"),
        (Said("m"), {"status": 422}, "the service answered 422: m"),
        (
            Said("m", "x" * 100),
            {"headers": {"x-request-id": "req_1", "x-amzn-requestid": "req_2"}},
            f"the service failed ({'x' * 80}): m. Request id req_1",
        ),
    ],
)  # fmt: skip
def test_a_message_has_only_what_is_known(said, options, message):
    assert str(failure(said, **options)) == message


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308, 399])
def test_a_redirect_says_that_it_was_not_followed(status):
    error = failure(Said(), status=status, headers={"location": "https://evil.example/"})

    assert str(error) == (
        f"the service answered {status}. It points to https://evil.example, and redirects are not "
        "followed: nothing was sent there. If that is the right place, give it as base_url"
    )
    assert "points to" not in str(failure(Said(), status=400))


def test_what_strangers_say_in_headers_and_names_is_cut_short():
    long = "x" * 1000
    away = failure(Said(), status=307, headers={"location": f"https://{long}"})
    error = failure(Said("m", long, param=long))

    assert f" points to https://{'x' * 192}, and" in str(away)
    assert (error.code, error.param) == ("x" * 80, "x" * 80)
    assert request_id({"x-request-id": long}) == "x" * 200
    assert request_id({}) is None


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        ("https://evil.example/path?token=abc", "https://evil.example,"),
        ("/elsewhere", "the same host,"),
        ("", "the same host,"),
        ("https://[bad", "somewhere that is no URL,"),
        ("https://user:pass@evil.example/", "https://evil.example,"),
        ("http://user:pass@127.0.0.1:8080/", "http://127.0.0.1:8080,"),
        ("http://[::1]:8080/v1", "http://[::1]:8080,"),
    ],
)
def test_a_redirect_names_the_origin_it_points_to_and_nothing_more(location, shown):
    error = failure(Said(), status=307, headers={"location": location})

    assert f"It points to {shown}" in str(error)
    assert "not followed" in str(error)
    assert not {"token", "abc", "pass"} & set(str(error).replace("?", " ").split())


def test_what_said_who_asks_never_appears():
    key = "sk-live-0123456789abcdef"
    body = json.dumps({"error": {"message": f"bad key {key}", "code": key}}).encode()
    error = failure(read_error(json.loads(body)), status=401, body=body, secrets=[f"Bearer {key}"])

    for place in (str(error), repr(error), error.code, error.body.decode(), str(vars(error))):
        assert key not in place


@pytest.mark.parametrize(
    ("header", "hidden"),
    [
        ("Bearer kestrel", ["Bearer kestrel", "kestrel"]),
        ("AWS4 one kestrel", ["AWS4 one kestrel", "kestrel"]),
        ("kestrel", ["kestrel"]),
        ("sixsix", ["sixsix"]),
        ("Bearer fives", ["Bearer fives"]),
    ],
)
def test_a_header_that_said_who_asks_is_hidden_whole_and_its_last_word_alone(header, hidden):
    for secret in hidden:
        said = f"no {secret} here"
        error = failure(Said(said, said, param=said), body=said.encode(), secrets=[header])

        assert str(error) == "the service failed (no [redacted] here): no [redacted] here"
        assert (error.code, error.param) == ("no [redacted] here", "no [redacted] here")
        assert error.body == b"no [redacted] here"


def test_a_word_too_short_to_be_a_key_is_left_alone():
    assert str(failure(Said("fives"), secrets=["Bearer fives"])) == "the service failed: fives"


def test_the_longest_secret_is_hidden_first():
    for long in ("aazzzzzz", "zzzzzzaa"):
        error = failure(Said(f"no {long}"), secrets=["zzzzzz", long])
        assert str(error) == "the service failed: no [redacted]"


def test_of_a_body_the_beginning_is_kept(monkeypatch):
    monkeypatch.setattr(limits, "ERROR_BODY_BYTES", 4)

    assert failure(Said(), body=b"12345").body == b"1234"


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer abcdefgh12345678",
        "bearer abcdefgh12345678 is wrong",
        "key sk-abcdefgh12345678",
        "AKIAABCDEFGH12345678",
        "Basic abcdefgh12345678",
        "bedrock-api-key-abcdefgh12345678",
    ],
)
def test_what_looks_like_a_key_is_hidden(text):
    assert "abcdefgh" not in sanitised(text).lower()


def test_text_of_strangers_is_one_short_printable_line():
    assert sanitised("a\nb\t\x1b[31mc\0\u202ed") == "a b [31mc d"
    assert sanitised("x" * 10_000) == "x" * 500 + "…"
    assert sanitised("x" * 500) == "x" * 500
    assert sanitised("key sk-abcdefgh12345678, no") == "key [redacted], no"
    assert [sanitised(" " * n + "x") for n in (3999, 4000)] == ["x", ""]  # the rest is not read
    assert (
        sanitised("<html><script>alert(1)</script><b>502 Bad Gateway</b></html>")
        == "502 Bad Gateway"
    )
    assert sanitised("<" * 100_000)  # in linear time
