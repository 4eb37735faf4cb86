"""What AWS's own signers make is let in, and nothing that was touched afterwards."""

import base64
import dataclasses
import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given, settings
from hypothesis import strategies as st

from toolstone.bedrock.verify import AccessKey, Asked, LongTermKey, Verifier, VerifyError

LONG = AccessKey("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
SESSION = AccessKey("ASIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/other", "FwoGZXIvYXdzEBEaDFmyZg+/==")
URL = "https://bedrock-mantle.eu-central-1.api.aws/v1/responses"
BODY = b'{"model": "openai.gpt-oss-120b", "input": "ping"}'


def signed(key=LONG, *, service="bedrock-mantle", region="eu-central-1", method="POST", url=URL,
           body=BODY, headers=()):  # fmt: skip
    """A request signed by botocore, as a server receives it."""
    request = AWSRequest(method=method, url=url, data=body)
    for name, value in {"Content-Type": "application/json", **dict(headers)}.items():
        request.headers[name] = value
    SigV4Auth(Credentials(key.id, key.secret, key.session), service, region).add_auth(request)
    host, _, rest = url.removeprefix("https://").partition("/")
    sent = [("Host", host), *request.headers.items()]
    return Asked(method, f"/{rest}", sent, body, "bedrock-mantle", "eu-central-1")


def verifier(asked, *, later=timedelta(), keys=(LONG, SESSION)):
    """A verifier whose clock shows when the request was signed, or later."""
    stamp = asked.values("x-amz-date")[0]
    now = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) + later
    return Verifier(keys, clock=lambda: now)


def with_header(asked, name, value):
    kept = [pair for pair in asked.headers if pair[0].lower() != name.lower()]
    return dataclasses.replace(asked, headers=[*kept, *([(name, value)] if value else [])])


def changed(asked, name, old, new):
    value = asked.values(name)[0]
    assert old in value
    return with_header(asked, name, value.replace(old, new, 1))


def fault(verify, asked):
    with pytest.raises(VerifyError) as caught:
        verify(asked)
    return caught.value.fault


# --- signed requests


@pytest.mark.parametrize("key", [LONG, SESSION], ids=["permanent", "temporary"])
def test_what_botocore_signs_is_let_in_under_the_name_on_file(key):
    asked = signed(key)

    caller = verifier(asked)(asked)

    assert (caller.user, caller.kind, caller.account) == (key.user, "signature", "123456789012")


def test_a_declared_body_hash_and_a_query_are_part_of_what_is_signed():
    digest = hashlib.sha256(BODY).hexdigest()
    asked = signed(url=f"{URL}/resp_1?b=2&a=1%20x", headers=[("X-Amz-Content-SHA256", digest)])

    assert verifier(asked)(asked).kind == "signature"


PIECES = st.text("abcXYZ019-_.~", min_size=1, max_size=12)


@settings(deadline=None)  # the machine may be busy
@given(
    st.sampled_from([LONG, SESSION]),
    st.sampled_from(["GET", "POST", "DELETE"]),
    st.lists(PIECES, max_size=4),
    st.lists(st.tuples(PIECES, PIECES), max_size=3),
    st.binary(max_size=200),
    st.dictionaries(st.sampled_from(["OpenAI-Project", "Accept", "X-Other"]), PIECES),
)
def test_whatever_botocore_signs_is_let_in(key, method, path, query, body, headers):
    url = "https://h.example/" + "/".join(path)
    url += "?" + "&".join(f"{k}={v}" for k, v in query) if query else ""
    asked = signed(key, method=method, url=url, body=body, headers=headers.items())

    assert verifier(asked)(asked).user == key.user


@settings(deadline=None)
@given(st.data())
def test_whatever_is_changed_in_a_signed_request_it_is_refused(data):
    asked = signed(SESSION, url=f"{URL}?a=1", headers=[("OpenAI-Project", "proj_a")])
    pieces = {
        "method": asked.method,
        "target": asked.target,
        "body": asked.body.decode(),
        **{f"header {n}": value for n, (_, value) in enumerate(asked.headers)},
    }
    where = data.draw(st.sampled_from(sorted(pieces)))
    text = pieces[where]
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.sampled_from("aZ0/=%").filter(lambda c: c != text[at]))
    touched = text[:at] + other + text[at + 1 :]
    if where.startswith("header "):
        headers = list(asked.headers)
        headers[int(where[7:])] = (headers[int(where[7:])][0], touched)
        changed = dataclasses.replace(asked, headers=headers)
    else:
        value = touched.encode() if where == "body" else touched
        changed = dataclasses.replace(asked, **{where: value})

    with pytest.raises(VerifyError):
        verifier(asked)(changed)


TAMPERED = {
    "a changed body": ("signature", lambda a: dataclasses.replace(a, body=a.body + b" ")),
    "an emptied body": ("signature", lambda a: dataclasses.replace(a, body=b"")),
    "another path": ("signature", lambda a: dataclasses.replace(a, target="/openai/v1/responses")),
    "a query": ("signature", lambda a: dataclasses.replace(a, target=a.target + "?stream=true")),
    "another method": ("signature", lambda a: dataclasses.replace(a, method="PUT")),
    "another host": ("signature", lambda a: with_header(a, "Host", "bedrock-mantle.eu-central-1.api.aws.evil.test")),
    "a changed header": ("signature", lambda a: with_header(a, "Content-Type", "text/plain")),
    "a signed header taken away": ("signature", lambda a: with_header(a, "Content-Type", "")),
    "an amz header put in": ("unsigned", lambda a: with_header(a, "X-Amz-Target", "Other")),
    "a second host": ("malformed", lambda a: dataclasses.replace(a, headers=[*a.headers, ("host", "b")])),
    "another date": ("signature", lambda a: with_header(a, "X-Amz-Date", bumped(a))),
    "a date that is none": ("malformed", lambda a: with_header(a, "X-Amz-Date", "yesterday")),
    "a date that never was": ("malformed", lambda a: with_header(a, "X-Amz-Date", "20260231T000000Z")),
    "no date": ("malformed", lambda a: with_header(a, "X-Amz-Date", "")),
    "another day in the scope": ("date", lambda a: changed(a, "authorization", f"/{a.values('x-amz-date')[0][:8]}/", "/20200101/")),
    "a region renamed": ("region", lambda a: changed(a, "authorization", "/eu-central-1/", "/us-east-1/")),
    "a service renamed": ("service", lambda a: changed(a, "authorization", "/bedrock-mantle/", "/bedrock/")),
    "another key's name": ("session", lambda a: changed(a, "authorization", LONG.id, SESSION.id)),
    "a key nobody knows": ("unknown", lambda a: changed(a, "authorization", LONG.id, "AKIANOBODY")),
    "a scope too short": ("malformed", lambda a: changed(a, "authorization", "/aws4_request", "")),
    "a signature cut short": ("malformed", lambda a: with_header(a, "Authorization", a.values("authorization")[0][:-1])),
    "a signature of another request": ("signature", lambda a: with_header(a, "Authorization", a.values("authorization")[0][:-64] + "0" * 64)),
    "headers signed out of order": ("malformed", lambda a: changed(a, "authorization", "content-type;host", "host;content-type")),
    "host not signed": ("unsigned", lambda a: changed(a, "authorization", "content-type;host;", "content-type;")),
    "date not signed": ("unsigned", lambda a: changed(a, "authorization", ";x-amz-date", "")),
    "a session token out of nowhere": ("unsigned", lambda a: with_header(a, "X-Amz-Security-Token", "x")),
    "no authorization": ("missing", lambda a: with_header(a, "Authorization", "")),
    "basic authorization": ("malformed", lambda a: with_header(a, "Authorization", "Basic eDp5")),
    "two authorizations": ("malformed", lambda a: dataclasses.replace(a, headers=[*a.headers, ("authorization", "x")])),
}  # fmt: skip


def bumped(asked):
    stamp = asked.values("x-amz-date")[0]
    return f"{stamp[:-2]}{(int(stamp[-2]) + 1) % 10}Z"


@pytest.mark.parametrize("what", TAMPERED)
def test_what_was_touched_after_signing_is_refused(what):
    expected, touch = TAMPERED[what]
    asked = signed()

    assert fault(verifier(asked), touch(asked)) == expected


def test_a_body_that_is_not_the_declared_one_is_refused():
    asked = signed(headers=[("X-Amz-Content-SHA256", hashlib.sha256(BODY).hexdigest())])

    assert fault(verifier(asked), dataclasses.replace(asked, body=b"{}")) == "body"


def test_an_unsigned_payload_is_refused():
    asked = signed(headers=[("X-Amz-Content-SHA256", "UNSIGNED-PAYLOAD")])

    assert fault(verifier(asked), asked) == "body"


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"region": "us-east-1"}, "region"),
        ({"service": "bedrock"}, "service"),
        ({"key": dataclasses.replace(LONG, secret="other")}, "signature"),
        ({"key": dataclasses.replace(LONG, id="AKIANOBODY")}, "unknown"),
        ({"key": dataclasses.replace(SESSION, session=None)}, "session"),
        ({"key": dataclasses.replace(SESSION, session="stale")}, "session"),
    ],
    ids=["region", "service", "secret", "id", "token missing", "token wrong"],
)
def test_what_was_signed_wrongly_from_the_start_is_refused(wrong, expected):
    asked = signed(**wrong)

    assert fault(verifier(asked), asked) == expected


@pytest.mark.parametrize(("minutes", "good"), [(5, True), (-5, True), (5.1, False), (-5.1, False)])
def test_a_clock_may_be_off_by_five_minutes(minutes, good):
    asked = signed()
    verify = verifier(asked, later=timedelta(minutes=minutes))

    assert (verify(asked).kind if good else fault(verify, asked)) == (
        "signature" if good else "date"
    )


def test_credentials_that_have_ended_sign_nothing():
    asked = signed(SESSION)
    ended = dataclasses.replace(SESSION, expires=datetime.now(UTC) - timedelta(seconds=5))

    assert fault(verifier(asked, keys=[ended]), asked) == "expired"


# --- minted keys


def mint(key=LONG, region="eu-central-1", seconds=43_200, *, action="CallWithBearerToken"):
    """A short-term key as AWS describes it, signed by botocore."""
    request = AWSRequest("POST", "https://bedrock.amazonaws.com/", {"host": "bedrock.amazonaws.com"},
                         params={"Action": action})  # fmt: skip
    credentials = Credentials(key.id, key.secret, key.session)
    SigV4QueryAuth(credentials, "bedrock", region, expires=seconds).add_auth(request)
    return wrap(request.url.removeprefix("https://") + "&Version=1")


def wrap(text):
    return "bedrock-api-key-" + base64.b64encode(text.encode()).decode()


def unwrap(key):
    return base64.b64decode(key.removeprefix("bedrock-api-key-")).decode()


def bearing(key, name="Authorization"):
    value = f"Bearer {key}" if name == "Authorization" else key
    headers = [("Host", "bedrock-mantle.eu-central-1.api.aws"), (name, value)]
    return Asked("POST", "/v1/responses", headers, BODY, "bedrock-mantle", "eu-central-1",
                 ("authorization", "x-api-key"))  # fmt: skip


def at_minting(key, *, later=timedelta(), keys=(LONG, SESSION)):
    stamp = unwrap(key).partition("X-Amz-Date=")[2][:16]
    now = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) + later
    return Verifier(keys, clock=lambda: now)


@pytest.mark.parametrize("header", ["Authorization", "x-api-key"])
@pytest.mark.parametrize("key", [LONG, SESSION], ids=["permanent", "temporary"])
def test_a_minted_key_is_let_in_in_either_header(key, header):
    minted = mint(key)

    caller = at_minting(minted)(bearing(minted, header))

    assert (caller.user, caller.kind) == (key.user, "short-term")


@pytest.mark.parametrize("key", [LONG, SESSION], ids=["permanent", "temporary"])
def test_a_key_from_aws_s_own_generator_is_let_in(key):
    generator = pytest.importorskip("aws_bedrock_token_generator")
    credentials = Credentials(key.id, key.secret, key.session)

    minted = generator.BedrockTokenGenerator().get_token(credentials, "eu-central-1")

    assert at_minting(minted)(bearing(minted)).user == key.user


VECTORS = {
    "permanent": "bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29tLz9BY3Rpb249Q2FsbFdpdGhCZWFyZXJUb2tlbiZYLUFtei1BbGdvcml0aG09QVdTNC1ITUFDLVNIQTI1NiZYLUFtei1DcmVkZW50aWFsPUFLSUFJT1NGT0ROTjdFWEFNUExFJTJGMjAyNjExMjElMkZldS1jZW50cmFsLTElMkZiZWRyb2NrJTJGYXdzNF9yZXF1ZXN0JlgtQW16LURhdGU9MjAyNjExMjFUMjIzNjUzWiZYLUFtei1FeHBpcmVzPTYwMCZYLUFtei1TaWduZWRIZWFkZXJzPWhvc3QmWC1BbXotU2lnbmF0dXJlPTU2ZWY4OWQ5YzhlOTg2ODk3ZWMwZjM4MmRkZmE4ZmFlNTkzYjMyOTQzZjgzYTg5MzFiNmM2MzBjODUwNWY1NzYmVmVyc2lvbj0x",
    "temporary": "bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29tLz9BY3Rpb249Q2FsbFdpdGhCZWFyZXJUb2tlbiZYLUFtei1BbGdvcml0aG09QVdTNC1ITUFDLVNIQTI1NiZYLUFtei1DcmVkZW50aWFsPUFTSUFJT1NGT0ROTjdFWEFNUExFJTJGMjAyNjExMjElMkZldS1jZW50cmFsLTElMkZiZWRyb2NrJTJGYXdzNF9yZXF1ZXN0JlgtQW16LURhdGU9MjAyNjExMjFUMjIzNjUzWiZYLUFtei1FeHBpcmVzPTYwMCZYLUFtei1TaWduZWRIZWFkZXJzPWhvc3QmWC1BbXotU2VjdXJpdHktVG9rZW49RndvR1pYSXZZWGR6RUJFYURGbXlaZyUyQiUyRiUzRCUzRCZYLUFtei1TaWduYXR1cmU9ZDAyNWM3MmI3NTY3OWU5MjUzNmQ5NjhiMjZmM2JhYTk3MWRhMTM3N2I5MzBkYjA0MWIwNjJkZDBmMWEyNmQwNiZWZXJzaW9uPTE=",
}
"""Made once by AWS's generator 1.1.0 for eu-central-1, 600 s; long dead, the secrets are above."""


@pytest.mark.parametrize("kind", VECTORS)
def test_keys_once_made_by_aws_s_generator_stay_readable(kind):
    minted = VECTORS[kind]

    assert at_minting(minted)(bearing(minted)).kind == "short-term"
    assert fault(at_minting(minted, later=timedelta(seconds=600)), bearing(minted)) == "expired"


MEDDLED = {
    "no base64": ("malformed", lambda _: "bedrock-api-key-%%%"),
    "cut short": ("malformed", lambda key: key[:-8]),
    "nothing in it": ("malformed", lambda _: "bedrock-api-key-"),
    "no version": ("malformed", lambda key: wrap(unwrap(key).removesuffix("&Version=1"))),
    "another version": ("malformed", lambda key: wrap(unwrap(key)[:-1] + "2")),
    "another host": ("malformed", lambda key: wrap(unwrap(key).replace("bedrock.", "sts.", 1))),
    "another path": ("malformed", lambda key: wrap(unwrap(key).replace("/?", "/x?", 1))),
    "a second action": ("malformed", lambda key: wrap(unwrap(key).replace("?", "?Action=Other&", 1))),
    "a parameter more": ("malformed", lambda key: wrap(unwrap(key).replace("?", "?Extra=1&", 1))),
    "a longer life": ("signature", lambda key: wrap(unwrap(key).replace("Expires=600", "Expires=6000"))),
    "too long a life": ("malformed", lambda key: wrap(unwrap(key).replace("Expires=600", "Expires=43201"))),
    "no life": ("malformed", lambda key: wrap(unwrap(key).replace("Expires=600", "Expires=0"))),
    "another region": ("region", lambda key: wrap(unwrap(key).replace("eu-central-1", "us-east-1"))),
    "another service": ("service", lambda key: wrap(unwrap(key).replace("%2Fbedrock%2F", "%2Fsts%2F"))),
    "another day": ("malformed", lambda key: wrap(unwrap(key).replace("X-Amz-Date=20", "X-Amz-Date=19"))),
    "another caller": ("session", lambda key: wrap(unwrap(key).replace(LONG.id, SESSION.id))),
    "an unknown caller": ("unknown", lambda key: wrap(unwrap(key).replace(LONG.id, "AKIANOBODY"))),
    "a signature of zeros": ("signature", lambda key: wrap(unwrap(key)[:-74] + "0" * 64 + "&Version=1")),
    "a session out of nowhere": ("session", lambda key: wrap(unwrap(key).replace("&X-Amz-Signature", "&X-Amz-Security-Token=x&X-Amz-Signature"))),
}  # fmt: skip


@pytest.mark.parametrize("what", MEDDLED)
def test_a_minted_key_that_was_meddled_with_is_refused(what):
    expected, meddle = MEDDLED[what]
    minted = mint(seconds=600)

    assert fault(at_minting(minted), bearing(meddle(minted))) == expected


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"region": "us-east-1"}, "region"),
        ({"key": dataclasses.replace(LONG, secret="other")}, "signature"),
        ({"key": dataclasses.replace(SESSION, session=None)}, "session"),
        ({"key": dataclasses.replace(SESSION, session="stale")}, "session"),
        ({"action": "GetCallerIdentity"}, "malformed"),
    ],
    ids=["region", "secret", "token missing", "token wrong", "action"],
)
def test_a_key_minted_wrongly_is_refused(wrong, expected):
    minted = mint(**wrong)

    assert fault(at_minting(minted), bearing(minted)) == expected


def test_a_minted_key_lives_as_long_as_it_says():
    minted = mint(seconds=900)

    assert at_minting(minted, later=timedelta(seconds=899))(bearing(minted)).kind == "short-term"
    assert fault(at_minting(minted, later=timedelta(seconds=900)), bearing(minted)) == "expired"


def test_a_minted_key_ends_with_the_credentials_that_minted_it():
    minted = mint(SESSION)
    ended = dataclasses.replace(SESSION, expires=datetime.now(UTC) + timedelta(hours=1))

    assert at_minting(minted, keys=[ended])(bearing(minted)).kind == "short-term"
    verify = at_minting(minted, later=timedelta(hours=1, minutes=1), keys=[ended])
    assert fault(verify, bearing(minted)) == "expired"


def test_a_key_minted_in_the_future_is_refused():
    minted = mint()

    assert fault(at_minting(minted, later=-timedelta(minutes=6)), bearing(minted)) == "date"


# --- long-term keys


def test_a_long_term_key_is_let_in_if_it_is_on_file():
    known = LongTermKey("ABSKexample", "arn:aws:iam::123456789012:user/BedrockAPIKey-a1")
    verify = Verifier(long_term=[known])

    assert verify(bearing("ABSKexample")).user == known.user
    assert verify(bearing("ABSKexample", "x-api-key")).kind == "long-term"
    assert fault(verify, bearing("ABSKother")) == "unknown"
    assert fault(verify, bearing("sk-proj-leftover")) == "unknown"


def test_a_header_that_this_host_does_not_take_a_key_in_is_nobody():
    verify = Verifier(long_term=[LongTermKey("ABSKexample")])
    asked = dataclasses.replace(bearing("ABSKexample", "x-api-key"), bearers=("authorization",))

    assert fault(verify, asked) == "missing"


def test_without_a_clock_the_time_is_now():
    asked = signed()

    assert Verifier([LONG])(asked).kind == "signature"


# --- secrets


def test_no_secret_stands_in_a_repr_or_a_message():
    minted = mint(SESSION)
    asked = bearing(minted)
    shown = [repr(SESSION), repr(LongTermKey("ABSKexample")), repr(asked)]
    for touch in ("signature", "short"):
        with pytest.raises(VerifyError) as caught:
            Verifier([SESSION])(bearing(minted[:-4] if touch == "short" else mint(LONG)))
        shown.append(str(caught.value))

    for secret in (SESSION.secret, SESSION.session, minted[-40:], "ABSKexample"):
        assert not [text for text in shown if secret in text]
