"""Sources, splits, scores, temperatures and schedules: what needs no PyTorch."""

from __future__ import annotations

import csv
import hashlib
import json
import time
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from training import card, metrics
from training.augment import Face, Strength, plain_crop, random_crop
from training.calibrate import temperature
from training.duplicates import clusters, split
from training.labels import FOLD, GENDERS, GROUPS, RACES, fold_matrix
from training.schedule import Budget, learning_rate, picture_size
from training.sources import read_bytes, records
from training.weights import find


def _touch(path: Path, data: bytes = b"picture") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def test_races_fold_into_the_five_groups() -> None:
    assert fold_matrix().sum(axis=1).tolist() == [1.0] * 7
    assert {race: GROUPS[group] for race, group in zip(RACES, FOLD, strict=True)} == {
        "White": "White",
        "Black": "Black",
        "East Asian": "Asian",
        "Southeast Asian": "Asian",
        "Indian": "Indian",
        "Latino_Hispanic": "Others",
        "Middle Eastern": "Others",
    }


def test_shards_with_a_label_file_are_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("1.webp", b"one")
        archive.writestr("2.webp", b"two")
    rows = [
        ["shard", "file", "gender", "group", "race7", "age"],
        ["a.zip", "2.webp", "Female", "Asian", "East Asian", "30-39"],
        ["a.zip", "1.webp", "Male", "Black", "Black", "more than 70"],
    ]
    with (tmp_path / "labels.csv").open("w", newline="") as table:
        csv.writer(table).writerows(rows)
    found = records(tmp_path)
    assert [(r.name, r.gender, r.race, r.group, r.age) for r in found] == [
        ("a.zip/2.webp", 1, 2, 2, 4),
        ("a.zip/1.webp", 0, 1, 1, 8),
    ]
    assert list(read_bytes(found)) == [b"two", b"one"]


def test_fairface_s_label_file_is_read(tmp_path: Path) -> None:
    _touch(tmp_path / "train" / "1.jpg", b"one")
    table = tmp_path / "fairface_label_train.csv"
    table.write_text(
        "file,age,gender,race,service_test\ntrain/1.jpg,0-2,Male,Latino_Hispanic,True\n"
    )
    (found,) = records(tmp_path)
    assert (found.gender, found.race, found.group, found.age) == (0, 5, 4, 0)
    assert list(read_bytes([found])) == [b"one"]


def test_utkface_s_names_are_read(tmp_path: Path) -> None:
    for name in ("26_1_2_20170116.jpg", "1_0_0_2017.jpg", "70_0_4_1.jpg", "39_1_20170116.jpg"):
        _touch(tmp_path / "part1" / name)
    found = {record.path.name: record for record in records(tmp_path)}
    assert len(found) == 3, "a name without all four parts is no label"
    one = found["26_1_2_20170116.jpg"]
    assert (one.gender, one.race, one.group, one.age) == (1, -1, 2, 3)
    assert (found["1_0_0_2017.jpg"].race, found["1_0_0_2017.jpg"].age) == (0, 0)
    assert (found["70_0_4_1.jpg"].group, found["70_0_4_1.jpg"].age) == (4, 8)


def test_a_folder_for_each_class_is_read(tmp_path: Path) -> None:
    for name in ("women/a.jpg", "Indian/b.png", "middle_eastern/c.webp", "holiday/d.jpg"):
        _touch(tmp_path / name)
    found = {record.path.name: record for record in records(tmp_path)}
    assert set(found) == {"a.jpg", "b.png", "c.webp"}
    assert (found["a.jpg"].gender, found["a.jpg"].group) == (1, -1)
    assert (found["b.png"].race, found["b.png"].group) == (4, 3)
    assert (found["c.webp"].race, found["c.webp"].group) == (6, 4)


def test_a_folder_without_labels_says_what_is_known(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="AGE_GENDER_RACE_DATE"):
        records(tmp_path)


def test_near_duplicates_stay_on_one_side() -> None:
    rng = np.random.default_rng(3)
    small = rng.integers(0, 256, (40, 12, 12, 3)).astype(np.uint8)
    pictures = [cv2.resize(one, (64, 64), interpolation=cv2.INTER_CUBIC) for one in small]
    brighter = [np.clip(one.astype(int) * 0.9 + 12, 0, 255).astype(np.uint8) for one in pictures]
    first = clusters(np.stack([*pictures, *brighter]))
    assert first.tolist() == [*range(40), *range(40)]
    side = split(first, validation=0.3, test=0.3, seed=1)
    assert np.array_equal(side[:40], side[40:])
    assert set(side.tolist()) == {0, 1, 2}
    assert np.array_equal(side, split(first, validation=0.3, test=0.3, seed=1))


def test_scores_are_what_their_definitions_say() -> None:
    truth, answer = np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1])
    counts = metrics.confusion(truth, answer, 2)
    assert counts.tolist() == [[2, 1], [0, 1]]
    assert metrics.balanced(counts) == pytest.approx((2 / 3 + 1) / 2)
    table = metrics.by_class(counts, ("a", "b"))
    assert table["a"] == pytest.approx({"precision": 1, "recall": 2 / 3, "f1": 0.8, "support": 3})
    sure = np.array([[0.9, 0.1]] * 10)
    truth = np.array([0] * 7 + [1] * 3)
    assert metrics.calibration_error(sure, truth) == pytest.approx(0.2)


def test_a_temperature_undoes_what_was_done_to_the_logits() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (20_000, 7)).astype(np.float32)
    race = np.array([rng.choice(7, p=p) for p in metrics.softmax(logits)])
    assert temperature(logits * 2.5, race) == pytest.approx(2.5, rel=0.05)
    group = np.array(FOLD)[race]
    assert temperature(logits * 0.5, group, folded=True) == pytest.approx(0.5, rel=0.05)
    probabilities = metrics.groups_of(logits)
    assert metrics.calibration_error(probabilities, group) < 0.02


def test_the_learning_rate_rises_and_falls_and_pictures_grow() -> None:
    rates = [learning_rate(step / 100, 1e-3, warmup=0.1) for step in range(101)]
    assert max(rates) == rates[10] == pytest.approx(1e-3)
    assert rates[100] == pytest.approx(1e-5)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert [picture_size(p, (65, 81, 97), (0.5, 0.8)) for p in (0, 0.5, 0.9)] == [65, 81, 97]


def test_a_budget_counts_the_clock_or_epochs() -> None:
    assert Budget(epochs=4).progress(1) == 0.25
    assert Budget(epochs=4).progress(9) == 1.0
    earlier = Budget(hours=1, spent=1800, started=time.monotonic())
    assert earlier.progress(0) == pytest.approx(0.5, abs=0.01)
    with pytest.raises(ValueError, match="either"):
        Budget()


def test_variations_are_the_same_for_the_same_seed_and_by_either_path() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (160, 160, 3)).astype(np.uint8)
    points = np.array([[50, 50], [110, 50], [80, 80], [60, 110], [100, 110]], np.float32)
    for landmarks in (points, None):
        face = Face((0.0, 0.0, 160.0, 160.0), landmarks)
        one, two, other = (
            random_crop(picture, face, 49, np.random.default_rng(seed), Strength(erase=1, blur=1))
            for seed in (1, 1, 2)
        )
        assert one.shape == (49, 49, 3)
        assert np.array_equal(one, two)
        assert not np.array_equal(one, other)
        assert plain_crop(picture, face, 33, whole=True).shape == (33, 33, 3)


def test_weights_are_found_or_the_command_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISIONGATE_MODEL_MIRROR", str(tmp_path))
    monkeypatch.setenv("VISIONGATE_DATA_DIR", str(tmp_path / "data"))
    with pytest.raises(FileNotFoundError, match="models pull body"):
        find("body.tflite")
    _touch(tmp_path / "data" / "models" / "body.tflite")
    assert find("body.tflite") == tmp_path / "data" / "models" / "body.tflite"
    _touch(tmp_path / "body.tflite")
    assert find("body.tflite") == tmp_path / "body.tflite"
    with pytest.raises(FileNotFoundError, match="not there"):
        find("body.tflite", tmp_path / "nowhere")


def test_weights_are_shipped_with_their_card_and_only_when_good_enough(tmp_path: Path) -> None:
    folder = Path(__file__).resolve().parents[2] / "detectors" / "weights"
    if not (folder / "card.json").exists():
        assert not list(folder.glob("*.onnx")), "weights without a card"
        return
    facts = json.loads((folder / "card.json").read_text())
    shipped = (folder / facts["file"]).read_bytes()
    assert hashlib.sha256(shipped).hexdigest() == facts["sha256"]
    assert len(shipped) <= 8_000_000
    assert facts["speed"]["ms_one_face"] <= 5
    assert max(facts["test"][head]["ece_after"] for head in ("gender", "group")) <= 0.03
    assert facts["test"]["gender"]["accuracy"] >= 0.91
    assert facts["test"]["group"]["balanced_accuracy"] >= 0.76
    card.write(facts, tmp_path)
    assert json.loads((tmp_path / "card.json").read_text()) == facts
    text = (folder / "card.md").read_text()
    for word in ("appears to be", "social construct", "CC BY 4.0", "policing", facts["sha256"]):
        assert word.lower() in text.lower()


def _class_rows(names: tuple[str, ...]) -> dict[str, dict[str, float]]:
    return {
        name: {"precision": 0.9, "recall": 0.8, "f1": 0.85, "support": 7 + index}
        for index, name in enumerate(names)
    }


def _facts() -> dict[str, Any]:
    """Return the facts of a network that never was, its figures easy to tell apart."""
    scores = {
        name: {
            "accuracy": 0.911 + 0.001 * index,
            "balanced_accuracy": 0.801 + 0.001 * index,
            "standard_error": 0.004,
            "ece_before": 0.051,
            "ece_after": 0.013,
            "classes": _class_rows(names),
        }
        for index, (name, names) in enumerate({"gender": GENDERS, "group": GROUPS}.items())
    }
    by_gender = {gender: {"accuracy": 0.87} for gender in GENDERS}
    kept = [{"least": 0.8, "answered": 0.77, "accuracy": 0.96}]
    return {
        "looks": 3,
        "file": "faces.onnx",
        "bytes": 4_321_987,
        "sha256": "ab" * 32,
        "input": {"name": "faces", "shape": [-1, 97, 97, 3]},
        "outputs": {"gender": {"labels": GENDERS}, "group": {"labels": GROUPS}},
        "speed": {"ms_one_face": 3.4, "ms_each_of_8": 2.1, "machine": "one core"},
        "paths": {"landmarks": {"gender": 0.912, "group_balanced": 0.765}},
        "training": {"command": "make train-faces DATA=faces", "story": "It was trained."},
        "test": {
            **scores,
            "faces": 3210,
            "abstaining": {"gender": kept, "group": kept},
            "gender_by_group": {
                "gap": 0.037,
                "groups": {name: {"accuracy": 0.88, "faces": 99, **by_gender} for name in GROUPS},
            },
            "by_age": {"20-29": {"gender": 0.93, "group": 0.81, "faces": 555}},
        },
    }


def test_the_card_has_every_figure_and_limit_in_both_forms(tmp_path: Path) -> None:
    facts = _facts()
    card.write(facts, tmp_path)
    again = json.loads((tmp_path / "card.json").read_text())
    assert again["test"] == json.loads(json.dumps(facts["test"]))
    assert "policing" in again["not_intended"].lower()
    text = (tmp_path / "card.md").read_text()
    for word in ("appears to be", "social construct", "CC BY 4.0", "policing", facts["sha256"]):
        assert word.lower() in text.lower()
    assert "looked at 3 times" in text
    for figure in ("91.1 %", "80.2 %", "0.051", "0.013", "3.7 points", "3,210", "3.4 ms", "76.5 %"):
        assert figure in text, figure
    for label in (*GENDERS, *GROUPS):
        assert f"| {label} |" in text
