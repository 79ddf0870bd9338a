"""Hostile pictures: mutated pictures give a picture or one of our errors, in bounded memory.

Pictures of every format and variety are changed at random (seeded): bytes, runs, lengths, pieces
of one in another, cuts. Each is decoded in a process of its own kind, which is killed by nothing:
a crash, an answer of 5xx, or too much memory ends the proof with the picture that did it.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import resource
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from bench.machine import cores
from proofs.mutations import mutated, seeds
from proofs.report import Report
from proofs.scale import Scale

__all__ = ["prove"]

_LIMITS = 200_000, 1_000_000
"""Bytes and pixels: so that a header that was made to declare much is refused, as in service."""
_MEGABYTES = 160
"""Memory that a process may gain over all of its pictures: a picture of a million pixels takes 3
MB decoded, some copies, and what an allocator keeps."""
_BATCH = 2000


def prove(report: Report, _folder: Path, scale: Scale) -> None:
    """Decode them in as many processes as there are cores."""
    total = scale.number(full=1_000_000, short=3000)
    batch = min(_BATCH, max(1, total // 4))
    batches = [(scale.seed, start, min(batch, total - start)) for start in range(0, total, batch)]
    outcomes: Counter[str] = Counter()
    formats: Counter[str] = Counter()
    strange: list[str] = []
    grown = 0.0
    crashed = ""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(cores(), mp_context=context, initializer=_be_quiet) as pool:
        try:
            for future in as_completed([pool.submit(_try, *one) for one in batches]):
                result = future.result()
                outcomes += result[0]
                formats += result[1]
                strange += result[2]
                grown = max(grown, result[3])
        except BrokenProcessPool:
            crashed = _find_crash(batches, scale.seed)
    tried = sum(outcomes.values())
    report.note(seed=scale.seed, seeds=len(seeds()), mutated=dict(formats), outcomes=dict(outcomes))
    report.none("processes that crashed", crashed)
    report.holds("pictures tried", tried, expected=total)
    report.none("exceptions that are not our errors, or are of 5xx", strange[:5])
    report.at_most("memory gained by a process, MB", grown, _MEGABYTES)
    report.at_least(
        "share that still decodes, so that decoders are reached",
        outcomes["decoded"] / max(1, tried),
        0.02,
    )


def _try(seed: int, start: int, number: int) -> tuple[Counter[str], Counter[str], list[str], float]:
    from visiongate.errors import VisiongateError
    from visiongate.imaging import Limits, decode

    limits = Limits(*_LIMITS)
    outcomes: Counter[str] = Counter()
    formats: Counter[str] = Counter()
    strange = []
    for data in seeds().values():  # what decoders allocate once, they have by now
        decode(data, limits)
    before = _peak_megabytes()
    for which in range(start, start + number):
        name, data = mutated(random.Random(f"{seed}-{which}"))
        formats[name.split("-")[0]] += 1
        try:
            decode(data, limits)
        except VisiongateError as error:
            outcomes[error.code] += 1
            if not 400 <= error.status < 500:
                strange.append(f"{which} ({name}): {error.code}")
        except Exception as error:  # noqa: BLE001 - this is what is looked for
            outcomes["strange"] += 1
            strange.append(f"{which} ({name}): {type(error).__name__}: {error}")
        else:
            outcomes["decoded"] += 1
    return outcomes, formats, strange, _peak_megabytes() - before


def _be_quiet() -> None:
    """Send what libtiff and others write to standard error nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def _find_crash(batches: Sequence[tuple[int, int, int]], seed: int) -> str:
    """Return which picture ends a process, one batch and then one picture at a time."""
    for one in batches:
        if _ends(one):
            for which in range(one[1], one[1] + one[2]):
                if _ends((seed, which, 1)):
                    return f"picture {which} of seed {seed}"
            return f"a batch of {one[2]} from picture {one[1]} of seed {seed}"
    return "a process ended, and did not again"


def _ends(batch: tuple[int, int, int]) -> bool:
    process = multiprocessing.get_context("spawn").Process(target=_try, args=batch)
    process.start()
    process.join()
    return process.exitcode != 0


def _peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
