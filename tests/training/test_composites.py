"""Pictures to calibrate with: always the same, of faces and of none, in all kinds of light."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from training.composites import composites


def test_the_same_pictures_each_time_and_all_different(faces: Path) -> None:
    first, again = (list(composites(faces, 96, 12)) for _ in range(2))
    other = list(composites(faces, 96, 12, seed=6))
    assert len(first) == 12
    for picture in first:
        assert picture.shape == (96, 96, 3)
        assert picture.dtype == np.uint8
    assert all(map(np.array_equal, first, again))
    assert len({picture.tobytes() for picture in (*first, *other)}) == 24


def test_they_are_dark_and_light_and_show_something(faces: Path) -> None:
    pictures = np.stack(list(composites(faces, 96, 60)))
    light = pictures.mean(axis=(1, 2, 3))
    assert light.min() < 80
    assert light.max() > 150
    assert (pictures.std(axis=(1, 2, 3)) > 8).mean() > 0.95


def test_a_folder_without_faces_is_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=str(tmp_path)):
        list(composites(tmp_path, 96, 3))
