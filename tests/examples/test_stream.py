"""``stream.py`` from source to files, against a real gateway."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import stream

from streaming.frames import Frame, Image, Source, Video
from streaming.interrupts import Interrupts
from streaming.outputs import Quit, Recorder
from streaming.watch import Question, Watch
from tests.examples.camera import Camera
from tests.examples.moving_face import FRAMES, RATE, SIZE, face, frame, overlap
from tests.examples.real_gateway import PASSWORD, ROOT, USER, RealGateway
from visiongate_client import VisiongateClient

Run = Callable[..., int]


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VG_PASSWORD", PASSWORD)


@pytest.fixture
def run(gateway: RealGateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run stream.py without a screen, in a folder of its own; return its exit status."""
    monkeypatch.chdir(tmp_path)

    def call(source: object, *more: str) -> int:
        gate = ["--gateway", gateway.address, "--user", USER, "--detectors", "face"]
        return stream.main([str(source), *gate, "--headless", *more])

    return call


def lines_of(path: Path) -> list[dict[str, Any]]:
    text = path.read_text(encoding="utf-8")
    assert text.endswith("\n")
    return [json.loads(line) for line in text.splitlines()]


def frames_of(path: Path) -> list[Image]:
    capture = cv2.VideoCapture(str(path))
    found = []
    while (read := capture.read())[0]:
        found.append(read[1])
    capture.release()
    return found


def assert_faces_are_in_place(lines: list[dict[str, Any]]) -> None:
    for line in lines:
        (found,) = line["detections"]
        assert overlap(found["box"], face(line["frame"])) > 0.7, line["frame"]


def test_each_frame_s_face_is_written_down_and_drawn(
    run: Run, video: Path, tmp_path: Path, gateway: RealGateway
) -> None:
    kept = len(gateway.kept)
    assert run(video, "--min-confidence", "0.9") == 0
    lines = lines_of(tmp_path / "hopper-detections.jsonl")
    assert [line["frame"] for line in lines] == list(range(FRAMES))
    assert [line["seconds"] for line in lines] == [n / RATE for n in range(FRAMES)]
    assert {(line["width"], line["height"]) for line in lines} == {SIZE}
    assert_faces_are_in_place(lines)
    written = tmp_path / "hopper-detections.mp4"
    assert cv2.VideoCapture(str(written)).get(cv2.CAP_PROP_FPS) == RATE
    drawn = frames_of(written)
    assert len(drawn) == FRAMES
    for number in (0, FRAMES - 1):
        assert_box_is_drawn(drawn[number], frame(number), lines[number]["detections"][0]["box"])
    assert len(gateway.kept) == kept


def test_only_what_lies_in_a_region_is_found(run: Run, video: Path, tmp_path: Path) -> None:
    (tmp_path / "half.json").write_text('[{"right": 0.5, "labels": ["face"]}]\n')
    assert run(video, "--regions", "half.json") == 0
    middle = SIZE[0] / 2
    inside = outside = 0
    for line in lines_of(tmp_path / "hopper-detections.jsonl"):
        left, _, right, _ = face(line["frame"])
        if right < middle:
            inside += 1
            assert line["detections"], line["frame"]
        if left > middle + 10:  # the box is no more exact than that
            outside += 1
            assert not line["detections"], line["frame"]
    assert inside
    assert outside


def assert_box_is_drawn(drawn: Image, plain: Image, box: list[float]) -> None:
    """Compare with the frame as it was: different along the box, alike inside it."""
    changed = np.abs(drawn.astype(int) - plain).max(axis=2)
    x1, y1, x2, y2 = (round(value) for value in box)
    for edge in (changed[y1:y2, x1], changed[y1:y2, x2], changed[y2, x1:x2]):
        assert np.median(edge) > 60
    assert np.median(changed[y1 + 10 : y2 - 10, x1 + 10 : x2 - 10]) < 30


def test_every_third_frame_is_sent_and_no_frame_is_lost(
    run: Run, video: Path, tmp_path: Path
) -> None:
    assert run(video, "--every", "3", "--width", "320", "--output", "o.avi", "--keep") == 0
    lines = [
        line | {"detections": [max(line["detections"], key=lambda found: found["confidence"])]}
        for line in lines_of(tmp_path / "o.jsonl")
    ]
    assert [line["frame"] for line in lines] == list(range(0, FRAMES, 3))
    assert {line["width"] for line in lines} == {SIZE[0]}
    assert_faces_are_in_place(lines)
    drawn = frames_of(tmp_path / "o.avi")
    assert len(drawn) == FRAMES
    # A frame that was not sent shows the last one's boxes.
    assert_box_is_drawn(drawn[4], frame(4), lines[1]["detections"][0]["box"])


def test_small_frames_are_what_is_sent(run: Run, video: Path, gateway: RealGateway) -> None:
    before = set(gateway.kept)
    assert run(video, "--every", str(FRAMES), "--width", "160", "--keep") == 0
    sizes = {cv2.imread(str(path)).shape for path in set(gateway.kept) - before}  # type: ignore[union-attr]
    assert sizes == {(120, 160, 3)}


def test_a_folder_s_pictures_in_their_order(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "notes.txt").write_text("no picture")
    (folder / "3.jpg").write_text("no picture either")
    for number, width in ((10, 320), (2, 640), (1, 640)):
        height = width * 3 // 4
        cv2.imwrite(str(folder / f"{number}.jpg"), cv2.resize(frame(number), (width, height)))
    assert run(folder, "--min-confidence", "0.9") == 0
    lines = lines_of(tmp_path / "pictures-detections.jsonl")
    assert [line["picture"] for line in lines] == ["1.jpg", "2.jpg", "10.jpg"]
    assert [line["width"] for line in lines] == [640, 640, 320]
    assert all(len(line["detections"]) == 1 for line in lines)
    assert [drawn.shape for drawn in frames_of(tmp_path / "pictures-detections.mp4")] == [
        (480, 640, 3)
    ] * 3
    assert "3.jpg is no picture" in capsys.readouterr().err


class At:
    """A source that does something before one of its frames."""

    def __init__(self, source: Source, number: int, action: Callable[[], object]) -> None:
        self.name, self.live, self.rate, self.total = "x", False, source.rate, source.total
        self._source, self._number, self._action = source, number, action

    def frames(self, idle: Callable[[], None]) -> Iterator[Frame]:
        for one in self._source.frames(idle):
            if one.number == self._number:
                self._action()
            yield one

    def newest(self, frame: Frame) -> Frame:
        return frame

    def close(self) -> None:
        self._source.close()


def test_a_gateway_that_restarts_loses_no_frame(
    video: Path, gateway: RealGateway, tmp_path: Path
) -> None:
    def restart() -> None:
        gateway.kill()
        gateway.begin()

    said: list[str] = []
    source = At(Video(cv2.VideoCapture(str(video)), "x", 2, said.append), 10, restart)
    output = Recorder(tmp_path / "o.mp4", tmp_path / "o.jsonl", RATE, live=False, overwrite=False)
    with Interrupts() as interrupts, VisiongateClient(gateway.address, USER, PASSWORD) as client:
        question = Question(["face"], {"min_confidence": 0.9})
        Watch(source, client, output, question, interrupts, said.append).run()
    output.close()
    source.close()
    lines = lines_of(tmp_path / "o.jsonl")
    assert [line["frame"] for line in lines] == list(range(0, FRAMES, 2))
    assert_faces_are_in_place(lines)
    assert len(frames_of(tmp_path / "o.mp4")) == FRAMES
    assert len(said) == 2
    assert "Trying again" in said[0]
    assert said[1] == "The gateway answers again."


def test_a_gateway_that_stays_away_ends_it_and_the_files_are_whole(
    video: Path, unused_port: int, gateway: RealGateway, tmp_path: Path
) -> None:
    client = VisiongateClient(gateway.address, USER, PASSWORD, patience=0.4)

    def leave() -> None:
        client.address = f"http://127.0.0.1:{unused_port}"

    source = At(Video(cv2.VideoCapture(str(video)), "x", 1, print), 3, leave)
    output = Recorder(tmp_path / "o.mp4", tmp_path / "o.jsonl", RATE, live=False, overwrite=False)
    watch = Watch(source, client, output, Question(["face"]), Interrupts(), print)
    with pytest.raises(stream.GatewayUnreachable):
        watch.run()
    output.close()
    assert len(lines_of(tmp_path / "o.jsonl")) == watch.asked == 3
    assert len(frames_of(tmp_path / "o.mp4")) == 3


def test_ctrl_c_ends_a_live_stream_with_whole_files(gateway: RealGateway, tmp_path: Path) -> None:
    lines = tmp_path / "o.jsonl"

    def interrupt() -> None:
        """Press Ctrl+C, as soon as three lines are there, once."""
        if not sent and lines.exists() and lines.read_bytes().count(b"\n") >= 3:
            sent.append(True)
            process.send_signal(signal.SIGINT)

    sent: list[bool] = []
    with Camera(frame, after_each=interrupt) as camera:
        arguments = [camera.address, "--gateway", gateway.address, "--user", USER]
        arguments += ["--detectors", "face", "--headless", "--output", str(tmp_path / "o.mp4")]
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "examples" / "stream.py"), *arguments],
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        _, errors = process.communicate(timeout=240)
    assert process.returncode == 130, errors
    assert "Traceback" not in errors
    written = lines_of(lines)
    assert len(written) >= 3
    assert all(line["captured"].endswith("Z") for line in written)
    # The video lasts as long as the stream was watched, of any gap two seconds.
    gaps = [b["seconds"] - a["seconds"] for a, b in pairwise(written)]
    expected = 1 + 25 * sum(min(gap, 2.0) for gap in gaps)
    assert abs(len(frames_of(tmp_path / "o.mp4")) - expected) <= 1


def test_a_stream_that_breaks_is_opened_again_and_given_up_in_the_end(
    run: Run,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with Camera(frame, connections=3, frames=4) as camera:

        def monotonic() -> float:
            """Stand still until the last connection: patience is for what comes after it."""
            return time.monotonic() if camera.connections == 3 else 0.0

        clock = SimpleNamespace(monotonic=monotonic, time=time.time)
        monkeypatch.setattr("streaming.live.time", clock)
        address = camera.address.replace("//", "//admin:secret@")
        assert run(address, "--patience", "1", "--output", "o.mp4") == 1
        assert camera.connections == 3
    said = capsys.readouterr().err
    assert said.count("broke off") >= 2
    assert "is back" in said
    assert "gave no frame for 1 s" in said
    assert "secret" not in said
    numbers = [line["frame"] for line in lines_of(tmp_path / "o.jsonl")]
    assert numbers == sorted(set(numbers))
    assert frames_of(tmp_path / "o.mp4")


def test_q_ends_it(gateway: RealGateway, video: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Screen:
        shown = closed = 0

        def __init__(self, title: str, rate: float | None, *, stay: bool) -> None:
            assert (title, rate, stay) == ("hopper.avi", RATE, False)

        def frame(self, drawn: Image, seconds: float) -> None:
            Screen.shown += 1
            if seconds >= 3 / RATE:
                raise Quit

        def found(self, line: object) -> None: ...

        def idle(self) -> None: ...

        def end(self) -> None: ...

        def close(self) -> None:
            Screen.closed += 1

    monkeypatch.setattr(stream, "Window", Screen)
    gate = ["--gateway", gateway.address, "--user", USER, "--detectors", "face"]
    assert stream.main([str(video), *gate]) == 0
    assert (Screen.shown, Screen.closed) == (4, 1)


class TestMessages:
    """What goes wrong is told in one line, before anything is written."""

    @pytest.fixture(autouse=True)
    def nothing_written(self, tmp_path: Path) -> Iterator[None]:
        yield
        assert not list(tmp_path.glob("*.jsonl"))
        assert not list(tmp_path.glob("*.mp4"))

    @pytest.mark.parametrize(
        ("source", "more", "words"),
        [
            ("absent.mp4", [], "There is no file absent.mp4"),
            (ROOT / "README.md", [], "no video that OpenCV can read"),
            (ROOT / "docs", [], "no picture in the folder"),
            ("77", [], "Camera 77 cannot be opened"),
            ("rtsp://u:secret@127.0.0.1:1/x", [], "rtsp://127.0.0.1:1/x cannot be opened"),
            (None, ["--detectors", "fase"], "no detector 'fase'. There are: face"),
            (None, ["--detectors", "face,object"], "switched the detector 'object' off"),
            (None, ["--user", "bob"], "VG_PASSWORD"),
            (None, ["--gateway", "http://127.0.0.1:1"], "Is the gateway running"),
            (None, ["--output", "absent/o.mp4"], "There is no folder absent"),
            (None, ["--output", "o.txt"], "must end in one of .mp4, .avi"),
        ],
        ids=str,
    )
    def test_of_what_cannot_be(
        self,
        run: Run,
        video: Path,
        capsys: pytest.CaptureFixture[str],
        source: object,
        more: list[str],
        words: str,
    ) -> None:
        assert run(source or video, *more) == 1
        said = capsys.readouterr().err
        assert words in said
        assert "secret" not in said
        assert said.count("\n") == 1

    def test_no_display(
        self,
        gateway: RealGateway,
        video: Path,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
        monkeypatch.setenv("DISPLAY", ":12345")  # set, and nobody there: OpenCV would abort
        gate = ["--gateway", gateway.address, "--user", USER]
        assert stream.main([str(video), *gate]) == 1
        assert "--headless" in capsys.readouterr().err

    def test_no_password(
        self,
        run: Run,
        video: Path,
        capsys: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.delenv("VG_PASSWORD")
        assert run(video) == 1  # a test's standard input is no terminal
        assert "put it into VG_PASSWORD" in capsys.readouterr().err

    @pytest.mark.parametrize(
        "wrong",
        [["--every", "0"], ["--width", "x"], ["--min-confidence", "2"], ["--patience", "nan"]],
        ids=str,
    )
    def test_wrong_usage(
        self, run: Run, video: Path, wrong: list[str], capsys: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit) as caught:
            run(video, *wrong)
        assert caught.value.code == 2
        assert f"argument {wrong[0]}: {wrong[1]!r} is no" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "told"), [(None, "cannot be read"), ("{", "no JSON"), ("[" * 100_000, "no JSON")]
)
def test_regions_that_cannot_be_read(
    run: Run,
    video: Path,
    tmp_path: Path,
    content: str | None,
    told: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if content is not None:
        (tmp_path / "yard.json").write_text(content)
    with pytest.raises(SystemExit) as caught:
        run(video, "--regions", "yard.json")
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert "argument --regions: yard.json" in error
    assert told in error


def test_regions_that_are_none_are_told_in_the_gateway_s_words(
    run: Run, video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "yard.json").write_text('[{"left": 2}]')
    assert run(video, "--regions", "yard.json") == 1
    assert "[0].left" in capsys.readouterr().err


def test_what_is_there_is_not_overwritten(
    run: Run, video: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = tmp_path / "o.mp4"
    old.write_text("precious")
    assert run(video, "--output", "o.mp4") == 1
    assert "--force" in capsys.readouterr().err
    assert old.read_text() == "precious"
    assert run(video, "--output", "o.mp4", "--force", "--every", str(FRAMES)) == 0
    assert len(frames_of(old)) == FRAMES


def test_the_source_is_never_overwritten(
    run: Run, video: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = video.read_bytes()
    assert run(video, "--output", str(video), "--force") == 1
    assert "is the source itself" in capsys.readouterr().err
    assert video.read_bytes() == before
