"""The pages as a whole: links lead somewhere, commands exist, examples work, reasons are given."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from tests.docs.pages import DOCS, ROOT, code_blocks, section, table
from visiongate.contracts import Detector
from visiongate.types import Device, PredictOptions

PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.glob("*.md"))]
REQUIREMENTS = re.compile(r"^([a-z0-9-]+)", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_that_are_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_of_make_exist(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = re.findall(r"(?:^|`)make ([a-z-]+)", page.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(named) <= targets


def test_every_command_of_make_is_in_its_help() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony
    assert set(phony[1].split()) == set(re.findall(r"^([a-z-]+):.*## \w", makefile, re.MULTILINE))


def test_every_dependency_has_its_reason() -> None:
    page = (DOCS / "architecture.md").read_text(encoding="utf-8")
    rows = table(section(page, "## What each dependency is for"))
    reasoned = {name for packages, reason in rows if reason for name in packages.split(", ")}
    assert reasoned == set(REQUIREMENTS.findall((ROOT / "requirements.in").read_text()))


def test_the_detector_of_the_page_works() -> None:
    page = (DOCS / "writing-a-detector.md").read_text(encoding="utf-8")
    names: dict[str, object] = {"__name__": "page"}
    exec(code_blocks(page, "python")[0], names)
    detector = names["BrightDetector"](above=200)  # type: ignore[operator]
    assert isinstance(detector, Detector)
    detector.load(None, Device())  # type: ignore[arg-type]  # it needs no models
    picture = np.zeros((40, 60, 3), np.uint8)
    picture[20:, 30:] = 255
    ((found,), nothing) = detector.predict([picture, picture * 0], PredictOptions())
    assert found.box.as_pixels() == (30, 20, 60, 40)
    assert nothing == ()
    assert detector.model is not None
