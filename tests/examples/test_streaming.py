"""What ``stream.py`` is made of, one part at a time, where a whole run could not show it."""

from __future__ import annotations

import os
import queue
import shlex
import signal
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import stream

from streaming.drawing import draw
from streaming.frames import Capture, Folder, Image, SourceError
from streaming.interrupts import Interrupts
from streaming.live import Live
from streaming.outputs import Recorder
from streaming.sources import without_password
from tests.docs.pages import DOCS, code_blocks


class FakeCamera:
    """Gives a frame whenever the test takes one, and breaks when told to."""

    def __init__(self) -> None:
        self._frames: queue.Queue[Image | None] = queue.Queue()
        self._seen: queue.Queue[None] = queue.Queue()
        self._reads = 0
        self.released = False

    def take(self, count: int) -> None:
        """Take so many frames; return once the reader has come back for the next."""
        for _ in range(count):
            self._frames.put(np.zeros((4, 4, 3), np.uint8))
        for _ in range(count):
            self._seen.get(timeout=30)

    def break_off(self) -> None:
        self._frames.put(None)

    def isOpened(self) -> bool:  # noqa: N802 - OpenCV's name
        return True

    def read(self) -> tuple[bool, Image | None]:
        if self._reads:
            self._seen.put(None)
        self._reads += 1
        image = self._frames.get(timeout=30)
        return image is not None, image

    def get(self, property_id: int, /) -> float:
        return 10.0 if property_id == cv2.CAP_PROP_FPS else -1.0

    def release(self) -> None:
        self.released = True


def live(camera: Capture, every: int = 1) -> Live:
    def no_camera() -> Capture:
        raise AssertionError("it did not break")

    return Live(camera, no_camera, "cam", every=every, patience=0, say=lambda _text: None)


def never() -> None:
    """Idle."""


@pytest.fixture
def camera() -> Iterator[FakeCamera]:
    camera = FakeCamera()
    yield camera
    camera.break_off()  # lets the reader end


def test_of_a_live_source_only_the_newest_frame_counts(camera: FakeCamera) -> None:
    source = live(camera)
    frames = source.frames(lambda: camera.take(1))
    first = next(frames)
    assert first.number == 0
    camera.take(5)  # while the gateway thinks about the first
    second = next(frames)
    assert second.number == 5
    camera.take(3)  # while the gateway is away with the second
    assert source.newest(second).number == 8
    camera.take(1)
    assert next(frames).number == 9


def test_every_third_frame_of_a_live_source(camera: FakeCamera) -> None:
    idled = []

    def idle() -> None:
        idled.append(True)
        camera.take(1)

    frames = live(camera, every=3).frames(idle)
    assert [next(frames).number for _ in range(3)] == [0, 3, 6]
    assert len(idled) >= 6


def test_a_live_source_that_is_gone_ends_with_words(camera: FakeCamera) -> None:
    camera.break_off()
    with pytest.raises(SourceError, match="cam gave no frame for 0 s"):
        next(live(camera).frames(never))
    assert camera.released


def test_the_video_of_a_live_source_lasts_as_long_as_what_it_shows(tmp_path: Path) -> None:
    path = tmp_path / "o.avi"
    recorder = Recorder(path, tmp_path / "o.jsonl", 10, live=True, overwrite=False)
    for seconds in (0.0, 0.25, 0.5, 1.0, 60.0):  # the last gap is shortened to two seconds
        recorder.frame(np.full((32, 32, 3), int(seconds * 4), np.uint8), seconds)
    recorder.close()
    capture = cv2.VideoCapture(str(path))
    count = 0
    while capture.read()[0]:
        count += 1
    assert count == 10 + 20 + 1


def test_a_picture_of_another_shape_is_fitted_between_black_bars(tmp_path: Path) -> None:
    path = tmp_path / "o.avi"
    recorder = Recorder(path, tmp_path / "o.jsonl", 1, live=False, overwrite=False)
    recorder.frame(np.full((64, 64, 3), 255, np.uint8), 0)
    recorder.frame(np.full((64, 32, 3), 255, np.uint8), 1)
    recorder.close()
    capture = cv2.VideoCapture(str(path))
    assert capture.read()[1].min() > 240
    tall = capture.read()[1]
    assert tall.shape == (64, 64, 3)
    assert tall[:, 20:44].min() > 200
    assert max(tall[:, :12].max(), tall[:, 52:].max()) < 40


@pytest.mark.parametrize("box", [[0, 0, 99, 79], [-20, -5, 300, 200], [98, 78, 99, 79]], ids=str)
def test_any_label_can_be_drawn_at_any_place(box: list[float]) -> None:
    image = np.zeros((80, 100, 3), np.uint8)
    attributes = {"gender": {"label": "female"}}
    found = {"box": box, "label": "Käse 顔", "confidence": 0.5, "attributes": attributes}
    drawn = draw(image, [found], "")
    assert drawn.any()
    assert not image.any()


def test_a_signal_waits_until_it_is_allowed() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with Interrupts() as interrupts:
        os.kill(os.getpid(), signal.SIGTERM)
        written = True
        with pytest.raises(KeyboardInterrupt), interrupts.allowed():
            written = False
        assert written
        assert interrupts.status == 128 + signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_signal_ends_what_may_take_long_once() -> None:
    with Interrupts() as interrupts:
        with pytest.raises(KeyboardInterrupt), interrupts.allowed():
            os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)  # impatience does not spoil the files
        assert interrupts.status == 130


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("rtsp://ann:p@ss@cam:554/a", "rtsp://cam:554/a"),
        ("rtsp://cam/a@b", "rtsp://cam/a@b"),
        ("http://cam/?a=b", "http://cam/?a=b"),
    ],
)
def test_the_password_of_a_camera_is_not_shown(address: str, shown: str) -> None:
    assert without_password(address) == shown


@pytest.mark.parametrize(
    ("address", "warned"),
    [
        ("http://192.0.2.1:5000", True),
        ("https://192.0.2.1", False),
        ("http://localhost:5000", False),
        ("http://[::1]:5000", False),
    ],
)
def test_a_password_in_plain_text_is_warned_of(address: str, warned: bool) -> None:
    said: list[str] = []
    stream._warn_of_plain_text(address, said.append)
    assert bool(said) == warned


def test_pictures_come_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    names = ["b.jpg", "a10.jpg", "a9.jpg", "10.jpg", "9.jpg"]
    for name in names:
        cv2.imwrite(str(tmp_path / name), np.zeros((8, 8, 3), np.uint8))
    folder = Folder([tmp_path / name for name in names], "x", 1, lambda _text: None)
    ordered = [frame.name for frame in folder.frames(never)]
    assert ordered == ["9.jpg", "10.jpg", "a9.jpg", "a10.jpg", "b.jpg"]


def test_the_page_s_commands_are_understood(capsys: pytest.CaptureFixture[str]) -> None:
    page = (DOCS / "stream.md").read_text(encoding="utf-8")
    commands = [
        shlex.split(line, comments=True)
        for block in code_blocks(page, "sh")
        for line in block.replace("\\\n", "").splitlines()
    ]
    options = [words[2:] for words in commands if words[1:2] == ["examples/stream.py"]]
    assert len(options) >= 5
    for words in options:
        stream._parser().parse_args(words)
    with pytest.raises(SystemExit):
        stream._parser().parse_args(["--help"])
    helped = capsys.readouterr().out
    for option in ("--gateway", "--every", "--width", "--keep", "--patience", "--force"):
        assert option in helped
        assert option in page
