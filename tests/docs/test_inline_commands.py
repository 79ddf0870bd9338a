"""Commands that stand within a sentence, or that no test can run: their programs know them."""

from __future__ import annotations

import functools
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.docs.adaptations import is_left_out
from tests.docs.commands import blocks, inline
from tests.docs.pages import ROOT


@pytest.mark.parametrize(
    "line", sorted({line for b in blocks() for line in b.text.splitlines() if is_left_out(line)})
)
def test_what_is_not_run_exists(line: str) -> None:
    words = shlex.split(line, comments=True)
    if words[0] in ("make", "python"):
        look_at(words)
    else:
        assert words[0] in ("curl", "promtool")


@pytest.mark.parametrize(("page", "command"), inline(), ids=lambda text: text[:60])
def test_a_command_within_a_sentence_exists(page: str, command: str, shims: Path) -> None:
    words = [w for w in shlex.split(command, comments=True) if not re.match(r"[A-Z_]+=", w)]
    if words[0] in ("docker", "systemctl", "sudo"):
        world = {**os.environ, "PATH": f"{shims}{os.pathsep}{os.environ['PATH']}"}
        done = subprocess.run(words, cwd=ROOT, env=world, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    else:
        look_at(words)


def look_at(words: list[str]) -> None:
    """Look whether a command that is not run could be: its program, subcommand and flags."""
    program = words[0].removeprefix(".venv/bin/")
    if program == "make":
        done = subprocess.run(["make", "-n", *words[1:], "DATA=x"], cwd=ROOT, capture_output=True)
        assert done.returncode == 0, done.stderr
    elif program in ("python", "python3"):
        assert_known(words[1:])
    elif program == "pip":
        assert_known(["-m", "pip", *words[1:]])
    elif program == "curl":
        told = subprocess.run(["curl", "--help", "all"], capture_output=True, text=True).stdout
        flags = [word for word in words if word.startswith("-")]
        assert all(re.search(rf"^ *(-., )?{flag}\b", told, re.MULTILINE) for flag in flags)
    else:
        pytest.fail(f"nobody here knows how to look at {' '.join(words)!r}")


@functools.cache
def help_of(*words: str) -> str | None:
    """Return what a Python program says of itself; None where it does not know its first words."""
    done = subprocess.run(
        [sys.executable, *words, "--help"],
        cwd=tempfile.gettempdir(),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    return done.stdout if done.returncode == 0 else None


def assert_known(words: list[str]) -> None:
    """Look whether the Python program knows each subcommand and flag."""
    if words == ["api.py"]:
        return  # it takes no arguments, and `make serve` runs it
    start = 2 if words[0] == "-m" else 1
    program, rest = words[:start], words[start:]
    if program[0].endswith(".py"):
        program = [str(ROOT / program[0])]
    if program == [str(ROOT / "tools/environment.py")]:
        assert all((ROOT / name).is_file() for name in rest[1:])
        return
    told = help_of(*program)
    assert told is not None, program
    sub = next((word for word in rest if re.fullmatch(r"[a-z]+", word)), None)
    if sub is not None and re.search(rf"[{{,]{sub}[,}}]|^  {sub} ", told, re.MULTILINE):
        told = help_of(*program, sub)
        assert told is not None, sub
    for flag in (word for word in rest if word.startswith("-")):
        assert re.search(rf"(?<![\w-]){re.escape(flag)}\b", told), flag
