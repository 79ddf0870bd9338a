"""The key ring: made once, private, rotated without ending tokens, shared by processes."""

from __future__ import annotations

import base64
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from visiongate.errors import StoreUnavailable
from visiongate.keys import KeyRing, main

ROOT = Path(__file__).resolve().parents[2]
posix = pytest.mark.skipif(sys.platform == "win32", reason="file modes are POSIX's")


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "keys.json"


@pytest.fixture
def ring(path: Path, clock: Clock) -> KeyRing:
    return KeyRing(path, clock=clock)


def test_nothing_is_made_before_it_is_needed(ring: KeyRing, path: Path) -> None:
    assert not path.parent.exists()
    ring.signing()
    assert path.exists()


def test_the_first_key_is_random_strong_and_kept(ring: KeyRing, path: Path, tmp_path: Path) -> None:
    key = ring.signing()
    padded = key.secret + "=" * (-len(key.secret) % 4)
    assert len(base64.urlsafe_b64decode(padded)) == 32
    assert ring.signing() == key == ring.get(key.kid) == KeyRing(path).signing()
    other = KeyRing(tmp_path / "other.json").signing()
    assert other.secret != key.secret
    assert other.kid != key.kid


def test_a_secret_is_not_shown(ring: KeyRing) -> None:
    assert ring.signing().secret not in repr(ring.signing())


def test_asking_for_a_kid_first_makes_the_ring_too(ring: KeyRing) -> None:
    assert ring.get("no such kid") is None
    assert ring.get(ring.signing().kid) is not None


@posix
def test_file_and_folder_are_private(ring: KeyRing, path: Path) -> None:
    ring.signing()
    ring.rotate(100)
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    names = {file.name for file in path.parent.iterdir()}
    assert names == {"keys.json", "keys.json.lock", "keys.json.turn.lock"}


def test_rotation_signs_anew_while_old_tokens_live_out(
    ring: KeyRing, path: Path, clock: Clock
) -> None:
    first = ring.signing()
    second = ring.rotate(3600)
    assert ring.signing() == second
    assert second.secret != first.secret
    clock.now += 3600
    for view in (ring, KeyRing(path, clock=clock)):
        old = view.get(first.kid)
        assert old is not None
        assert old.secret == first.secret
    clock.now += 61  # and the leeway
    assert ring.get(first.kid) is None
    assert ring.signing() == second


def test_each_key_ends_by_its_own_rotation(ring: KeyRing, path: Path, clock: Clock) -> None:
    keys = [ring.signing()]
    for _ in range(3):
        keys.append(ring.rotate(1000))
        clock.now += 600
    # Rotated out 1800, 1200 and 600 seconds ago.
    alive = [ring.get(key.kid) is not None for key in keys]
    assert alive == [False, False, True, True]
    assert [key.kid for key in ring.list()] == [keys[3].kid, keys[2].kid]
    ring.rotate(1000)
    assert keys[0].secret not in path.read_text(), "what has ended is forgotten"


def test_a_leaked_key_can_be_ended_at_once(ring: KeyRing, path: Path) -> None:
    first = ring.signing()
    ring.rotate(1000)
    last = ring.rotate(0)
    assert ring.get(first.kid) is None
    assert ring.list() == [last]
    assert first.secret not in path.read_text()


def test_rotating_before_the_first_use_makes_one_key(ring: KeyRing) -> None:
    only = ring.rotate(100)
    assert ring.list() == [only]


def test_a_running_gateway_follows_another_processes_rotation(ring: KeyRing, path: Path) -> None:
    first = ring.signing()
    new = KeyRing(path).rotate(1e9)
    assert ring.signing() == new
    assert ring.get(first.kid) is not None


def test_processes_that_start_at_once_agree_on_one_key(path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from visiongate.keys import KeyRing\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "print(KeyRing(Path(sys.argv[1])).signing().kid)"
    )
    command = [sys.executable, "-c", script, str(path)]
    starters = [
        subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(4)
    ]
    try:
        for starter in starters:
            assert starter.stdout is not None
            assert starter.stdout.readline() == "ready\n"
        for starter in starters:
            assert starter.stdin is not None
            starter.stdin.write("go\n")
            starter.stdin.flush()
        kids = {starter.communicate()[0].strip() for starter in starters}
    finally:
        for starter in starters:
            starter.kill()
            starter.communicate()
    assert kids == {KeyRing(path).signing().kid}


# -- what goes wrong


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"keys": []}',
        '{"keys": [{"kid": "a", "secret": "short", "made": 1, "until": null}]}',
        '{"keys": [{"kid": "a", "made": 1, "until": null}]}',
        '{"keys": [{"kid": 1, "secret": "%s", "made": 1, "until": null}]}' % ("x" * 43),
        '{"keys": [{"kid": "a", "secret": "%s", "made": 1, "until": 5}]}' % ("x" * 43),
    ],
)
def test_a_damaged_ring_is_refused_and_left_alone(ring: KeyRing, path: Path, content: str) -> None:
    ring.signing()
    path.write_text(content)
    for attempt in (ring.signing, lambda: ring.get("a"), lambda: ring.rotate(5), ring.list):
        with pytest.raises(StoreUnavailable, match=r"keys\.json is damaged.*delete it"):
            attempt()
    assert path.read_text() == content
    path.unlink()
    assert ring.signing()


def test_two_signing_keys_are_refused(ring: KeyRing, path: Path) -> None:
    ring.signing()
    document = json.loads(path.read_text())
    document["keys"].append(document["keys"][0] | {"kid": "other"})
    path.write_text(json.dumps(document))
    with pytest.raises(StoreUnavailable, match="damaged"):
        ring.signing()


@posix
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660])
def test_a_ring_that_others_could_read_is_closed_with_a_warning(
    ring: KeyRing, path: Path, mode: int, caplog: pytest.LogCaptureFixture
) -> None:
    key = ring.signing()
    assert not caplog.records
    path.chmod(mode)
    with caplog.at_level(logging.WARNING):
        assert KeyRing(path).signing() == key
    assert path.stat().st_mode & 0o777 == 0o600
    assert "rotate --at-once" in caplog.text
    assert key.secret not in caplog.text


def test_a_folder_that_cannot_be_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    ring = KeyRing(tmp_path / "file" / "keys.json")
    for attempt in (ring.signing, lambda: ring.rotate(5)):
        with pytest.raises(StoreUnavailable, match=r"keys\.json"):
            attempt()


# -- the command line


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [name for name in os.environ if name.startswith("VISIONGATE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VISIONGATE_DATA_DIR", str(tmp_path / "d"))
    monkeypatch.setenv("VISIONGATE_REFRESH_TOKEN_SECONDS", "7200")
    return tmp_path / "d"


def test_list_and_rotate_from_the_command_line(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["list"]) == 0
    ring = KeyRing(data / "keys.json")
    first = ring.signing()
    assert main(["rotate"]) == 0
    second = ring.signing()
    old = ring.get(first.kid)
    assert old is not None
    assert old.until is not None
    assert 7200 <= old.until - second.made <= 7300
    out = capsys.readouterr().out
    assert first.kid in out
    assert f"{second.kid}" in out
    assert "(signs)" in out
    assert first.secret not in out
    assert second.secret not in out
    assert main(["rotate", "--at-once"]) == 0
    assert ring.get(first.kid) is ring.get(second.kid) is None
    assert first.kid not in capsys.readouterr().out


def test_a_rotation_is_in_the_audit_log_and_no_secret(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["list"])
    assert not (data / "audit.log").exists()
    main(["rotate"])
    main(["rotate", "--at-once"])
    text = (data / "audit.log").read_text()
    events = [json.loads(line) for line in text.splitlines()]
    assert [(one["event"], one["via"], one["detail"]["at_once"]) for one in events] == [
        ("keys.rotated", "command line", False),
        ("keys.rotated", "command line", True),
    ]
    ring = KeyRing(data / "keys.json")
    assert events[1]["detail"]["kid"] == ring.signing().kid
    assert ring.signing().secret not in text


def test_the_command_line_explains_what_is_wrong(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data.mkdir()
    (data / "keys.json").write_text("{")
    assert main(["list"]) == 1
    assert "damaged" in capsys.readouterr().err
    with pytest.raises(SystemExit) as caught:
        main([])
    assert caught.value.code == 2


def test_it_runs_as_a_module(data: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "visiongate.keys", "list"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert KeyRing(data / "keys.json").signing().kid in done.stdout
