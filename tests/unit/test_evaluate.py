"""mAP on a folder in COCO's format, by COCO's own arithmetic."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from visiongate.errors import ConfigurationError
from visiongate.models import cli
from visiongate.models.evaluate import evaluate
from visiongate.types import Box, Detection, DetectorInfo, Image, ModelUse, PredictOptions

# Box, of a picture whose grey value is its number, for each annotation: cats and dogs.
TRUTH = [(1, "cat", (10, 10, 40, 40)), (1, "dog", (60, 60, 100, 120)), (2, "cat", (5, 5, 150, 150))]


class Oracle:
    """A detector that answers what it was given for a picture of that grey."""

    def __init__(self, answers: dict[int, list[tuple[str, float, tuple[float, ...]]]]) -> None:
        self._answers = answers
        self.asked: list[PredictOptions] = []

    info = DetectorInfo(name="oracle", task="detection", labels=("cat", "dog", "cow"))
    model: ModelUse | None = None

    def load(self, models: Any, device: Any) -> None:
        raise AssertionError("is loaded")

    def predict(
        self, images: Sequence[Image], options: PredictOptions
    ) -> list[tuple[Detection, ...]]:
        self.asked.append(options)
        return [
            tuple(
                Detection(label, confidence, Box(*box))
                for label, confidence, box in self._answers.get(int(image[0, 0, 0]), [])
            )
            for image in images
        ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    names = {"cat": 7, "dog": 9, "unicorn": 11}
    data = {
        "images": [
            {"id": n, "file_name": f"{n}.png", "width": 200, "height": 200} for n in (1, 2, 3)
        ],
        "categories": [{"id": number, "name": name} for name, number in names.items()],
        "annotations": [
            {
                "id": index,
                "image_id": image,
                "category_id": names[label],
                "bbox": [x1, y1, x2 - x1, y2 - y1],
                "area": (x2 - x1) * (y2 - y1),
                "iscrowd": 0,
            }
            for index, (image, label, (x1, y1, x2, y2)) in enumerate(TRUTH, start=1)
        ],
    }
    (tmp_path / "truth.json").write_text(json.dumps(data))
    for number in (1, 2):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((200, 200, 3), number, np.uint8))
    return tmp_path


def right_answers() -> dict[int, list[tuple[str, float, tuple[float, ...]]]]:
    answers: dict[int, list[tuple[str, float, tuple[float, ...]]]] = {1: [], 2: []}
    for image, label, box in TRUTH:
        answers[image].append((label, 0.9, box))
    return answers


def test_all_right_is_one(folder: Path) -> None:
    oracle = Oracle(right_answers())
    told: list[tuple[int, int]] = []
    scores = evaluate(
        oracle, folder / "truth.json", folder, progress=lambda *note: told.append(note)
    )
    assert (scores.ap, scores.ap50, scores.ar100) == (1.0, 1.0, 1.0)
    assert scores.classes == pytest.approx({"cat": 1.0, "dog": 1.0})
    assert (scores.pictures, scores.missing) == (2, 1)
    assert told == [(1, 2), (2, 2)]
    assert oracle.asked[0].min_confidence == 0.01


def test_a_half_overlapping_box_counts_at_low_overlap_alone(folder: Path) -> None:
    answers = right_answers()
    answers[1][1] = ("dog", 0.9, (60, 60, 100, 96))  # IoU 0.6: right at 0.50, 0.55 and 0.60
    scores = evaluate(Oracle(answers), folder / "truth.json", folder)
    assert scores.classes == {"cat": 1.0, "dog": pytest.approx(0.3)}
    assert scores.ap50 == 1.0
    assert scores.ap75 == pytest.approx(0.5)


def test_a_surer_wrong_answer_costs_precision_and_a_miss_recall(folder: Path) -> None:
    answers = right_answers()
    answers[1].append(("dog", 0.99, (0, 150, 20, 190)))
    answers[2] = []
    scores = evaluate(Oracle(answers), folder / "truth.json", folder)
    assert scores.classes["dog"] == pytest.approx(0.5)
    assert scores.classes["cat"] == pytest.approx(51 / 101)  # of COCO's 101 points of recall


def test_nothing_found_is_zero_and_unknown_labels_count_for_nothing(folder: Path) -> None:
    assert evaluate(Oracle({}), folder / "truth.json", folder).ap == 0.0
    answers = right_answers()
    answers[1].append(("cow", 1.0, (0, 0, 200, 200)))
    assert evaluate(Oracle(answers), folder / "truth.json", folder).ap == 1.0


def test_a_limit_takes_the_first_pictures(folder: Path) -> None:
    scores = evaluate(Oracle(right_answers()), folder / "truth.json", folder, limit=1)
    assert (scores.pictures, scores.missing) == (1, 2)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"images": [], "annotations": [], "categories": []}',
        '{"images": [{"id": 1}], "annotations": [{"id": 1, "image_id": 1, "category_id": 1}], '
        '"categories": [{"id": 1, "name": "cat"}]}',
    ],
)
def test_a_file_that_is_not_cocos_is_refused(folder: Path, content: str) -> None:
    (folder / "truth.json").write_text(content)
    with pytest.raises(ConfigurationError, match="COCO's format"):
        evaluate(Oracle({}), folder / "truth.json", folder)


def test_what_cannot_be_measured_is_said(folder: Path, tmp_path_factory: Any) -> None:
    with pytest.raises(ConfigurationError, match="COCO's format"):
        evaluate(Oracle({}), folder / "none.json", folder)
    with pytest.raises(ConfigurationError, match="none of the pictures"):
        evaluate(Oracle({}), folder / "truth.json", tmp_path_factory.mktemp("empty"))
    oracle = Oracle({})
    oracle.info = DetectorInfo(name="oracle", task="detection", labels=("rose",))
    with pytest.raises(ConfigurationError, match="none of the labels"):
        evaluate(oracle, folder / "truth.json", folder)


def test_the_command_measures_a_real_network(
    weights: Path,
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The boxes of dog and bicycle are those that Darknet's authors print for their picture."""
    boxes = {"dog": [128, 224, 184, 313], "bicycle": [125, 133, 443, 287]}
    data = {
        "images": [{"id": 1, "file_name": "dog_bicycle_truck.jpg", "width": 768, "height": 576}],
        "categories": [{"id": 1, "name": "dog"}, {"id": 2, "name": "bicycle"}],
        "annotations": [
            {"id": n, "image_id": 1, "category_id": n, "bbox": box, "area": 1e4, "iscrowd": 0}
            for n, box in enumerate(boxes.values(), start=1)
        ],
    }
    (tmp_path / "truth.json").write_text(json.dumps(data))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VISIONGATE_MODEL_MIRROR", str(weights))
    monkeypatch.setenv("VISIONGATE_OFFLINE", "true")
    assert cli.main(["evaluate", "truth.json", str(photos), "--model", "picodet_s_416_coco"]) == 0
    out, err = capsys.readouterr()
    table = dict(line.split("\t") for line in out.splitlines())
    assert table["AP50"] == "1.000"
    assert float(table["AP dog"]) >= 0.8
    assert table["AP small"] == "no example"
    assert err.startswith("1 pictures, 0 more")
