"""Deleted is gone: also when the process dies between any two of its steps."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from proofs.marked_pictures import Marker
from proofs.no_picture_on_disk import files_with
from tests.security.dying import OLD_SECONDS, keep, store_in

ROOT = Path(__file__).resolve().parents[2]
_BYTES = 24_000


def dying(work: str, root: Path, marker: Marker) -> Iterator[tuple[Path, str]]:
    """Yield each folder in which the work was killed, each at another step, and the picture's id.

    In the last one it was not.
    """
    done = subprocess.run(
        [sys.executable, "-m", "tests.security.dying", work, str(root), marker.text],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    ends = json.loads(done.stdout)
    assert len(ends) > 5
    assert [end["died"] for end in ends] == [True] * (len(ends) - 1) + [False]
    for end in ends:
        yield root / str(end["step"]), end["id"]


def pieces(folder: Path, marker: Marker) -> list[Path]:
    return list(files_with(folder, marker))


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_keeping_is_whole_or_not_at_all(tmp_path: Path) -> None:
    marker = Marker()
    kept = []
    for folder, _ in dying("keep", tmp_path, marker):
        listed = store_in(folder).list("ann")
        kept.append(len(listed))
        # An hour later, what a crash left is swept; what was kept is kept.
        store_in(folder, later=7200.0).sweep()
        assert len(pieces(folder, marker)) == 2 * len(listed)
        for one in listed:
            assert len(store_in(folder).read(one.id)[0]) == _BYTES
            store_in(folder).delete(one.id)
        assert files(folder) == []
    assert kept[0] == 0
    assert kept[-1] == 1
    assert kept == sorted(kept)


def test_deleting_leaves_nothing(tmp_path: Path) -> None:
    marker = Marker()
    survived = 0
    for folder, picture_id in dying("delete", tmp_path, marker):
        store = store_in(folder)
        if store.list("ann"):
            # It died before its first step took place: nobody was told that it is deleted.
            survived += 1
            assert len(store.read(picture_id)[0]) == _BYTES
            store.delete(picture_id)
        store.sweep()  # as the next start does
        assert files(folder) == []
    assert survived == 1


def test_sweeping_leaves_nothing_that_is_old(tmp_path: Path) -> None:
    marker, newer = Marker(), Marker()
    for folder, _ in dying("sweep", tmp_path, marker):
        young = keep(folder, newer.text)
        store = store_in(folder, age=OLD_SECONDS / 2)
        store.sweep()
        assert pieces(folder, marker) == []
        assert [one.id for one in store.list("ann")] == [young]


@pytest.mark.parametrize("work", ["keep", "delete", "sweep"])
def test_no_picture_is_ever_half_there(work: str, tmp_path: Path) -> None:
    for folder, _ in dying(work, tmp_path, Marker()):
        store = store_in(folder)
        for one in store.list():
            assert len(store.read(one.id)[0]) == _BYTES
            assert len(store.read(one.id, annotated=True)[0]) == _BYTES
