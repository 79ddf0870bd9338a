"""The specification: whole, valid, true to the routes, and readable in a page of our own."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate

from tests.web.checks import problem_of
from tests.web.conftest import MakeApp
from visiongate import __version__
from visiongate.errors import (
    AuthenticationError,
    ConfigurationError,
    MethodNotAllowed,
    all_errors,
)
from visiongate.registry import Registry
from visiongate.services import Services
from visiongate.web import compat
from visiongate.web.openapi import ASSETS
from visiongate.web.option_table import ANNOTATED, BY_DETECTOR, COMMON, MANY, OPTIONS
from visiongate.web.reading import Members

Document = dict[str, Any]

METHODS = {"get", "post", "put", "patch", "delete"}
NEVER_ANSWERED = {
    AuthenticationError,
    ConfigurationError,  # at start
    MethodNotAllowed,  # by what is no operation
}


@pytest.fixture
def document(client: FlaskClient) -> Document:
    answer = client.get("/openapi.json")
    assert answer.status_code == 200
    assert answer.mimetype == "application/json"
    written: Document = answer.get_json()
    return written


def operations(document: Document) -> Iterator[tuple[str, str, Document]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def resolved(document: Document, value: Any) -> Any:
    while isinstance(value, dict) and "$ref" in value:
        found: Any = document
        for part in value["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        value = found
    return value


def media(document: Document) -> Iterator[tuple[str, str, Document]]:
    """Yield where, the media type, and its object, of every body and every answer."""
    for method, path, operation in operations(document):
        bodies = {"body": operation.get("requestBody", {}), **operation["responses"]}
        for name, body in bodies.items():
            for kind, content in body.get("content", {}).items():
                yield f"{method} {path} {name}", kind, content


def test_it_is_valid(document: Document) -> None:
    assert document["openapi"].startswith("3.1.")
    validate(document)
    assert document["info"]["version"] == __version__


def test_it_has_every_route_and_no_other(app: Flask, document: Document) -> None:
    served = {
        (re.sub(r"<(?:string:)?(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set())
        if method.lower() in METHODS
    }
    described = {(path, method) for method, path, _ in operations(document)}
    # mlapi's detectors have operations of their own, for their own options.
    own = {(f"/api/v1/detect/{name}", "post") for name in BY_DETECTOR}
    assert described == served | own


def test_every_operation_has_a_name_and_words(document: Document) -> None:
    every = [operation for _, _, operation in operations(document)]
    names = [operation["operationId"] for operation in every]
    assert len(names) == len(set(names))
    tags = {tag["name"] for tag in document["tags"]}
    for operation in every:
        assert operation["summary"]
        assert set(operation["tags"]) <= tags
        assert all(one["description"] for one in operation.get("parameters", ()))


def test_tokens_are_asked_for_where_the_specification_says(
    client: FlaskClient, document: Document
) -> None:
    for method, path, operation in operations(document):
        url = re.sub(r"\{\w+\}", "face", path)
        status = client.open(url, method=method.upper()).status_code
        if operation["operationId"] != "login":
            assert (status == 401) == bool(operation["security"]), (method, path, status)


@pytest.mark.parametrize("route", compat.ROUTES)
def test_opened_routes_need_no_token(make_app: MakeApp, route: str) -> None:
    opened = make_app(open_routes=(route,)).test_client().get("/openapi.json").get_json()
    for other in compat.ROUTES:
        security = opened["paths"][other]["post"]["security"]
        assert ({} in security) == (other == route)
        assert {"accessToken": []} in security


def test_options_are_those_that_the_routes_read(document: Document) -> None:
    def query(path: str, method: str = "post") -> set[str]:
        parameters = document["paths"][path][method]["parameters"]
        return {one["name"] for one in parameters if one["in"] == "query"}

    assert query("/api/v1/detect") == {*COMMON, *MANY}
    assert query("/api/v1/detect/{name}") == set(COMMON)
    for name, own in BY_DETECTOR.items():
        assert query(f"/api/v1/detect/{name}") == {*COMMON, *own}
    assert query("/api/v1/images/{picture_id}", "get") == {"annotated"}


@pytest.mark.parametrize("name", OPTIONS)
def test_an_options_example_fits_its_schema_and_its_parser(name: str) -> None:
    option = OPTIONS[name]
    Draft202012Validator(option.schema).validate(option.example)
    sent = option.example
    if isinstance(sent, list) and not option.as_json:
        sent = ",".join(map(str, sent))
    else:
        sent = json.dumps(sent).strip('"')
    parsed = option.parse(name, sent)
    in_a_body = json.loads(json.dumps(option.example), object_pairs_hook=Members)
    assert parsed == option.parse(name, in_a_body)


def test_the_switch_of_kept_pictures_fits_its_schema() -> None:
    Draft202012Validator(ANNOTATED.schema).validate(ANNOTATED.example)
    assert ANNOTATED.parse("annotated", "true") is ANNOTATED.example


def test_detectors_are_those_of_this_gateway(document: Document, services: Services) -> None:
    registry: Registry = services.registry
    (named,) = (
        one
        for one in document["paths"]["/api/v1/detect"]["post"]["parameters"]
        if one["name"] == "detectors"
    )
    assert named["schema"]["items"]["enum"] == list(registry.names())


def test_every_body_and_answer_has_an_example_that_fits(document: Document) -> None:
    checked = 0
    for where, kind, content in media(document):
        schema = {**document, **content["schema"]}
        if resolved(document, content["schema"]).get("format") == "binary":
            continue  # pictures; no example of bytes fits into JSON
        if kind == "multipart/form-data":
            continue
        examples = [one["value"] for one in map_examples(document, content)]
        assert examples, f"{where} {kind} has no example"
        for example in examples:
            Draft202012Validator(schema).validate(example)
            checked += 1
    assert checked > 100


def map_examples(document: Document, content: Document) -> Iterator[Document]:
    if "example" in content:
        yield {"value": content["example"]}
    for one in content.get("examples", {}).values():
        yield resolved(document, one)


def test_every_error_that_can_be_answered_is_somewhere_with_an_example(document: Document) -> None:
    described = {
        code
        for _, kind, content in media(document)
        if kind == "application/problem+json"
        for code in content["examples"]
    }
    answered = {
        cls.code
        for cls in all_errors()
        if cls.__module__ == "visiongate.errors" and cls not in NEVER_ANSWERED
    }
    assert described == answered
    examples = document["components"]["examples"]
    for cls in all_errors():
        if cls.__module__ == "visiongate.errors":
            assert examples[cls.code]["value"]["status"] == cls.status


def test_nothing_is_declared_that_nothing_uses(document: Document) -> None:
    text = json.dumps(document)
    unused = {
        f"#/components/{kind}/{name}"
        for kind in ("schemas", "headers")
        for name in document["components"][kind]
        if f'"#/components/{kind}/{name}"' not in text
    }
    assert unused == set()


def test_it_is_sent_once_to_who_keeps_it(client: FlaskClient) -> None:
    first = client.get("/openapi.json")
    tag = first.headers["ETag"]
    assert first.headers["Cache-Control"] == "no-cache"
    again = client.get("/openapi.json", headers={"If-None-Match": tag})
    assert (again.status_code, again.data) == (304, b"")
    assert client.get("/openapi.json", headers={"If-None-Match": '"other"'}).data == first.data


def test_the_server_is_where_the_gateway_is_reached(make_app: MakeApp) -> None:
    def server(**changes: Any) -> str:
        client = make_app(**changes).test_client()
        headers = {"X-Forwarded-Prefix": "/vision"}
        url: str = client.get("/openapi.json", headers=headers).get_json()["servers"][0]["url"]
        return url

    assert server() == "/"  # whoever is no proxy of ours says nothing about it
    assert server(trusted_proxies=1) == "/vision"


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.inline: list[str] = []
        self._script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.addresses += [value for name in ("src", "href") if (value := given.get(name))]
        self._script = tag in ("script", "style")
        assert not [name for name in given if name.startswith("on") or name == "style"]

    def handle_data(self, data: str) -> None:
        if self._script and data.strip():
            self.inline.append(data)


def test_the_page_has_all_it_needs_from_the_gateway(client: FlaskClient) -> None:
    answer = client.get("/docs")
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    page = _Page()
    page.feed(answer.text)
    assert page.inline == []
    assert len(page.addresses) > 4
    for address in page.addresses:
        assert "//" not in address
        found = client.get(f"/{address}")  # relative to /docs
        assert found.status_code == 200, address
        assert found.headers["X-Content-Type-Options"] == "nosniff"


def test_the_page_runs_no_script_but_ours(client: FlaskClient) -> None:
    policy = client.get("/docs").headers["Content-Security-Policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == "'self'"
    assert rules["connect-src"] == "'self'"
    assert "unsafe" not in policy
    assert "http" not in policy
    assert rules["frame-ancestors"] == "'none'"


def test_the_page_asks_no_other_host(client: FlaskClient) -> None:
    start = client.get("/docs/start.js")
    assert start.mimetype == "text/javascript"
    assert "validatorUrl: null" in start.text
    assert "//" not in re.sub(r"^\s*//.*$", "", start.text, flags=re.MULTILINE)


@pytest.mark.parametrize("name", ASSETS)
def test_the_pages_files(client: FlaskClient, name: str) -> None:
    answer = client.get(f"/docs/{name}")
    folder, media_type = ASSETS[name]
    assert answer.mimetype == media_type
    assert answer.data == (folder / name).read_bytes()
    tag = answer.headers["ETag"]
    assert client.get(f"/docs/{name}", headers={"If-None-Match": tag}).status_code == 304


@pytest.mark.parametrize("name", ["index.css", "page.html", "..", "..%2fapp.py", "swagger-ui.js"])
def test_no_other_file_is_served(client: FlaskClient, name: str) -> None:
    problem_of(client.get(f"/docs/{name}"), 404, "not_found")
