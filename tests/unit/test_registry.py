"""Detectors enter by one door, fail alone, and load once."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from visiongate import registry as module
from visiongate.contracts import Detector, ModelStore
from visiongate.errors import (
    ConfigurationError,
    DetectorDisabled,
    DetectorUnavailable,
    DetectorUnknown,
    ModelUnavailable,
)
from visiongate.registry import BUILTIN, Entry, Registry
from visiongate.types import (
    Box,
    Detection,
    DetectorInfo,
    DetectorState,
    Device,
    Image,
    ModelUse,
    PredictOptions,
)

PROBE = np.zeros((8, 8, 3), np.uint8)


class NoModels:
    def path(self, name: str) -> Path:
        raise ModelUnavailable(f"{name}: python -m visiongate.models pull {name}")

    def find(self, name: str) -> Path | None:
        raise AssertionError("not asked for")

    def cache_dir(self) -> Path:
        raise AssertionError("not asked for")


class Fake:
    """A detector that says what it is told, and counts."""

    def __init__(
        self,
        name: str = "fake",
        *,
        label: str = "thing",
        probe_label: str | None = None,
        missing: list[str] | None = None,
        error: Exception | None = None,
    ) -> None:
        self.info = DetectorInfo(name, "detection", (label,), probe_label=probe_label)
        self.model = ModelUse("fake-model")
        self.loads = 0
        self.missing = missing if missing is not None else []
        self.error = error
        self._label = label

    def load(self, models: ModelStore, device: Device) -> None:
        self.loads += 1
        if self.missing:
            models.path(self.missing.pop())
        if self.error:
            raise self.error

    def predict(
        self, images: Sequence[Image], options: PredictOptions
    ) -> list[tuple[Detection, ...]]:
        return [(Detection(self._label, 0.9, Box(0, 0, 4, 4)),) for _ in images]


def ready(entry: Entry) -> Detector:
    return entry.ready(NoModels(), Device(), PROBE)


def test_loads_once_however_many_ask_at_the_same_time() -> None:
    fake = Fake()
    entry = Entry("fake", "test", lambda: fake)
    barrier = threading.Barrier(8)

    def ask(_: int) -> Detector:
        barrier.wait(60)
        return ready(entry)

    with ThreadPoolExecutor(8) as pool:
        assert set(map(id, pool.map(ask, range(8)))) == {id(fake)}
    assert fake.loads == 1
    assert entry.state is DetectorState.READY


def test_a_missing_model_is_looked_for_again() -> None:
    fake = Fake(missing=["net"])
    entry = Entry("fake", "test", lambda: fake)
    with pytest.raises(ModelUnavailable, match="pull net"):
        ready(entry)
    assert entry.state is DetectorState.UNAVAILABLE
    assert "pull net" in (entry.reason or "")
    assert ready(entry) is fake
    assert (entry.state, entry.reason) == (DetectorState.READY, None)


def test_a_plugin_that_breaks_on_loading_stays_broken_and_says_why() -> None:
    fake = Fake(error=RuntimeError("no such layer"))
    entry = Entry("fake", "test", lambda: fake)
    for _ in range(2):
        with pytest.raises(DetectorUnavailable, match="no such layer"):
            ready(entry)
    assert fake.loads == 1


def test_a_plugin_that_breaks_on_being_made_is_listed_with_its_reason() -> None:
    def broken() -> Detector:
        raise ImportError("libfoo is missing")

    entry = Entry("fake", "test", broken)
    assert entry.state is DetectorState.UNAVAILABLE
    assert "libfoo is missing" in (entry.reason or "")
    with pytest.raises(DetectorUnavailable, match="libfoo is missing"):
        ready(entry)


def test_a_plugin_of_another_name_is_refused() -> None:
    entry = Entry("fake", "test", lambda: Fake("other"))
    with pytest.raises(DetectorUnavailable, match="other"):
        ready(entry)


def test_wrong_weights_do_not_become_ready() -> None:
    entry = Entry("fake", "test", lambda: Fake(label="cat", probe_label="person"))
    with pytest.raises(DetectorUnavailable, match="'person'"):
        ready(entry)


def test_a_detector_that_is_switched_off_answers_nothing() -> None:
    fake = Fake()
    entry = Entry("fake", "test", lambda: fake)
    entry.disable()
    with pytest.raises(DetectorDisabled):
        ready(entry)
    assert fake.loads == 0


class Point:
    """An installed entry point."""

    def __init__(self, name: str, factory: Any) -> None:
        self.name = name
        self.dist = None
        self.load = lambda: factory


def installed(monkeypatch: pytest.MonkeyPatch, *points: Point) -> None:
    def entry_points(*, group: str) -> list[Point]:
        assert group == "visiongate.detectors"
        return list(points)

    monkeypatch.setattr(metadata, "entry_points", entry_points)


def test_built_in_and_installed_detectors_stand_side_by_side(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    installed(monkeypatch, Point("fake", Fake))
    found = Registry.discover({"fake": {"label": "kitten"}}, disabled=["object"])
    assert found.names() == (*BUILTIN, "fake")
    info = found.get("fake").info
    assert info is not None
    assert info.labels == ("kitten",)
    assert found.get("object").state is DetectorState.DISABLED
    with pytest.raises(DetectorUnknown) as caught:
        found.get("nothing")
    assert caught.value.extra["detectors"] == [*BUILTIN, "fake"]


def test_two_plugins_of_one_name_stop_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    installed(monkeypatch, Point("face", Fake))
    with pytest.raises(ConfigurationError, match="Two detectors are called 'face'"):
        Registry.discover()


@pytest.mark.parametrize("kwargs", [{"options": {"fcae": {}}}, {"disabled": ["fcae"]}])
def test_a_name_that_no_detector_has_stops_the_start(kwargs: Any) -> None:
    with pytest.raises(ConfigurationError, match="fcae"):
        Registry.discover(**kwargs)


def test_a_wrong_option_value_stops_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def picky(*, size: int) -> Detector:
        raise ConfigurationError(f"[detectors.fake] size = {size} is too small")

    installed(monkeypatch, Point("fake", picky))
    with pytest.raises(ConfigurationError, match="size = 3"):
        Registry.discover({"fake": {"size": 3}})


def test_an_option_that_a_detector_does_not_take_is_its_own_problem(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    installed(monkeypatch, Point("fake", Fake))
    found = Registry.discover({"fake": {"colour": "red"}})
    assert "colour" in (found.get("fake").reason or "")
    assert set(module.BUILTIN) < set(found.names())


class ReadingAhead(Fake):
    def read_ahead(self, models: ModelStore) -> None:
        self.loads += 10
        if self.error:
            raise self.error


def test_what_fails_when_it_is_read_ahead_ends_nothing_and_is_told_when_loaded() -> None:
    broken, whole, off = (
        ReadingAhead("broken", error=RuntimeError("cut off")),
        ReadingAhead("whole"),
        ReadingAhead("off"),
    )
    entries = [Entry(fake.info.name, "test", lambda f=fake: f) for fake in (broken, whole, off)]  # type: ignore[misc]
    plain = Entry("fake", "test", Fake)
    entries[2].disable()
    Registry([*entries, plain]).read_ahead(NoModels())
    assert [fake.loads for fake in (broken, whole, off)] == [10, 10, 0]
    assert ready(entries[1]) is whole
    assert ready(plain).info.name == "fake"
    with pytest.raises(DetectorUnavailable, match="cut off"):
        ready(entries[0])
