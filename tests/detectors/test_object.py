"""The object detector, through the door that every detector has."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
import pytest

from detectors.object import DEFAULT, ObjectDetector
from visiongate.contracts import Detector
from visiongate.errors import ConfigurationError, DetectorUnavailable, ModelUnavailable
from visiongate.models.manifest import load_manifest
from visiongate.models.store import FileModelStore
from visiongate.types import Box, Detection, Device, Image, PredictOptions

ALL = PredictOptions()


class NoModels:
    """A store on a machine that has no weights and no network."""

    def path(self, name: str) -> Path:
        raise ModelUnavailable(f"The weights of {name} are not on this machine.")

    def find(self, name: str) -> Path | None:
        return None

    def cache_dir(self) -> Path:
        raise AssertionError("nothing to keep")


def read(path: Path) -> Image:
    picture = cv2.imread(str(path))
    assert picture is not None
    return np.ascontiguousarray(picture[:, :, ::-1])


@pytest.fixture(scope="module")
def people() -> ObjectDetector:
    detector = ObjectDetector(model="people-hog")
    detector.load(NoModels(), Device())
    return detector


class TestPeopleHog:
    def test_needs_no_weights_and_names_itself(self, people: ObjectDetector) -> None:
        assert isinstance(people, Detector)
        assert people.info.labels == ("person",)
        assert people.model is not None
        assert people.model.name == "people-hog"
        assert people.model.runtime.startswith("opencv 4.")

    def test_finds_the_person_beside_dog_and_horse(
        self, people: ObjectDetector, photos: Path
    ) -> None:
        (found,) = people.predict([read(photos / "person_dog_horse.jpg")], ALL)
        assert [d.label for d in found] == ["person"]
        assert found[0].box.iou(Box(190, 95, 275, 380)) > 0.7
        assert 0.6 <= found[0].confidence <= 1.0

    def test_boxes_are_in_pixels_of_the_picture_given_however_large(
        self, people: ObjectDetector, photos: Path
    ) -> None:
        small = read(photos / "person_dog_horse.jpg")
        large = cv2.resize(small, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
        before, after = people.predict([small, np.ascontiguousarray(large)], ALL)
        scaled = Box(*(3 * value for value in before[0].box.as_tuple()))
        assert after[0].box.iou(scaled) > 0.7

    @pytest.mark.parametrize("size", [(1, 1), (127, 64), (128, 63), (20, 4000)])
    def test_too_small_for_its_window_is_an_empty_answer(
        self, people: ObjectDetector, size: tuple[int, int]
    ) -> None:
        assert people.predict([np.zeros((*size, 3), np.uint8)], ALL) == [()]

    def test_thresholds_and_labels_apply(self, people: ObjectDetector, photos: Path) -> None:
        picture = read(photos / "person_dog_horse.jpg")
        (found,) = people.predict([picture], ALL)
        over = PredictOptions(min_confidence=min(1.0, found[0].confidence + 0.01))
        assert people.predict([picture], over) == [()]
        assert people.predict([picture], PredictOptions(labels=frozenset({"dog"}))) == [()]
        assert people.predict([picture], PredictOptions(max_detections=0)) == [()]

    def test_many_threads_get_the_answer_that_one_gets(
        self, people: ObjectDetector, photos: Path
    ) -> None:
        picture = read(photos / "person_dog_horse.jpg")
        alone = people.predict([picture], ALL)

        def again(_: int) -> list[tuple[Detection, ...]]:
            return people.predict([picture], ALL)

        with ThreadPoolExecutor(4) as pool:
            assert all(answer == alone for answer in pool.map(again, range(12)))


class TestConfiguration:
    def test_an_unknown_model_is_met_by_the_known_ones(self) -> None:
        with pytest.raises(ConfigurationError, match="Did you mean 'people-hog'"):
            ObjectDetector(model="people-hug")

    @pytest.mark.parametrize("value", [0.0, -1.0, 1.5, float("nan")])
    def test_nms_iou_must_be_an_overlap(self, value: float) -> None:
        with pytest.raises(ConfigurationError, match="nms_iou"):
            ObjectDetector(nms_iou=value)

    def test_asked_before_it_is_loaded_it_says_so(self) -> None:
        with pytest.raises(DetectorUnavailable, match="before it is loaded"):
            ObjectDetector(model="people-hog").predict([], ALL)


class TestDefault:
    def test_it_knows_all_of_cocos_things(self, weights: Path, tmp_path: Path) -> None:
        detector = ObjectDetector()
        detector.load(FileModelStore(tmp_path, mirror=str(weights), offline=True), Device())
        assert detector.model is not None
        assert detector.model.name == "picodet_s_416_coco"
        assert len(detector.info.labels) == 80

    def test_it_is_what_pull_fetches_without_a_name(self) -> None:
        fetched = [m.name for m in load_manifest().values() if m.default and m.task == "object"]
        assert fetched == [DEFAULT]

    def test_without_weights_nothing_answers_in_its_place(self) -> None:
        detector = ObjectDetector()
        with pytest.raises(ModelUnavailable):
            detector.load(NoModels(), Device())
        with pytest.raises(DetectorUnavailable):
            detector.predict([np.zeros((40, 40, 3), np.uint8)], ALL)


class TestWithoutWeights:
    def test_a_network_without_its_weights_says_how_to_get_them(self) -> None:
        detector = ObjectDetector(model="picodet_s_416_coco")
        assert len(detector.info.labels) == 80
        assert detector.info.probe_label == "person"
        with pytest.raises(ModelUnavailable) as error:
            detector.load(NoModels(), Device())
        assert "picodet_s_416_coco" in error.value.detail
        assert 'model = "people-hog"' in error.value.detail
        assert detector.model is None

    def test_the_store_adds_the_other_two_ways_out(self, tmp_path: Path) -> None:
        with pytest.raises(ModelUnavailable) as error:
            ObjectDetector(model="picodet_s_416_coco").load(
                FileModelStore(tmp_path, offline=True), Device()
            )
        for way in ("visiongate.models pull picodet_s_416_coco", "MODEL_MIRROR", "people-hog"):
            assert way in error.value.detail

    def test_it_loads_once_the_weights_have_come(self, weights: Path, tmp_path: Path) -> None:
        detector = ObjectDetector(model="picodet_s_416_coco")
        with pytest.raises(ModelUnavailable):
            detector.load(FileModelStore(tmp_path, offline=True), Device())
        detector.load(FileModelStore(tmp_path, mirror=str(weights), offline=True), Device())
        assert detector.model is not None
        assert detector.model.sha256 == (
            "cdab77bdde16e4f76bec734c4e5791801d1739e4c7ec1995e0e110e04300d0c2"
        )
