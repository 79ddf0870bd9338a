"""Which finds are answered: by label, size and place; and what a detector is asked for before."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visiongate.regions import Region
from visiongate.selection import MOST_DETECTIONS, Selection
from visiongate.types import Box, Detection, DetectorInfo, PredictOptions

SIZE = (200, 100)
INFO = DetectorInfo("object", "detection", ("person", "dog", "car"), default_confidence=0.5)
LEFT = Region.rectangle(0, 0, 0.5, 1).points
RIGHT = Region.rectangle(0.5, 0, 1, 1).points


def thing(label: str, confidence: float, *box: float) -> Detection:
    return Detection(label, confidence, Box(*(box or (10, 10, 50, 50))))


def chosen(
    found: list[Detection],
    selection: Selection,
    options: PredictOptions = PredictOptions(),  # noqa: B008 - frozen
    info: DetectorInfo = INFO,
) -> list[Detection]:
    return list(selection.chosen(found, SIZE, options, info))


def test_each_label_has_its_own_confidence_and_the_others_theirs() -> None:
    found = [thing("person", 0.6), thing("dog", 0.6), thing("car", 0.6)]
    by_label = Selection({"person": 0.7, "dog": 0.55})
    labels = [one.label for one in chosen(found, by_label)]
    assert labels == ["dog", "car"]
    strict = PredictOptions(min_confidence=0.65)
    assert [one.label for one in chosen(found, by_label, strict)] == ["dog"]


def test_confidences_reach_a_label_exactly() -> None:
    assert chosen([thing("dog", 0.55)], Selection({"dog": 0.55}))
    assert not chosen([thing("dog", 0.549)], Selection({"dog": 0.55}))


@pytest.mark.parametrize(
    ("box", "fits"),
    [
        ((0, 0, 20, 20), True),  # exactly the least
        ((0, 0, 19, 20), False),
        ((0, 0, 20, 19), False),
        ((50, 10, 150, 90), True),  # exactly the most
        ((49, 10, 150, 90), False),
        ((50, 9, 150, 90), False),
        ((-50, 0, 20, 20), True),  # what counts is what is seen
        ((-50, 0, 19, 20), False),
    ],
)
def test_sizes_are_shares_of_width_and_height(box: tuple[float, ...], fits: bool) -> None:
    sized = Selection(min_box=(0.1, 0.2), max_box=(0.5, 0.8))
    assert bool(chosen([thing("dog", 0.9, *box)], sized)) == fits


def test_sizes_that_no_box_has() -> None:
    with pytest.raises(ValueError, match="no box"):
        Selection(min_box=(0.1, 0.6), max_box=(0.5, 0.5))


def test_a_region_takes_what_reaches_into_it_or_only_what_lies_in_it() -> None:
    inside, across, outside = (
        thing("dog", c, x, 10, x + 40, 50) for c, x in ((0.9, 20), (0.8, 80), (0.7, 100))
    )
    found = [inside, across, outside]
    assert chosen(found, Selection(regions=(Region(LEFT),))) == [inside, across]
    assert chosen(found, Selection(regions=(Region(LEFT, covers=True),))) == [inside]


def test_a_thing_in_two_regions_is_answered_once() -> None:
    across = thing("dog", 0.8, 80, 10, 120, 50)
    assert chosen([across], Selection(regions=(Region(LEFT), Region(RIGHT)))) == [across]


def test_each_region_looks_for_its_own_labels_at_its_own_confidence() -> None:
    found = [
        thing("person", 0.4, 10, 10, 50, 50),
        thing("dog", 0.9, 10, 10, 50, 50),
        thing("person", 0.4, 110, 10, 150, 50),
        thing("dog", 0.9, 110, 10, 150, 50),
    ]
    regions = (Region(LEFT, detect={"person": 0.3}), Region(RIGHT, detect={"dog": None}))
    answered = chosen(found, Selection(regions=regions))
    assert answered == [found[3], found[0]]


def test_a_whole_pictures_class_has_neither_place_nor_size() -> None:
    info = DetectorInfo("classify", "classification", ("cat",), default_confidence=0.1)
    whole = [thing("cat", 0.3, 0, 0, *SIZE)]
    placed = Selection({"cat": 0.2}, regions=(Region(LEFT, covers=True),), max_box=(0.5, 0.5))
    assert chosen(whole, placed, info=info) == whole
    assert chosen(whole, Selection({"cat": 0.4}), info=info) == []
    assert placed.asked(PredictOptions(), info).min_confidence == 0.2


def test_the_limit_counts_what_is_chosen() -> None:
    found = [thing("person", 0.9), thing("person", 0.8), thing("dog", 0.7)]
    one = PredictOptions(max_detections=1)
    assert chosen(found, Selection({"person": 0.95}), one) == [found[2]]
    assert Selection({"person": 0.95}).asked(one, INFO).max_detections == MOST_DETECTIONS


def test_a_detector_is_asked_as_before_where_nothing_is_chosen() -> None:
    options = PredictOptions(min_confidence=0.3, max_detections=7)
    assert Selection().asked(options, INFO) is options


@pytest.mark.parametrize(
    ("selection", "options", "least"),
    [
        (Selection({"person": 0.7}), {}, 0.5),
        (Selection({"person": 0.2}), {}, 0.2),
        (Selection({"person": 0.7, "dog": 0.6, "car": 0.8}), {}, 0.6),
        (Selection({"person": 0.2}), {"labels": frozenset({"dog"})}, 0.5),
        (Selection({"person": 0.2}), {"min_confidence": 0.1}, 0.1),
        (Selection(regions=(Region(LEFT, detect={"dog": 0.3}),)), {}, 0.3),
        (Selection(regions=(Region(LEFT, detect={"dog": None}),)), {"min_confidence": 0.9}, 0.9),
        (Selection({"dog": 0.4}, (Region(LEFT, detect={"dog": None, "*": 0.6}),)), {}, 0.4),
        (Selection(regions=(Region(LEFT, detect={"dog": 0.3}),)), {"labels": {"car"}}, 1.0),
    ],
)
def test_a_detector_is_asked_for_the_least_that_may_be_chosen(
    selection: Selection, options: Mapping[str, Any], least: float
) -> None:
    assert selection.asked(PredictOptions(**options), INFO).min_confidence == least


_confidences = st.sampled_from([0.1, 0.3, 0.5, 0.7, 0.9])
_labels = st.sampled_from(INFO.labels)
_detect = st.none() | st.dictionaries(_labels | st.just("*"), st.none() | _confidences, min_size=1)
_regions = st.lists(
    st.builds(Region, st.sampled_from([LEFT, RIGHT]), st.booleans(), _detect), max_size=3
)


@given(
    st.lists(st.tuples(_labels, _confidences, st.integers(0, 160)), max_size=12),
    st.builds(Selection, st.dictionaries(_labels, _confidences), _regions.map(tuple)),
    st.builds(
        PredictOptions,
        st.none() | _confidences,
        st.none() | st.frozensets(_labels, min_size=1),
        st.integers(1, 5),
    ),
    st.booleans(),
)
def test_a_detector_that_applies_what_it_is_asked_leaves_out_nothing_that_would_be_chosen(
    things: list[tuple[str, float, int]],
    selection: Selection,
    options: PredictOptions,
    knows_labels: bool,
) -> None:
    labels = INFO.labels if knows_labels else ()
    info = DetectorInfo("object", "detection", labels, default_confidence=0.5)
    found = [thing(label, c, x, 10, x + 40, 50) for label, c, x in things]
    asked = selection.asked(options, info)
    least = info.default_confidence if asked.min_confidence is None else asked.min_confidence
    wanted = [d for d in found if asked.labels is None or d.label in asked.labels]
    sure = sorted((d for d in wanted if d.confidence >= least), key=lambda d: -d.confidence)
    applied = sure[: asked.max_detections]
    assert chosen(applied, selection, options, info) == chosen(found, selection, options, info)
