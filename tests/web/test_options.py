"""Options, wherever they come: what is accepted, and that nothing is ignored."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask, request

from visiongate.errors import OptionInvalid, OptionUnknown
from visiongate.types import PredictOptions
from visiongate.web.option_table import COMMON
from visiongate.web.options import (
    DetectOptions,
    picture_type,
    read_deadline,
    read_options,
    read_switch,
)

ALL = (*COMMON, "detectors", "type", "gender")


def _one(name: str, value: object) -> DetectOptions:
    return read_options([(name, value)], ALL)


def test_none_given_means_the_detectors_own_choice() -> None:
    assert read_options([], ALL) == DetectOptions(PredictOptions(None, None, 300))
    assert read_options([(name, None) for name in ALL], ALL) == DetectOptions()


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [
        ("min_confidence", "0.25", 0.25),
        ("min_confidence", "1e-1", 0.1),
        ("min_confidence", ".5", 0.5),
        ("min_confidence", "0", 0.0),
        ("min_confidence", 1, 1.0),
        ("min_confidence", 0.3, 0.3),
        ("labels", "dog", {"dog"}),
        ("labels", "dog, traffic light ,dog", {"dog", "traffic light"}),
        ("labels", ["dog", "tabby, tabby cat"], {"dog", "tabby, tabby cat"}),
        ("max_detections", "1000", 1000),
        ("max_detections", 1, 1),
    ],
)
def test_what_the_detector_is_asked(name: str, value: object, meant: object) -> None:
    assert getattr(_one(name, value).predict, name) == meant


@pytest.mark.parametrize("name", ["delete", "annotate", "gender"])
@pytest.mark.parametrize(
    ("values", "meant"),
    [
        (("true", "True", "TRUE", "1", "yes", "on", True, 1), True),
        (("false", "FALSE", "0", "no", "Off", False, 0), False),
    ],
)
def test_switches(name: str, values: tuple[object, ...], meant: bool) -> None:
    assert all(getattr(_one(name, value), name) is meant for value in values)


def test_detectors_keep_their_order_and_lose_repetitions() -> None:
    assert _one("detectors", "object, face,object").detectors == ("object", "face")
    assert _one("detectors", ["face"]).detectors == ("face",)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[
            ("min_confidence", bad)
            for bad in [
                "",
                "x",
                "-0.1",
                "1.01",
                "nan",
                "inf",
                "60%",
                "60",
                "0_1",
                "\u0660",
                True,
                [],
                "9" * 5000,
            ]
        ],
        *[("labels", bad) for bad in ["", ",", "a,,b", [], [""], [1], 7, {"a": 1}]],
        *[
            ("max_detections", bad)
            for bad in [
                "",
                "0",
                "-1",
                "1001",
                "1.5",
                "1e2",
                "²",
                "9" * 5000,
                True,
                2.0,
                None.__class__,
            ]
        ],
        *[("delete", bad) for bad in ["", "maybe", "2", 2, 1.0, [], "tru"]],
        *[("annotate", bad) for bad in ["", "png"]],
        *[("gender", bad) for bad in ["", "male"]],
        *[("detectors", bad) for bad in ["", ",", "face,", 3, [None]]],
        *[("type", bad) for bad in ["", "face_names", "Face", 1, ["face"]]],
    ],
)
def test_malformed_ones_are_named(name: str, value: object) -> None:
    with pytest.raises(OptionInvalid, match=f"'{name}'") as caught:
        _one(name, value)
    assert len(caught.value.detail) < 200


def test_the_same_option_twice() -> None:
    same = [
        ("min_confidence", "0.50"),
        ("min_confidence", 0.5),
        ("labels", "a,b"),
        ("labels", "b,a"),
    ]
    assert read_options(same, ALL).predict == PredictOptions(0.5, frozenset("ab"))
    for name, values in {"delete": ("true", "false"), "labels": ("a", "b")}.items():
        with pytest.raises(OptionInvalid, match=f"'{name}' is given twice"):
            read_options([(name, value) for value in values], ALL)


def test_unknown_ones_are_refused_with_the_near_ones() -> None:
    with pytest.raises(OptionUnknown, match="'min_confidence'") as caught:
        _one("min_confidance", "0.5")
    assert caught.value.extra["options"] == list(ALL)
    with pytest.raises(OptionUnknown, match="'type'") as caught:
        read_options([("type", "face")], COMMON)
    with pytest.raises(OptionUnknown) as caught:
        _one("x" * 100_000, "")
    assert len(caught.value.detail) < 300


def _asked(**environ: Any) -> Any:
    return Flask("x").test_request_context("/", **environ)


@pytest.mark.parametrize(
    ("accept", "annotate", "wanted"),
    [
        (None, None, None),
        ("*/*", None, None),
        ("application/json", None, None),
        ("text/html", None, None),
        ("image/jpeg", None, "image/jpeg"),
        ("image/*", None, "image/jpeg"),
        ("image/png, image/jpeg;q=0.5", None, "image/png"),
        ("application/json, image/jpeg;q=0.9", None, None),
        ("image/jpeg", False, None),
        (None, True, "image/jpeg"),
        ("*/*", True, "image/jpeg"),
        ("application/json", True, "image/jpeg"),
        ("image/png", True, "image/png"),
        ("image/jpeg;q=x, ;;,", None, None),
    ],
)
def test_who_gets_a_picture(accept: str | None, annotate: bool | None, wanted: str | None) -> None:
    with _asked(headers={} if accept is None else {"Accept": accept}):
        assert picture_type(request, annotate) == wanted


@pytest.mark.parametrize(
    ("text", "deadline"),
    [(None, None), ("250", 100.25), (" 0250 ", 100.25), ("99999", 110.0), ("9" * 6000, 110.0)],
)
def test_a_deadline_only_shortens(text: str | None, deadline: float | None) -> None:
    with _asked(headers={} if text is None else {"X-Deadline-Ms": text}):
        assert read_deadline(request, 10_000, now=100.0) == deadline


@pytest.mark.parametrize("text", ["", "0", "000", "-5", "1.5", "1e3", "soon", "\u00b2"])
def test_a_malformed_deadline_is_named(text: str) -> None:
    with (
        _asked(headers={"X-Deadline-Ms": text}),
        pytest.raises(OptionInvalid, match="X-Deadline-Ms"),
    ):
        read_deadline(request, 10_000, now=100.0)


def test_a_switch_of_the_query() -> None:
    for query, meant in {
        "": False,
        "annotated=true": True,
        "annotated=0&annotated=no": False,
    }.items():
        with _asked(query_string=query):
            assert read_switch(request, "annotated") is meant
    for query in ("annotated=true&annotated=false", "annotated="):
        with _asked(query_string=query), pytest.raises(OptionInvalid, match="'annotated'"):
            read_switch(request, "annotated")
    with _asked(query_string="annotate=true"), pytest.raises(OptionUnknown, match="'annotated'"):
        read_switch(request, "annotated")
