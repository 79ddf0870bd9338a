"""Which of two forms of a network this processor computes faster: measured once, and remembered."""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from visiongate.runtimes.openvino import OpenVinoModel, processor
from visiongate.types import Device

__all__ = ["other_is_faster"]

_LOCK_SECONDS = 60.0
_LEAST_ROUNDS, _MOST_ROUNDS = 6, 30
_MOST_SECONDS = 0.5
_FINE_SECONDS = 1e-4
_GAIN = 0.95
"""The share of the plain form's time that the other must not exceed, to be worth its rounding."""

_WORDS = {"other": True, "plain": False}
_log = logging.getLogger(__name__)
_Make = Callable[[Device], OpenVinoModel]


def other_is_faster(
    folder: Path, name: str, identity: Sequence[str], *, plain: _Make, other: _Make
) -> bool:
    """Tell whether a core runs what ``other`` makes in notably less time than what ``plain`` does.

    What came out is kept in ``folder`` for this processor and ``identity`` (hashes of both forms,
    say), so that every process and every start answers alike; where it cannot be kept, it is
    measured each time. Of several processes one measures, and the others wait.

    Raises:
        ModelUnavailable: one of the two cannot be made.
    """
    key = hashlib.sha256(" ".join([processor(), *identity]).encode()).hexdigest()[:16]
    file = folder / f"{name}-{key}.faster"
    with ExitStack() as held:
        try:
            if (word := _word(file)) is None:
                held.enter_context(FileLock(file.with_suffix(".lock"), timeout=_LOCK_SECONDS))
                word = _word(file)  # another process may have measured meanwhile
            if word is not None:
                return _WORDS[word]
        except (OSError, Timeout) as error:
            _log.warning("%s: which form is faster cannot be remembered: %s", name, error)
        one_core = Device("CPU", 1, 1)
        share = _share(plain(one_core), other(one_core))
        _log.info("%s: the other form takes %.2f of the plain one's time", name, share)
        faster = share <= _GAIN
        try:
            file.write_text("other" if faster else "plain", encoding="ascii")
        except OSError as error:
            _log.warning("%s: which form is faster cannot be remembered: %s", name, error)
        return faster


def _word(file: Path) -> str | None:
    """Return what is kept, or None; what was cut off, or written by others, is measured anew."""
    word = file.read_text("ascii", "replace") if file.is_file() else ""
    return word if word in _WORDS else None


def _share(plain: OpenVinoModel, other: OpenVinoModel) -> float:
    """Return what part of the plain form's time the other takes, each at its best of some rounds.

    They take turns, and the processor's time counts where the system tells it finely, so that
    what else the machine does meets both alike.
    """
    fine = time.get_clock_info("process_time").resolution < _FINE_SECONDS
    clock = time.process_time if fine else time.perf_counter
    port = plain.inputs[0]
    noise = np.random.default_rng(0).integers(0, 256, port.shape).astype(port.dtype)
    times: tuple[list[float], list[float]] = ([], [])
    end = clock() + _MOST_SECONDS
    for number in range(_MOST_ROUNDS):
        if number >= _LEAST_ROUNDS and clock() > end:
            break
        for model, taken in zip((plain, other), times, strict=True):
            begun = clock()
            model.run(noise)
            taken.append(clock() - begun)
    return min(times[1]) / min(times[0])
