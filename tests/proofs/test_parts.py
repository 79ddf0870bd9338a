"""The proofs' own parts: what they would not notice, they could not prove."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from proofs.__main__ import main
from proofs.answers import same
from proofs.load import Wave, percentile
from proofs.mutations import mutated, seeds
from proofs.report import Report
from proofs.soak import Sample, judge

ANSWER = {"detections": [{"label": "face", "confidence": 0.987, "box": [10.1, 20.0, 30.5, 40.0]}]}


@pytest.mark.parametrize(
    ("other", "is_same"),
    [
        (ANSWER | {"milliseconds": 3.1}, False),
        ({"detections": []}, False),
        (
            {"detections": [{"label": "dog", "confidence": 0.987, "box": [10.1, 20, 30.5, 40]}]},
            False,
        ),
        (
            {"detections": [{"label": "face", "confidence": 0.9, "box": [10.1, 20, 30.5, 40]}]},
            False,
        ),
        (
            {"detections": [{"label": "face", "confidence": 0.987, "box": [12, 20, 30.5, 40]}]},
            False,
        ),
        (
            {"detections": [{"label": "face", "confidence": 0.986, "box": [10.2, 20, 30.5, 40]}]},
            True,
        ),
    ],
)
def test_what_is_the_same_answer(other: Any, is_same: bool) -> None:
    assert same(ANSWER, ANSWER)
    assert same(ANSWER, other) is is_same


def test_answers_in_mlapis_shape() -> None:
    one = [{"label": "face", "confidence": "97.73%", "box": [403, 270, 470, 366]}]
    assert same(one, [{"label": "face", "confidence": "97.72%", "box": [403, 270, 470, 366]}])
    assert not same(one, [{"label": "face", "confidence": "96.00%", "box": [403, 270, 470, 366]}])
    assert not same(one, [{"label": "face", "confidence": "97.73%", "box": [403, 270, 470, 300]}])
    assert same({"milliseconds": 1.0}, {"milliseconds": 9.0})


def test_strange_answers_are_told() -> None:
    wave = Wave(2.0)
    wave.statuses.update({"200": 3, "500": 1, "ConnectionError": 2})
    assert wave.strange(200, 503) == {"500": 1, "ConnectionError": 2}
    assert wave.rate == 3.0
    assert percentile([float(n) for n in range(1, 101)], 0.99) == 99.0
    assert percentile([5.0], 0.99) == 5.0


def samples(growth: float, more: int) -> list[Sample]:
    return [
        Sample(float(n), 200 * (1 + growth * n / 100), 50, 40 + more * (n > 90)) for n in range(101)
    ]


def test_memory_that_grows_and_threads_that_stay_are_found() -> None:
    for growth, more, broken in ((0.0, 0, 0), (0.2, 0, 1), (0.0, 9, 1), (0.2, 9, 2)):
        report = Report("soak")
        judge(report, samples(growth, more), 10.0, 0.03)
        assert len(report.broken) == broken


def test_a_broken_claim_is_written_and_told(tmp_path: Path) -> None:
    report = Report("one")
    report.at_most("seconds", 3.0, 2.0)
    report.none("lost", [])
    written = json.loads(report.write(tmp_path, "command", {}, 1.0).read_text())
    assert written["held"] is False
    assert [claim["held"] for claim in written["claims"]] == [False, True]
    nothing = Report("nothing")
    assert json.loads(nothing.write(tmp_path, "", {}, 1.0).read_text())["held"] is False


def test_mutations_are_seeded_and_change_something() -> None:
    some = [mutated(random.Random(f"1-{number}")) for number in range(200)]
    assert some == [mutated(random.Random(f"1-{number}")) for number in range(200)]
    changed = sum(data != seeds()[name] for name, data in some)
    assert changed > 190
    assert {name.split("-")[0] for name, _ in some} == {name.split("-")[0] for name in seeds()}


def test_an_unknown_proof_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["nonsense"]) == 2
    assert "answers" in capsys.readouterr().err
