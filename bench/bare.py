"""The bare best: decode and the same networks, with no server around them.

``echo 2 | python -m bench.bare --data FOLDER --detector face`` runs it for two seconds: one line
of JSON tells that it is ready, one what it found. A detector of faces is fed with the crops of
what ``face`` finds, as it is in the gateway.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from bench import pictures

__all__ = ["Missing", "check", "main", "measure", "rate", "waiting"]

_ROOT = Path(__file__).resolve().parents[1]


class Missing(Exception):
    """What is to be measured is not on this machine; the message says why."""


def measure(
    data: Path,
    seconds: float,
    *,
    detector: str = "face",
    options: Mapping[str, Mapping[str, Any]] | None = None,
    cores: int | None = None,
    streams: int | None = None,
    loops: int | None = None,
) -> dict[str, float]:
    """Run the bare loop in a process of its own; return per_second, p50_ms and cpu_ms.

    Args: as of ``waiting``.

    Raises:
        Missing: the detector is not there, or has no weights.
    """
    with waiting(
        data, detector=detector, options=options, cores=cores, streams=streams, loops=loops
    ) as loop:
        return loop(seconds)


@contextmanager
def waiting(
    data: Path,
    *,
    detector: str = "face",
    options: Mapping[str, Mapping[str, Any]] | None = None,
    cores: int | None = None,
    streams: int | None = None,
    loops: int | None = None,
) -> Iterator[Callable[[float], dict[str, float]]]:
    """Hold a bare loop ready in a process of its own; give what runs it for some seconds.

    So it can be measured in turn with others, every few moments, and sleeps in between.

    Args:
        cores: how many the process may use; all by default.
        streams: networks side by side; one a core by default.
        loops: threads that take one picture after another; one a stream by default.

    Raises:
        Missing: the detector is not there, or has no weights.
    """
    command = [sys.executable, "-m", "bench.bare", "--data", str(data), "--detector", detector]
    command += ["--options", json.dumps(options or {})]
    for name, value in (("cores", cores), ("streams", streams), ("loops", loops)):
        command += [f"--{name}", str(value)] if value else []
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=_ROOT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        ask, told = process.stdin, process.stdout

        def loop(seconds: float) -> dict[str, float]:
            print(seconds, file=ask, flush=True)
            return {name: float(value) for name, value in _read(told).items()}

        missing = _read(told).get("missing")
        if missing:
            raise Missing(missing)
        yield loop  # closing its input ends it


def _read(told: IO[str]) -> dict[str, Any]:
    """Return the next line that is ours; a library may have printed some before."""
    for line in told:
        if line.startswith("{"):
            found: dict[str, Any] = json.loads(line)
            return found
    raise RuntimeError("the bare loop has ended")


def check(data: Path, detector: str, options: Mapping[str, Mapping[str, Any]]) -> None:
    """See that a detector can be measured. Raises: Missing."""
    measure(data, 0.01, detector=detector, options=options, loops=1)


def rate(
    judge: Callable[[bytes], object], bodies: Sequence[bytes], loops: int, seconds: float
) -> dict[str, float]:
    """Return what ``loops`` threads reach, each taking one picture after another."""
    times: list[list[float]] = [[] for _ in range(loops)]
    go, stop = threading.Event(), threading.Event()

    def work(number: int) -> None:
        go.wait()
        turn = number
        while not times[number] or not stop.is_set():  # one at least, however short the time
            begun = time.perf_counter()
            judge(bodies[turn % len(bodies)])
            times[number].append(time.perf_counter() - begun)
            turn += 1

    workers = [threading.Thread(target=work, args=(n,)) for n in range(loops)]
    for worker in workers:
        worker.start()
    begun, used = time.perf_counter(), time.process_time()
    go.set()
    time.sleep(seconds)
    stop.set()
    for worker in workers:
        worker.join()
    every = [seconds for own in times for seconds in own]
    return {
        "per_second": len(every) / (time.perf_counter() - begun),
        "p50_ms": statistics.median(every) * 1e3,
        "cpu_ms": (time.process_time() - used) / len(every) * 1e3,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder for models")
    parser.add_argument("--detector", default="face")
    parser.add_argument("--options", type=json.loads, default={}, help="as VISIONGATE_DETECTORS")
    parser.add_argument("--cores", type=int, default=0)
    parser.add_argument("--streams", type=int, default=0)
    parser.add_argument("--loops", type=int, default=0)
    given = parser.parse_args()
    allowed = sorted(os.sched_getaffinity(0))
    cores = given.cores or len(allowed)
    os.sched_setaffinity(0, allowed[:cores])
    streams = given.streams or cores
    try:
        judge = _chain(given.detector, given.options, given.data, cores, streams)
    except Missing as error:
        print(json.dumps({"missing": str(error)}), flush=True)
        return
    bodies = pictures.ten()
    for body in bodies:
        judge(body)
    print(json.dumps({}), flush=True)  # ready
    for seconds in sys.stdin:
        found = rate(judge, bodies, given.loops or streams, float(seconds))
        print(json.dumps(found), flush=True)


def _chain(
    name: str, options: Mapping[str, Any], data: Path, cores: int, streams: int
) -> Callable[[bytes], object]:
    """Load the detector, and ``face`` before one that needs faces; return what judges bytes."""
    from visiongate.errors import DetectorUnavailable, DetectorUnknown, ModelUnavailable
    from visiongate.face_crop import SSD, YUNET, crop_face
    from visiongate.imaging import Limits, decode
    from visiongate.registry import Registry
    from visiongate.services import build_models
    from visiongate.settings import load_settings
    from visiongate.types import Device, PredictOptions

    settings = load_settings(data_dir=data)
    registry, models = Registry.discover(options), build_models(settings)
    device, limits = Device("CPU", cores, streams), Limits(50_000_000, 50_000_000)
    probe = decode((_ROOT / "visiongate" / "probe.jpg").read_bytes(), limits).pixels
    anything, everything = PredictOptions(), PredictOptions(min_confidence=0.0)
    try:
        detector = registry.get(name).ready(models, device, probe)
        if detector.info.needs == "picture":
            enough = detector.info.enough

            def whole(body: bytes) -> object:
                return detector.predict([decode(body, limits, enough=enough).pixels], anything)

            return whole
        faces = registry.get("face").ready(models, device, probe)
    except (DetectorUnknown, DetectorUnavailable, ModelUnavailable) as error:
        raise Missing(error.detail) from error
    size = detector.info.crop_size

    def judge(body: bytes) -> object:
        pixels = decode(body, limits).pixels
        crops = [
            crop_face(
                pixels,
                face.box.as_tuple(),
                face.landmarks or None,
                size,
                YUNET if face.landmarks else SSD,
            )
            for face in faces.predict([pixels], anything)[0]
        ]
        return detector.predict(crops, everything)

    return judge


if __name__ == "__main__":
    main()
