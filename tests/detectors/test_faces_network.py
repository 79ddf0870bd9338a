"""Gender and ethnicity with the weights that are shipped: no network, no configuration."""

from __future__ import annotations

import gc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from detectors import _faces_network
from detectors.ethnicity import EthnicityDetector
from detectors.face import FaceDetector
from detectors.gender import GenderDetector
from visiongate import imaging
from visiongate.errors import ModelUnavailable
from visiongate.face_crop import YUNET, crop_face
from visiongate.models.store import FileModelStore
from visiongate.types import Device, Image, PredictOptions

EVERYTHING = PredictOptions(min_confidence=0.0)


@pytest.fixture(scope="module")
def no_models(tmp_path_factory: pytest.TempPathFactory) -> FileModelStore:
    """The store of a machine that never had a network."""
    return FileModelStore(tmp_path_factory.mktemp("models"), offline=True)


@pytest.fixture(scope="module")
def gender(no_models: FileModelStore) -> GenderDetector:
    detector = GenderDetector()
    detector.load(no_models, Device())
    return detector


@pytest.fixture(scope="module")
def ethnicity(no_models: FileModelStore) -> EthnicityDetector:
    detector = EthnicityDetector()
    detector.load(no_models, Device())
    return detector


@pytest.fixture(scope="module")
def crops(photos: Path, weights: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Image]:
    """The faces of a woman and two men, upright, as the gateway cuts them."""
    face = FaceDetector(model="yunet")
    store = FileModelStore(tmp_path_factory.mktemp("m"), mirror=str(weights), offline=True)
    face.load(store, Device())
    cut = []
    for name in ("astronaut.png", "man_obama.jpg", "man_biden.jpg"):
        limits = imaging.Limits(max_bytes=20_000_000, max_pixels=40_000_000)
        pixels = imaging.decode((photos / name).read_bytes(), limits).pixels
        (found,) = face.predict([pixels], PredictOptions())[0]
        cut.append(crop_face(pixels, found.box.as_tuple(), found.landmarks, 150, YUNET))
    return cut


def test_people_whose_apparent_gender_nobody_doubts(
    gender: GenderDetector, crops: list[Image]
) -> None:
    answers = [found[0] for found in gender.predict(crops, EVERYTHING)]
    assert [answer.label for answer in answers] == ["female", "male", "male"]
    for answer in answers:
        assert set(answer.probabilities) == {"male", "female"}
        assert sum(answer.probabilities.values()) == pytest.approx(1, abs=1e-3)
        assert answer.confidence == max(answer.probabilities.values())


def test_ethnicity_answers_one_of_five_groups(
    ethnicity: EthnicityDetector, crops: list[Image]
) -> None:
    answers = [found[0] for found in ethnicity.predict(crops, EVERYTHING)]
    # What one word says of a man with parents of two groups is nothing to test.
    assert [answers[0].label, answers[2].label] == ["White", "White"]
    for answer in answers:
        assert answer.label in answer.probabilities
        assert list(answer.probabilities) == ["White", "Black", "Asian", "Indian", "Others"]


def test_a_face_gets_the_same_answer_alone_and_among_others(
    gender: GenderDetector, crops: list[Image]
) -> None:
    alone = [gender.predict([crop], EVERYTHING)[0][0] for crop in crops]
    together = [found[0] for found in gender.predict(crops, EVERYTHING)]
    for one, other in zip(alone, together, strict=True):
        assert one.label == other.label
        assert one.confidence == pytest.approx(other.confidence, abs=0.01)


def test_both_questions_run_the_network_once(
    gender: GenderDetector,
    ethnicity: EthnicityDetector,
    crops: list[Image],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    network = _faces_network.shared_network(Device())
    runs: list[int] = []
    really = network._net.run
    monkeypatch.setattr(network._net, "run", lambda *a: runs.append(len(a[0])) or really(*a))
    mine = [crop.copy() for crop in crops]
    gender.predict(mine, EVERYTHING)
    ethnicity.predict(mine, EVERYTHING)
    assert runs == [3]
    # Other crops in the place of these are not taken for them, wherever they lie in memory.
    del mine
    gc.collect()
    others = [np.ascontiguousarray(crop[::-1]) for crop in crops]
    ethnicity.predict(others, EVERYTHING)
    assert runs == [3, 3]


def test_many_threads_get_each_its_own_answer(
    gender: GenderDetector, ethnicity: EthnicityDetector, crops: list[Image]
) -> None:
    expected = [
        [d.predict([crop], EVERYTHING)[0][0].label for d in (gender, ethnicity)] for crop in crops
    ]

    def ask(turn: int) -> bool:
        crop = crops[turn % 3].copy()
        labels = [d.predict([crop], EVERYTHING)[0][0].label for d in (gender, ethnicity)]
        return labels == expected[turn % 3]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(ask, range(60)))


def test_crops_of_another_size_are_fitted(gender: GenderDetector, crops: list[Image]) -> None:
    small = [crop[::2, ::2] for crop in crops]
    labels = [found[0].label for found in gender.predict(small, EVERYTHING)]
    assert labels == ["female", "male", "male"]


def test_the_report_and_the_card_name_the_same_file(gender: GenderDetector) -> None:
    assert gender.model is not None
    assert gender.card.details["sha256"] == gender.model.sha256
    assert gender.info.crop_size == gender.card.details["input"]["shape"][1]
    assert "social construct" in gender.card.markdown.lower()
    assert any("policing" in limit for limit in gender.card.limits)


def test_a_damaged_file_is_unavailable_and_says_so(
    no_models: FileModelStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = _faces_network._FILE.read_bytes()
    (tmp_path / "faces_attributes.onnx").write_bytes(shipped[: len(shipped) // 2])
    monkeypatch.setattr(_faces_network, "_FILE", tmp_path / "faces_attributes.onnx")
    device = Device(threads=3)  # no other test shares this one's network
    with pytest.raises(ModelUnavailable, match=r"faces_attributes\.onnx"):
        GenderDetector().load(no_models, device)
    (tmp_path / "faces_attributes.onnx").unlink()
    with pytest.raises(ModelUnavailable, match="no model file"):
        GenderDetector().load(no_models, device)
