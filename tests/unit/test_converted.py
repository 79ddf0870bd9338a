"""What was converted is kept, checked, mended when damaged, and made by one process at a time."""

from __future__ import annotations

import errno
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from visiongate.errors import ModelUnavailable
from visiongate.runtimes.converted import converted, converted_before, sha256_of
from visiongate.runtimes.openvino import OpenVinoModel, import_openvino
from visiongate.types import Device


class Converter:
    """Makes y = 3 x; counts how often, and how many at once."""

    def __init__(self) -> None:
        self.calls = 0
        self._running = threading.Lock()

    def __call__(self) -> Any:
        assert self._running.acquire(blocking=False), "two conversions at once"
        try:
            self.calls += 1
            op = import_openvino().opset8
            x = op.parameter([4], np.float32)
            weights = op.constant(np.full(4, 3, np.float32))
            return import_openvino().Model([op.multiply(x, weights)], [x], "triple")
        finally:
            self._running.release()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.bin"
    path.write_bytes(b"weights")
    return path


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    path = tmp_path / "cache"
    path.mkdir()
    return path


def answers(file: Path) -> bool:
    x = np.arange(4, dtype=np.float32)
    return np.array_equal(OpenVinoModel(file, Device(), precision="f32").run(x)[0], 3 * x)


def test_converts_once(source: Path, cache: Path) -> None:
    convert = Converter()
    first = converted(cache, "triple", [source], 1, convert)
    assert answers(first)
    assert converted(cache, "triple", [source], 1, convert) == first
    assert convert.calls == 1


def test_other_sources_or_another_version_are_another_file(source: Path, cache: Path) -> None:
    convert = Converter()
    files = {converted(cache, "triple", [source], version, convert) for version in (1, 2)}
    source.write_bytes(b"other weights")
    files.add(converted(cache, "triple", [source], 1, convert))
    assert len(files) == 3
    assert all(answers(file) for file in files)


@pytest.mark.parametrize("suffix", [".xml", ".bin", ".sha256"])
@pytest.mark.parametrize("damage", [b"", b"\xffgarbage", None])
def test_a_damaged_file_is_made_anew(
    source: Path, cache: Path, suffix: str, damage: bytes | None
) -> None:
    convert = Converter()
    file = converted(cache, "triple", [source], 1, convert)
    part = file.with_suffix(suffix)
    if damage is None:
        part.unlink()
    else:
        part.write_bytes(damage)
    assert answers(converted(cache, "triple", [source], 1, convert))
    assert convert.calls == 2
    converted(cache, "triple", [source], 1, convert)
    assert convert.calls == 2


def test_what_is_there_needs_no_writable_folder(
    source: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = converted(cache, "triple", [source], 1, Converter())

    def refuse(*_: object, **__: object) -> Any:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("visiongate.runtimes.converted.FileLock", refuse)
    assert converted(cache, "triple", [source], 1, Converter()) == file
    file.with_suffix(".bin").write_bytes(b"")
    with pytest.raises(ModelUnavailable, match="writable"):
        converted(cache, "triple", [source], 1, Converter())


def test_many_at_once_convert_once(source: Path, cache: Path) -> None:
    convert = Converter()
    with ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(converted, cache, "triple", [source], 1, convert) for _ in range(8)]
    assert len({job.result() for job in jobs}) == 1
    assert convert.calls == 1


def test_a_failed_conversion_leaves_nothing_behind(source: Path, cache: Path) -> None:
    def fail() -> Any:
        raise ValueError("layer 7 is odd")

    with pytest.raises(ModelUnavailable, match="triple cannot be converted: layer 7 is odd"):
        converted(cache, "triple", [source], 1, fail)
    assert [path for path in cache.iterdir() if path.suffix != ".lock"] == []
    assert answers(converted(cache, "triple", [source], 1, Converter()))


def test_a_folder_that_cannot_be_used_is_named(source: Path, tmp_path: Path) -> None:
    blocked = tmp_path / "a-file"
    blocked.write_bytes(b"")
    with pytest.raises(ModelUnavailable, match=r"cannot be kept.*a-file"):
        converted(blocked, "triple", [source], 1, Converter())
    with pytest.raises(ModelUnavailable, match=r"absent"):
        converted(tmp_path, "triple", [tmp_path / "absent"], 1, Converter())


def test_sha256_is_that_of_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "million"
    path.write_bytes(b"a" * 1_000_000)
    # FIPS 180-4's own example.
    assert sha256_of(path) == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"


def test_what_was_converted_before_is_found_without_converting(cache: Path, source: Path) -> None:
    assert converted_before(cache, "triple", [source], 1) is None
    file = converted(cache, "triple", [source], 1, Converter())
    assert converted_before(cache, "triple", [source], 1) == file
    assert converted_before(cache, "triple", [source], 2) is None
    file.with_suffix(".bin").write_bytes(b"")
    assert converted_before(cache, "triple", [source], 1) is None
