"""Which of two forms of a network runs here: the faster, and the same one at every start."""

from __future__ import annotations

import errno
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from visiongate.errors import ModelUnavailable
from visiongate.runtimes import faster as module
from visiongate.runtimes.faster import other_is_faster
from visiongate.runtimes.openvino import Port, processor
from visiongate.types import Device


class Clock:
    """Time that passes only while a network computes."""

    def __init__(self) -> None:
        self.now = 0.0
        self.resolution = 1e-9

    def process_time(self) -> float:
        return self.now

    def perf_counter(self) -> float:
        return self.now

    def get_clock_info(self, name: str) -> SimpleNamespace:
        assert name == "process_time"
        return SimpleNamespace(resolution=self.resolution)


class Network:
    inputs = (Port("x", (1, 2, 2, 3), np.dtype(np.uint8)),)

    def __init__(self, clock: Clock, *seconds: float) -> None:
        self._clock = clock
        self._seconds = seconds
        self.runs = 0

    def run(self, *arrays: Any) -> tuple[Any, ...]:
        assert arrays[0].shape == (1, 2, 2, 3)
        assert arrays[0].dtype == np.uint8
        self._clock.now += self._seconds[self.runs % len(self._seconds)]
        self.runs += 1
        return arrays


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


class Forms:
    """Two forms of one network; ``made`` counts what was made for a measurement."""

    def __init__(self, clock: Clock, plain: tuple[float, ...], other: tuple[float, ...]) -> None:
        self._clock, self._plain, self._other = clock, plain, other
        self.made: list[Network] = []

    def _make(self, device: Device, seconds: tuple[float, ...]) -> Any:
        assert device == Device("CPU", 1, 1)
        self.made.append(Network(self._clock, *seconds))
        return self.made[-1]

    def ask(self, folder: Path, *identity: str) -> bool:
        return other_is_faster(
            folder,
            "net",
            identity or ("a", "b"),
            plain=lambda device: self._make(device, self._plain),
            other=lambda device: self._make(device, self._other),
        )


@pytest.mark.parametrize(
    ("plain", "other", "faster"),
    [
        ((0.010,), (0.009,), True),
        ((0.010,), (0.0097,), False),
        ((0.010,), (0.020,), False),
        # What disturbed a round or two counts for nothing.
        ((0.010, 0.5), (0.2, 0.008), True),
        ((0.5, 0.010), (0.011, 0.2), False),
    ],
)
def test_the_faster_form_is_taken_if_it_is_so_by_more_than_noise(
    clock: Clock, tmp_path: Path, plain: tuple[float, ...], other: tuple[float, ...], faster: bool
) -> None:
    assert Forms(clock, plain, other).ask(tmp_path) is faster


def test_it_is_measured_once(clock: Clock, tmp_path: Path) -> None:
    forms = Forms(clock, (0.010,), (0.005,))
    assert [forms.ask(tmp_path) for _ in range(3)] == [True, True, True]
    assert len(forms.made) == 2
    # Another machine would now find otherwise; this one has made up its mind.
    assert Forms(clock, (0.005,), (0.010,)).ask(tmp_path) is True


def test_other_forms_and_other_processors_are_measured_anew(
    clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Forms(clock, (0.010,), (0.005,)).ask(tmp_path, "a", "b") is True
    slow = Forms(clock, (0.005,), (0.010,))
    assert slow.ask(tmp_path, "a", "c") is False
    monkeypatch.setattr(module, "processor", lambda: "another")
    assert slow.ask(tmp_path, "a", "b") is False


def test_a_slow_machine_is_not_kept_waiting(clock: Clock, tmp_path: Path) -> None:
    forms = Forms(clock, (2.0,), (1.0,))
    assert forms.ask(tmp_path) is True
    assert [network.runs for network in forms.made] == [6, 6]


def test_a_coarse_clock_is_not_used(
    clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock.resolution = 0.0156
    monkeypatch.setattr(clock, "process_time", lambda: 0.0)
    assert Forms(clock, (0.010,), (0.005,)).ask(tmp_path) is True


@pytest.mark.parametrize("damage", [b"", b"othe", b"\xff\x00", b"plain\n"])
def test_what_is_damaged_is_measured_anew(clock: Clock, tmp_path: Path, damage: bytes) -> None:
    forms = Forms(clock, (0.010,), (0.005,))
    assert forms.ask(tmp_path) is True
    (file,) = tmp_path.glob("net-*.faster")
    file.write_bytes(damage)
    assert forms.ask(tmp_path) is True
    assert len(forms.made) == 4
    assert file.read_bytes() == b"other"


def test_a_folder_that_cannot_be_written_costs_the_memory_alone(
    clock: Clock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    forms = Forms(clock, (0.010,), (0.005,))
    nowhere = tmp_path / "file"
    nowhere.write_bytes(b"in the way")
    with caplog.at_level(logging.WARNING):
        assert forms.ask(nowhere) is True
    assert "cannot be remembered" in caplog.text


def test_what_is_kept_counts_where_nothing_can_be_locked(
    clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Forms(clock, (0.010,), (0.005,)).ask(tmp_path) is True

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(module, "FileLock", refuse)
    slow = Forms(clock, (0.005,), (0.010,))
    assert slow.ask(tmp_path) is True
    assert not slow.made


def test_of_many_at_once_one_measures_and_all_agree(clock: Clock, tmp_path: Path) -> None:
    forms = Forms(clock, (0.010,), (0.005,))
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(lambda _: forms.ask(tmp_path), range(8)))
    assert len(forms.made) == 2


def test_a_form_that_cannot_be_made_is_an_error_and_nothing_is_remembered(
    clock: Clock, tmp_path: Path
) -> None:
    forms = Forms(clock, (0.010,), (0.005,))

    def broken(device: Device) -> Any:
        raise ModelUnavailable("no such file")

    with pytest.raises(ModelUnavailable, match="no such file"):
        other_is_faster(tmp_path, "net", ("a", "b"), plain=broken, other=broken)
    assert forms.ask(tmp_path) is True


def test_the_processor_is_named_with_what_it_can_do() -> None:
    name = processor()
    assert name == processor()
    assert "FP32" in name.split()
