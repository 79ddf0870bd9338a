"""The audit log's parts: lines that cannot be forged, repetitions, failures."""

from __future__ import annotations

import json
import logging
import math
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visiongate.audit import Audit, AuditFile, EventName, Origin
from visiongate.audit.events import MAX_LINE_BYTES, Event, event_line
from visiongate.audit.recorder import at_command_line
from visiongate.audit.repeats import WINDOW_SECONDS, Repeats
from visiongate.errors import AuditUnavailable

NASTY = 'x"}\n{"time":"2026-01-01T00:00:00.000Z","event":"forged"}\r\u2028\x1b[2J\0\ud800'


class Clock:
    now = 1_700_000_000.125

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "audit.log"


@pytest.fixture
def audit(path: Path, clock: Clock) -> Audit:
    file = AuditFile(path, max_bytes=100_000, keep_files=3)
    return Audit(file, clock=clock, origin=lambda: Origin("http", "ann", "192.0.2.1", "id"))


def events(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_bytes().split(b"\n")[:-1]]


# -- lines


def test_a_line_is_what_the_page_says(audit: Audit, path: Path) -> None:
    audit.record(EventName.LOGIN_OK, user="ann")
    assert path.read_bytes() == (
        b'{"time":"2023-11-14T22:13:20.125Z","event":"login.ok","outcome":"ok","reason":null,'
        b'"user":"ann","actor":"ann","via":"http","address":"192.0.2.1","request_id":"id",'
        b'"detail":{}}\n'
    )


def test_nobody_writes_a_line_of_their_own(path: Path, clock: Clock) -> None:
    file = AuditFile(path, max_bytes=100_000, keep_files=3)
    audit = Audit(file, clock=clock, origin=lambda: Origin("http", NASTY, NASTY, NASTY))
    audit.record(
        EventName.USER_CHANGED, user=NASTY, reason=NASTY, detail={NASTY: NASTY, "a": [NASTY]}
    )
    raw = path.read_bytes()
    assert raw.count(b"\n") == 1
    assert raw.isascii()
    assert all(32 <= byte < 127 for byte in raw[:-1])
    (event,) = events(path)
    assert event["event"] == "user.changed"
    assert event["user"] == event["actor"] == NASTY
    assert event["detail"] == {NASTY: NASTY, "a": [NASTY]}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@settings(deadline=None)
@given(st.text(max_size=300), st.dictionaries(st.text(max_size=300), JSON, max_size=4))
def test_whatever_is_recorded_is_one_bounded_line(text: str, detail: dict[str, object]) -> None:
    event = Event(EventName.LOGOUT, 0.0, "http", user=text, actor=text, detail=detail)
    line = event_line(event)
    assert len(line) <= MAX_LINE_BYTES
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    found = json.loads(line)
    assert found["event"] == "logout"
    assert str(found["user"]).rstrip("…") == text[:200].rstrip("…")


def test_the_longest_that_is_recorded_still_tells_who(audit: Audit, path: Path) -> None:
    name = "\U0001f600" * 64  # twelve bytes each, escaped
    audit.record(EventName.USER_CHANGED, user=name, detail={str(n): "é" * 300 for n in range(99)})
    (event,) = events(path)
    assert event["user"] == name
    assert event["detail"] == {"left_out": "too long"}


def test_numbers_that_json_does_not_know_spoil_no_line(audit: Audit, path: Path) -> None:
    numbers = {"a": math.inf, "b": -math.inf, "c": math.nan, "d": 10**5000, "e": True, "f": 2.5}
    audit.record(EventName.LOGOUT, detail=numbers)
    (event,) = events(path)
    assert event["detail"] == {"a": "?", "b": "?", "c": "?", "d": "?", "e": True, "f": 2.5}


def test_names_of_events_are_in_the_page() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "security.md").read_text("utf-8")
    assert all(f"`{name.value}`" in page for name in EventName)


def test_at_the_command_line_the_machines_account_acts() -> None:
    origin = at_command_line()
    assert (origin.via, origin.address, origin.request_id) == ("command line", None, None)
    assert origin.actor


# -- repetitions


def test_the_first_is_written_and_the_others_of_its_minute_are_counted() -> None:
    repeats = Repeats("others")
    assert [repeats.is_first("a", 0), repeats.is_first("a", 1), repeats.is_first("b", 2)] == [
        True,
        False,
        True,
    ]
    assert repeats.is_first("a", 59) is False
    assert list(repeats.due(59)) == []
    assert list(repeats.due(WINDOW_SECONDS)) == [("a", 2)]
    assert repeats.is_first("a", 61) is True
    assert list(repeats.due(math.inf)) == [], "nothing came again"
    assert list(repeats.due(math.inf)) == []


def test_at_most_so_many_kinds_are_told_apart() -> None:
    repeats = Repeats(-1)
    assert sum(repeats.is_first(number, 0.0) for number in range(5000)) == 256
    assert list(repeats.due(math.inf)) == [(-1, 5000 - 256)]


def test_a_clock_that_is_set_back_ends_windows() -> None:
    repeats = Repeats("others")
    repeats.is_first("a", 1e9)
    repeats.is_first("a", 1e9)
    assert list(repeats.due(1e9 + 1)) == []
    assert list(repeats.due(5)) == [("a", 1)]
    assert repeats.is_first("a", 5) is True


def test_repeated_refusals_are_told_after_a_minute(audit: Audit, path: Path, clock: Clock) -> None:
    for _ in range(5):
        audit.record_refusal(EventName.REQUEST_REFUSED, "forbidden", {"route": "/"})
    assert len(events(path)) == 1
    clock.now += WINDOW_SECONDS
    audit.record_refusal(EventName.REQUEST_REFUSED, "token_missing")
    first, told, other = events(path)
    assert (first["reason"], first["detail"]) == ("forbidden", {"route": "/"})
    assert (told["reason"], told["user"], told["address"]) == ("forbidden", "ann", "192.0.2.1")
    assert told["detail"] == {"repeated": 4, "within_seconds": 60.0}
    assert other["reason"] == "token_missing"
    audit.close()
    assert len(events(path)) == 3


# -- failures


def test_a_log_that_fails_is_said_once_and_counted_each_time(
    audit: Audit, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    failures: list[None] = []
    audit.on_failure = lambda: failures.append(None)
    path.mkdir()
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            assert audit.record(EventName.LOGOUT) is False
    assert audit.state == "failing"
    assert len(failures) == 3
    assert len(caplog.records) == 1
    path.rmdir()
    with caplog.at_level(logging.WARNING):
        assert audit.record(EventName.LOGOUT) is True
    assert audit.state == "on"
    assert "3 event(s) are missing" in caplog.text
    assert len(events(path)) == 1


@pytest.mark.parametrize("required", [False, True])
def test_a_sensitive_use_that_cannot_be_recorded_is_refused_only_if_required(
    path: Path, required: bool
) -> None:
    path.mkdir()
    audit = Audit(AuditFile(path, max_bytes=1000, keep_files=1), required=required)
    if required:
        with pytest.raises(AuditUnavailable, match="AUDIT_ON_FAILURE"):
            audit.record_sensitive("ann", {"gender": 1})
    else:
        audit.record_sensitive("ann", {"gender": 1})


def test_switched_off_there_is_no_file(path: Path) -> None:
    audit = Audit(None, required=True)
    assert audit.state == "off"
    assert audit.record(EventName.LOGOUT) is True
    audit.record_sensitive("ann", {"gender": 1})
    audit.record_refusal(EventName.REQUEST_REFUSED, "forbidden")
    audit.close()
    assert not path.exists()


def test_where_files_may_only_be_appended_to_it_grows_on(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "replace", refuse)
    file = AuditFile(path, max_bytes=30, keep_files=2)
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            file.append(b'{"time":"t","event":"e"}\n')
    assert len(events(path)) == 3
    assert caplog.text.count("cannot be rotated") == 1
