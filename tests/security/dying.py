"""Keep, delete or sweep in processes that are killed between any two of their steps.

Run by ``test_deletion`` in a process of its own, which has no threads and so may fork:
``python -m tests.security.dying WORK FOLDER MARKER`` does the work once in each of the folders
``FOLDER/1``, ``FOLDER/2`` ..., and in folder N is killed before its Nth step, until there are
no more steps. Prints what became of each as JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from visiongate.retention import FilePictureStore
from visiongate.types import Picture

_STEPS = {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.utime", "os.scandir"}
"""Events by which Python tells of a step on files, before it is done."""
_MOST = 100
OLD_SECONDS = 1000.0


def store_in(folder: Path, *, later: float = 0.0, age: float = 1e9) -> FilePictureStore:
    """Return the store there, as it is ``later`` seconds from now."""
    return FilePictureStore(
        folder, max_age_seconds=age, max_bytes=10**9, clock=lambda: time.time() + later
    )


def keep(folder: Path, text: str, *, ago: float = 0.0) -> str:
    """Keep a picture that consists of ``text``; return its id."""
    body = text.encode() * 1000
    picture = Picture(np.zeros((2, 2, 3), np.uint8), "JPEG")
    return store_in(folder, later=-ago).keep("ann", body, picture, body).id


def _work(work: str, folder: Path, text: str, picture_id: str) -> None:
    if work == "keep":
        keep(folder, text)
    elif work == "delete":
        store_in(folder).delete(picture_id)
    else:
        store_in(folder, age=OLD_SECONDS / 2).sweep()


def _die_before(step: int) -> None:
    left = step

    def count(event: str, _arguments: object) -> None:
        nonlocal left
        if event in _STEPS:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)


def main(work: str, root: Path, text: str) -> list[dict[str, Any]]:
    """Return, for each folder, the step, whether it died there, and the picture's id."""
    ends: list[dict[str, Any]] = []
    for step in range(1, _MOST):
        folder = root / str(step)
        old = work == "sweep"
        ids = [keep(folder, text, ago=OLD_SECONDS * old) for _ in range(1 + old)]
        if work == "keep":
            store_in(folder).delete(ids[0])
        child = os.fork()
        if child == 0:
            _die_before(step)
            _work(work, folder, text, ids[0])
            os._exit(0)
        status = os.waitpid(child, 0)[1]
        ends.append({"step": step, "died": os.WIFSIGNALED(status), "id": ids[0]})
        if not os.WIFSIGNALED(status):
            assert os.WEXITSTATUS(status) == 0
            return ends
    raise AssertionError("it never ended by itself")


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])))
