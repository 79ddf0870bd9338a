"""What a session keeps of its rounds, and how it judges it."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench.session import Session, key

BARE, GATE = key("bare loop"), key("gateway", clients=8)


@pytest.fixture
def session(tmp_path: Path) -> Session:
    session = Session(tmp_path)
    for whole, part in ((200.0, 150.0), (100.0, 80.0), (400.0, 340.0)):
        session.note(BARE, {"per_second": whole})
        session.note(GATE, {"per_second": part, "p50_ms": 1000 / part})
    return session


def test_rows_are_reported_as_medians_with_their_spread(session: Session) -> None:
    bare, gate = session.report()["rows"]
    assert bare == {
        "what": "bare loop",
        "per_second": {"median": 200.0, "least": 100.0, "most": 400.0},
    }
    assert gate["clients"] == 8
    assert gate["per_second"]["median"] == 150.0


def test_a_ratio_is_of_its_round_and_is_held_to_its_aim(session: Session) -> None:
    session.ratio("enough", GATE, BARE, "per_second", at_least=0.8)
    session.ratio("too little", GATE, BARE, "per_second", at_least=0.81)
    session.ratio("too much", GATE, BARE, "per_second", at_most=0.79)
    session.ratio("no aim", GATE, BARE, "per_second")
    enough, little, much, free = session.report()["ratios"]
    assert (enough["median"], enough["least"], enough["most"]) == (0.8, 0.75, 0.85)
    assert (enough["aim"], enough["reached"]) == ("at least 0.8", True)
    assert not little["reached"]
    assert (much["aim"], much["reached"]) == ("at most 0.79", False)
    assert "reached" not in free


def test_every_row_is_given_its_share_of_the_bare_loop(session: Session) -> None:
    session.share(BARE)
    assert session.rows[BARE]["of_bare"] == [1.0, 1.0, 1.0]
    assert session.rows[GATE]["of_bare"] == [0.75, 0.8, 0.85]


def test_what_was_not_measured_is_not_compared(session: Session) -> None:
    session.ratio("with nobody", key("nobody"), BARE, "per_second", at_least=1.0)
    assert session.report()["ratios"] == []


def test_what_is_left_out_is_said_once_with_its_reason(
    session: Session, capsys: pytest.CaptureFixture[str]
) -> None:
    session.skip("object", "no weights")
    session.skip("object", "no weights")
    assert capsys.readouterr().out.count("left out: object: no weights") == 1
    assert session.report()["skipped"] == [{"what": "object", "why": "no weights"}]


def test_a_measure_or_a_point_without_a_heading_is_refused(session: Session) -> None:
    with pytest.raises(KeyError, match="per_secnod"):
        session.note(BARE, {"per_secnod": 1.0})
    with pytest.raises(KeyError, match="clinets"):
        session.note(key("gateway", clinets=8), {"per_second": 1.0})


def test_each_contender_begins_in_its_turn(session: Session) -> None:
    assert [session.in_turn("abc", number) for number in range(4)] == [
        ["a", "b", "c"],
        ["b", "c", "a"],
        ["c", "a", "b"],
        ["a", "b", "c"],
    ]
    assert session.in_turn([], 1) == []


def test_a_quick_run_measures_the_first_and_the_last_point(tmp_path: Path) -> None:
    assert Session(tmp_path).points([1, 2, 3]) == [1, 2, 3]
    assert Session(tmp_path, quick=True).points([1, 2, 3]) == [1, 3]
    assert Session(tmp_path, quick=True).points([1]) == [1]
