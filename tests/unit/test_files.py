"""Small files that several processes share: private, replaced whole, seen when they change."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest
from filelock import FileLock

from db.tinydb_store import TinyDBUserStore
from visiongate import files
from visiongate.files import FileView, backup_of, locked, read_stamped, write_private
from visiongate.types import User

LOCKS = ("users.json.lock", "users.json.turn.lock")
ANN, BOB = User("ann", "hash of ann"), User("bob", "hash of bob")

posix = pytest.mark.skipif(sys.platform == "win32", reason="modes and links are POSIX's")


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


@posix
def test_files_and_a_new_folder_are_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        path = tmp_path / "data" / "users.json"
        store = TinyDBUserStore(path)
        store.add(ANN)
        store.add(BOB)
    finally:
        os.umask(before)
    assert path.parent.stat().st_mode & 0o777 == 0o700
    modes = {file.name: file.stat().st_mode & 0o777 for file in path.parent.iterdir()}
    assert modes == dict.fromkeys(["users.json", "users.json.bak", *LOCKS], 0o600)


@posix
def test_a_file_that_was_opened_to_others_is_private_after_the_next_write(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_private(path, b"1")
    path.chmod(0o644)
    write_private(path, b"2")
    assert path.stat().st_mode & 0o777 == 0o600


def test_stamps_of_quick_writes_of_one_size_all_differ(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    stamps = set()
    for number in range(100, 200):
        write_private(path, b"%d" % number, backup=True)
        content, stamp = read_stamped(path)
        assert content == b"%d" % number
        assert stamp is not None
        stamps.add(stamp[1:])
    assert len(stamps) == 100
    assert len({stamp[-1] for stamp in stamps}) == 100, "the mtime alone tells them apart"


def test_the_mtime_grows_even_from_one_in_the_future(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_private(path, b"1")
    future = 4_000_000_000 * 10**9
    os.utime(path, ns=(future, future))
    write_private(path, b"2")
    assert path.stat().st_mtime_ns > future


def test_a_view_derives_once_for_each_change(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    derived: list[bytes | None] = []

    def derive(content: bytes | None) -> bytes | None:
        derived.append(content)
        return content

    view = FileView(path, derive)
    for content in (None, b"1", b"2", None, b"3"):
        if content is None:
            path.unlink(missing_ok=True)
        else:
            write_private(path, content)
        assert [view.get() for _ in range(5)] == [content] * 5
    assert derived == [None, b"1", b"2", None, b"3"]


def test_a_view_is_derived_once_for_all_threads_that_ask(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    derived = []
    view = FileView(path, lambda content: derived.append(content) or content)
    write_private(path, b"1")
    together = threading.Barrier(8)

    def ask() -> None:
        together.wait()
        answers.append(view.get())

    answers: list[bytes | None] = []
    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [b"1"] * 8
    assert derived == [b"1"]


def test_a_view_that_could_not_be_derived_is_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_private(path, b"zero")
    view = FileView(path, lambda content: int(content or b""))
    for _ in range(2):
        with pytest.raises(ValueError, match="zero"):
            view.get()
    write_private(path, b"7")
    assert view.get() == 7


def test_a_writer_waits_no_longer_than_it_was_told(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    with locked(path):
        blocked = threading.Thread(target=lambda: failures.append(_try_lock(path)))
        failures: list[BaseException | None] = []
        blocked.start()
        blocked.join()
    assert isinstance(failures[0], TimeoutError)
    assert "locked by another process" in files.explain(failures[0], path)
    assert _try_lock(path) is None


def test_a_writer_that_has_just_finished_does_not_overtake_one_that_waits(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    had_it, may_end = threading.Event(), threading.Event()

    def wait_for_it() -> None:
        with locked(path):
            had_it.set()
            may_end.wait()

    waiting = threading.Thread(target=wait_for_it)
    with locked(path):
        waiting.start()
        while _holds_nobody(tmp_path / "x.json.turn.lock"):
            pass
    overtaken = _try_lock(path)
    had_it.wait()
    may_end.set()
    waiting.join()
    assert isinstance(overtaken, TimeoutError)


def _holds_nobody(lock: Path) -> bool:
    try:
        with FileLock(lock, timeout=0):
            return True
    except TimeoutError:
        return False


def _try_lock(path: Path) -> OSError | None:
    try:
        with locked(path, timeout=0):
            return None
    except OSError as error:
        return error


def test_what_dead_writers_left_is_cleaned_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "users.json"
    left = tmp_path / ".users.json.abc123.tmp"
    strangers = {".other.json.abc123.tmp", "users.json.tmp", "notes.txt"}
    for name in (left.name, *strangers):
        (tmp_path / name).write_text("half")
    TinyDBUserStore(path).add(ANN)
    assert names(tmp_path) == strangers | {"users.json", *LOCKS}


@posix
def test_a_link_to_the_file_stays_a_link(tmp_path: Path) -> None:
    real = tmp_path / "disk" / "users.json"
    TinyDBUserStore(real).add(ANN)
    link = tmp_path / "users.json"
    link.symlink_to(real)
    TinyDBUserStore(link).add(BOB)
    assert link.is_symlink()
    assert len(TinyDBUserStore(real).list()) == 2


def test_the_backup_is_the_state_before_also_without_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    path = tmp_path / "x"
    write_private(path, b"1", backup=True)
    assert not backup_of(path).exists()
    write_private(path, b"2", backup=True)
    assert backup_of(path).read_bytes() == b"1"
    monkeypatch.setattr(os, "link", refuse)
    write_private(path, b"3", backup=True)
    assert backup_of(path).read_bytes() == b"2"
    assert names(tmp_path) == {"x", "x.bak"}


@posix
def test_an_administrator_does_not_lock_the_gateways_account_out(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can write files for another account")
    folder = tmp_path / "data"
    folder.mkdir()
    os.chown(folder, 4321, 4322)
    TinyDBUserStore(folder / "users.json").add(ANN)
    TinyDBUserStore(folder / "users.json").add(BOB)
    owners = {(file.stat().st_uid, file.stat().st_gid) for file in folder.iterdir()}
    assert owners == {(4321, 4322)}
