"""The fuzzers' targets without the fuzzer: seeds, what was once found, and random changes."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofs.fuzz import imaging, proof, requests
from proofs.fuzz.__main__ import main
from proofs.fuzz.targets import FOUND, TARGETS, Finding, known
from proofs.mutations import changed
from proofs.report import Report
from proofs.scale import Scale
from visiongate.errors import VisiongateError

BOUNDED = settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    database=None,
)


@pytest.mark.parametrize("name", TARGETS)
def test_what_was_found_is_mended(name: str) -> None:
    inputs = dict(known(name))
    assert len(inputs) > 10
    for what, data in inputs.items():
        assert len(data) <= TARGETS[name].longest, what
        TARGETS[name].load().check(data)


@pytest.mark.parametrize("name", TARGETS)
@BOUNDED
@given(seed=st.integers(0, 2**32))
def test_changed_seeds_break_nothing(name: str, seed: int) -> None:
    chance = random.Random(seed)
    seeds = TARGETS[name].load().seeds()
    TARGETS[name].load().check(changed(chance.choice(seeds), chance, seeds))


def test_found_inputs_are_small_enough_to_keep() -> None:
    sizes = [file.stat().st_size for file in FOUND.rglob("*") if file.is_file()]
    assert sum(sizes) < 200_000


def test_requests_reach_the_application(monkeypatch: pytest.MonkeyPatch) -> None:
    reached = []
    monkeypatch.setattr(requests, "_check_answer", reached.append)
    for data in requests.seeds():
        requests.check(data)
    assert len(reached) > len(requests.seeds())  # one has two in it
    assert {"GET", "POST", "PATCH", "OPTIONS"} == {one.method for one in reached}


def test_a_fault_of_the_application_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(requests.FaceFinder, "predict", fail)
    with pytest.raises(Finding, match="503"):
        requests.check(requests.seeds()[0])


def test_a_fault_of_imaging_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    class Fault(VisiongateError):
        status = 500

    def fail(*_: object) -> None:
        raise Fault("broken")

    monkeypatch.setattr(imaging, "decode", fail)
    with pytest.raises(Finding, match="500"):
        imaging.check(imaging.seeds()[0])


def test_a_file_is_tried_without_the_fuzzer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "one"
    file.write_bytes(b"GET / HTTP/1.1\r\n\r\n")
    assert main(["requests", str(file)]) == 0
    assert str(file) in capsys.readouterr().out


def test_without_atheris_it_is_said_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("proofs.fuzz.__main__.has_atheris", lambda: False)
    assert main(["imaging"]) == 2
    assert "make fuzz" in capsys.readouterr().err
    monkeypatch.setattr(proof, "has_atheris", lambda: False)
    report = Report("fuzz")
    proof.prove(report, tmp_path, Scale.short())
    assert report.broken == []
    assert "not installed" in report.facts["atheris"]
    with pytest.raises(RuntimeError, match="make fuzz"):
        proof.prove(Report("fuzz"), tmp_path, Scale())
