"""Regions, confidences by label and sizes of boxes, from the client's side.

The fake detectors find one thing in the middle half of a picture: a person with 0.8, a face
with 0.9.
"""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image as Pillow

from tests.web.checks import problem_of
from tests.web.fakes import FakeDetector
from visiongate.regions import MOST_POINTS
from visiongate.web.region_option import EXAMPLE, MOST_REGIONS

Headers = dict[str, str]
Ask = Callable[..., Any]

MANY = "/api/v1/detect"
MIDDLE = {"left": 0.25, "top": 0.25, "right": 0.75, "bottom": 0.75}
LEFT = {"right": 0.5}
CORNER = {"right": 0.2, "bottom": 0.2}


def picture() -> bytes:
    buffer = io.BytesIO()
    Pillow.new("RGB", (400, 300), (200, 30, 30)).save(buffer, "PNG")
    return buffer.getvalue()


PICTURE = picture()


@pytest.fixture
def ask(client: FlaskClient, auth: Headers) -> Ask:
    """Send the picture to ``object``, or another route, with options in the query, and answer."""

    def asking(route: str = "object", **options: Any) -> Any:
        query = {
            name: value if isinstance(value, str) else json.dumps(value)
            for name, value in options.items()
        }
        route = f"{MANY}/{route}" if "detectors" not in options else MANY
        headers = {**auth, "Content-Type": "image/png"}
        return client.post(route, headers=headers, query_string=query, data=PICTURE)

    return asking


@pytest.mark.parametrize(
    ("regions", "found"),
    [
        ([MIDDLE], 1),
        ([{**MIDDLE, "covers": True}], 1),
        ([LEFT], 1),
        ([{**LEFT, "covers": True}], 0),
        ([CORNER], 0),
        ([CORNER, LEFT], 1),
        ([{**LEFT, "labels": ["dog"]}], 0),
        ([{**LEFT, "labels": ["dog", "person"]}], 1),
        ([{**LEFT, "detect": {"person": 0.8}}], 1),
        ([{**LEFT, "detect": {"person": 0.81}}], 0),
        ([{**LEFT, "detect": {"*": 0.5, "person": 0.9}}], 0),
        ([{**LEFT, "detect": {"*": 0.5}}], 1),
        ([{"detect": {"dog": 0.1}}, {"detect": {"person": 0.1}}], 1),
        ([{"polygon": [[0, 0], [1, 0], [0, 1]]}], 1),
        ([{"polygon": [[0, 0], [1, 0], [0, 1]], "covers": True}], 0),
        ([{"polygon": [[0, 0], [1, 0], [1, 0.2], [0, 0.2], [0, 0]]}], 0),
    ],
)
def test_regions(ask: Ask, regions: list[dict[str, Any]], found: int) -> None:
    answer = ask(regions=regions)
    assert answer.status_code == 200
    assert len(answer.get_json()) == found


@pytest.mark.parametrize(
    ("least", "found"),
    [
        (0.8, 1),
        ("0.81", 0),
        ("person:0.8", 1),
        ("person:0.81", 0),
        ("person:0.6, dog:0.9", 1),
        ("dog:0.9,*:0.81", 0),
        ("*:0.9,person:0.7", 1),
        ({"person": 0.8, "*": 0.9}, 1),
        ({"person": 0.9}, 0),
    ],
)
def test_a_confidence_for_each_label(ask: Ask, least: object, found: int) -> None:
    assert len(ask(min_confidence=least).get_json()) == found


@pytest.mark.parametrize(
    ("sizes", "found"),
    [
        ({"min_box": 0.5}, 1),
        ({"min_box": 0.51}, 0),
        ({"min_box": "0.1,0.51"}, 0),
        ({"min_box": "0.5, 0.5"}, 1),
        ({"max_box": "0.5"}, 1),
        ({"max_box": "0.49,1"}, 0),
        ({"min_box": "0.4", "max_box": "0.6"}, 1),
    ],
)
def test_sizes(ask: Ask, sizes: dict[str, Any], found: int) -> None:
    assert len(ask(**sizes).get_json()) == found


@pytest.mark.parametrize("way", ["query", "form", "json"])
def test_wherever_they_come(client: FlaskClient, auth: Headers, way: str) -> None:
    options: dict[str, Any] = {
        "regions": [{**LEFT, "detect": {"person": 0.7}}],
        "min_confidence": {"person": 0.9},
        "min_box": [0.1, 0.2],
        "max_box": 0.6,
    }
    text = {name: json.dumps(value).strip("[]") for name, value in options.items()}
    text["regions"] = json.dumps(options["regions"])
    url = f"{MANY}/object"
    if way == "query":
        headers = {**auth, "Content-Type": "image/png"}
        answer = client.post(url, headers=headers, query_string=text, data=PICTURE)
    elif way == "form":
        form = {"file": (io.BytesIO(PICTURE), "1.png"), **text}
        answer = client.post(url, headers=auth, data=form)
    else:
        image = base64.b64encode(PICTURE).decode()
        answer = client.post(url, headers=auth, json={"image": image, **options})
    assert answer.status_code == 200, answer.text
    # The region's confidence stands in for the request's.
    assert len(answer.get_json()) == 1


def test_in_the_full_report_each_detector_is_chosen_from(ask: Ask) -> None:
    regions = [{**LEFT, "detect": {"face": 0.5, "person": 0.95}}]
    report = ask(detectors="face,object,classify", regions=regions).get_json()
    assert {one["label"] for one in report["detections"]} == {"face", "soccer ball"}


def test_only_faces_in_a_region_are_judged(ask: Ask, detectors: dict[str, FakeDetector]) -> None:
    ask("gender")
    detectors["gender"].seen.clear()
    assert ask("gender", regions=[CORNER]).get_json() == []
    assert detectors["gender"].seen == []
    assert len(ask("gender", regions=[LEFT]).get_json()) == 1


def test_regions_are_drawn_lightly_under_the_boxes(ask: Ask) -> None:
    def drawn(**options: Any) -> np.ndarray:
        answer = ask(annotate="true", delete="true", **options)
        return np.asarray(Pillow.open(io.BytesIO(answer.data)), int)

    plain, with_region = drawn(), drawn(regions=[{"left": 0.1, "right": 0.9, "top": 0.1}])
    different = np.abs(with_region - plain).max(axis=2) > 40
    assert different[:, 35:45].any()
    assert different[:, 355:365].any()
    assert not different[40:290, 60:340].any()


@pytest.mark.parametrize(
    ("regions", "told"),
    [
        ("{", ["not JSON"]),
        ("[" * 50_000, ["not JSON"]),
        (" " * 300_000, ["300000 characters"]),
        ({}, ["JSON list of 1 to 32"]),
        ([], ["JSON list of 1 to 32"]),
        ([CORNER] * (MOST_REGIONS + 1), ["JSON list of 1 to 32"]),
        ([CORNER, 7], ["[1]", "JSON object"]),
        ([CORNER, {}], ["[1]", "JSON object"]),
        ([{"lefft": 0.1}], ["[0]", "'lefft'", "'left'"]),
        ([{"left": 1.5}], ["[0].left", "from 0 to 1", "1.5"]),
        ([{"left": -0.1}], ["[0].left"]),
        ([{"left": True}], ["[0].left"]),
        ('[{"left": NaN}]', ["[0].left", "nan"]),
        ('[{"left": 1e999}]', ["[0].left", "inf"]),
        ('[{"left": 0.1, "left": 0.2}]', ["[0].left", "twice"]),
        ([{"left": 0.6, "right": 0.4}], ["[0]", "left below right", "0.6"]),
        ([{"top": 0.6, "bottom": 0.6}], ["[0]", "top below bottom"]),
        ([{"right": 0.0005, "bottom": 0.0005}], ["[0]", "millionth"]),
        ([{"covers": "yes"}], ["[0].covers", "true or false"]),
        ([{"polygon": [[0, 0], [1, 1], [1, 0], [0, 1]]}], ["[0].polygon", "edge 0 meets edge 2"]),
        ([{"polygon": [[0, 0], [1, 1]]}], ["[0].polygon", "3 to 64"]),
        ([{"polygon": [[0, 0]] * (MOST_POINTS + 2)}], ["[0].polygon", "3 to 64"]),
        ([{"polygon": "0,0,1,1"}], ["[0].polygon", "points"]),
        ([{"polygon": [[0, 0], [1, 1, 1], [1, 0]]}], ["[0].polygon[1]", "[x, y]"]),
        ([{"polygon": [[0, 0], [1, 0], [1, "top"]]}], ["[0].polygon[2][1]", "'top'"]),
        ([{"polygon": [[0, 0], [1, 0], [1, 7]]}], ["[0].polygon[2][1]", "7"]),
        ([{"polygon": [[0, 0], [1, 0], [1, 1]], "top": 0}], ["[0]", "polygon", "rectangle"]),
        ([{"labels": ["dog"], "detect": {"dog": 0.5}}], ["[0]", "labels and detect"]),
        ([{"labels": []}], ["[0].labels"]),
        ([{"labels": ["dog", 7]}], ["[0].labels[1]"]),
        ([{"labels": "dog"}], ["[0].labels"]),
        ([{"labels": ["dgo"]}], ["'regions'", "'dgo'", "dog"]),
        ([{"detect": {"dog": 50}}], ["[0].detect.dog", "0.6 for 60 %"]),
        ([{"detect": {}}], ["[0].detect"]),
        ([{"detect": ["dog"]}], ["[0].detect"]),
        ([{"detect": {"": 0.5}}], ["[0].detect", "without a name"]),
        ([{"detect": {str(i): 0.5 for i in range(1001)}}], ["[0].detect", "1001"]),
        ([{"detect": {"x" * 5000: 2}}], ["[0].detect.xxx"]),
    ],
)
def test_regions_that_are_none(
    client: FlaskClient, auth: Headers, regions: object, told: list[str]
) -> None:
    text = regions if isinstance(regions, str) else json.dumps(regions)
    form = {"file": (io.BytesIO(PICTURE), "1.png"), "regions": text}
    answer = client.post(f"{MANY}/object", headers=auth, data=form)
    detail = problem_of(answer, 400, "option_invalid")["detail"]
    assert "'regions'" in detail
    for words in told:
        assert words in detail
    assert len(detail) < 400


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"min_confidence": "persn:0.5"}, ["'min_confidence'", "'persn'", "person"]),
        ({"min_confidence": "person:60"}, ["at person", "0.6 for 60 %"]),
        ({"min_confidence": "person:"}, ["at person"]),
        ({"min_confidence": ":0.5"}, ["person:0.6,car:0.4"]),
        ({"min_confidence": "person:0.5,,dog:0.1"}, ["person:0.6,car:0.4"]),
        ({"min_confidence": "dog:0.5,dog:0.6"}, ["at dog", "twice"]),
        ({"min_confidence": {"dog": "much"}}, ["at dog", "'much'"]),
        ({"min_confidence": '{"dog": 0.1, "dog": 0.2}'}, ["at dog", "twice"]),
        ({"min_confidence": "{}"}, ["JSON object"]),
        ({"min_confidence": '{"dog": '}, ["not JSON"]),
        ({"min_box": "0.1,0.2,0.3"}, ["'min_box'", "one or two"]),
        ({"min_box": "10px"}, ["'min_box'", "one or two", "10px"]),
        ({"max_box": "-0.1"}, ["'max_box'"]),
        ({"max_box": ""}, ["'max_box'"]),
        ({"min_box": "0.5", "max_box": "1,0.4"}, ["'min_box'", "'max_box'"]),
    ],
)
def test_other_values_that_do_not_fit(
    ask: Ask, options: dict[str, object], told: list[str]
) -> None:
    detail = problem_of(ask(**options), 400, "option_invalid")["detail"]
    for words in told:
        assert words in detail


def test_a_picture_judged_as_a_whole_has_no_places(ask: Ask) -> None:
    for option in ({"regions": [LEFT]}, {"min_box": "0.1"}, {"max_box": "0.9"}):
        detail = problem_of(ask("classify", **option), 400, "option_invalid")["detail"]
        assert "classify" in detail
    assert len(ask("classify", min_confidence="cat:0.1,*:0.9").get_json()) == 1


def test_the_specifications_example_works(ask: Ask) -> None:
    assert ask(regions=EXAMPLE).status_code == 200


def test_given_twice(client: FlaskClient, auth: Headers) -> None:
    def twice(*regions: object) -> Any:
        query = [("regions", json.dumps(one)) for one in regions]
        headers = {**auth, "Content-Type": "image/png"}
        return client.post(f"{MANY}/object", headers=headers, query_string=query, data=PICTURE)

    spelt = {"left": 0, "top": 0, "right": 0.5, "bottom": 1}
    assert twice([LEFT], [spelt]).status_code == 200
    problem_of(twice([LEFT], [CORNER]), 400, "option_invalid")


@pytest.mark.parametrize("option", ["labels", "min_confidence"])
def test_what_a_face_is_judged_to_be_chooses_no_faces(ask: Ask, option: str) -> None:
    value = "female" if option == "labels" else "female:0.5"
    problem = problem_of(ask("gender", **{option: value}), 400, "option_invalid")
    assert f"'{option}'" in problem["detail"]
    assert "'female' is what a face is judged to be" in problem["detail"]
