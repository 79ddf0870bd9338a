"""The admins' command line: every option, every exit status, with and without a terminal."""

from __future__ import annotations

import getpass
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import bcrypt
import numpy as np
import pytest

import adduser
from db.tinydb_store import TinyDBUserStore
from visiongate.retention import FilePictureStore
from visiongate.types import Picture, User

ROOT = Path(__file__).resolve().parents[1]


@dataclass
class Result:
    status: int
    out: str
    err: str


class Stdin(io.TextIOWrapper):
    """Standard input that is no terminal."""

    def __init__(self, content: bytes = b"") -> None:
        super().__init__(io.BytesIO(content), encoding="utf-8")


Run = Callable[..., Result]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder of a gateway of its own, with quick hashing."""
    for name in [name for name in os.environ if name.startswith("VISIONGATE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VISIONGATE_DATA_DIR", str(tmp_path / "d"))
    monkeypatch.setenv("VISIONGATE_BCRYPT_ROUNDS", "4")
    return tmp_path / "d"


@pytest.fixture
def run(data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Call the command line in this process, with ``stdin`` and without a terminal."""

    def run(*arguments: str, stdin: bytes = b"") -> Result:
        monkeypatch.setattr(sys, "stdin", Stdin(stdin))
        try:
            status = adduser.main(arguments)
        except SystemExit as exit_:
            status = exit_.code if isinstance(exit_.code, int) else -1
        captured = capsys.readouterr()
        return Result(status, captured.out, captured.err)

    return run


@pytest.fixture
def user(data: Path) -> Callable[[str], User]:
    store = TinyDBUserStore(data / "users.json")
    return store.get


def is_password(user: User, password: str) -> bool:
    return bcrypt.checkpw(password.encode(), user.password_hash.encode())


@pytest.mark.parametrize(
    ("stdin", "password"),
    [
        (b"the secret\n", "the secret"),
        (b"the secret", "the secret"),
        (b"the secret\r\n", "the secret"),
        (b" se cret \n", " se cret "),
        ("päßwört🙂\n".encode(), "päßwört🙂"),
    ],
)
def test_adds_a_user_with_a_password_from_standard_input(
    run: Run, user: Callable[[str], User], stdin: bytes, password: str
) -> None:
    result = run("-u", "ann", "--password-stdin", stdin=stdin)
    assert (result.status, result.err) == (0, "")
    assert "'ann' is added" in result.out
    ann = user("ann")
    assert is_password(ann, password)
    assert (ann.role, ann.detectors, ann.disabled) == ("user", None, False)
    assert password not in result.out


def test_a_role_and_detectors_are_given_when_adding(run: Run, user: Callable[[str], User]) -> None:
    run(
        "-u",
        "ann",
        "--password-stdin",
        "--role",
        "admin",
        "--detectors",
        "face, object",
        stdin=b"long enough",
    )
    assert user("ann").role == "admin"
    assert user("ann").detectors == frozenset({"face", "object"})
    run("-u", "bob", "--password-stdin", "--detectors", "none", stdin=b"long enough")
    assert user("bob").detectors == frozenset()


def test_a_password_on_the_command_line_works_with_a_warning(
    run: Run, user: Callable[[str], User]
) -> None:
    result = run("-u", "ann", "-p", "the secret")
    assert result.status == 0
    assert result.err.startswith("Warning:")
    assert "--password-stdin" in result.err
    assert "secret" not in result.out + result.err
    assert is_password(user("ann"), "the secret")


@pytest.mark.parametrize(
    ("stdin", "says"),
    [
        (b"", "empty"),
        (b"\n", "empty"),
        (b"one\ntwo\n", "more than one line"),
        (b"\xff\xfe", "not UTF-8"),
        (b"x" * 73, "73 bytes"),
        ("é".encode() * 37, "74 bytes"),
        (b"a\0b", "NUL"),
        (b"x\n", "it has 1 character, and must have at least 8"),
        (("e\u0301" * 7).encode(), "it has 7 characters"),
        (b"x" * 100_000, "more than 4096 bytes"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_an_impossible_password_is_explained(run: Run, data: Path, stdin: bytes, says: str) -> None:
    result = run("-u", "ann", "--password-stdin", stdin=stdin)
    assert result.status == 1
    assert says in result.err
    assert result.out == ""
    assert not (data / "users.json").exists()


@pytest.mark.parametrize("name", ["", " ann", "a\nb", "x" * 65])
def test_an_impossible_name_is_explained(run: Run, data: Path, name: str) -> None:
    result = run("-u", name, "--password-stdin", stdin=b"long enough")
    assert result.status == 1
    assert "user name" in result.err
    assert not (data / "users.json").exists()


def test_an_existing_user_is_replaced_only_by_force(run: Run, user: Callable[[str], User]) -> None:
    run("-u", "ann", "--password-stdin", "--role", "admin", stdin=b"an old one")
    before = user("ann")
    for arguments in (("--password-stdin",), ("-p", "a new one"), ()):
        result = run("-u", "ann", *arguments, stdin=b"a new one")
        assert result.status == 1
        assert "--force" in result.err
    assert user("ann") == before
    result = run("-u", "ann", "--password-stdin", "-f", stdin=b"a new one")
    assert (result.status, result.err) == (0, "")
    after = user("ann")
    assert is_password(after, "a new one")
    assert after.role == "admin", "what was not named stays"
    assert after.token_epoch > before.token_epoch
    run("-u", "ann", "--password-stdin", "-f", "--role", "user", stdin=b"a new one")
    assert user("ann").role == "user"


def test_role_and_detectors_of_an_existing_user_need_no_password(
    run: Run, user: Callable[[str], User]
) -> None:
    run("-u", "ann", "--password-stdin", stdin=b"long enough")
    before = user("ann")
    result = run("-u", "ann", "--role", "admin", "--detectors", "face")
    assert (result.status, result.err) == (0, "")
    after = user("ann")
    assert (after.role, after.detectors) == ("admin", frozenset({"face"}))
    assert (after.password_hash, after.token_epoch) == (before.password_hash, before.token_epoch)
    run("-u", "ann", "--detectors", "all")
    assert user("ann").detectors is None
    run("--enable", "ann", "--detectors", "object")
    assert user("ann").detectors == frozenset({"object"})


@pytest.mark.parametrize("style", ["-u first", "-u last", "own"])
def test_the_user_is_named_before_or_after_the_action(
    run: Run, user: Callable[[str], User], style: str
) -> None:
    def act(option: str, stdin: bytes = b"") -> Result:
        extra = ["--password-stdin"] if stdin else []
        named = {
            "-u first": ["-u", "ann", option],
            "-u last": [option, "-u", "ann"],
            "own": [option, "ann"],
        }
        return run(*named[style], *extra, stdin=stdin)

    run("-u", "ann", "--password-stdin", stdin=b"an old one")
    assert act("--disable").status == 0
    assert user("ann").disabled
    assert act("--enable").status == 0
    assert not user("ann").disabled
    assert act("--passwd", b"a new one").status == 0
    assert is_password(user("ann"), "a new one")
    assert act("-r").status == 0
    assert "ann" not in run("--list").out


@pytest.mark.parametrize("action", ["--remove", "--passwd", "--disable", "--enable"])
def test_an_unknown_user_is_said_before_a_password_is_asked_for(run: Run, action: str) -> None:
    result = run(action, "nobody")
    assert (result.status, result.err) == (1, "There is no user 'nobody'.\n")


def test_lists_users_in_a_table(run: Run) -> None:
    assert "no users yet" in run("-l").out
    long = [f"detector{number}" for number in range(30)]
    run("-u", "ann", "--password-stdin", "--role", "admin", stdin=b"long enough")
    run("-u", "安娜[red]", "--password-stdin", "--detectors", ",".join(long), stdin=b"long enough")
    run("--disable", "ann", "--force")
    run("-u", "安娜[red]", "--requests-per-day", "500", "--megapixels-per-day", "unlimited")
    result = run("--list")
    assert (result.status, result.err) == (0, "")
    heading, ann, anna = result.out.splitlines()
    assert heading.split() == ["user", "role", "state", "detectors", "quota", "created"]
    assert ann.split()[:5] == ["ann", "admin", "disabled", "all", "default"]
    assert "500 pictures, unlimited megapixels" in anna
    assert anna.startswith("安娜[red]")
    assert ", ".join(sorted(long)) in anna, "a line stays whole in a pipe"
    assert "$2b$" not in result.out


@pytest.mark.parametrize(
    "arguments",
    [
        ["--nonsense"],
        ["ann"],
        ["-u", "ann", "-p", "x", "--password-stdin"],
        ["--password-stdin"],
        ["-u", "ann", "--remove", "bob"],
        ["--list", "--remove", "ann"],
        ["--list", "-u", "ann"],
        ["--list", "--role", "admin"],
        ["--remove", "ann", "-p", "x"],
        ["--disable", "ann", "-p", "x"],
        ["-u", "ann", "--role", "root"],
        ["-u", "ann", "--detectors", ""],
        ["-u", "ann", "--detectors", "face,all"],
        ["-u", "ann", "--detectors", "face,,object"],
        ["-u", "ann", "--detectors", "Face"],
        ["-u", "ann", "--detectors", "../face"],
        ["-u", "ann", "--requests-per-day", "-1"],
        ["-u", "ann", "--requests-per-day", "many"],
        ["-u", "ann", "--megapixels-per-day", "1.5"],
        ["-u", "ann", "--megapixels-per-day", "1000000001"],
        ["--remove", "ann", "--requests-per-day", "5"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_2_and_changes_nothing(run: Run, data: Path, arguments: list[str]) -> None:
    result = run(*arguments, stdin=b"long enough")
    assert result.status == 2
    assert result.err.startswith("usage: adduser.py")
    assert not data.exists()


def test_quotas_are_given_when_adding_and_changed_later(
    run: Run, user: Callable[[str], User]
) -> None:
    limits = ("--requests-per-day", "100", "--megapixels-per-day", "50")
    assert run("-u", "ann", "--password-stdin", *limits, stdin=b"long enough").status == 0
    assert (user("ann").requests_per_day, user("ann").megapixels_per_day) == (100, 50)
    result = run("-u", "ann", "--requests-per-day", "unlimited")
    assert (result.status, result.err) == (0, "")
    assert "unlimited pictures, 50 megapixels" in result.out
    assert (user("ann").requests_per_day, user("ann").megapixels_per_day) == (0, 50)
    run("--enable", "ann", "--megapixels-per-day", "default", "--requests-per-day", "default")
    assert (user("ann").requests_per_day, user("ann").megapixels_per_day) == (None, None)


@pytest.mark.parametrize("action", ["--remove ann", "--disable ann", "--enable ann --role user"])
def test_the_last_admin_goes_only_by_force(
    run: Run, user: Callable[[str], User], action: str
) -> None:
    run("-u", "ann", "--password-stdin", "--role", "admin", stdin=b"long enough")
    run("-u", "off", "--password-stdin", "--role", "admin", stdin=b"long enough")
    run("--disable", "off")
    before = user("ann")
    result = run(*action.split())
    assert result.status == 1
    assert "last admin" in result.err
    assert "--force" in result.err
    assert user("ann") == before
    assert run(*action.split(), "--force").status == 0
    assert "ann  admin  enabled" not in run("--list").out


def test_removing_a_user_deletes_the_users_pictures_and_no_others(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VISIONGATE_IMAGES_DIR", str(tmp_path / "i"))
    store = FilePictureStore(tmp_path / "i", max_age_seconds=1e6, max_bytes=10**6)
    picture = Picture(np.zeros((2, 2, 3), np.uint8), "JPEG")
    for owner in ("ann", "bob"):
        store.keep(owner, b"of an earlier account of this name", picture, None)
        run("-u", owner, "--password-stdin", stdin=b"long enough")
    assert store.list() == []
    for owner in ("ann", "ann", "bob"):
        store.keep(owner, b"bytes", picture, None)
    result = run("--remove", "ann")
    assert result.out == "User 'ann' is removed, and 2 kept pictures.\n"
    assert [kept.owner for kept in store.list()] == ["bob"]


def test_every_change_is_in_the_audit_log_and_no_password(run: Run, data: Path) -> None:
    run("-u", "ann", "--password-stdin", "--role", "admin", stdin=b"first secret")
    run("--passwd", "ann", "--password-stdin", stdin=b"second secret")
    run("-u", "ann", "--detectors", "face", "--requests-per-day", "9")
    run("--disable", "ann")
    run("--remove", "ann", "--force")
    text = (data / "audit.log").read_text()
    events = [json.loads(line) for line in text.splitlines()]
    assert [(e["event"], e["outcome"], e["reason"]) for e in events] == [
        ("user.created", "ok", None),
        ("user.changed", "ok", None),
        ("user.changed", "ok", None),
        ("user.changed", "refused", "last_admin"),
        ("user.removed", "ok", None),
    ]
    assert {(e["user"], e["actor"], e["via"], e["address"]) for e in events} == {
        ("ann", getpass.getuser(), "command line", None)
    }
    assert events[1]["detail"] == {"password": "changed"}
    assert events[2]["detail"] == {"detectors": ["face"], "requests_per_day": 9}
    assert "secret" not in text
    assert "$2b$" not in text


def test_help_has_examples(run: Run) -> None:
    result = run("--help")
    assert result.status == 0
    for word in ("examples:", "--password-stdin", "--detectors face,object", "VISIONGATE_DATA_DIR"):
        assert word in result.out


@pytest.mark.parametrize("arguments", [[], ["-u", "ann"], ["--passwd"], ["--remove"]], ids=" ".join)
def test_without_a_terminal_nothing_is_asked(run: Run, arguments: list[str]) -> None:
    result = run(*arguments, stdin=b"ann\nsecret\nsecret\n")
    assert result.status == 1
    assert "no terminal" in result.err


def test_a_damaged_store_and_a_wrong_setting_are_explained(
    run: Run, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data.mkdir()
    (data / "users.json").write_text("{")
    result = run("--list")
    assert result.status == 1
    assert "damaged" in result.err
    monkeypatch.setenv("VISIONGATE_BCRYPT_ROUNDS", "many")
    result = run("--list")
    assert result.status == 1
    assert "VISIONGATE_BCRYPT_ROUNDS" in result.err


def test_it_loads_neither_flask_nor_a_detector_nor_a_runtime(data: Path) -> None:
    script = """
import sys
import adduser
assert adduser.main(["-u", "ann", "-p", "long enough", "--detectors", "face"]) == 0
assert adduser.main(["--list"]) == 0
loaded = {name.split(".")[0] for name in sys.modules}
print(sorted(loaded & {"flask", "werkzeug", "detectors", "cv2", "openvino", "tensorflow", "PIL"}))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


# -- at a terminal

posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals")


class Terminal:
    """adduser.py at a pseudo-terminal; ``until`` reads what it says, ``type`` answers."""

    def __init__(self, *arguments: str) -> None:
        self._ours, theirs = os.openpty()
        self.process = subprocess.Popen(
            [sys.executable, str(ROOT / "adduser.py"), *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        self.seen = ""

    def until(self, text: str) -> None:
        while text not in self.seen:
            self.seen += os.read(self._ours, 1000).decode()

    def type(self, text: str) -> None:
        self.seen = ""
        os.write(self._ours, text.encode())

    def end(self) -> tuple[int, str]:
        try:
            while more := os.read(self._ours, 1000):
                self.seen += more.decode()
        except OSError:
            pass  # how Linux says that the other side is closed
        return self.process.wait(30), self.seen

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._ours)


@pytest.fixture
def terminal(data: Path) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def open_(*arguments: str) -> Terminal:
        opened.append(Terminal(*arguments))
        return opened[-1]

    yield open_
    for one in opened:
        one.close()


@posix
def test_asks_for_a_name_and_twice_for_the_password(
    terminal: Callable[..., Terminal], user: Callable[[str], User]
) -> None:
    screen = terminal()
    screen.until("User name: ")
    screen.type("ann\n")
    screen.until("Password: ")
    screen.type("the secret\n")
    screen.until("again: ")
    assert "secret" not in screen.seen, "a password is not echoed"
    screen.type("the secret\n")
    status, seen = screen.end()
    assert status == 0
    assert "'ann' is added" in seen
    assert "secret" not in seen
    assert is_password(user("ann"), "the secret")


@posix
def test_asks_before_it_replaces_a_password(
    terminal: Callable[..., Terminal], run: Run, user: Callable[[str], User]
) -> None:
    run("-u", "ann", "--password-stdin", stdin=b"an old one")
    screen = terminal("-u", "ann")
    screen.until("[y/N] ")
    screen.type("\n")
    status, seen = screen.end()
    assert status == 1
    assert "--force" in seen
    assert is_password(user("ann"), "an old one")

    screen = terminal("-u", "ann")
    screen.until("[y/N] ")
    screen.type("y\n")
    for prompt in ("Password: ", "again: "):
        screen.until(prompt)
        screen.type("a new one\n")
    assert screen.end()[0] == 0
    assert is_password(user("ann"), "a new one")


@posix
@pytest.mark.parametrize(("second", "says"), [("other", "differ"), (None, "72 bytes")])
def test_two_different_passwords_or_an_impossible_one_change_nothing(
    terminal: Callable[..., Terminal], data: Path, second: str | None, says: str
) -> None:
    screen = terminal("-u", "ann")
    screen.until("Password: ")
    screen.type("the secret\n" if second else "x" * 80 + "\n")
    if second:
        screen.until("again: ")
        screen.type(second + "\n")
    status, seen = screen.end()
    assert status == 1
    assert says in seen
    assert not (data / "users.json").exists()


class Keyboard(Stdin):
    """A terminal whose user presses Ctrl+C, or Ctrl+D, instead of answering."""

    key: type[BaseException]

    def isatty(self) -> bool:
        return True

    def readline(self, size: int = -1, /) -> str:
        raise self.key


@pytest.mark.parametrize(
    ("key", "status", "says"),
    [(KeyboardInterrupt, 130, "Interrupted"), (EOFError, 1, "Nothing was changed")],
)
def test_ctrl_c_and_ctrl_d_end_it(
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    key: type[BaseException],
    status: int,
    says: str,
) -> None:
    keyboard = Keyboard()
    keyboard.key = key
    monkeypatch.setattr(sys, "stdin", keyboard)
    assert adduser.main([]) == status
    assert says in capsys.readouterr().err
    assert not data.exists()


@posix
def test_a_reader_that_stops_early_is_no_error_to_shout_about(run: Run, data: Path) -> None:
    run("-u", "ann", "--password-stdin", stdin=b"long enough")
    process = subprocess.Popen(
        [sys.executable, str(ROOT / "adduser.py"), "--list"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
    process.wait(30)
