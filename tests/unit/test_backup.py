"""A backup made while others write, and what can be restored from it."""

from __future__ import annotations

import io
import sqlite3
import subprocess
import sys
import tarfile
import threading
from contextlib import closing
from pathlib import Path

import pytest

from db.tinydb_store import TinyDBUserStore
from visiongate import backup
from visiongate.settings import Settings
from visiongate.types import User

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    monkeypatch.chdir(tmp_path)
    store = TinyDBUserStore(folder / "users.json")
    store.add(User("ann", "$2b$04$" + "x" * 53, created=1.0))
    (folder / "keys.json").write_text('{"keys": []}')
    (folder / "audit.log").write_text("{}\n")
    (folder / "audit.log.1").write_text("{}\n")
    (folder / "models").mkdir()
    (folder / "models" / "large.onnx").write_bytes(b"x" * 1000)
    (folder / "users.json.lock").touch()
    (folder / ".keys.json.tmp").touch()
    return folder


def names(path: Path) -> set[str]:
    with tarfile.open(path) as archive:
        return set(archive.getnames())


def test_it_has_what_cannot_be_made_anew_and_nothing_else(data: Path) -> None:
    assert backup.main(["b.tar.gz"]) == 0
    assert names(Path("b.tar.gz")) >= {"users.json", "keys.json", "audit.log", "audit.log.1"}
    assert not {name for name in names(Path("b.tar.gz")) if "lock" in name or "large" in name}
    assert not {name for name in names(Path("b.tar.gz")) if name.startswith(".")}
    assert Path("b.tar.gz").stat().st_mode & 0o777 == 0o600
    assert {path.name for path in Path().iterdir()} == {"data", "b.tar.gz"}


def test_an_audit_log_that_lies_elsewhere_is_in_it(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (data.parent / "logs").mkdir()
    (data.parent / "logs" / "seen.log").write_text("{}\n")
    monkeypatch.setenv("VISIONGATE_AUDIT_FILE", "logs/seen.log")
    assert backup.main(["b.tar.gz"]) == 0
    assert "audit/seen.log" in names(Path("b.tar.gz"))


def test_a_database_that_is_written_meanwhile_is_copied_whole(data: Path) -> None:
    # Each transaction adds two rows; a copy that saw half of one would have an odd number.
    file = data / "revoked.db"
    with closing(sqlite3.connect(file)) as made:
        made.execute("PRAGMA journal_mode=WAL")
        made.execute("CREATE TABLE pairs (n INTEGER)")
        made.commit()
    stop = threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(file, timeout=30)) as db:
            while not stop.is_set():
                with db:
                    db.executemany("INSERT INTO pairs VALUES (?)", [(1,), (2,)])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(5):
            stream = io.BytesIO()
            backup.write_backup(Settings(data_dir=data), stream)
            stream.seek(0)
            with tarfile.open(fileobj=stream) as archive:
                member = archive.extractfile("revoked.db")
                assert member
                copy = data.parent / f"copy-{number}.db"
                copy.write_bytes(member.read())
            with closing(sqlite3.connect(copy)) as db:
                assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
                assert db.execute("SELECT count(*) % 2 FROM pairs").fetchone() == (0,)
    finally:
        stop.set()
        writer.join()


def test_it_can_be_restored_with_tar(data: Path) -> None:
    before = (data / "users.json").read_bytes()
    assert backup.main(["b.tar.gz"]) == 0
    new = data.parent / "new"
    new.mkdir()
    subprocess.run(["tar", "-xzf", "b.tar.gz", "-C", new], check=True)
    assert (new / "users.json").read_bytes() == before
    assert (new / "users.json").stat().st_mode & 0o777 == 0o600
    assert [user.username for user in TinyDBUserStore(new / "users.json").list()] == ["ann"]


def test_standard_output_takes_it(data: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "visiongate.backup", "-"],
        env={"PYTHONPATH": str(ROOT), "VISIONGATE_DATA_DIR": str(data), "PATH": "/usr/bin:/bin"},
        cwd=data.parent,
        capture_output=True,
        check=True,
    )
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        assert "users.json" in archive.getnames()


def test_what_is_no_data_folder_is_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert backup.main(["b.tar.gz"]) == 1
    assert "VISIONGATE_DATA_DIR" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_an_unwritable_place_leaves_the_last_backup(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("b.tar.gz").write_text("the last one")
    (data / "broken.db").write_bytes(b"SQLite format 3\0" + b"x" * 5000)
    assert backup.main(["b.tar.gz"]) == 1
    assert "cannot be made" in capsys.readouterr().err
    assert Path("b.tar.gz").read_text() == "the last one"
    assert backup.main(["no/such/folder/b.tar.gz"]) == 1
    assert {path.name for path in Path().iterdir()} == {"data", "b.tar.gz"}


def test_wrong_settings_are_named(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VISIONGATE_PRT", "1")
    assert backup.main(["b.tar.gz"]) == 2
    assert "VISIONGATE_PORT" in capsys.readouterr().err
