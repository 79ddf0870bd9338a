"""One request's way, with detectors of known answers."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from PIL import Image as Pillow

from visiongate import face_crop
from visiongate.contracts import Detector, ModelStore, PictureStore
from visiongate.engines.local import LocalEngine
from visiongate.errors import (
    DeadlineExceeded,
    DetectorDisabled,
    DetectorForbidden,
    DetectorUnavailable,
    DetectorUnknown,
    ModelUnavailable,
    PictureCorrupt,
    StoreUnavailable,
    VisiongateError,
)
from visiongate.imaging import Limits
from visiongate.pipeline import DetectRequest, Pipeline
from visiongate.registry import Entry, Registry
from visiongate.types import (
    Box,
    Detection,
    DetectorInfo,
    Device,
    Image,
    ModelUse,
    Picture,
    PredictOptions,
    Retained,
    User,
)

USER = User("ann", "hash")
SIZE = (64, 48)
LANDMARKS = ((18.0, 14.0), (33.0, 20.0), (23.0, 25.0), (15.0, 27.0), (27.0, 33.0))


def jpeg() -> bytes:
    buffer = io.BytesIO()
    Pillow.new("RGB", SIZE, "navy").save(buffer, "JPEG")
    return buffer.getvalue()


class Fixed:
    """A detector that answers what it was made with, and remembers what it saw."""

    model = ModelUse("fixed", "abc")

    def __init__(
        self, info: DetectorInfo, answer: Callable[[Image], tuple[Detection, ...]]
    ) -> None:
        self.info = info
        self._answer = answer
        self.seen: list[Sequence[Image]] = []

    def load(self, models: ModelStore, device: Device) -> None:
        pass

    def predict(
        self, images: Sequence[Image], options: PredictOptions
    ) -> list[tuple[Detection, ...]]:
        self.seen.append(images)
        return [self._answer(image) for image in images]


def things(*found: Detection, name: str = "thing") -> Fixed:
    return Fixed(DetectorInfo(name, "detection", ("a", "b", "face")), lambda _: found)


def attribute(name: str) -> Fixed:
    info = DetectorInfo(name, "attribute", ("dark", "light"), needs="faces", crop_size=16)

    def answer(crop: Image) -> tuple[Detection, ...]:
        return (Detection("dark" if crop.mean() < 128 else "light", 0.8, Box(0, 0, 16, 16)),)

    return Fixed(info, answer)


class Kept:
    """A picture store that remembers; ``full`` refuses like a full disk."""

    def __init__(self, *, full: bool = False) -> None:
        self.items: list[tuple[str, bytes, bytes | None]] = []
        self._full = full

    def keep(
        self, owner: str, original: bytes, picture: Picture, annotated: bytes | None
    ) -> Retained:
        if self._full:
            raise StoreUnavailable("The disk is full.")
        self.items.append((owner, original, annotated))
        return Retained("id1", owner, 0.0, None, annotated is not None)


def build(*detectors: Detector, pictures: PictureStore | None = None) -> Pipeline:
    entries = [Entry(d.info.name, "test", lambda d=d: d) for d in detectors]  # type: ignore[misc]
    return wire(entries, pictures)


def wire(entries: list[Entry], pictures: PictureStore | None = None) -> Pipeline:
    def ready(entry: Entry) -> Detector:
        entry.check_enabled()
        if entry.detector is None:
            raise DetectorUnavailable(entry.reason or "")
        return entry.detector

    return Pipeline(
        Registry(entries),
        LocalEngine(1, 4),
        Limits(1_000_000, 1_000_000),
        ready=ready,
        pictures=pictures,
        deadline_seconds=30,
        device="CPU",
    )


def ask(*names: str, **options: object) -> DetectRequest:
    return DetectRequest(names, **options)  # type: ignore[arg-type]


def test_reports_what_was_found_surest_first_and_clipped() -> None:
    detector = things(
        Detection("a", 0.6, Box(-5, 1, 10, 20)),
        Detection("b", 0.9, Box(2, 2, 30, 30)),
        Detection("a", 0.55, Box(100, 100, 120, 120)),
        Detection("a", 0.4, Box(0, 0, 5, 5)),
    )
    report = build(detector).run(jpeg(), USER, ask("thing")).report
    assert [(d.label, d.confidence) for d in report.detections] == [("b", 0.9), ("a", 0.6)]
    assert report.detections[1].box == Box(0, 1, 10, 20)
    assert report.detectors[0].model == ModelUse("fixed", "abc")
    assert (report.picture.width, report.picture.height) == SIZE


def test_options_choose_among_what_was_found() -> None:
    detector = things(
        *(Detection(label, c, Box(0, 0, 9, 9)) for label, c in (("a", 0.3), ("a", 0.7), ("b", 0.8)))
    )
    options = PredictOptions(min_confidence=0.2, labels=frozenset({"a"}), max_detections=1)
    report = build(detector).run(jpeg(), USER, ask("thing", options=options)).report
    assert [d.confidence for d in report.detections] == [0.7]


def test_the_picture_is_decoded_once_for_all_detectors() -> None:
    first, second = things(name="first"), things(name="second")
    build(first, second).run(jpeg(), USER, ask("first", "second"))
    assert first.seen[0][0] is second.seen[0][0]


def test_attributes_are_judged_in_one_batch_and_nested_in_their_face() -> None:
    face = things(
        Detection("face", 0.9, Box(4, 4, 20, 20)),
        Detection("face", 0.8, Box(30, 4, 46, 20)),
        name="face",
    )
    tone = attribute("tone")
    report = build(face, tone).run(jpeg(), USER, ask("tone")).report
    assert [r.name for r in report.detectors] == ["face", "tone"]
    assert [d.attributes["tone"].label for d in report.detections] == ["dark", "dark"]
    assert len(tone.seen) == 1
    assert [crop.shape for crop in tone.seen[0]] == [(16, 16, 3)] * 2


def test_no_face_means_no_attribute_unless_the_whole_picture_may_stand_for_it() -> None:
    face, tone = things(name="face"), attribute("tone")
    pipeline = build(face, tone)
    assert pipeline.run(jpeg(), USER, ask("face", "tone")).report.detections == ()
    report = pipeline.run(jpeg(), USER, ask("tone", whole_picture_as_face=True)).report
    assert report.detections[0].attributes["tone"].label == "dark"
    assert report.detections[0].box == Box(0, 0, *SIZE)
    assert "whole picture" in report.warnings[0]


@pytest.mark.parametrize(
    ("found", "framing"),
    [
        (Detection("face", 0.9, Box(10, 6, 40, 40), landmarks=LANDMARKS), face_crop.YUNET),
        (Detection("face", 0.9, Box(10, 6, 40, 40)), face_crop.SSD),
        (Detection("face", 0.9, Box(0, 0, *SIZE)), face_crop.WHOLE),
    ],
)
def test_a_face_is_cut_out_by_its_landmarks_where_there_are_any(
    found: Detection, framing: face_crop.Framing
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    stream = io.BytesIO()
    Pillow.fromarray(pixels).save(stream, "PNG")
    tone = attribute("tone")
    build(things(found, name="face"), tone).run(stream.getvalue(), USER, ask("tone"))
    ((crop,),) = tone.seen
    expected = face_crop.crop_face(
        pixels, found.box.as_tuple(), found.landmarks or None, 16, framing
    )
    np.testing.assert_array_equal(crop, expected)


def test_who_may_not_is_told_before_anything_is_decoded() -> None:
    bound = User("bob", "hash", detectors=frozenset({"face"}))
    with pytest.raises(DetectorForbidden, match="bob"):
        build(things()).run(b"not a picture", bound, ask("thing"))
    with pytest.raises(DetectorUnknown):
        build(things()).run(b"not a picture", USER, ask("nothing"))


def test_a_detector_that_is_switched_off_refuses() -> None:
    entry = Entry("thing", "test", things)
    entry.disable()
    with pytest.raises(DetectorDisabled):
        wire([entry]).run(jpeg(), USER, ask("thing"))


class Broken(Fixed):
    def __init__(self, error: Exception) -> None:
        super().__init__(DetectorInfo("broken", "detection", ("x",)), lambda _: ())
        self._error = error

    def predict(
        self, images: Sequence[Image], options: PredictOptions
    ) -> list[tuple[Detection, ...]]:
        raise self._error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RuntimeError("boom"), "detector_unavailable"),
        (ModelUnavailable("pull it"), "model_unavailable"),
    ],
)
def test_one_failure_is_an_error_alone_and_a_line_in_a_full_report(
    error: Exception, code: str
) -> None:
    pipeline = build(Broken(error), things(Detection("a", 0.9, Box(0, 0, 9, 9))))
    with pytest.raises(VisiongateError) as caught:
        pipeline.run(jpeg(), USER, ask("broken"))
    assert caught.value.code == code
    report = pipeline.run(jpeg(), USER, ask("broken", "thing", partial=True)).report
    failure = report.detectors[0].failure
    assert failure is not None
    assert failure.code == code
    assert len(report.detections) == 1


def test_keeps_picture_and_annotated_copy_unless_told_to_delete() -> None:
    pictures = Kept()
    pipeline = build(things(Detection("a", 0.9, Box(4, 4, 40, 40))), pictures=pictures)
    body = jpeg()
    report = pipeline.run(body, USER, ask("thing")).report
    assert report.retained is not None
    owner, original, annotated = pictures.items[0]
    assert (owner, original) == ("ann", body)
    assert annotated is not None
    drawn = np.asarray(Pillow.open(io.BytesIO(annotated)))
    assert drawn.shape == (SIZE[1], SIZE[0], 3)
    assert np.abs(drawn.astype(int) - report.picture.pixels).max() > 60, "nothing was drawn"
    assert pipeline.run(body, USER, ask("thing", delete=True)).report.retained is None
    assert len(pictures.items) == 1


def test_nothing_is_kept_of_a_request_that_fails() -> None:
    pictures = Kept()
    with pytest.raises(DetectorUnavailable):
        build(Broken(RuntimeError()), pictures=pictures).run(jpeg(), USER, ask("broken"))
    with pytest.raises(PictureCorrupt):
        build(things(), pictures=pictures).run(jpeg()[:300], USER, ask("thing"))
    assert pictures.items == []


def test_a_full_disk_costs_the_copy_not_the_answer() -> None:
    pipeline = build(things(Detection("a", 0.9, Box(0, 0, 9, 9))), pictures=Kept(full=True))
    report = pipeline.run(jpeg(), USER, ask("thing")).report
    assert report.retained is None
    assert len(report.detections) == 1
    assert "disk is full" in report.warnings[0]


def test_annotated_picture_is_drawn_only_on_request() -> None:
    pipeline = build(things(Detection("a", 0.9, Box(4, 4, 40, 40))))
    assert pipeline.run(jpeg(), USER, ask("thing")).annotated is None
    drawn = pipeline.run(jpeg(), USER, ask("thing", annotate=True)).annotated
    assert drawn is not None
    assert drawn.shape == (SIZE[1], SIZE[0], 3)


def test_work_whose_deadline_has_passed_is_not_begun() -> None:
    detector = things()
    with pytest.raises(DeadlineExceeded):
        build(detector).run(jpeg(), USER, ask("thing", deadline=time.monotonic() - 1))
    assert detector.seen == []
