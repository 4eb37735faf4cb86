"""The other side of authentication: requests and keys checked as AWS checks them.

Built on botocore's own signer: what came is signed again, as it came, with the secret that is on
file, and the two signatures are compared. An emulator of the service stands on this; a client
needs none of it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn, TypeAlias
from urllib.parse import parse_qsl

from toolstone._dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

__all__ = ["AccessKey", "Asked", "Caller", "Fault", "LongTermKey", "Verifier", "VerifyError"]

Fault = Literal[
    "missing",  # nobody said who they are
    "malformed",  # what they said cannot be read
    "unknown",  # no such access key or API key
    "signature",  # signed with another secret, or changed on the way
    "service",  # signed for another service
    "region",  # signed or minted for another region
    "date",  # signed too long ago, or in the future
    "expired",  # a minted key, or the credentials behind it, have ended
    "session",  # the session token is missing, wrong or not wanted
    "body",  # the body is not the one that was signed
    "unsigned",  # a header that must be signed is not
]

Pair: TypeAlias = tuple[str, str]

_ALGORITHM: Final = "AWS4-HMAC-SHA256"
_MINTED: Final = "bedrock-api-key-"
_MINTED_HOST: Final = "bedrock.amazonaws.com"
_MINTED_SERVICE: Final = "bedrock"
_MINTED_SECONDS: Final = 43_200
_STAMP: Final = "%Y%m%dT%H%M%SZ"
_SIGNED: Final = re.compile(
    _ALGORITHM + r" Credential=(?P<scope>[^,\s]+), ?SignedHeaders=(?P<headers>[a-z0-9;_-]+), ?"
    r"Signature=(?P<signature>[0-9a-f]{64})"
)


class VerifyError(Exception):
    """Nobody we know sent this.

    Attributes:
        fault: What is wrong, in one word.
        kind: How the caller tried to say who they are.
    """

    def __init__(self, fault: Fault, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.fault = fault
        self.kind = kind


Kind = Literal["signature", "short-term", "long-term", "none"]


@dataclass(frozen=True, slots=True)
class AccessKey:
    """An access key on file; with a session token if it is temporary."""

    id: str
    secret: str = field(repr=False)
    session: str | None = field(default=None, repr=False)
    user: str = "arn:aws:iam::123456789012:user/test"
    expires: datetime | None = None
    """When temporary credentials end, and every key minted from them."""


@dataclass(frozen=True, slots=True)
class LongTermKey:
    """A Bedrock API key of the long-term kind."""

    key: str = field(repr=False)
    user: str = "arn:aws:iam::123456789012:user/BedrockAPIKey-test"


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it arrived: nothing decoded, nothing left out.

    Args:
        method: The HTTP method.
        target: Path and query as they stood in the request line.
        headers: Name and value of every header, in order.
        body: The bytes of the body.
        service: The signing name this host expects.
        region: The region of this host.
        bearers: The headers in which this host takes an API key.
    """

    method: str
    target: str
    headers: Sequence[Pair] = field(repr=False)
    body: bytes = field(repr=False)
    service: str
    region: str
    bearers: Sequence[str] = ("authorization",)

    def values(self, name: str) -> list[str]:
        """Every value of a header."""
        return [value for key, value in self.headers if key.lower() == name]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request, and how that is known."""

    user: str
    """The ARN."""
    kind: Kind

    @property
    def account(self) -> str:
        """The account, from the ARN."""
        return self.user.split(":")[4]


class Verifier:
    """Knows the keys of an account and tells who sent a request.

    Args:
        keys: Access keys that may sign and mint.
        long_term: API keys of the long-term kind.
        clock: Gives the time in UTC, with its zone.
        skew: Seconds that the sender's clock may be off.
    """

    def __init__(
        self,
        keys: Iterable[AccessKey] = (),
        long_term: Iterable[LongTermKey] = (),
        *,
        clock: Callable[[], datetime] | None = None,
        skew: float = 300.0,
    ) -> None:
        self._keys: Mapping[str, AccessKey] = {key.id: key for key in keys}
        self._long_term = tuple(long_term)
        self._clock = clock or _utc_now
        self._skew = timedelta(seconds=skew)
        self._signers = _Signers()

    def __call__(self, asked: Asked) -> Caller:
        """Tell who sent this.

        Raises:
            VerifyError: Nobody we know did, or it was changed on the way.
        """
        bearer = _bearer(asked)
        if bearer is None:
            return self._signature(asked)
        if bearer.startswith(_MINTED):
            return self._minted(bearer, asked.region)
        for known in self._long_term:
            if hmac.compare_digest(known.key.encode(), bearer.encode()):
                return Caller(known.user, "long-term")
        raise VerifyError("unknown", "long-term", "no such API key")

    # --- a request that is signed

    def _signature(self, asked: Asked) -> Caller:
        found = _SIGNED.fullmatch(_only(asked, "authorization", "missing"))
        if not found:
            _no("malformed", "the Authorization header is no SigV4 signature")
        key, day = self._scope(found["scope"], asked.service, asked.region, "signature")
        stamp = _sent_at(asked)
        self._check_date(stamp, day)
        _check_body(asked)
        names = found["headers"].split(";")
        _check_signed_headers(asked, names)
        _check_session(key, asked.values("x-amz-security-token"))
        again = self._sign_again(asked, names, key, stamp)
        if not hmac.compare_digest(again, found["signature"]):
            _no("signature", "the signature is not the one we calculate for what arrived")
        return Caller(key.user, "signature")

    def _scope(self, scope: str, service: str, region: str, kind: Kind) -> tuple[AccessKey, str]:
        parts = scope.split("/")
        if len(parts) != 5 or parts[4] != "aws4_request":  # noqa: PLR2004  id, day, region, service, end
            raise VerifyError("malformed", kind, "the credential scope has not five parts")
        key_id, day, signed_region, signed_service, _ = parts
        if signed_region != region:
            message = f"signed for region {signed_region!r}; this is {region!r}"
            raise VerifyError("region", kind, message)
        if signed_service != service:
            message = f"signed for service {signed_service!r}; this is {service!r}"
            raise VerifyError("service", kind, message)
        key = self._keys.get(key_id)
        if key is None:
            raise VerifyError("unknown", kind, "no such access key")
        if key.expires and self._clock() >= key.expires:
            raise VerifyError("expired", kind, "the credentials have ended")
        return key, day

    def _check_date(self, stamp: str, day: str) -> None:
        sent = _read_stamp(stamp)
        if sent is None:
            _no("malformed", "the date is not written as 20261121T120000Z")
        if stamp[:8] != day:
            _no("date", "the day in the scope is not the day of the date")
        if abs(self._clock() - sent) > self._skew:
            _no("date", f"signed at {stamp}; more than {self._skew.total_seconds():g} s off")

    def _sign_again(self, asked: Asked, names: Sequence[str], key: AccessKey, stamp: str) -> str:
        url = f"https://{asked.values('host')[0]}{asked.target}"
        headers = [(name, value) for name in names for value in asked.values(name)]
        signer = self._signers.header(key, asked.service, asked.region, headers)
        return self._signers.sign(signer, asked.method, url, asked.body, stamp)

    # --- a minted key

    def _minted(self, bearer: str, region: str) -> Caller:
        signed, query, signature = _read_minted(bearer)
        key, day = self._scope(query["X-Amz-Credential"], _MINTED_SERVICE, region, "short-term")
        stamp, seconds = query["X-Amz-Date"], query["X-Amz-Expires"]
        self._check_life(stamp, day, seconds)
        if query.get("X-Amz-Security-Token") != key.session:
            raise VerifyError("session", "short-term", "not the session token of this access key")
        signer = self._signers.query(key, _MINTED_SERVICE, region, [("host", _MINTED_HOST)])
        again = self._signers.sign(signer, "POST", f"https://{signed}", b"", stamp)
        if not hmac.compare_digest(again, signature):
            raise VerifyError("signature", "short-term", "signed with another secret, or changed")
        return Caller(key.user, "short-term")

    def _check_life(self, stamp: str, day: str, seconds: str) -> None:
        minted = _read_stamp(stamp)
        if minted is None or stamp[:8] != day or not re.fullmatch(r"[1-9][0-9]{0,4}", seconds):
            raise VerifyError("malformed", "short-term", "its date or its life cannot be read")
        if int(seconds) > _MINTED_SECONDS:
            message = f"it is to live {seconds} s; at most {_MINTED_SECONDS}"
            raise VerifyError("malformed", "short-term", message)
        now = self._clock()
        if minted - now > self._skew:
            raise VerifyError("date", "short-term", "it was minted in the future")
        if now >= minted + timedelta(seconds=int(seconds)):
            raise VerifyError("expired", "short-term", "its life is over")


# --- reading what came


def _no(fault: Fault, message: str) -> NoReturn:
    raise VerifyError(fault, "none" if fault == "missing" else "signature", message)


def _bearer(asked: Asked) -> str | None:
    """The API key, if the caller shows one."""
    for name in asked.bearers:
        for value in asked.values(name):
            scheme, _, key = value.partition(" ")
            if name != "authorization":
                return value
            if scheme.lower() == "bearer":
                return key.strip()
    return None


def _only(asked: Asked, name: str, fault: Fault) -> str:
    values = asked.values(name)
    if not values:
        _no(fault, f"there is no {name} header")
    if len(values) > 1:
        _no("malformed", f"there are {len(values)} {name} headers")
    return values[0]


def _sent_at(asked: Asked) -> str:
    return _only(asked, "x-amz-date", "malformed")


def _read_stamp(stamp: str) -> datetime | None:
    if not re.fullmatch(r"[0-9]{8}T[0-9]{6}Z", stamp):
        return None
    try:
        return datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None


def _check_body(asked: Asked) -> None:
    for said in asked.values("x-amz-content-sha256"):
        if said != hashlib.sha256(asked.body).hexdigest():
            _no("body", "x-amz-content-sha256 is not the SHA-256 of the body")


def _check_signed_headers(asked: Asked, names: Sequence[str]) -> None:
    if sorted(set(names)) != list(names):
        _no("malformed", "the signed headers are not in order")
    present = {name.lower() for name, _ in asked.headers}
    if absent := set(names) - present:
        _no("signature", f"signed, but not sent: {', '.join(sorted(absent))}")
    needed = {"host", *(name for name in present if name.startswith("x-amz-"))}
    if forgotten := needed - set(names):
        _no("unsigned", f"sent, but not signed: {', '.join(sorted(forgotten))}")
    _only(asked, "host", "malformed")


def _check_session(key: AccessKey, shown: Sequence[str]) -> None:
    if list(shown) != ([] if key.session is None else [key.session]):
        _no("session", "not the session token of this access key")


def _read_minted(bearer: str) -> tuple[str, dict[str, str], str]:
    """Take a minted key apart: what was signed, its query, the signature."""
    try:
        text = base64.b64decode(bearer.removeprefix(_MINTED), validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        text = ""
    found = re.fullmatch(
        r"(?P<signed>[^&]*/\?[^#\s]*)&X-Amz-Signature=(?P<signature>[0-9a-f]{64})&Version=1", text
    )
    if not found or not found["signed"].startswith(f"{_MINTED_HOST}/?"):
        raise VerifyError("malformed", "short-term", "it is no minted key, or not all of one")
    pairs = parse_qsl(found["signed"].partition("?")[2], keep_blank_values=True)
    query = dict(pairs)
    wanted = {
        "Action": "CallWithBearerToken",
        "X-Amz-Algorithm": _ALGORITHM,
        "X-Amz-SignedHeaders": "host",
    }
    needed = {*wanted, "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires"}
    allowed = needed | {"X-Amz-Security-Token"}
    if len(query) != len(pairs) or not needed <= query.keys() <= allowed:
        raise VerifyError("malformed", "short-term", "a parameter is missing, double or unknown")
    if any(query[name] != value for name, value in wanted.items()):
        raise VerifyError("malformed", "short-term", "it is signed for something else")
    return found["signed"], query, found["signature"]


def _utc_now() -> datetime:
    return datetime.now(UTC)


# --- botocore


class _Signers:
    """botocore's signers, on a request as it came and at the time it names."""

    def __init__(self) -> None:
        from botocore import auth, awsrequest, compat, credentials  # noqa: PLC0415  heavy, at first use

        self._auth: Any = auth
        self._request: Any = awsrequest.AWSRequest
        self._headers: Any = compat.HTTPHeaders
        self._credentials: Any = credentials.Credentials

    def header(self, *settings: Any) -> Any:
        """The signer of requests."""
        return self._signer(self._auth.SigV4Auth, *settings)

    def query(self, *settings: Any) -> Any:
        """The signer of URLs."""
        return self._signer(self._auth.SigV4QueryAuth, *settings)

    def _signer(
        self, kind: Any, key: AccessKey, service: str, region: str, headers: Sequence[Pair]
    ) -> Any:
        signed = self._headers()
        for name, value in headers:
            signed[name] = value  # adds; it does not replace
        signer = kind(self._credentials(key.id, key.secret, key.session), service, region)
        signer.headers_to_sign = lambda _: signed  # those that were signed, not those it would sign
        return signer

    def sign(self, signer: Any, method: str, url: str, body: bytes, stamp: str) -> str:
        """The signature, in hexadecimal."""
        request = self._request(method=method, url=url, data=body)
        request.context["timestamp"] = stamp
        to_sign = signer.string_to_sign(request, signer.canonical_request(request))
        signature: str = signer.signature(to_sign, request)
        return signature
