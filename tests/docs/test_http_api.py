"""``docs/http-api.md`` against the code: routes, options, error codes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from tests.docs.pages import DOCS, in_code, section, table
from visiongate.errors import all_errors
from visiongate.registry import BUILTIN
from visiongate.services import build_services
from visiongate.settings import Settings
from visiongate.web import option_table
from visiongate.web.app import create_app

PAGE = (DOCS / "http-api.md").read_text(encoding="utf-8")


@pytest.fixture
def app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    monkeypatch.chdir(tmp_path)
    settings = Settings(
        data_dir=tmp_path / "data",
        images_dir=tmp_path / "images",
        detectors_disabled=tuple(BUILTIN),  # /health/ready would load them
        offline=True,
    )
    services = build_services(settings)
    yield create_app(settings, services)
    services.close()


def test_every_error_code_is_documented_with_its_status() -> None:
    documented = {
        in_code(code)[0]: int(status) for code, status, _ in table(section(PAGE, "## Errors"))
    }
    known = {
        cls.code: cls.status for cls in all_errors() if cls.__module__.startswith("visiongate")
    }
    assert documented == known


def test_every_error_code_is_documented_once() -> None:
    codes = [row[0] for row in table(section(PAGE, "## Errors"))]
    assert len(codes) == len(set(codes))


def test_every_route_is_documented_with_its_methods(app: Flask) -> None:
    documented = {
        (route, method)
        for routes, methods, _, _ in table(section(PAGE, "## Routes"))
        for route in in_code(routes)
        for method in methods.split(", ")
    }
    served = {
        (rule.rule.replace("<string:", "<"), method)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert documented == served


def test_routes_without_a_token_are_those_that_the_page_says(app: Flask) -> None:
    client = app.test_client()
    for routes, methods, token, _ in table(section(PAGE, "## Routes")):
        for route in in_code(routes):
            with client.open(
                route.replace("<name>", "face"), method=methods.split(", ")[0]
            ) as answer:
                assert (answer.status_code == 401) == (token != "no"), (route, answer.status)


def test_every_option_is_documented() -> None:
    documented = {in_code(row[0])[0] for row in table(section(PAGE, "## Options"))}
    assert documented == option_table.OPTIONS.keys()
    assert set(option_table.COMMON) == {
        in_code(row[0])[0] for row in table(section(PAGE, "## Options")) if row[3] == "both"
    }
