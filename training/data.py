"""Hold the faces of a data set: pictures, where the face is, its labels, its side of the split."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.augment import Face

__all__ = ["SIDES", "Faces", "load", "save"]

SIDES = ("train", "val", "test")


@dataclass(frozen=True)
class Faces:
    """N faces. A label of -1 is unknown; a face without landmarks has NaN there."""

    images: NDArray[np.uint8]  # Nx160x160x3, RGB
    squares: NDArray[np.float32]  # Nx4: the framed square, x1, y1, x2, y2 in pixels of its picture
    landmarks: NDArray[np.float32]  # Nx5x2: x, y in YuNet's order
    gender: NDArray[np.int64]  # index in GENDERS
    race: NDArray[np.int64]  # index in RACES
    group: NDArray[np.int64]  # index in GROUPS
    age: NDArray[np.int64]  # index in AGES
    side: NDArray[np.int64]  # index in SIDES
    source: NDArray[np.str_]  # which file it came from

    def __len__(self) -> int:
        return len(self.side)

    def of(self, side: str) -> NDArray[np.int64]:
        """Return the indices of the faces on one side of the split."""
        return np.flatnonzero(self.side == SIDES.index(side))

    def face(self, index: int) -> tuple[NDArray[np.uint8], Face]:
        """Return one picture and where its face is."""
        x1, y1, x2, y2 = (float(value) for value in self.squares[index])
        points = self.landmarks[index]
        return self.images[index], Face(
            (x1, y1, x2, y2), points if np.isfinite(points).all() else None
        )


_FIELDS = ("squares", "landmarks", "gender", "race", "group", "age", "side", "source")


def save(faces: Faces, folder: Path) -> None:
    """Write the faces to `folder`, the labels last: a folder without them is not finished.

    Pictures that are there already, as `prepare` leaves them, are not written again.
    """
    if not (folder / "images.npy").exists():
        np.save(folder / "images.npy", faces.images)
    np.savez(folder / "faces.partial.npz", **{name: getattr(faces, name) for name in _FIELDS})
    (folder / "faces.partial.npz").replace(folder / "faces.npz")


def load(folder: Path) -> Faces:
    """Read what `save` wrote; the pictures stay on disk until they are looked at."""
    with np.load(folder / "faces.npz") as stored:
        fields = {name: stored[name] for name in _FIELDS}
    return Faces(images=np.load(folder / "images.npy", mmap_mode="r"), **fields)
