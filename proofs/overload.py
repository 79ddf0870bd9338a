"""Overload: ten times what can be answered is turned away, and what is accepted stays quick.

First unloaded, then as much as there is (the sustainable load), then ten times that for two
minutes, then as much as there is again. Times are compared within this one run. The load is one
loop in a process of its own, on the same cores: what it takes of them, the gateway lacks.

The line is bounded by number, and in time by what each request of the flood says that it can wait
(``X-Deadline-Ms``): as long as a full line takes at half the sustainable speed.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.client import Request, prepared
from bench.processes import cpu_seconds
from proofs.gateway import Gateway, running
from proofs.load import Wave, offering, percentile
from proofs.pictures import twenty
from proofs.report import Report
from proofs.scale import Scale

__all__ = ["prove"]

_TIMES = 10.0
_WAITING = 16
"""Requests in line; fewer than by default, so that refusals come soon in the short form too."""
_CONCURRENCY = 2
_INSIDE = _WAITING + _CONCURRENCY
_CONNECTIONS = 64
"""Of the flood: enough for all who wait for an answer at once, be it a refusal."""
_LEAST_SPEED = 0.5
"""Of that before, while the load takes its part of the same cores."""
_RECOVERY_SECONDS = 2.0
_FULL_SPEED = 0.9
"""Of that before, once they have passed: all of it, but for the machine's own ups and downs."""


@dataclass(frozen=True)
class _Waves:
    """What came of each load; of two also the gateway's processor seconds."""

    unloaded: Wave
    full: Wave
    full_cpu: float
    flood: Wave
    flood_cpu: float
    patience: float
    """Seconds that each request of the flood could wait for its turn."""
    after: Wave


def prove(report: Report, folder: Path, scale: Scale) -> None:
    """Measure, flood, and measure again."""
    seconds = scale.length(full=120.0, short=4.0)
    settings = {
        "RETENTION": "off",
        "MAX_WAITING": str(_WAITING),
        "CONCURRENCY": str(_CONCURRENCY),
        "LOG_LEVEL": "error",
    }
    with running(folder, **settings) as gateway:
        waves = _measure(gateway, seconds)
    _judge_refusals(report, waves, is_short=scale.is_short)
    _judge_times(report, waves, is_short=scale.is_short)


def _measure(gateway: Gateway, seconds: float) -> _Waves:
    asked = _request(gateway)

    def wave(
        clients: int, seconds: float, rate: float | None = None, patience: float = 60.0
    ) -> tuple[Wave, float]:
        before = cpu_seconds(gateway.pid)
        with offering(
            [_patient(asked, patience)], clients=clients, seconds=seconds, rate=rate
        ) as future:
            came = future.result()
        return came, cpu_seconds(gateway.pid) - before

    measured = max(2.0, seconds / 8)
    wave(_CONCURRENCY, 1.0)
    unloaded, _ = wave(1, measured)
    full, full_cpu = wave(_INSIDE, measured)
    patience = _INSIDE / (_LEAST_SPEED * full.served)
    flood, flood_cpu = wave(_CONNECTIONS, seconds, _TIMES * full.served, patience)
    after, _ = wave(_INSIDE, _RECOVERY_SECONDS + measured)
    return _Waves(unloaded, full, full_cpu, flood, flood_cpu, patience, after)


def _judge_refusals(report: Report, waves: _Waves, *, is_short: bool) -> None:
    flood, full = waves.flood, waves.full
    refused = flood.offered - len(flood.times)
    report.note(
        sustainable_per_second=full.served,
        offered_per_second=flood.rate,
        flood_seconds=flood.seconds,
        served_per_second_in_flood=flood.served,
        statuses=dict(flood.statuses),
    )
    report.none("answers that are not 200, 429 or 503", flood.strange(200, 429, 503))
    report.none("answers that are not 200 afterwards", waves.after.strange(200))
    report.at_least("requests turned away", refused, 1)
    # Processor time: what else the machine does meanwhile hardly changes it.
    answering = waves.full_cpu / len(full.times)
    refusing = max(0.0, waves.flood_cpu - len(flood.times) * answering) / max(1, refused)
    report.note(cpu_ms_to_answer=answering * 1e3, cpu_ms_to_refuse=refusing * 1e3)
    report.at_most("processor time to refuse, of that to answer", refusing / answering, 0.1)
    if not is_short:
        report.at_least("offered, times the sustainable", flood.rate / full.served, 0.95 * _TIMES)


def _judge_times(report: Report, waves: _Waves, *, is_short: bool) -> None:
    """Judge the times; some seconds on a machine that does other things too prove none."""
    flood, full = waves.flood, waves.full
    alone, p99 = percentile(waves.unloaded.times, 0.99), percentile(flood.times, 0.99)
    recovered = flood.moments[-1] + _RECOVERY_SECONDS
    late = [moment for moment in waves.after.moments if moment > recovered]
    speed = len(late) / (late[-1] - recovered) / full.served if late else 0.0
    report.note(
        unloaded_p99_ms=alone * 1e3,
        queue_bound_ms=waves.patience * 1e3,
        line_at_the_floods_speed_ms=_INSIDE / flood.served * 1e3,
        flood_p50_ms=percentile(flood.times, 0.5) * 1e3,
        flood_p99_ms=p99 * 1e3,
        speed_in_flood=flood.served / full.served,
        speed_afterwards=speed,
    )
    if is_short:
        return
    report.at_most("p99 of the accepted, ms", p99 * 1e3, (2 * alone + waves.patience) * 1e3)
    # Else the bound above could be met by a gateway that hardly answers at all.
    report.at_least("speed in the flood, of that before", flood.served / full.served, _LEAST_SPEED)
    report.at_least("speed 2 s after, of that before", speed, _FULL_SPEED)


def _request(gateway: Gateway) -> Request:
    host, _, port = gateway.address.removeprefix("http://").partition(":")
    picture = twenty()[0]
    path, token = "/api/v1/detect/face", gateway.tokens["access_token"]
    return prepared(host, int(port), "POST", path, picture, "image/jpeg", token)


def _patient(request: Request, seconds: float) -> Request:
    """Return it with the time that it can wait."""
    header = f"\r\nX-Deadline-Ms: {round(seconds * 1e3)}\r\n\r\n".encode()
    return Request(request.host, request.port, request.raw.replace(b"\r\n\r\n", header, 1))
