"""``python -m visiongate.audit``: what it finds, and how it shows it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from visiongate.audit import Audit, AuditFile, EventName, Origin
from visiongate.audit.cli import main
from visiongate.audit.reading import files_of

ROOT = Path(__file__).resolve().parents[2]
Record = Callable[..., None]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("VISIONGATE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VISIONGATE_DATA_DIR", str(tmp_path / "d"))
    return tmp_path / "d"


@pytest.fixture
def record(data: Path) -> Record:
    """Return a function that writes an event at a time (ISO, UTC), rotating all the while."""
    file = AuditFile(data / "audit.log", max_bytes=500, keep_files=50)

    def write(name: EventName, when: str, actor: str | None = "ann", **more: object) -> None:
        moment = datetime.fromisoformat(when).replace(tzinfo=timezone.utc).timestamp()
        origin = Origin("http", actor, "192.0.2.1")
        audit = Audit(file, clock=lambda: moment, origin=lambda: origin)
        audit.record(name, **more)  # type: ignore[arg-type]

    return write


@pytest.fixture
def some(record: Record, data: Path) -> Path:
    """Write a few events of January, over several files."""
    record(EventName.LOGIN_OK, "2026-01-01T08:00", user="ann")
    record(EventName.LOGIN_FAILED, "2026-01-01T09:00", None, user="bob", outcome="failed")
    record(EventName.USER_CHANGED, "2026-01-02T10:00", user="bob", detail={"role": "admin"})
    record(EventName.LOGIN_OK, "2026-01-03T11:00", "bob", user="bob")
    record(EventName.USER_REMOVED, "2026-01-04T12:00", user="e\u0301mile".encode().decode())
    assert len(files_of(data / "audit.log")) > 1
    return data / "audit.log"


def found(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    """Return event and day of each event that the command line finds."""
    assert main([*arguments, "--json"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return [f"{event['event']} {event['time'][8:10]}" for event in events]


ALL = ["login.ok 01", "login.failed 01", "user.changed 02", "login.ok 03", "user.removed 04"]


@pytest.mark.parametrize(
    ("arguments", "which"),
    [
        ("", [0, 1, 2, 3, 4]),
        ("--user bob", [1, 2, 3]),
        ("--user ann", [0, 2, 4]),
        ("--user nobody", []),
        ("--event login", [0, 1, 3]),
        ("--event login.ok", [0, 3]),
        ("--event user", [2, 4]),
        ("--outcome failed", [1]),
        ("--since 2026-01-02", [2, 3, 4]),
        ("--since 2026-01-02T10:00", [2, 3, 4]),
        ("--since 2026-01-02T10:00:00.001", [3, 4]),
        ("--since 2026-01-02T12:00+02:00", [2, 3, 4]),
        ("--until 2026-01-02", [0, 1, 2]),
        ("--until 2026-01-02T10:00", [0, 1]),
        ("--until 2026-01-02T10:00:01Z", [0, 1, 2]),
        ("--since 2026-01-01 --until 2026-01-01", [0, 1]),
        ("--user bob --event login --outcome ok --since 2026-01-03", [3]),
        ("--since 9999-12-31", []),
        ("--until 9999-12-31", [0, 1, 2, 3, 4]),
        ("--until 9999-12-31T23:59", [0, 1, 2, 3, 4]),
        ("--last 2", [3, 4]),
        ("--last 0", [0, 1, 2, 3, 4]),
        ("--user bob --last 1", [3]),
    ],
)
def test_finds_what_was_asked_for_in_every_file(
    some: Path, capsys: pytest.CaptureFixture[str], arguments: str, which: list[int]
) -> None:
    assert found(capsys, *arguments.split()) == [ALL[number] for number in which]


def test_json_lines_are_those_of_the_file(some: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--json"]) == 0
    assert capsys.readouterr().out == "".join(one.read_text() for one in files_of(some))


def test_names_that_look_the_same_are_the_same(
    record: Record, capsys: pytest.CaptureFixture[str]
) -> None:
    record(EventName.LOGIN_OK, "2026-01-01T08:00", user="ren\u00e9")
    assert found(capsys, "--user", "rene\u0301") == ["login.ok 01"]


def test_times_can_be_said_from_now(record: Record, capsys: pytest.CaptureFixture[str]) -> None:
    now = datetime.now(timezone.utc).replace(tzinfo=None)
    for minutes in (60 * 24 * 3, 100, 10):
        record(EventName.LOGOUT, (now - timedelta(minutes=minutes)).isoformat())
    for ago, count in (("1w", 3), ("2d", 2), ("2h", 2), ("90m", 1), ("60s", 0)):
        assert len(found(capsys, "--since", ago)) == count
        assert len(found(capsys, "--until", ago)) == 3 - count


def test_the_table_is_for_people(some: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    heading, *rows = capsys.readouterr().out.splitlines()
    assert heading.split() == ["time", "(UTC)", "event", "outcome", "user", "by", "address", "more"]
    assert len(rows) == 5
    assert rows[0].split() == [
        *("2026-01-01", "08:00:00", "login.ok", "ok", "ann", "ann", "192.0.2.1")
    ]
    assert '{"role": "admin"}' in rows[2]


def test_the_table_shows_the_newest_and_says_so(
    some: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--last", "2"]) == 0
    shown = capsys.readouterr()
    assert [line.split()[2] for line in shown.out.splitlines()[1:]] == ["login.ok", "user.removed"]
    assert shown.err == "The last 2 of 5; --last 0 shows all.\n"
    assert main(["--last", "0"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 6


def test_what_is_shown_does_nothing_to_the_terminal(
    record: Record, capsys: pytest.CaptureFixture[str]
) -> None:
    nasty = "[red]\x1b[2J\x07\n\u202eevil"
    record(EventName.USER_CHANGED, "2026-01-01T08:00", nasty, user=nasty, detail={nasty: nasty})
    assert main([]) == 0
    out = capsys.readouterr().out
    assert all(character.isprintable() or character == "\n" for character in out)
    assert out.count("\n") == 2
    assert r"[red]\x1b[2J\x07\n\u202eevil" in out


def test_lines_that_were_cut_off_are_counted_and_skipped(
    some: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with some.open("ab") as file:
        file.write(b'{"time":"2026-01-05T00:00:00.000Z","event":"log')
    oldest = files_of(some)[0]
    oldest.write_bytes(b"\0\0\0\n[]\n{}\n" + b"[" * 100_000 + b"\n" + oldest.read_bytes())
    assert main(["--json"]) == 0
    shown = capsys.readouterr()
    assert len(shown.out.splitlines()) == 5
    assert "5 damaged lines" in shown.err


def test_nothing_found_and_nothing_there_are_said(
    data: Path, record: Record, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main([]) == 0
    assert "There is no audit log" in capsys.readouterr().err
    monkeypatch.setenv("VISIONGATE_AUDIT", "off")
    assert main([]) == 0
    assert "switched off" in capsys.readouterr().err
    assert main(["--file", "nothing.log"]) == 1
    record(EventName.LOGOUT, "2026-01-01T08:00")
    capsys.readouterr()
    assert main(["--user", "x"]) == 0
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "Nothing like that is in the audit log.\n")


def test_a_copy_can_be_searched_and_settings_say_where_it_lies(
    some: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "copy.log"
    copy.write_bytes(some.read_bytes())
    lines = len(copy.read_text().splitlines())
    assert len(found(capsys, "--file", str(copy))) == lines
    monkeypatch.setenv("VISIONGATE_AUDIT_FILE", str(copy))
    assert len(found(capsys)) == lines


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--event", "logins"], "no event"),
        (["--event", "log"], "no event"),
        (["--outcome", "good"], "invalid choice"),
        (["--since", "yesterday"], "no time"),
        (["--since", "2026-13-01"], "no time"),
        (["--until", "5y"], "no time"),
        (["--since", "999999w"], "no time"),
        (["--until", "999999w"], "no time"),
        (["--last", "-1"], "no whole number"),
        (["--last", "x"], "no whole number"),
        (["ann"], "unrecognized"),
    ],
    ids=str,
)
def test_wrong_usage_is_2(
    data: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert says in capsys.readouterr().err


def test_a_wrong_setting_is_explained(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISIONGATE_AUDIT", "maybe")
    assert main([]) == 1
    assert "VISIONGATE_AUDIT" in capsys.readouterr().err


def test_it_runs_as_a_module_without_flask_or_pictures(some: Path) -> None:
    script = (
        "import runpy, sys; sys.argv = ['audit', '--json']\n"
        "try: runpy.run_module('visiongate.audit', run_name='__main__')\n"
        "except SystemExit as end: assert end.code == 0\n"
        "assert not {'flask', 'PIL', 'cv2', 'openvino'} & set(sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 5


@pytest.mark.skipif(sys.platform == "win32", reason="pipes that close early are POSIX's")
def test_a_reader_that_stops_early_is_no_error_to_shout_about(some: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "visiongate.audit", "--json"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    assert process.stderr.read() == b""
    process.stderr.close()
    process.wait(30)
