"""Command lines that end early, in processes of their own: a closed pipe, and Ctrl+C."""

from __future__ import annotations

import subprocess
import sys

ENDLESS = """
import sys
from visiongate._command import command

@command
def main(arguments=None):
    while True:
        print("more")

sys.exit(main())
"""
INTERRUPTED = """
import sys
from visiongate._command import command

@command
def main(arguments=None):
    raise KeyboardInterrupt

sys.exit(main())
"""
DONE = """
import sys
from visiongate._command import command

@command
def main(arguments=None):
    print(arguments)
    return 7

sys.exit(main(["a"]))
"""


def test_a_reader_that_has_seen_enough_ends_it_quietly() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ENDLESS], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"more\n"
        process.stdout.close()
        assert process.wait(60) == 1
        assert process.stderr.read() == b""


def test_ctrl_c_has_the_shells_status() -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, b"", b"\nInterrupted.\n")


def test_else_the_status_is_mains() -> None:
    done = subprocess.run([sys.executable, "-c", DONE], capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (7, b"['a']\n")
