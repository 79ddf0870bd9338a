"""The classifier, through the door that every detector has."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from detectors.classify import ClassifyDetector, read_labels
from visiongate.contracts import Detector
from visiongate.errors import ConfigurationError, DetectorUnavailable, ModelUnavailable
from visiongate.imaging import Limits, decode
from visiongate.models.store import FileModelStore
from visiongate.types import Box, Device, Image, PredictOptions

ALL = PredictOptions()


def read(path: Path) -> Image:
    return decode(path.read_bytes(), Limits(max_bytes=20_000_000, max_pixels=50_000_000)).pixels


@pytest.fixture(scope="module")
def detector(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> ClassifyDetector:
    store = FileModelStore(tmp_path_factory.mktemp("cache"), mirror=str(weights), offline=True)
    made = ClassifyDetector()
    made.load(store, Device(threads=2, streams=2))
    return made


class TestAnswers:
    @pytest.mark.parametrize(
        ("file", "label"),
        [
            ("coffee.png", "espresso"),
            ("hot_dog.jpg", "hotdog"),
            ("camera.png", "tripod"),
            ("rocket.jpg", "missile"),
            ("grace_hopper.bmp", "military uniform"),
        ],
    )
    def test_the_likeliest_class_comes_first(
        self, detector: ClassifyDetector, photos: Path, file: str, label: str
    ) -> None:
        (found,) = detector.predict([read(photos / file)], ALL)
        assert found[0].label == label

    def test_five_classes_over_the_whole_picture_most_confident_first(
        self, detector: ClassifyDetector, photos: Path
    ) -> None:
        (found,) = detector.predict([read(photos / "two_dogs.jpg")], ALL)
        assert {found[0].label, found[1].label} == {"Italian greyhound", "Boston bull"}
        assert len(found) == 5
        assert all(d.box == Box(0, 0, 512, 430) for d in found)
        confidences = [d.confidence for d in found]
        assert confidences == sorted(confidences, reverse=True)
        assert 0.9 < sum(confidences) <= 1.0

    def test_options_apply(self, detector: ClassifyDetector, photos: Path) -> None:
        picture = read(photos / "two_dogs.jpg")
        (three,) = detector.predict([picture], PredictOptions(max_detections=3))
        assert len(three) == 3
        (sure,) = detector.predict([picture], PredictOptions(min_confidence=0.2))
        assert len(sure) == 2
        assert sure == three[:2]
        (asked,) = detector.predict([picture], PredictOptions(labels=frozenset({"Boston bull"})))
        assert [d.label for d in asked] == ["Boston bull"]
        assert detector.predict([picture], PredictOptions(max_detections=0)) == [()]

    def test_classes_of_no_likelihood_are_answered_only_where_they_are_asked_for(
        self, detector: ClassifyDetector, photos: Path
    ) -> None:
        picture = read(photos / "coffee.png")
        (found,) = detector.predict([picture], ALL)
        assert 0 < len(found) < 5
        assert all(round(one.confidence, 6) > 0 for one in found)
        (five,) = detector.predict([picture], PredictOptions(min_confidence=0.0))
        assert len(five) == 5
        assert five[: len(found)] == found
        assert five[-1].confidence == 0
        upload = PredictOptions(min_confidence=0.0, max_detections=3)  # the replaced service's
        assert [
            len(found) for found in detector.predict([read(photos / "camera.png")], upload)
        ] == [3]
        tripod = frozenset({"tripod"})
        assert detector.predict([picture], PredictOptions(labels=tripod)) == [()]
        (asked,) = detector.predict([picture], PredictOptions(labels=tripod, min_confidence=0.0))
        assert [one.label for one in asked] == ["tripod"]

    def test_top_is_a_setting(self, weights: Path, tmp_path: Path, photos: Path) -> None:
        wide = ClassifyDetector(top=1000)
        wide.load(FileModelStore(tmp_path, mirror=str(weights), offline=True), Device())
        options = PredictOptions(max_detections=2000, min_confidence=0.0)
        (found,) = wide.predict([read(photos / "coffee.png")], options)
        assert len(found) == 1000
        assert "background" not in {d.label for d in found}

    @pytest.mark.parametrize("shape", [(1, 1), (1, 4000), (4000, 1)])
    def test_any_shape_is_answered(
        self, detector: ClassifyDetector, shape: tuple[int, int]
    ) -> None:
        picture: Image = np.full((*shape, 3), 90, np.uint8)
        (found,) = detector.predict([picture], ALL)
        assert len(found) == 5

    def test_many_threads_get_the_answer_that_one_gets(
        self, detector: ClassifyDetector, photos: Path
    ) -> None:
        pictures = [read(photos / name) for name in ("coffee.png", "two_dogs.jpg", "owl.jpg")]
        alone = detector.predict(pictures, ALL)
        with ThreadPoolExecutor(4) as pool:
            answers = list(pool.map(lambda _: detector.predict(pictures, ALL), range(8)))
        assert answers == [alone] * 8


class TestWhatItIs:
    def test_labels_come_with_the_weights(self, detector: ClassifyDetector) -> None:
        assert isinstance(detector, Detector)
        assert ClassifyDetector().info.labels == ()
        labels = detector.info.labels
        assert len(labels) == 1000
        assert {"soccer ball", "tench", "maillot", "maillot, tank suit"} <= set(labels)
        assert "background" not in labels
        assert detector.info.default_confidence == 1e-6

    def test_a_report_names_the_model(self, detector: ClassifyDetector) -> None:
        assert detector.model is not None
        assert detector.model.name == "mobilenet_v2_1.0_224_quant"
        assert detector.model.sha256 == (
            "7aad0c74c5e3c06e5eb3c827e13304fdd68a83da6087d92ee169c24ff9fd4776"
        )
        assert detector.model.runtime.startswith("openvino")

    def test_without_weights_it_says_how_to_get_them(self, tmp_path: Path) -> None:
        detector = ClassifyDetector()
        with pytest.raises(ModelUnavailable, match="pull mobilenet_v2"):
            detector.load(FileModelStore(tmp_path, offline=True), Device())
        with pytest.raises(DetectorUnavailable, match="before it is loaded"):
            detector.predict([], ALL)

    @pytest.mark.parametrize("top", [0, 1001, -1, 2.5, "5", True])
    def test_top_must_be_a_number_of_classes(self, top: int) -> None:
        with pytest.raises(ConfigurationError, match="top must be"):
            ClassifyDetector(top=top)

    def test_labels_that_do_not_fit_are_refused(self, tmp_path: Path) -> None:
        file = tmp_path / "labels.txt"
        file.write_text("background\ntench\n")
        with pytest.raises(ModelUnavailable, match="1001 labels"):
            read_labels(file)
