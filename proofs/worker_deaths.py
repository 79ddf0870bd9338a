"""Worker deaths: workers killed with SIGKILL under load harm no request but their own.

With several workers, one after another is killed while clients send. A request that the dead
worker held is broken off, which its client sees as a closed connection; all others are answered,
and a new worker answers within two seconds.
"""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

from bench.client import Request, prepared
from proofs.gateway import Gateway, running
from proofs.load import Wave, offering
from proofs.pictures import twenty
from proofs.processes import children
from proofs.report import Report
from proofs.scale import Scale

__all__ = ["prove"]

_WORKERS = 2
_CLIENTS = 8
_BROKEN_OFF = (
    "ConnectionError",
    "ConnectionResetError",
    "BrokenPipeError",
    "ConnectionAbortedError",
)
_SECONDS, _SHORT_SECONDS = 2.0, 5.0
"""The short form runs beside other tests, where the worker that is left may be slow."""


def prove(report: Report, folder: Path, scale: Scale) -> None:
    """Kill, and look at every answer."""
    # In short one, whose place a busy machine may fill late: the other worker must not go then.
    kills = scale.number(full=20, short=1)
    every = 4.0 if scale.is_short else 6.0
    chance = random.Random(scale.seed)
    settings = {"WORKERS": str(_WORKERS), "RETENTION": "off", "LOG_LEVEL": "error"}
    back: list[float] = []
    with (
        running(folder, **settings) as gateway,
        offering([_request(gateway)], clients=_CLIENTS, seconds=(kills + 1) * every) as future,
    ):
        time.sleep(every / 2)
        deaths = []
        for _ in range(kills):
            before = children(gateway.pid)
            victim = chance.choice(before)
            os.kill(victim, signal.SIGKILL)
            deaths.append(time.monotonic())
            back.append(_until_replaced(gateway.pid, set(before), deaths[-1]))
            time.sleep(max(0.0, every - (time.monotonic() - deaths[-1])))
        wave = future.result()
    _judge(report, wave, deaths, back, _SHORT_SECONDS if scale.is_short else _SECONDS)


def _judge(
    report: Report, wave: Wave, deaths: list[float], back: list[float], limit: float
) -> None:
    broken = sum(wave.statuses[kind] for kind in _BROKEN_OFF)
    report.note(workers=_WORKERS, clients=_CLIENTS, kills=len(deaths), statuses=dict(wave.statuses))
    report.none("answers that are not 200", wave.strange(200, *_BROKEN_OFF))
    # Each client has one connection, and a worker holds only those that it accepted.
    report.at_most("requests broken off for each worker killed", broken / len(deaths), _CLIENTS)
    gaps = [
        min((moment for moment in wave.moments if moment > death), default=float("inf")) - death
        for death in deaths
    ]
    report.at_most("longest time without an answer after a kill, s", max(gaps), limit)
    report.note(longest_until_the_new_process_is_there_s=max(back))


def _until_replaced(pid: int, before: set[int], begun: float) -> float:
    while time.monotonic() < begun + 30:
        now = children(pid)
        if len(now) == len(before) and set(now) != before:
            return time.monotonic() - begun
        time.sleep(0.01)
    return float("inf")


def _request(gateway: Gateway) -> Request:
    host, _, port = gateway.address.removeprefix("http://").partition(":")
    path, token = "/api/v1/detect/face", gateway.tokens["access_token"]
    return prepared(host, int(port), "POST", path, twenty()[0], "image/jpeg", token)
