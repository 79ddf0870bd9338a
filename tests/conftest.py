"""Fixtures for the real pictures, weights and faces that live outside the repository.

They are looked for in the folder that ``VG_TEST_SHARED`` names, by default ``../shared`` beside
the checkout. A test that asks for what is not there is skipped, unless ``VG_TEST_NO_SKIPS`` is
set, as ``.ci/run`` sets it where the folder is there: then a skipped test is a failed one.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import HealthCheck, settings

_ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("VG_TEST_SHARED", _ROOT.parent / "shared"))

NO_SKIPS = os.environ.get("VG_TEST_NO_SKIPS", "") not in ("", "0")

# The same examples in every run, each for as long as it takes: a change is to blame for what
# fails, never chance or a busy machine. `--hypothesis-profile=default` looks at new ones.
settings.register_profile(
    "steady", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("steady")

_Result = TypeVar("_Result", pytest.TestReport, pytest.CollectReport)


def _skip_is_failure(report: _Result) -> _Result:
    if NO_SKIPS and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid}: skipped, which VG_TEST_NO_SKIPS forbids ({reason})"
    return report


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Count a test that skips as failed where nothing may be skipped."""
    return _skip_is_failure((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Count a module that skips as failed where nothing may be skipped."""
    return _skip_is_failure((yield))


def _folder(name: str) -> Path:
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"needs {name}/ in the folder that VG_TEST_SHARED names")
    return folder


@pytest.fixture(scope="session")
def photos() -> Path:
    """The folder of real and hostile pictures, described by its ``manifest.csv``."""
    return _folder("photos")


@pytest.fixture(scope="session")
def weights() -> Path:
    """The folder of small real weights; serves as the model store's mirror."""
    return _folder("weights")


@pytest.fixture(scope="session")
def faces() -> Path:
    """The folder of labelled face crops."""
    return _folder("faces")
