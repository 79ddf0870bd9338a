"""Gender and ethnicity by a network of the operator's own: batches, labels, abstaining."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detectors.ethnicity import EthnicityDetector
from detectors.gender import GenderDetector
from tests.detectors.networks import save_brightest_channel
from visiongate.errors import ConfigurationError, DetectorUnavailable
from visiongate.models.store import FileModelStore
from visiongate.types import Device, Image, PredictOptions

LABELS = ["red", "green", "blue"]


def loaded(folder: Path, **options: Any) -> EthnicityDetector:
    save_brightest_channel(folder / "net.onnx")
    given = {"labels": LABELS, "scaling": "0..1", **options}
    detector = EthnicityDetector(model=str(folder / "net.onnx"), **given)
    detector.load(FileModelStore(folder / "cache", offline=True), Device())
    return detector


def crop(red: int, green: int, blue: int) -> Image:
    return np.full((20, 20, 3), (red, green, blue), np.uint8)


def test_each_crop_gets_its_own_answer(tmp_path: Path) -> None:
    answers = loaded(tmp_path).predict(
        [crop(250, 0, 0), crop(0, 0, 250), crop(0, 250, 0)], PredictOptions(min_confidence=0.0)
    )
    assert [found[0].label for found in answers] == ["red", "blue", "green"]
    assert all(found[0].confidence > 0.99 for found in answers)
    assert sum(answers[0][0].probabilities.values()) == pytest.approx(1, abs=1e-3)


def test_it_abstains_below_the_configured_and_the_asked_confidence(tmp_path: Path) -> None:
    detector = loaded(tmp_path, abstain_below=0.9)
    unsure = [crop(130, 120, 120)]
    (setting,) = detector.predict(unsure, PredictOptions())[0]
    assert setting.label == "unknown"
    assert setting.confidence < 0.5, "how unsure it is stays in the answer"
    (asked,) = detector.predict(unsure, PredictOptions(abstain_below=0.0))[0]
    assert asked.label == "red"
    (sure,) = detector.predict([crop(250, 0, 0)], PredictOptions(abstain_below=0.98))[0]
    assert sure.label == "red"


def test_it_is_sensitive_and_takes_faces_of_the_networks_size(tmp_path: Path) -> None:
    info = loaded(tmp_path).info
    assert info.sensitive
    assert (info.needs, info.crop_size) == ("faces", 20)
    assert info.labels == (*LABELS, "unknown")


def test_asked_before_it_is_loaded_it_says_so() -> None:
    with pytest.raises(DetectorUnavailable, match="before it is loaded"):
        GenderDetector(model="net.onnx").predict([crop(1, 2, 3)], PredictOptions())


def test_no_face_is_no_work(tmp_path: Path) -> None:
    assert loaded(tmp_path).predict([], PredictOptions()) == []


@pytest.mark.parametrize("least", [-0.1, 1.1, float("nan")])
def test_a_confidence_lies_between_0_and_1(least: float) -> None:
    with pytest.raises(ConfigurationError, match="abstain_below"):
        GenderDetector(model="net.onnx", abstain_below=least)


def test_options_of_a_model_that_is_not_named_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="name its file with model"):
        GenderDetector(input_size=96)
