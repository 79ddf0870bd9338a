"""SQLite files: who waits for whom, and how long."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from db.sqlite_file import Connection, transaction
from visiongate.errors import StoreUnavailable

SCHEMA = "CREATE TABLE IF NOT EXISTS counted (n INTEGER);"


def connect(folder: Path, seconds: float) -> Connection:
    return Connection(folder / "a.db", SCHEMA, if_damaged="start again.", seconds=seconds)


def add(file: Connection) -> None:
    with file.use() as connection, transaction(connection):
        connection.execute("INSERT INTO counted VALUES (1)")


def refused(work: Callable[[], None]) -> bool:
    try:
        work()
    except StoreUnavailable:
        return True
    return False


def test_none_of_many_threads_waits_for_the_others_to_have_waited(tmp_path: Path) -> None:
    file = connect(tmp_path, seconds=0.2)
    add(file)
    with sqlite3.connect(tmp_path / "a.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with ThreadPoolExecutor(8) as pool:
            # One has the file for 0.2 s, in vain; whoever could not have it by then gives up too.
            assert all(pool.map(lambda _: refused(lambda: add(file)), range(8)))
        other.execute("ROLLBACK")
    other.close()
    add(file)


def test_a_thread_that_has_the_file_is_waited_for_no_longer_than_said(tmp_path: Path) -> None:
    file = connect(tmp_path, seconds=0.05)
    with (
        ThreadPoolExecutor(1) as pool,
        file.use(),
        pytest.raises(StoreUnavailable, match=r"in use by others for 0\.05 s"),
    ):
        pool.submit(add, file).result(60)
    add(file)


def test_what_fails_when_it_is_committed_is_taken_back(tmp_path: Path) -> None:
    file = connect(tmp_path, seconds=5)
    with file.use() as connection:
        connection.executescript(
            "PRAGMA foreign_keys = ON; CREATE TABLE owner (id INTEGER PRIMARY KEY);"
            "CREATE TABLE thing (o REFERENCES owner DEFERRABLE INITIALLY DEFERRED);"
        )
    for _ in range(2):  # a second time: the first left nothing open
        with (
            pytest.raises(StoreUnavailable),
            file.use() as connection,
            transaction(connection),
        ):
            connection.execute("INSERT INTO thing VALUES (7)")
    add(file)
