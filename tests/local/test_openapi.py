"""The endpoint describes itself: every route, with the shapes that requests are checked with."""

import html.parser
import re

import httpx
import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.routing import Route

from toolstone.local import Script, serve
from toolstone.local.app import make_app


@pytest.fixture(scope="module")
def endpoint():
    with serve(Script(["hi"])) as served:
        yield httpx.URL(served.base_url).copy_with(path="/")


@pytest.fixture(scope="module")
def document(endpoint):
    return httpx.get(endpoint.join("/openapi.json")).json()


def test_the_document_is_valid_openapi(document):
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_every_route_of_the_application_stands_in_it(document):
    routes = [route for route in make_app(Script([])).routes if isinstance(route, Route)]
    served = {
        (re.sub(r":\w+}", "}", route.path), method.lower())
        for route in routes
        for method in route.methods - {"HEAD"}
    }
    described = {
        (path, method)
        for path, methods in document["paths"].items()
        for method in methods
        if not method.startswith("x-")
    }

    assert described == served
    assert "x-websocket" in document["paths"]["/v1/responses"]


def test_every_operation_says_what_it_does_and_what_it_takes(document):
    bodiless = {"/v1/responses/{id}/cancel"}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if method.startswith("x-"):
                continue
            assert operation["summary"].endswith("."), (method, path)
            assert ("requestBody" in operation) == (method == "post" and path not in bodiless)


@pytest.mark.parametrize(
    ("body", "fits"),
    [
        ({"model": "m", "input": "x"}, True),
        ({"model": "m", "input": [{"role": "user", "content": "x"}]}, True),
        ({"model": "m", "input": "x", "temperature": 3}, False),
        ({"model": "m", "input": "x", "frobnicate": 1}, False),
        ({"input": "x"}, False),
    ],
)
def test_the_document_and_the_endpoint_agree_on_a_request(endpoint, document, body, fits):
    operation = document["paths"]["/v1/responses"]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    judge = Draft202012Validator({**schema, "components": document["components"]})
    status = httpx.post(endpoint.join("/v1/responses"), json=body).status_code

    assert (judge.is_valid(body), status == 200) == (fits, fits)


class Links(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.links = set(), []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.links += [value for name, value in attrs if name in ("href", "src")]


def test_the_page_takes_nothing_from_elsewhere_and_runs_no_script(endpoint, document):
    reply = httpx.get(endpoint.join("/docs"))
    page = Links()
    page.feed(reply.text)

    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in reply.headers["content-security-policy"]
    assert "script" not in page.tags
    assert all(link.startswith(("#", "/")) for link in page.links)
    for path in document["paths"]:
        assert path in reply.text


def test_both_are_open_to_who_has_no_key_yet():
    with serve(Script(["hi"]), api_key="k") as served:
        url = httpx.URL(served.base_url)
        replies = [httpx.get(url.join(path)) for path in ("/openapi.json", "/docs", "/v1/models")]

    assert [reply.status_code for reply in replies] == [200, 200, 401]
