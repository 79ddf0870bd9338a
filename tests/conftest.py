"""Fixtures for the real pictures, weights and faces that live outside the repository.

They are looked for in the folder that ``VG_TEST_SHARED`` names, by default ``../shared`` beside
the checkout. A test that asks for what is not there is skipped; ``.ci/run`` fails when the
folder is there and such a test was skipped all the same.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

_ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("VG_TEST_SHARED", _ROOT.parent / "shared"))


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
