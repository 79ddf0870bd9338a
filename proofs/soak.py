"""Soak: at saturation for half an hour, memory, descriptors and threads stay as they were."""

from __future__ import annotations

import base64
import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.client import Request, multipart, prepared
from bench.processes import resident_megabytes
from proofs.gateway import Gateway, running
from proofs.load import offering
from proofs.pictures import twenty
from proofs.processes import family
from proofs.report import Report
from proofs.scale import Scale

__all__ = ["Sample", "judge", "prove", "sample"]

_CLIENTS = 32
_GROWTH, _SHORT_GROWTH = 0.03, 0.25
"""What is promised after a minute; within some seconds, pools and caches still fill."""
_SETTINGS = {
    "LOG_LEVEL": "error",
    "RETENTION_MAX_BYTES": "20000000",
    # On a slow machine so many clients wait for long; refusals are another proof.
    "DEADLINE_MS": "600000",
}
_FEW = 4
"""Descriptors and threads that may be on their way at the moment of looking."""


@dataclass(frozen=True)
class Sample:
    """What all processes of a gateway hold at one moment."""

    seconds: float
    megabytes: float
    descriptors: int
    threads: int


def prove(report: Report, folder: Path, scale: Scale) -> None:
    """Load the gateway and look at it all the while."""
    seconds = scale.length(full=1800.0, short=20.0)
    warm = min(60.0, seconds / 2)
    every = max(0.5, seconds / 360)
    samples = []
    with (
        running(folder, **_SETTINGS) as gateway,
        offering(_requests(gateway), clients=_CLIENTS, seconds=seconds) as future,
    ):
        begun = time.monotonic()
        while not future.done():
            time.sleep(every)
            samples.append(sample(gateway.pid, time.monotonic() - begun))
        wave = future.result()
    # The last ones may be of a gateway that idles: what was on its way at the end is waited for.
    inside = [one for one in samples if one.seconds <= seconds]
    report.note(clients=_CLIENTS, requests=wave.offered, per_second=wave.served)
    report.none("answers that are not 200", wave.strange(200))
    judge(report, inside, warm, _SHORT_GROWTH if seconds < 120 else _GROWTH)


def sample(pid: int, seconds: float) -> Sample:
    """Look at a process and its children."""
    descriptors = threads = 0
    for one in family(pid):
        try:
            descriptors += len(list(Path(f"/proc/{one}/fd").iterdir()))
            threads += len(list(Path(f"/proc/{one}/task").iterdir()))
        except FileNotFoundError:  # it has just ended
            continue
    return Sample(seconds, resident_megabytes(pid), descriptors, threads)


def judge(report: Report, samples: Sequence[Sample], warm: float, growth: float) -> None:
    """Compare the last tenth of the samples with those about the moment ``warm``."""
    settled = [one for one in samples if one.seconds >= warm]
    few = max(3, len(settled) // 10)
    first, last = settled[:few], settled[-few:]
    before = statistics.median(one.megabytes for one in first)
    after = statistics.median(one.megabytes for one in last)
    report.note(megabytes_warm=before, megabytes_last=after, samples=len(samples))
    report.note(
        megabytes_each_tenth=[
            round(settled[len(settled) * part // 10].megabytes, 1) for part in range(10)
        ]
    )
    report.at_most(f"memory's growth after {warm:.0f} s", after / before - 1, growth)
    for what in ("descriptors", "threads"):
        then = max(getattr(one, what) for one in first)
        now = statistics.median(getattr(one, what) for one in last)
        report.at_most(f"{what} more than after {warm:.0f} s", now - then, _FEW)


def _requests(gateway: Gateway) -> list[Request]:
    host, _, port = gateway.address.removeprefix("http://").partition(":")
    token = gateway.tokens["access_token"]
    made = []
    for number, picture in enumerate(twenty()):
        path = ("/api/v1/detect/face", "/api/v1/detect?detectors=face")[number % 2]
        if number % 4 == 3:
            path += f"{'&' if '?' in path else '?'}annotate=true"
        if number % 5 == 4:
            text = base64.b64encode(picture).decode()
            body = json.dumps({"image": text}).encode()
            made.append(prepared(host, int(port), "POST", path, body, "application/json", token))
        else:
            made.append(multipart(host, int(port), path, picture, token))
    return made
