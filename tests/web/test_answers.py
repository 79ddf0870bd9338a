"""The shapes of answers, held against the types that document them."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from flask import Flask
from pydantic import ConfigDict, TypeAdapter
from pydantic import ValidationError as Mismatch

from visiongate.types import (
    Attribute,
    Box,
    Detection,
    DetectorReport,
    Failure,
    ModelUse,
    Picture,
    Report,
    Retained,
)
from visiongate.web import answer_types, answers

KEPT = f"{1:016x}-{2:032x}"
_PICTURE = Picture(np.zeros((40, 60, 3), np.uint8), "JPEG", orientation=6)
_FACE = Detection(
    "face",
    0.97726,
    Box(10.4, 2.6, 30.5, 39.9),
    landmarks=((12.0, 13.3333), (25.5, 13.0)),
    attributes={"gender": Attribute("male", 0.95456, {"female": 0.04544, "male": 0.95456})},
)
_MODEL = ModelUse("yunet", "ab" * 32, "OpenVINO", "MIT")
_REPORT = Report(
    _PICTURE,
    (
        DetectorReport("face", _MODEL, "CPU", 12.34567, (_FACE,)),
        DetectorReport("gender", _MODEL, "CPU", 1.0),
        DetectorReport("object", None, "CPU", 0.1, failure=Failure("model_unavailable", "Pull.")),
    ),
    warnings=("Small picture.",),
    retained=Retained(KEPT, "anna", 1_700_000_000.0, 1_700_000_060.5, annotated=True),
)


def test_the_list_is_mlapis_to_the_letter() -> None:
    expected = {
        "type": "face",
        "label": "face",
        "confidence": "97.73%",
        "box": [10, 3, 30, 40],
        "gender": "man",
        "gender_confidence": "95.46%",
    }
    assert answers.detection_list(_REPORT) == [expected]
    assert list(answers.detection_list(_REPORT)[0]) == list(expected)


def test_the_list_says_woman_and_keeps_labels_that_mlapi_had_none_for() -> None:
    for said, shown in (("female", "woman"), ("unknown", "unknown")):
        face = replace(_FACE, attributes={"gender": Attribute(said, 1.0)})
        one = DetectorReport("face", None, "CPU", 1.0, (face,))
        item = answers.detection_list(Report(_PICTURE, (one,)))[0]
        assert (item["gender"], item["gender_confidence"]) == (shown, "100.00%")


def test_the_list_of_a_detector_of_faces_gives_its_own_label() -> None:
    unjudged = replace(_FACE, attributes={})
    faces = DetectorReport("face", None, "CPU", 1.0, (_FACE, unjudged))
    items = answers.detection_list(Report(_PICTURE, (faces,)), judged_by="gender")
    assert [(i["type"], i["label"], i["confidence"]) for i in items] == [("face", "male", "95.46%")]


def test_the_report_is_what_its_type_says_and_nothing_more() -> None:
    class Exact(answer_types.ReportAnswer):
        __pydantic_config__ = ConfigDict(extra="forbid", strict=True)  # type: ignore[misc]

    answer = json.loads(json.dumps(answers.report_answer(_REPORT)))
    assert TypeAdapter(Exact).validate_python(answer) == answer
    with pytest.raises(Mismatch):
        TypeAdapter(Exact).validate_python(answer | {"extra": 1})
    for item in answers.detection_list(_REPORT):
        assert TypeAdapter(answer_types.ListItem).validate_python(item) == item


def test_the_report_has_numbers_and_nests_attributes_in_their_face() -> None:
    answer = answers.report_answer(_REPORT)
    assert answer["image"] == {
        "width": 60,
        "height": 40,
        "format": "JPEG",
        "orientation_applied": 6,
        "frames": 1,
    }
    (face,) = answer["detections"]
    assert face == {
        "detector": "face",
        "label": "face",
        "confidence": 0.97726,
        "box": [10.4, 2.6, 30.5, 39.9],
        "landmarks": [[12.0, 13.33], [25.5, 13.0]],
        "attributes": {
            "gender": {
                "label": "male",
                "confidence": 0.95456,
                "probabilities": {"female": 0.04544, "male": 0.95456},
            }
        },
        "probabilities": {},
    }
    found, _, failed = answer["detectors"]
    assert found["model"] == {
        "name": "yunet",
        "sha256": "ab" * 32,
        "runtime": "OpenVINO",
        "licence": "MIT",
    }
    assert found["milliseconds"] == 12.346
    assert failed["model"] is None
    assert failed["failure"] == {"code": "model_unavailable", "detail": "Pull."}
    assert answer["warnings"] == ["Small picture."]


def test_the_report_tells_what_was_kept() -> None:
    assert answers.report_answer(_REPORT)["retained"] == {
        "id": KEPT,
        "created": "2023-11-14T22:13:20Z",
        "expires": "2023-11-14T22:14:20Z",
        "urls": {
            "original": f"/api/v1/images/{KEPT}",
            "annotated": f"/api/v1/images/{KEPT}?annotated=true",
        },
    }
    kept = Retained(KEPT, "anna", 0.0, None, annotated=False)
    bare = answers.retained_answer(kept)
    assert bare["expires"] is None
    assert bare["urls"]["annotated"] is None
    assert answers.report_answer(replace(_REPORT, retained=None))["retained"] is None


def test_numpys_numbers_become_json() -> None:
    one, half = np.float32(1.0), np.float32(0.5)
    box = Box(*(np.float32(v) for v in (1, 2, 3.3, 4)))  # type: ignore[arg-type]
    said = {"gender": Attribute("male", half, {"male": half})}  # type: ignore[arg-type,dict-item]
    found = Detection("face", half, box, ((one, half),), said)  # type: ignore[arg-type]
    report = Report(_PICTURE, (DetectorReport("face", None, "CPU", 1.0, (found,)),))
    answer = json.loads(json.dumps(answers.report_answer(report)))
    assert answer["detections"][0]["box"] == [1.0, 2.0, 3.3, 4.0]
    assert json.loads(json.dumps(answers.detection_list(report)))[0]["box"] == [1, 2, 3, 4]


def test_a_json_response_keeps_order_and_letters() -> None:
    with Flask("x").app_context():
        response = answers.json_response({"b": "é", "a": 1}, 201)
    assert response.get_data(as_text=True) == '{"b":"é","a":1}\n'
    assert (response.status_code, response.mimetype) == (201, "application/json")
