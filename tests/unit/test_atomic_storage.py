"""TinyDB's storage on files that several processes share, and what is said when it fails."""

from __future__ import annotations

import gc
import json
import shutil
import subprocess
import sys
import tempfile
import tracemalloc
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tinydb import TinyDB

from db.atomic_storage import AtomicJSONStorage, transaction
from db.tinydb_store import TinyDBUserStore
from visiongate import files
from visiongate.errors import StoreUnavailable, UserExists
from visiongate.files import backup_of, read_stamped
from visiongate.types import User

ROOT = Path(__file__).resolve().parents[2]
ANN, BOB = User("ann", "hash of ann"), User("bob", "hash of bob")

posix = pytest.mark.skipif(sys.platform == "win32", reason="modes and limits are POSIX's")


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_the_file_is_tinydbs_own_format(tmp_path: Path) -> None:
    path = tmp_path / "users.json"
    TinyDBUserStore(path).add(ANN)
    with TinyDB(path) as plain:
        (document,) = plain.table("users").all()
        assert document["username"] == "ann"
        plain.table("users").insert(dict(document) | {"username": "carl"})
        plain.table("other").insert({"kept": True})
    store = TinyDBUserStore(path)
    store.add(BOB)
    assert [user.username for user in store.list()] == ["ann", "bob", "carl"]
    with TinyDB(path, storage=AtomicJSONStorage) as ours:
        assert ours.table("other").all() == [{"kept": True}]
        assert [document.doc_id for document in ours.table("users")] == [1, 2, 3]


def test_fields_that_a_later_version_added_survive_a_change(tmp_path: Path) -> None:
    path = tmp_path / "users.json"
    store = TinyDBUserStore(path)
    store.add(ANN)
    with transaction(path) as database:
        database.table("users").update({"quota": 5})
    store.update(User("ann", "new hash"))
    assert json.loads(path.read_text())["users"]["1"]["quota"] == 5
    assert store.get("ann").password_hash == "new hash"


def test_a_transaction_writes_once_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    with transaction(path) as database:
        database.insert({"n": 1})
        database.insert({"n": 2})
        assert not path.exists()
    before = path.read_bytes()
    with suppress(ZeroDivisionError), transaction(path) as database:
        database.truncate()
        raise ZeroDivisionError
    assert path.read_bytes() == before
    with transaction(path) as database:
        assert len(database) == 2
    assert not backup_of(path).exists(), "looking is not writing"


def test_many_are_added_in_one_write_or_none(tmp_path: Path) -> None:
    path = tmp_path / "users.json"
    store = TinyDBUserStore(path)
    store.add_many(User(f"user {number:04}", "x") for number in range(2000))
    assert not backup_of(path).exists(), "one write, so there is no state before the last"
    assert len(store.list()) == 2000
    for batch in ([BOB, ANN, BOB], [BOB, User("user 0007", "x")]):
        with pytest.raises(UserExists):
            store.add_many(batch)
    assert len(store.list()) == 2000


def test_looking_up_reads_no_file_that_did_not_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "users.json"
    store = TinyDBUserStore(path)
    store.add_many([ANN, BOB])
    reads = []

    def counted(path: Path) -> tuple[bytes | None, files.Stamp | None]:
        reads.append(path)
        return read_stamped(path)

    monkeypatch.setattr(files, "read_stamped", counted)
    assert [store.get("ann") for _ in range(4)] == [ANN] * 4
    assert len(reads) == 1
    TinyDBUserStore(path).remove("bob")
    reads.clear()
    assert store.get("ann") == ANN
    assert len(reads) == 1


@pytest.mark.parametrize(
    "user",
    [
        User("ann lee", "a hash with  spaces ", created=1234567890.123456),
        User("ζωή\n\u2028", "ü\ud800", role="admin", disabled=True, token_epoch=2**70),
        User("quota", "", detectors=frozenset(), requests_per_day=0, megapixels_per_day=2**70),
    ],
    ids=lambda user: repr(user.username),
)
def test_an_account_is_held_as_it_was_added(tmp_path: Path, user: User) -> None:
    store = TinyDBUserStore(tmp_path / "users.json")
    store.add_many([ANN, user, BOB])
    assert store.get(user.username) == user
    assert store.list() == sorted([ANN, user, BOB], key=lambda one: one.username)


def test_an_account_takes_little_memory(tmp_path: Path) -> None:
    path, number = tmp_path / "users.json", 3000
    TinyDBUserStore(path).add_many(
        User(f"user-{one}", f"$2b$12${one:053}", detectors=frozenset({"face", "object"}))
        for one in range(number)
    )
    store = TinyDBUserStore(path)
    tracemalloc.start()
    try:
        store.get("user-5")
        gc.collect()
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert held / number < 350, "bytes an account; as objects it was about 700"


# -- what goes wrong

DOCUMENT = {
    "username": "ann",
    "password_hash": "x",
    "role": "user",
    "disabled": False,
    "detectors": None,
    "token_epoch": 1,
    "created": 1.5,
}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'{"users": {"1": {"usern', "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"", "empty"),
        (b"[]", "tables of documents"),
        (b'{"users": []}', "tables of documents"),
        (b'{"users": {"one": {}}}', "tables of documents"),
        (b'{"users": {"1": 5}}', "tables of documents"),
    ],
)
def test_a_damaged_file_is_refused_with_the_way_back(
    tmp_path: Path, content: bytes, says: str
) -> None:
    path = tmp_path / "users.json"
    store = TinyDBUserStore(path)
    store.add(ANN)
    store.add(BOB)
    path.write_bytes(content)
    for attempt in (lambda: store.get("ann"), store.list, lambda: store.add(User("eve", "x"))):
        with pytest.raises(StoreUnavailable, match=says) as caught:
            attempt()
        assert str(backup_of(path)) in caught.value.detail
    assert path.read_bytes() == content, "what may still be rescued is not overwritten"
    path.write_bytes(backup_of(path).read_bytes())
    assert store.list() == [ANN]


def test_without_a_backup_the_way_back_is_another(tmp_path: Path) -> None:
    path = tmp_path / "users.json"
    path.write_text("{")
    with pytest.raises(StoreUnavailable, match="move it away"):
        TinyDBUserStore(path).list()


def test_an_empty_file_is_an_empty_database_as_for_tinydb(tmp_path: Path) -> None:
    path = tmp_path / "users.json"
    path.touch()
    store = TinyDBUserStore(path)
    assert store.list() == []
    store.add(ANN)
    assert store.list() == [ANN]


@pytest.mark.parametrize(
    "change",
    [
        {"role": "root"},
        {"role": ["admin"]},
        {"disabled": 0},
        {"disabled": None},
        {"detectors": "face"},
        {"detectors": [1]},
        {"token_epoch": "1"},
        {"token_epoch": True},
        {"username": None},
        {"password_hash": 5},
        {"created": "yesterday"},
    ],
    ids=str,
)
def test_a_document_that_is_no_account_is_named(tmp_path: Path, change: dict[str, object]) -> None:
    path = tmp_path / "users.json"
    path.write_text(json.dumps({"users": {"41": DOCUMENT | change}}))
    with pytest.raises(StoreUnavailable, match="document 41"):
        TinyDBUserStore(path).get("ann")


@pytest.mark.parametrize("field", sorted(DOCUMENT))
def test_a_field_that_is_missing_has_no_default(tmp_path: Path, field: str) -> None:
    path = tmp_path / "users.json"
    document = {key: value for key, value in DOCUMENT.items() if key != field}
    path.write_text(json.dumps({"users": {"41": document}}))
    with pytest.raises(StoreUnavailable, match=field):
        TinyDBUserStore(path).list()


def test_two_documents_of_one_id_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "users.json"
    other = json.dumps(DOCUMENT | {"username": "bob"})
    path.write_text(f'{{"users": {{"1": {json.dumps(DOCUMENT)}, "1": {other}}}}}')
    with pytest.raises(StoreUnavailable, match=r"document 1 .*second document of that id"):
        TinyDBUserStore(path).get("ann")


def test_two_accounts_of_one_name_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "users.json"
    path.write_text(json.dumps({"users": {"1": DOCUMENT, "2": DOCUMENT | {"role": "admin"}}}))
    with pytest.raises(StoreUnavailable, match="second account named 'ann'"):
        TinyDBUserStore(path).get("ann")


def test_a_path_that_cannot_be_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file" / "users.json", tmp_path):
        store = TinyDBUserStore(path)
        with pytest.raises(StoreUnavailable, match=str(path)):
            store.add(ANN)
        with pytest.raises(StoreUnavailable, match=str(path)):
            store.list()


def run(script: str, *arguments: object) -> str:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@posix
def test_a_full_disk_loses_nothing_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "users.json"
    TinyDBUserStore(path).add(ANN)
    # The kernel's limit on a file's size stops the write half-way, as a full disk does.
    script = """
import resource, sys
from pathlib import Path
from db.tinydb_store import TinyDBUserStore
from visiongate.errors import StoreUnavailable
from visiongate.types import User
store = TinyDBUserStore(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
try:
    store.add_many(User(f"user {n}", "x" * 60) for n in range(100))
except StoreUnavailable as error:
    print(error.detail)
print(store.get("ann").username)
"""
    said, found = run(script, path).splitlines()
    assert "no room left" in said
    assert found == "ann"
    assert TinyDBUserStore(path).list() == [ANN]
    assert names(tmp_path) == {"users.json", "users.json.lock", "users.json.turn.lock"}


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that any account can reach, which pytest's own are not."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@posix
def test_a_folder_that_may_not_be_written_serves_reads_and_explains_writes(
    open_folder: Path,
) -> None:
    data = open_folder / "data"
    TinyDBUserStore(data / "users.json").add(ANN)
    # Root may write everywhere, so the script becomes nobody, in a folder that is nobody's.
    script = """
import os, sys
from pathlib import Path
from db.tinydb_store import TinyDBUserStore
from visiongate.errors import StoreUnavailable
from visiongate.types import User
data = Path(sys.argv[1])
if os.geteuid() == 0:
    for path in (data, *data.iterdir()):
        os.chown(path, 65534, 65534)
    os.setgid(65534)
    os.setuid(65534)
data.chmod(0o500)
store = TinyDBUserStore(data / "users.json")
print(store.get("ann").username)
try:
    store.add(User("bob", "x"))
except StoreUnavailable as error:
    print(error.detail)
data.chmod(0o700)
store.add(User("bob", "x"))
"""
    found, said = run(script, data).splitlines()
    assert found == "ann"
    assert f"may not use {data / 'users.json'}" in said
    assert "chown" in said
