"""The audit log between processes: no line is lost, torn or mixed, however it is rotated."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from visiongate.audit.log import AuditFile, rotated
from visiongate.audit.reading import Query, Reading, files_of

ROOT = Path(__file__).resolve().parents[2]
posix = pytest.mark.skipif(sys.platform == "win32", reason="forks, kills and modes are POSIX's")

_WRITER = """
import json, sys
from pathlib import Path
from visiongate.audit.log import AuditFile

path, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
file = AuditFile(path, max_bytes=2000, keep_files=200)
print("ready", flush=True)
sys.stdin.readline()
for number in range(count):
    event = {"time": "t", "event": name, "number": number, "more": "x" * (number % 90)}
    file.append(json.dumps(event).encode() + b"\\n")
"""

# Dies before and after each call to the system of one write that rotates, one after another.
_STEPS = """
import json, os, signal, sys
from pathlib import Path
from visiongate.audit.log import AuditFile
from visiongate.audit.reading import Query, Reading, files_of

path = Path(sys.argv[1])

def line(number):
    return json.dumps({"time": "t", "event": "e", "n": number, "m": "x" * 100}).encode() + b"\\n"

def to_the_system(function):
    return getattr(function, "__module__", "") in ("posix", "fcntl")

def die_at(last):
    seen = 0
    def profile(frame, event, argument):
        nonlocal seen
        if event in ("c_call", "c_return") and to_the_system(argument):
            seen += 1
            if seen == last:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.setprofile(profile)

step = 0
while True:
    step += 1
    for old in files_of(path):
        old.unlink()
    file = AuditFile(path, max_bytes=300, keep_files=3)
    for number in range(6):  # two to a file, so that the next one rotates
        file.append(line(number))
    victim = os.fork()
    if victim == 0:
        die_at(step)
        file.append(line(6))
        sys.setprofile(None)
        os._exit(0)
    _, status = os.waitpid(victim, 0)
    file.append(line(7))
    reading = Reading(path)
    found = [event["n"] for _, event in reading.events(Query())]
    assert reading.damaged == 0, step
    assert found in ([0, 1, 2, 3, 4, 5, 7], [0, 1, 2, 3, 4, 5, 6, 7]), (step, found)
    if not os.WIFSIGNALED(status):
        assert 6 in found
        break
    assert os.WTERMSIG(status) == signal.SIGKILL
print(step)
"""


def line(number: int, size: int = 0) -> bytes:
    return json.dumps({"time": "t", "event": "e", "n": number, "m": "x" * size}).encode() + b"\n"


def test_four_processes_that_write_and_rotate_at_once_lose_no_line(tmp_path: Path) -> None:
    path, count = tmp_path / "audit.log", 150
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(path), name, str(count)],
            cwd=ROOT,
            text=True,
            **pipes,
        )
        for name in "abcd"
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    assert [writer.communicate(timeout=100)[1] for writer in writers] == [""] * 4

    reading = Reading(path)
    events = [event for _, event in reading.events(Query())]
    assert reading.damaged == 0
    for name in "abcd":
        mine = [event["number"] for event in events if event["event"] == name]
        assert mine == list(range(count)), "each line once, in its writer's order"
    files = files_of(path)
    assert len(files) > 20, "it was rotated while they wrote"
    assert all(file.stat().st_size <= 2000 for file in files)


@posix
def test_a_writer_killed_at_any_step_loses_no_line_of_others(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _STEPS, str(tmp_path / "audit.log")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 20, "the profile saw too few steps to have gone through a rotation"


def test_as_many_files_are_kept_as_were_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    file = AuditFile(path, max_bytes=300, keep_files=3)
    for number in range(40):
        file.append(line(number, 200))
    assert files_of(path) == [*(rotated(path, n) for n in (3, 2, 1)), path]
    assert [event["n"] for _, event in Reading(path).events(Query())] == [36, 37, 38, 39]
    AuditFile(path, max_bytes=300, keep_files=1).append(line(40, 200))
    assert files_of(path) == [rotated(path, 1), path]


def test_a_gap_among_the_files_costs_none(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    file = AuditFile(path, max_bytes=300, keep_files=3)
    for number in range(4):
        file.append(line(number, 200))
    rotated(path, 2).unlink()
    file.append(line(4, 200))
    assert [event["n"] for _, event in Reading(path).events(Query())] == [0, 2, 3, 4]


def test_a_line_longer_than_a_file_is_written_whole(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    file = AuditFile(path, max_bytes=100, keep_files=3)
    for number in range(2):
        file.append(line(number, 500))
    assert [event["n"] for _, event in Reading(path).events(Query())] == [0, 1]


def test_a_torn_line_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "audit.log"
    file = AuditFile(path, max_bytes=10_000, keep_files=3)
    file.append(line(0))
    with path.open("ab") as raw:
        raw.write(line(1)[:20])
    reading = Reading(path)
    assert [event["n"] for _, event in reading.events(Query())] == [0]
    assert reading.damaged == 1
    file.append(line(2))
    reading = Reading(path)
    assert [event["n"] for _, event in reading.events(Query())] == [0, 2]
    assert reading.damaged == 1


@posix
def test_files_are_their_owners_alone(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "audit.log"
    file = AuditFile(path, max_bytes=100, keep_files=3)
    before = os.umask(0)
    try:
        for number in range(3):
            file.append(line(number, 100))
    finally:
        os.umask(before)
    assert {one.stat().st_mode & 0o777 for one in path.parent.iterdir()} == {0o600}
    assert path.parent.stat().st_mode & 0o777 == 0o700


@posix
def test_a_full_disk_is_told_and_what_was_written_stays(tmp_path: Path) -> None:
    script = """
import resource, signal, sys
from pathlib import Path
from visiongate.audit.log import AuditFile
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
file = AuditFile(Path(sys.argv[1]), max_bytes=10_000, keep_files=3)
file.append(b'{"time":"t","event":"a"}\\n')
resource.setrlimit(resource.RLIMIT_FSIZE, (40, resource.RLIM_INFINITY))
for _ in range(2):
    try:
        file.append(b'{"time":"t","event":"b"}\\n')
    except OSError as error:
        print(error.strerror)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
file.append(b'{"time":"t","event":"c"}\\n')
"""
    path = tmp_path / "audit.log"
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(done.stdout.splitlines()) == 2
    reading = Reading(path)
    assert [event["event"] for _, event in reading.events(Query())] == ["a", "c"]
    assert reading.damaged == 1


def test_it_can_be_read_while_others_hold_no_lock(tmp_path: Path) -> None:
    path = tmp_path / "copy.log"
    path.write_bytes(line(1))
    assert [event["n"] for _, event in Reading(path).events(Query())] == [1]
    assert list(tmp_path.iterdir()) == [path], "reading a copy leaves nothing beside it"
