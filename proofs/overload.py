"""Overload: ten times what can be answered is turned away, and what is accepted stays quick.

First unloaded, then as much as there is (the sustainable load), then ten times that for two
minutes, then as much as there is again. Times are compared within this one run.
"""

from __future__ import annotations

import time
from pathlib import Path

from bench.client import Request, prepared
from proofs.gateway import Gateway, running
from proofs.load import Wave, offer, offering, percentile
from proofs.pictures import twenty
from proofs.report import Report
from proofs.scale import Scale

__all__ = ["prove"]

_TIMES = 10.0
_WAITING = 16
"""Requests in line; fewer than by default, so that refusals come soon in the short form too."""
_CONCURRENCY = 2
_RECOVERY_SECONDS = 2.0


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
        asked = [_request(gateway)]
        measured = max(2.0, seconds / 8)
        offer(asked, clients=_CONCURRENCY, seconds=1.0)
        unloaded = offer(asked, clients=1, seconds=measured)
        full = offer(asked, clients=_CONCURRENCY + _WAITING, seconds=measured)
        rate = _TIMES * full.served
        clients = min(800, 4 * (_CONCURRENCY + _WAITING) + int(rate))
        with offering(asked, clients=clients, seconds=seconds, rate=rate) as future:
            flood = future.result()
        ended = time.monotonic()
        after = offer(asked, clients=_CONCURRENCY + _WAITING, seconds=measured)
    _judge(report, unloaded, full, flood, after, ended, scale)


def _judge(
    report: Report,
    unloaded: Wave,
    full: Wave,
    flood: Wave,
    after: Wave,
    ended: float,
    scale: Scale,
) -> None:
    report.note(
        sustainable_per_second=full.served,
        unloaded_p99_ms=percentile(unloaded.times, 0.99) * 1e3,
        flood_seconds=flood.seconds,
        offered_per_second=flood.rate,
        offered_times_sustainable=flood.rate / full.served,
        served_per_second_in_flood=flood.served,
        flood_p50_ms=percentile(flood.times, 0.5) * 1e3,
        statuses=dict(flood.statuses),
    )
    report.none("answers that are not 200, 429 or 503", flood.strange(200, 429, 503))
    report.at_least("requests turned away", flood.offered - len(flood.times), 1)
    # A full line is worked off at the rate at which it is served, and each waits once.
    bound = (_WAITING + _CONCURRENCY) / flood.served
    limit = 2 * percentile(unloaded.times, 0.99) + bound
    report.note(queue_bound_ms=bound * 1e3, flood_p99_ms=percentile(flood.times, 0.99) * 1e3)
    late = [moment for moment in after.moments if moment > ended + _RECOVERY_SECONDS]
    served = len(late) / max(0.001, after.seconds - _RECOVERY_SECONDS)
    speed = (served if late else after.served) / full.served
    report.note(speed_afterwards=speed)
    report.none("answers that are not 200 afterwards", after.strange(200))
    if scale.is_short:
        return  # a few seconds beside the load's own hundreds of threads prove no time
    report.at_most("p99 of the accepted, ms", percentile(flood.times, 0.99) * 1e3, limit * 1e3)
    report.at_least("speed 2 s after, of that before", speed, 0.8)


def _request(gateway: Gateway) -> Request:
    host, _, port = gateway.address.removeprefix("http://").partition(":")
    picture = twenty()[0]
    path, token = "/api/v1/detect/face", gateway.tokens["access_token"]
    return prepared(host, int(port), "POST", path, picture, "image/jpeg", token)
