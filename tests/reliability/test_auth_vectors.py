"""Block A, signatures: what AWS's published suites say they are, by header and in a URL."""

import datetime as dt
import hashlib
import tomllib
from urllib.parse import quote

import pytest
import toolstone_rows as rows

from toolstone.bedrock import Keys, signing

SUITES = tomllib.loads((rows.DATA / "sigv4.toml").read_text())
VECTORS = SUITES["vector"]
AT = dt.datetime(2015, 8, 30, 12, 36, tzinfo=dt.UTC).timestamp()
STAMP = "20150830T123600Z"
SCOPE = "AKIDEXAMPLE/20150830/us-east-1/service/aws4_request"


def token_of(vector):
    return SUITES["tokens"][vector["token"]] if "token" in vector else None


def signature(vector, url, headers):
    """Ours, by the steps of `sign` and `mint`."""
    keys = Keys("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", token_of(vector))
    signer, request = signing._prepared(keys, vector["method"], url, {}, "us-east-1", "service", AT)
    for name, value in headers:
        request.headers[name] = value  # adds; it does not replace
    request.data = vector.get("body", "").encode()
    if vector.get("exact"):
        signer._normalize_url_path = lambda path: quote(path or "/", safe="/~")
    return signer.signature(
        signer.string_to_sign(request, signer.canonical_request(request)), request
    )


def address(vector):
    """The URL as it is sent: what is not ASCII in a query is escaped."""
    [host] = [value for name, value in vector["headers"] if name.lower() == "host"]
    path, mark, query = vector["target"].partition("?")
    return f"https://{host}{path}{mark}{quote(query, safe='=&%+~')}"


def by_header(vector):
    sent = [(name.lower(), value) for name, value in vector["headers"]]
    added = {"x-amz-date": STAMP}
    if "token" in vector and not vector.get("late"):
        added["x-amz-security-token"] = token_of(vector)
    if vector.get("hash"):
        digest = hashlib.sha256(vector["body"].encode()).hexdigest()
        added["x-amz-content-sha256"] = digest
    present = {name for name, _ in sent}
    sent += [(name, value) for name, value in added.items() if name not in present]
    return signature(vector, address(vector), sent)


def by_query(vector):
    sent = [(name.lower(), value) for name, value in vector["headers"]]
    said = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": SCOPE,
        "X-Amz-Date": STAMP,
        "X-Amz-Expires": "3600",
        "X-Amz-SignedHeaders": ";".join(sorted({name for name, _ in sent})),
    }
    if "token" in vector and not vector.get("late"):
        said["X-Amz-Security-Token"] = token_of(vector)
    url = address(vector)
    more = "&".join(f"{name}={quote(value, safe='')}" for name, value in said.items())
    return signature(vector, f"{url}{'&' if '?' in url else '?'}{more}", sent)


def named(vectors):
    return [pytest.param(v, id=f"{'+'.join(v['suites'])}: {v['name']}") for v in vectors]


@pytest.mark.parametrize("vector", named(VECTORS))
def test_a10_a_request_is_signed_by_header_as_the_suites_say(vector):
    assert by_header(vector) == vector["header"]


@pytest.mark.parametrize("vector", named([v for v in VECTORS if "query" in v]))
def test_a10_a_url_is_signed_as_the_suite_says(vector):
    assert by_query(vector) == vector["query"]


def test_a10_the_suites_are_here_whole():
    counted = [suite for vector in VECTORS for suite in vector["suites"]]
    urls = sum("query" in vector for vector in VECTORS)
    assert (counted.count("aws-c-auth"), urls, counted.count("botocore")) == (38, 38, 34)
