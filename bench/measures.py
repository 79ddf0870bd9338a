"""What is measured: each measure's name in the results, its heading in tables, its digits."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["MEASURES", "POINTS", "Measure"]


@dataclass(frozen=True)
class Measure:
    """A column; with ``spread``, tables give the least and the most beside the median."""

    heading: str
    digits: int
    spread: bool = False


MEASURES = {
    "per_second": Measure("per second", 1, spread=True),
    "of_bare": Measure("of the bare loop", 2),
    "p50_ms": Measure("p50 ms", 2),
    "p99_ms": Measure("p99 ms", 1),
    "cpu_ms": Measure("CPU ms", 2),
    "bare_cpu_ms": Measure("bare loop's CPU ms", 2),
    "client_cpu_ms": Measure("client's CPU ms", 2),
    "one_core_ms": Measure("one core, ms", 2, spread=True),
    "all_cores_ms": Measure("all cores, ms", 2, spread=True),
    "bare_per_second": Measure("bare loop, per second", 1),
    "memory_mb": Measure("MB", 0, spread=True),
    "private_mb": Measure("private to each worker, MB", 0, spread=True),
    "first_face_s": Measure("first answer, s", 2, spread=True),
    "ready_s": Measure("ready, s", 2, spread=True),
    "ready_cpu_s": Measure("CPU s until ready", 2, spread=True),
    "peak_mb": Measure("most memory until ready, MB", 0, spread=True),
    "lookup_us": Measure("look-up, µs", 2, spread=True),
    "change_ms": Measure("a change, ms", 1),
    "reread_ms": Measure("first look-up after it, ms", 1),
}

POINTS = {
    "clients": "clients",
    "faces": "faces",
    "megapixels": "megapixels",
    "users": "users",
    "workers": "workers",
}
"""What rows of one contender differ in."""
