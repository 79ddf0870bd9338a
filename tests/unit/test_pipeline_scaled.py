"""What the pipeline has decoded smaller, and that nobody who asks can tell."""

from __future__ import annotations

import io
import time
from collections.abc import Sequence
from typing import cast

import pytest
from PIL import Image as Pillow

from visiongate.contracts import Detector, ModelStore, PictureStore
from visiongate.engines.local import LocalEngine
from visiongate.imaging import Limits
from visiongate.pipeline import DetectRequest, Pipeline
from visiongate.regions import Region
from visiongate.registry import Entry, Registry
from visiongate.selection import Selection
from visiongate.types import (
    Box,
    Detection,
    DetectorInfo,
    Device,
    Enough,
    Image,
    ModelUse,
    Picture,
    PredictOptions,
    Retained,
    User,
)

USER = User("ann", "hash")
SIZE = (640, 480)


class LowerRight:
    """Finds the lower right quarter of whatever it is given, and remembers how large that was.

    Its landmarks all lie in that quarter's corner, which is not how a face's lie: they are ignored
    where faces are cut out.
    """

    model = ModelUse("quarter", "abc")

    def __init__(self, name: str, enough: Enough | None, **more: object) -> None:
        self.info = DetectorInfo(name, "detection", ("a",), enough=enough, **more)  # type: ignore[arg-type]
        self.seen: list[tuple[int, int]] = []

    def load(self, models: ModelStore, device: Device) -> None:
        pass

    def predict(
        self, images: Sequence[Image], options: PredictOptions
    ) -> list[tuple[Detection, ...]]:
        self.seen += [(image.shape[1], image.shape[0]) for image in images]
        return [
            (Detection("a", 0.9, Box(w / 2, h / 2, w, h), ((w / 2, h / 2),) * 5),)
            for h, w, _ in (image.shape for image in images)
        ]


class Kept:
    def keep(
        self, owner: str, original: bytes, picture: Picture, annotated: bytes | None
    ) -> Retained:
        assert original == jpeg()
        assert annotated is not None
        assert Pillow.open(io.BytesIO(annotated)).size == SIZE
        return Retained("id1", owner, 0.0, None, annotated=True)


def jpeg(format: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    Pillow.new("RGB", SIZE, "navy").save(buffer, format)
    return buffer.getvalue()


def build(
    *detectors: Detector, pictures: PictureStore | None = None, shrink: bool = True
) -> Pipeline:
    def ready(entry: Entry) -> Detector:
        assert entry.detector is not None
        return entry.detector

    return Pipeline(
        Registry([Entry(d.info.name, "test", lambda d=d: d) for d in detectors]),  # type: ignore[misc]
        LocalEngine(1, 4),
        Limits(1_000_000, 1_000_000),
        ready=ready,
        pictures=pictures,
        deadline_seconds=30,
        device="CPU",
        shrink=shrink,
    )


def ask(*names: str, **options: object) -> DetectRequest:
    return DetectRequest(names, deadline=time.monotonic() + 30, **options)  # type: ignore[arg-type]


def test_a_detector_gets_what_is_enough_and_its_answer_is_of_the_whole() -> None:
    detector = LowerRight("thing", Enough(shorter=120))
    report = build(detector).run(jpeg(), USER, ask("thing")).report
    assert detector.seen == [(160, 120)]
    assert (report.picture.width, report.picture.height) == SIZE
    (found,) = report.detections
    assert found.box == Box(320, 240, 640, 480)
    assert found.landmarks == ((320, 240),) * 5


def test_several_get_one_picture_large_enough_for_all() -> None:
    small, large = LowerRight("small", Enough(shorter=60)), LowerRight("large", Enough(longer=320))
    build(small, large).run(jpeg(), USER, ask("small", "large"))
    assert small.seen == large.seen == [(320, 240)]


@pytest.mark.parametrize("names", [("small", "whole"), ("whole", "small"), ("whole",)])
def test_one_that_needs_every_pixel_gets_it(names: tuple[str, ...]) -> None:
    detectors = LowerRight("small", Enough()), LowerRight("whole", None)
    build(*detectors).run(jpeg(), USER, ask(*names))
    assert {size for detector in detectors for size in detector.seen} == {SIZE}


def test_faces_are_cut_from_every_pixel() -> None:
    face = LowerRight("face", Enough())
    tone = LowerRight("tone", None, needs="faces", crop_size=32)
    build(face, tone).run(jpeg(), USER, ask("tone"))
    assert face.seen == [SIZE]
    assert tone.seen == [(32, 32)]


def test_what_is_drawn_into_is_whole() -> None:
    detector = LowerRight("thing", Enough())
    outcome = build(detector).run(jpeg(), USER, ask("thing", annotate=True))
    assert outcome.annotated is not None
    assert outcome.annotated.shape == (480, 640, 3)
    assert detector.seen == [SIZE]


def test_what_is_kept_is_whole_and_what_is_not_kept_need_not_be() -> None:
    detector = LowerRight("thing", Enough(shorter=60))
    pipeline = build(detector, pictures=cast("PictureStore", Kept()))
    assert pipeline.run(jpeg(), USER, ask("thing")).report.retained is not None
    assert pipeline.run(jpeg(), USER, ask("thing", delete=True)).report.retained is None
    assert detector.seen == [SIZE, (80, 60)]


def test_the_operator_can_have_every_pixel_decoded() -> None:
    detector = LowerRight("thing", Enough())
    build(detector, shrink=False).run(jpeg(), USER, ask("thing"))
    assert detector.seen == [SIZE]


def test_other_formats_are_given_whole() -> None:
    detector = LowerRight("thing", Enough())
    build(detector).run(jpeg("PNG"), USER, ask("thing"))
    assert detector.seen == [SIZE]


def test_regions_are_of_the_whole_picture() -> None:
    detector = LowerRight("thing", Enough())
    within = Region(((0.4, 0.4), (1.0, 0.4), (1.0, 1.0), (0.4, 1.0)))
    outside = Region(((0.0, 0.0), (0.3, 0.0), (0.3, 0.3), (0.0, 0.3)))
    for region, count in ((within, 1), (outside, 0)):
        selection = Selection(regions=(region,))
        report = build(detector).run(jpeg(), USER, ask("thing", selection=selection)).report
        assert len(report.detections) == count
