"""What every picture store promises, held against each of them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

from visiongate.contracts import PictureStore
from visiongate.errors import PictureUnknown
from visiongate.imaging import media_type
from visiongate.retention import FilePictureStore
from visiongate.types import Picture, Retained

DAY = 86_400.0
MAX_AGE = 10 * DAY
MAX_BYTES = 1000

JPEG = Picture(np.zeros((4, 6, 3), np.uint8), "JPEG")
PNG = Picture(np.zeros((4, 6, 3), np.uint8), "PNG")


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class MemoryPictureStore:
    """The promises without a disk."""

    max_age_seconds: float
    max_bytes: int
    clock: Callable[[], float]
    kept: dict[str, tuple[Retained, bytes, str, bytes | None]] = field(default_factory=dict)

    def keep(
        self, owner: str, original: bytes, picture: Picture, annotated: bytes | None
    ) -> Retained:
        now = self.clock()
        retained = Retained(
            secrets.token_hex(16), owner, now, now + self.max_age_seconds, annotated is not None
        )
        self.kept[retained.id] = (retained, original, picture.format, annotated)
        return retained

    def _find(self, picture_id: str) -> tuple[Retained, bytes, str, bytes | None]:
        found = self.kept.get(picture_id)
        if found is None or self.clock() - found[0].created >= self.max_age_seconds:
            raise PictureUnknown(picture_id)
        return found

    def get(self, picture_id: str) -> Retained:
        return self._find(picture_id)[0]

    def read(self, picture_id: str, *, annotated: bool = False) -> tuple[bytes, str]:
        _, original, format_, copy = self._find(picture_id)
        if not annotated:
            return original, media_type(format_)
        if copy is None:
            raise PictureUnknown(picture_id)
        return copy, "image/jpeg"

    def delete(self, picture_id: str) -> None:
        if self.kept.pop(picture_id, None) is None:
            raise PictureUnknown(picture_id)

    def list(self, owner: str | None = None) -> list[Retained]:
        now = self.clock()
        every = (retained for retained, *_ in self.kept.values())
        ours = [r for r in every if owner in (None, r.owner) and now < r.created + MAX_AGE]
        return sorted(ours, key=lambda r: (-r.created, r.id))

    def forget(self, owner: str) -> int:
        ids = [i for i, (retained, *_) in self.kept.items() if retained.owner == owner]
        for i in ids:
            del self.kept[i]
        return len(ids)

    def sweep(self) -> int:
        now, gone = self.clock(), 0
        sizes = {i: len(o) + len(c or b"") for i, (_, o, _, c) in self.kept.items()}
        for i in sorted(self.kept, key=lambda i: self.kept[i][0].created):
            old = now - self.kept[i][0].created >= self.max_age_seconds
            if not old and sum(sizes.values()) <= self.max_bytes:
                break
            del self.kept[i], sizes[i]
            gone += 1
        return gone


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["file", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path, clock: Clock) -> Iterator[PictureStore]:
    if request.param == "file":
        # Room for the metadata beside the pictures, which the budget counts too.
        yield FilePictureStore(
            tmp_path / "images", max_age_seconds=MAX_AGE, max_bytes=100 * MAX_BYTES, clock=clock
        )
    else:
        yield MemoryPictureStore(MAX_AGE, 100 * MAX_BYTES, clock)


def test_original_and_copy_come_back_as_they_went(store: PictureStore, clock: Clock) -> None:
    kept = store.keep("anna", b"as it came", PNG, b"with boxes")
    assert kept == Retained(kept.id, "anna", clock.now, clock.now + MAX_AGE, annotated=True)
    assert store.get(kept.id) == kept
    assert store.read(kept.id) == (b"as it came", "image/png")
    assert store.read(kept.id, annotated=True) == (b"with boxes", "image/jpeg")


def test_without_a_copy(store: PictureStore) -> None:
    kept = store.keep("anna", b"as it came", JPEG, None)
    assert not kept.annotated
    assert store.read(kept.id) == (b"as it came", "image/jpeg")
    with pytest.raises(PictureUnknown):
        store.read(kept.id, annotated=True)


def test_delete_takes_everything_at_once(store: PictureStore) -> None:
    gone = store.keep("anna", b"1", JPEG, b"2")
    stays = store.keep("anna", b"3", JPEG, b"4")
    store.delete(gone.id)
    for touch in (
        lambda: store.get(gone.id),
        lambda: store.read(gone.id),
        lambda: store.read(gone.id, annotated=True),
        lambda: store.delete(gone.id),
    ):
        with pytest.raises(PictureUnknown):
            touch()
    assert store.list("anna") == [stays]


@pytest.mark.parametrize(
    "picture_id",
    ["", ".", "..", "../..", "/etc/passwd", "x", "\0", "0" * 49, "é", "a/b", "%2e%2e", "0" * 5000],
)
def test_ids_that_were_never_given(store: PictureStore, picture_id: str) -> None:
    store.keep("anna", b"1", JPEG, None)
    for touch in (store.get, store.read, store.delete):
        with pytest.raises(PictureUnknown):
            touch(picture_id)
    assert len(store.list()) == 1


def test_ids_differ_and_cannot_be_guessed(store: PictureStore) -> None:
    ids = [store.keep("anna", b"1", JPEG, None).id for _ in range(20)]
    tails = {picture_id[-16:] for picture_id in ids}
    assert len(tails) == 20


def test_each_owner_has_a_list_newest_first(store: PictureStore, clock: Clock) -> None:
    kept = []
    for owner in ("anna", "ben", "anna", "Анна/../ben", "anna"):
        kept.append(store.keep(owner, b"1", JPEG, None))
        clock.now += 1
    assert store.list("anna") == [kept[4], kept[2], kept[0]]
    assert store.list("ben") == [kept[1]]
    assert store.list("Анна/../ben") == [kept[3]]
    assert store.list("nobody") == []
    assert store.list() == kept[::-1]


def test_an_owner_can_be_forgotten(store: PictureStore, clock: Clock) -> None:
    old = store.keep("anna", b"1", JPEG, b"2")
    clock.now += MAX_AGE
    gone = store.keep("anna", b"3", JPEG, None)
    stays = store.keep("Anna", b"5", JPEG, None)
    assert store.forget("anna") == 2, "also those whose time is over, though not swept yet"
    assert store.list() == [stays]
    for picture in (old, gone):
        with pytest.raises(PictureUnknown):
            store.read(picture.id)
    assert store.forget("anna") == store.forget("nobody") == 0


def test_an_empty_store(store: PictureStore) -> None:
    assert store.list() == []
    assert store.sweep() == 0


def test_sweep_takes_what_is_too_old(store: PictureStore, clock: Clock) -> None:
    old = store.keep("anna", b"1", JPEG, b"2")
    clock.now += MAX_AGE - 1
    young = store.keep("ben", b"3", JPEG, None)
    assert store.sweep() == 0
    clock.now += 1
    assert store.sweep() == 1
    assert store.sweep() == 0
    with pytest.raises(PictureUnknown):
        store.read(old.id)
    assert store.list() == [young]


def test_a_picture_whose_time_is_over_is_not_shown_before_the_sweep(
    store: PictureStore, clock: Clock
) -> None:
    kept = store.keep("anna", b"1", JPEG, None)
    clock.now += MAX_AGE
    assert store.list() == []
    with pytest.raises(PictureUnknown):
        store.read(kept.id)


def test_sweep_takes_the_oldest_beyond_the_budget(store: PictureStore, clock: Clock) -> None:
    kept = []
    for owner in ("anna", "ben", "anna", "ben"):
        kept.append(store.keep(owner, b"x" * 20_000, JPEG, b"y" * 20_000))
        clock.now += 1
    assert store.sweep() == 2
    assert store.list() == [kept[3], kept[2]]
    assert store.sweep() == 0
