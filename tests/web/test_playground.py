"""The playground's page without a browser: all of it from the gateway, nothing else let in."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from tests.web.checks import problem_of
from tests.web.conftest import MakeApp
from tests.web.html_page import HtmlPage
from visiongate.web import playground
from visiongate.web.playground import ASSETS

FOLDER = Path(playground.__file__).parent / "playground"
MODULES = sorted(name for name in ASSETS if name.endswith(".js"))


def test_the_page_has_all_it_needs_from_the_gateway(client: FlaskClient) -> None:
    answer = client.get("/")
    assert (answer.status_code, answer.mimetype) == (200, "text/html")
    page = HtmlPage(answer.text)
    assert page.inline == []
    loaded = [address for address in page.addresses if not address.startswith("#")]
    assert len(loaded) > 4
    for address in loaded:
        assert not address.startswith("/")  # relative, for gateways behind a proxy's prefix
        assert "//" not in address
        assert client.get(f"/{address}").status_code == 200, address


def test_the_page_lets_nothing_in(client: FlaskClient) -> None:
    policy = client.get("/").headers["Content-Security-Policy"]
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == rules["style-src"] == rules["connect-src"] == "'self'"
    assert rules["frame-ancestors"] == rules["form-action"] == rules["base-uri"] == "'none'"
    assert rules["require-trusted-types-for"] == "'script'"
    assert rules["trusted-types"] == "'none'"
    assert "unsafe" not in policy
    assert "http" not in policy


def test_the_page_may_use_the_camera_and_no_other_device(client: FlaskClient) -> None:
    allowed = client.get("/").headers["Permissions-Policy"]
    assert allowed == "camera=(self), microphone=(), geolocation=()"


def test_the_page_knows_the_limit_that_the_operator_set(make_app: MakeApp) -> None:
    text = make_app(max_upload_bytes=1_234_567).test_client().get("/").text
    assert '<meta name="visiongate-max-upload-bytes" content="1234567">' in text
    assert "<code>$TOKEN</code>" in text


def test_every_file_of_the_folder_is_served_or_the_page() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {*ASSETS, "page.html"}


@pytest.mark.parametrize("name", ASSETS)
def test_the_pages_files(client: FlaskClient, name: str) -> None:
    answer = client.get(f"/playground/{name}")
    assert answer.mimetype == ASSETS[name]
    assert answer.data == (FOLDER / name).read_bytes()
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    tag = answer.headers["ETag"]
    assert client.get(f"/playground/{name}", headers={"If-None-Match": tag}).status_code == 304


@pytest.mark.parametrize("name", ["page.html", "none.js", "..", "..%2fapp.py", "playground.py"])
def test_no_other_file_is_served(client: FlaskClient, name: str) -> None:
    problem_of(client.get(f"/playground/{name}"), 404, "not_found")


@pytest.mark.parametrize("name", MODULES)
def test_modules_import_what_is_there_and_ask_no_other_host(name: str) -> None:
    text = (FOLDER / name).read_text(encoding="utf-8")
    for imported in re.findall(r"""from "([^"]+)";""", text):
        assert imported.removeprefix("./") in ASSETS
    assert not re.search(r"https?://", text)
    assert len(text.splitlines()) < 250


def test_every_module_is_imported_by_the_page_or_another() -> None:
    text = "".join((FOLDER / name).read_text(encoding="utf-8") for name in ASSETS)
    text += (FOLDER / "page.html").read_text(encoding="utf-8")
    assert all(re.search(rf'(playground|\.)/{re.escape(name)}"', text) for name in MODULES)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_the_page_can_only_be_read(client: FlaskClient, method: str) -> None:
    problem_of(client.open("/", method=method), 405, "method_not_allowed")
