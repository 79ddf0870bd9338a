"""``docs/configuration.md`` against the settings and the detectors' own options."""

from __future__ import annotations

import ast
import importlib
import inspect
import sys
import typing

import pytest

from tests.docs.pages import DOCS, ROOT, code_blocks, in_code, section
from visiongate import settings
from visiongate.registry import BUILTIN
from visiongate.settings import PREFIX, Settings
from visiongate.web.compat import ROUTES

PAGE = (DOCS / "configuration.md").read_text(encoding="utf-8")
SOURCES = [
    *(ROOT / "visiongate").rglob("*.py"),
    *(ROOT / "db").rglob("*.py"),
    ROOT / "api.py",
    ROOT / "adduser.py",
]


def test_the_table_is_the_one_that_the_code_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "tools"))
    module = importlib.import_module("settings_table")
    assert module.with_table(PAGE) == PAGE, "run: make docs"


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_in_the_page_with_its_meaning(name: str) -> None:
    description = Settings.model_fields[name].description
    assert description
    assert f"`{PREFIX}{name.upper()}`" in PAGE
    assert description in PAGE


def names_read() -> set[str]:
    """Return each NAME that stands somewhere as ``settings.NAME``."""
    found = set()
    for source in SOURCES:
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute):
                owner = node.value
                called = getattr(owner, "id", getattr(owner, "attr", ""))
                if called == "settings":
                    found.add(node.attr)
    return found


def test_every_setting_is_read_somewhere() -> None:
    assert Settings.model_fields.keys() - names_read() == set()


@pytest.mark.parametrize("name", BUILTIN)
def test_every_option_of_a_detector_is_in_the_page(name: str) -> None:
    module, _, cls = BUILTIN[name].partition(":")
    factory = getattr(importlib.import_module(module), cls)
    taken = {
        option.name
        for option in inspect.signature(factory).parameters.values()
        if option.kind is not option.VAR_KEYWORD
    }
    documented = in_code(section(PAGE, f"### `[detectors.{name}]`"))
    assert taken <= set(documented)


def test_examples_are_settings_that_can_be_read() -> None:
    tomllib = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    blocks = code_blocks(PAGE, "toml")
    assert blocks
    for block in blocks:
        assert Settings(**tomllib.loads(block)).model_fields_set


def test_open_routes_are_the_compatibility_routes() -> None:
    assert set(typing.get_args(settings.Route)) == set(ROUTES)
