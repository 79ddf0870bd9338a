"""The loop: take a frame, ask the gateway, hand out what it found."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

import cv2

from streaming.drawing import draw
from streaming.frames import Frame, Image, Source
from streaming.interrupts import Interrupts
from streaming.outputs import Output
from visiongate_client import GatewayError, VisiongateClient

__all__ = ["Question", "Watch"]

JPEG_QUALITY = 90
IDLE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of each frame; one wider than ``width`` is sent made smaller."""

    detectors: Sequence[str]
    options: Mapping[str, object] = field(default_factory=dict)
    keep: bool = False
    width: int | None = None


class Watch:
    """Asks the gateway one frame at a time, so that frames never queue up on their way to it.

    Frames of a video that are not asked about show the boxes of the last one that was.
    """

    def __init__(
        self,
        source: Source,
        client: VisiongateClient,
        output: Output,
        question: Question,
        interrupts: Interrupts,
        say: Callable[[str], None],
    ) -> None:
        self.frames = self.asked = self.found = 0
        self._source = source
        self._client = client
        self._output = output
        self._question = question
        self._interrupts = interrupts
        self._say = say
        self._times: deque[float] = deque(maxlen=20)
        self._waiting = False
        self._failed: set[str] = set()
        client.wait = self._wait

    @property
    def rate(self) -> float:
        """Frames a second, lately."""
        if len(self._times) < 2:
            return 0.0
        return (len(self._times) - 1) / max(self._times[-1] - self._times[0], 1e-9)

    def run(self, step: Callable[[], object] = lambda: None) -> None:
        """Go on to the source's end; call ``step`` after each frame.

        Raises:
            Quit, KeyboardInterrupt: somebody ended it.
            SourceError, OutputError, GatewayError: it cannot go on.
        """
        coming = self._source.frames(self._output.idle)
        detections: Sequence[Mapping[str, Any]] = ()
        while True:
            with self._interrupts.allowed():
                frame = next(coming, None)
                if frame is None:
                    self._output.end()
                    return
                if frame.ask:
                    frame, report = self._asked_about(frame)
            if frame.ask:
                detections = report["detections"]
                self._output.found(_line(frame, report))
                self._count(report)
            self.frames += 1
            self._times.append(time.monotonic())
            drawn = draw(frame.image, detections, f"{self.rate:.1f} fps")
            self._output.frame(drawn, frame.seconds)
            step()

    def _asked_about(self, frame: Frame) -> tuple[Frame, dict[str, Any]]:
        """Return the report and its frame, which is a newer one where a live source had to wait."""

        def ask() -> tuple[Frame, dict[str, Any]]:
            newest = self._source.newest(frame)
            return newest, self._ask(newest.image)

        answer = self._client.patiently(ask)
        if self._waiting:
            self._waiting = False
            self._say("The gateway answers again.")
        return answer

    def _ask(self, image: Image) -> dict[str, Any]:
        """Return the report, its boxes in pixels of the whole frame."""
        factor = 1.0
        sent = image
        if self._question.width is not None and image.shape[1] > self._question.width:
            factor = image.shape[1] / self._question.width
            height = max(1, round(image.shape[0] / factor))
            sent = cv2.resize(  # type: ignore[assignment]  # OpenCV's stubs lose the type
                image, (self._question.width, height), interpolation=cv2.INTER_AREA
            )
        _, jpeg = cv2.imencode(".jpg", sent, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        report = self._client.detect(
            jpeg.tobytes(),
            self._question.detectors,
            keep=self._question.keep,
            **self._question.options,
        )
        for found in report["detections"]:
            found["box"] = _scaled(found["box"], factor)
            found["landmarks"] = [_scaled(point, factor) for point in found["landmarks"]]
        return report

    def _count(self, report: Mapping[str, Any]) -> None:
        self.asked += 1
        self.found += len(report["detections"])
        for detector in report["detectors"]:
            if detector["failure"] is not None and detector["name"] not in self._failed:
                self._failed.add(detector["name"])
                self._say(f"{detector['name']} does not answer: {detector['failure']['detail']}")

    def _wait(self, problem: GatewayError, seconds: float) -> None:
        if not self._waiting:
            self._waiting = True
            self._say(f"{problem} Trying again, for at most {self._client.patience:g} s.")
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self._output.idle()
            time.sleep(min(left, IDLE_SECONDS))


def _scaled(values: Sequence[float], factor: float) -> list[float]:
    return [round(value * factor, 2) for value in values]


def _line(frame: Frame, report: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a JSON line says of a frame; docs/stream.md describes it."""
    line: dict[str, Any] = {"frame": frame.number, "seconds": round(frame.seconds, 3)}
    if frame.name:
        line["picture"] = frame.name
    if frame.captured is not None:
        moment = datetime.fromtimestamp(frame.captured, timezone.utc)
        line["captured"] = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return line | {
        "width": frame.image.shape[1],
        "height": frame.image.shape[0],
        "detections": report["detections"],
        "milliseconds": {one["name"]: one["milliseconds"] for one in report["detectors"]},
        "failures": {one["name"]: one["failure"] for one in report["detectors"] if one["failure"]},
    }
