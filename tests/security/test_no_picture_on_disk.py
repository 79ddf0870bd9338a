"""With retention off, no byte of a picture meets a file: every write is watched with strace.

``python -m proofs.no_picture_on_disk`` does the same with 200 uploads.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from proofs.marked_pictures import Marker
from proofs.no_picture_on_disk import SIZES, can_trace, files_with, read_trace, strange, trace
from visiongate.imaging import Limits, decode


@pytest.fixture
def traced() -> None:
    if not can_trace():
        pytest.skip("needs strace, and the right to trace")


def test_with_retention_off_nothing_is_written(traced: None, tmp_path: Path) -> None:
    seen, marker = trace(tmp_path, 12, RETENTION="off")
    assert seen.written  # it does watch
    assert seen.marked == []
    assert seen.copied == []
    assert strange([*seen.opened, *seen.written, *seen.shared], tmp_path) == []
    assert list(files_with(tmp_path, marker)) == []
    assert not (tmp_path / "images").exists()


def test_with_retention_on_it_sees_what_is_written(traced: None, tmp_path: Path) -> None:
    seen, marker = trace(tmp_path, 4, RETENTION="on")
    assert len(seen.marked) >= 4
    assert all("/images/" in call for call in seen.marked)
    assert len(list(files_with(tmp_path, marker))) == 4


@pytest.mark.parametrize("size", SIZES)
def test_the_marker_is_in_every_part_of_the_pictures(size: int) -> None:
    marker = Marker()
    for body in (marker.jpeg(size), marker.png(size)):
        assert 0.7 * size < len(body) <= 5_000_000
        decode(body, Limits(5_000_000, 50_000_000))
        for start in range(5000, len(body) - 5000, 50_021):
            assert marker.found_in(body[start : start + 100])
    pixels = decode(marker.png(size), Limits(5_000_000, 50_000_000)).pixels
    assert marker.found_in(pixels.tobytes()[-64:])


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ('7 write(5</tmp/x (deleted)>, "%s", 24) = 24', "marked"),
        ('7 pwrite64(5</tmp/x>, "..%s..", 24, 0) = 24', "marked"),
        ('writev(5</tmp/x>, [{iov_base="%s", iov_len=24}], 1) = 24', "marked"),
        ('7 write(5</tmp/x>, "%s" <unfinished ...>', "marked"),
        ("7 sendfile(5</tmp/x>, 6<socket:[1]>, NULL, 9) = 9", "copied"),
        ("7 splice(6<pipe:[1]>, NULL, 5</tmp/x>, NULL, 9, 0) = 9", "copied"),
        ("7 splice(5</tmp/x>, NULL, 6<TCP:[1:2->3:4]>, NULL, 9, 0) = 9", ""),
        ("7 copy_file_range(6</tmp/y>, NULL, 5</tmp/x>, NULL, 9, 0) = 9", "copied"),
        ("7 mmap(NULL, 9, PROT_READ|PROT_WRITE, MAP_SHARED, 5</tmp/x>, 0) = 0x7", "shared"),
        ('7 openat(AT_FDCWD</tmp>, "/tmp/x", O_RDWR|O_CREAT, 0600) = 5</tmp/x>', "opened"),
        ('7 write(5<socket:[1]>, "%s", 24) = 24', ""),
        ('7 write(5</memfd:x (deleted)>, "%s", 24) = 24', ""),
        ('7 openat(AT_FDCWD</tmp>, "/tmp/x", O_RDONLY) = 5</tmp/x>', ""),
    ],
)
def test_how_it_reads_what_strace_notes(line: str, kind: str, tmp_path: Path) -> None:
    marker = Marker()
    notes = tmp_path / "notes"
    notes.write_text((line.replace("%s", marker.text)) + "\n")
    seen = read_trace(notes, marker)
    found = {name for name in ("marked", "copied", "shared", "opened") if getattr(seen, name)}
    assert found == ({kind} if kind else set())
