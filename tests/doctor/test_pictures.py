"""Kept pictures torn, left over and forgotten, and found."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.doctor.conftest import Doctor
from visiongate.retention import FilePictureStore
from visiongate.types import Picture

Keep = Callable[..., Path]


@pytest.fixture
def keep(home: Path) -> Keep:
    """Return a function that keeps a picture and gives its folder."""

    def make(owner: str = "root", age: float = 0.0) -> Path:
        store = FilePictureStore(
            home / "images", max_age_seconds=1e9, max_bytes=10**9, clock=lambda: time.time() - age
        )
        picture = Picture(np.zeros((4, 4, 3), np.uint8), "JPEG")
        kept = store.keep(owner, b"the original", picture, b"the copy")
        return home / "images" / kept.id[:16] / kept.id

    return make


def test_all_is_well(data: Path, keep: Keep, doctor: Doctor) -> None:
    keep()
    answer = doctor("pictures")
    assert answer.status == 0
    assert answer.well("kept").startswith("Pictures: 1;")


@pytest.mark.parametrize("name", ["original.jpg", "annotated.jpg", "meta.json"])
@pytest.mark.parametrize("how", ["gone", "cut", "empty"])
def test_a_torn_picture(name: str, how: str, data: Path, keep: Keep, doctor: Doctor) -> None:
    folder = keep()
    keep()
    if how == "gone":
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(b"" if how == "empty" else (folder / name).read_bytes()[:-1])
    problem = doctor("pictures").problem("whole", "warn")
    assert "1 are torn" in problem
    assert os.system(problem.partition(" -> ")[2].partition(" (or")[0]) == 0
    assert doctor("pictures").status == 0


def test_a_picture_in_anothers_folder(data: Path, keep: Keep, doctor: Doctor) -> None:
    mine, theirs = keep("root"), keep("otto")
    mine.rename(theirs.parent / mine.name)
    assert "1 are torn" in doctor("pictures").problem("whole", "warn")


def test_pictures_that_nobody_owns(data: Path, keep: Keep, doctor: Doctor) -> None:
    keep("somebody")
    assert "somebody" in doctor("pictures").problem("owners", "warn")


def test_pictures_that_nobody_sweeps(data: Path, keep: Keep, doctor: Doctor) -> None:
    keep(age=2 * 86_400)
    assert doctor("pictures").status == 0
    assert "1 are older" in doctor("pictures", RETENTION_DAYS=1).problem("swept", "warn")


@pytest.mark.parametrize("kind", [".incoming-", ".deleted-"])
def test_what_a_crash_left_behind(kind: str, data: Path, keep: Keep, doctor: Doctor) -> None:
    folder = keep()
    left = folder.parents[1] / f"{kind}{folder.name}"
    folder.rename(left)
    os.utime(left, (time.time() - 7200,) * 2)
    problem = doctor("pictures").problem("leftovers", "fail")
    assert os.system(problem.partition("stopped: ")[2]) == 0
    assert not left.exists()
    assert doctor("pictures").status == 0


def test_a_picture_that_is_just_being_written(data: Path, home: Path, doctor: Doctor) -> None:
    (home / "images" / ".incoming-1").mkdir(0o700, parents=True)
    assert doctor("pictures").status == 0
