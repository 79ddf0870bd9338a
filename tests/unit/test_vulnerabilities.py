"""``tools/audit.py``: what is not known to be clean is not called so."""

from __future__ import annotations

import json
import re
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tools import audit

Look = Callable[..., int]
LEFT_OUT = {
    "name": "old",
    "skip_reason": "Dependency not found on PyPI and could not be audited: old (1.2.0)",
}
HOLE: dict[str, Any] = {"id": "PYSEC-1", "fixed_in": ["1.3"], "withdrawn": None}


class _Index(ThreadingHTTPServer):
    records: dict[str, Any]


class _Handler(BaseHTTPRequestHandler):
    server: _Index

    def do_GET(self) -> None:
        found = self.server.records.get(self.path.strip("/"))
        self.send_response(200 if found is not None else 404)
        self.end_headers()
        self.wfile.write(json.dumps(found).encode())

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def index() -> Iterator[_Index]:
    with _Index(("127.0.0.1", 0), _Handler) as server:
        server.records = {}
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def look(tmp_path: Path, index: _Index, monkeypatch: pytest.MonkeyPatch) -> Look:
    """Audit what a pip-audit says, beside the records of an index and a list of what was read."""

    def run(
        *dependencies: dict[str, Any],
        read: dict[str, Any] | None = None,
        status: bool | None = None,
    ) -> int:
        answer = json.dumps({"dependencies": dependencies})
        program = tmp_path / "pip-audit"
        status = any(one.get("vulns") for one in dependencies) if status is None else status
        program.write_text(f"#!{sys.executable}\nprint({answer!r})\nexit({int(status)})\n")
        program.chmod(0o755)
        readings = tmp_path / "advisories.json"
        readings.write_text(json.dumps(read or {}))
        monkeypatch.setattr(audit, "READ", readings)
        monkeypatch.setattr(audit, "ROOT", tmp_path)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setattr(audit, "RECORD", f"http://127.0.0.1:{index.server_port}/{{name}}")
        return audit.main([str(program)])

    return run


def test_what_pip_audit_finds_clean_is_clean(look: Look) -> None:
    assert look({"name": "new", "version": "2", "vulns": []}) == 0


def test_what_it_finds_fails(look: Look, capsys: pytest.CaptureFixture[str]) -> None:
    known = {"id": "PYSEC-9", "fix_versions": ["3"]}
    assert look({"name": "new", "version": "2", "vulns": [known]}) == 1
    assert "new 2: PYSEC-9, mended in 3" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("holes", "code"),
    [([], 0), ([HOLE], 1), ([{**HOLE, "withdrawn": "2026-01-01T00:00:00Z"}], 0)],
)
def test_the_newest_versions_record_does_for_the_newest_version(
    look: Look, index: _Index, holes: list[Any], code: int
) -> None:
    index.records["old"] = {"info": {"version": "1.2.0"}, "vulnerabilities": holes}
    assert look(LEFT_OUT) == code


@pytest.mark.parametrize(
    "record",
    [
        None,
        {"info": {"version": "2.0"}, "vulnerabilities": []},
        {"info": {"version": "1.2.0"}},
        "?",
    ],
)
def test_no_other_record_does(
    look: Look, index: _Index, record: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    index.records["old"] = record
    assert look(LEFT_OUT) == 1
    assert "old 1.2.0 could not be looked up" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("version", "days", "code"), [("1.2.0", 30, 0), ("1.2.0", 31, 1), ("1.2.1", 0, 1)]
)
def test_advisories_are_read_of_one_version_and_not_for_good(
    look: Look, version: str, days: int, code: int
) -> None:
    day = datetime.now(timezone.utc).date() - timedelta(days=days)
    assert look(LEFT_OUT, read={"old": {"version": version, "read": day.isoformat()}}) == code


def test_of_two_pins_of_a_package_none_is_lost(look: Look) -> None:
    known = {"id": "PYSEC-9", "fix_versions": ["2"]}
    bad: dict[str, Any] = {"name": "new", "version": "1", "vulns": [known]}
    assert look(bad, {"name": "new", "version": "2", "vulns": []}) == 1


@pytest.mark.parametrize("found", [[], [{"name": "new", "version": "2", "vulns": []}]])
def test_half_an_answer_is_none(look: Look, found: list[dict[str, Any]]) -> None:
    with pytest.raises(SystemExit, match="did not answer"):
        look(*found, status=True)


def test_nothing_looked_up_is_not_clean(look: Look) -> None:
    with pytest.raises(SystemExit, match="did not answer"):
        look()


def test_without_an_answer_nothing_is_clean(tmp_path: Path) -> None:
    program = tmp_path / "pip-audit"
    program.write_text("#!/bin/sh\necho no network >&2\n")
    program.chmod(0o755)
    with pytest.raises(SystemExit, match="no network"):
        audit.main([str(program)])


def test_whatever_was_read_is_what_is_pinned() -> None:
    root = Path(__file__).resolve().parents[2]
    pins = (root / "requirements.txt").read_text(encoding="utf-8")
    read = json.loads(audit.READ.read_text(encoding="utf-8"))
    for name, one in read.items():
        assert one.keys() == {"version", "read", "held", "found"}
        assert re.search(rf"^{name}=={re.escape(one['version'])}(?![.0-9])", pins, re.MULTILINE)
