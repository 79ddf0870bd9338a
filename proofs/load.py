"""Offer requests at a rate, whatever comes back, from a process of its own.

``bench.client.run`` waits for each answer before it sends on, so it can never ask for more than
there is. Here a schedule says when the next request is due.
"""

from __future__ import annotations

import math
import multiprocessing
import selectors
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from bench.client import Request, Response
from proofs.wires import Wire

__all__ = ["Wave", "offer", "offering", "percentile"]

_LOOK_SECONDS = 0.5
_PATIENCE_SECONDS = 300.0
"""An answer that has not come by then is a ``TimeoutError``; the last in a line of 64 waits a
minute where a detector takes a second."""


@dataclass
class Wave:
    """What came of an offered load. ``statuses`` has the kind of error where nothing came."""

    seconds: float = 0.0
    statuses: Counter[str] = field(default_factory=Counter)
    times: list[float] = field(default_factory=list)
    """Seconds of each 200."""
    moments: list[float] = field(default_factory=list)
    """When each 200 came, by ``time.monotonic``, which all processes share."""

    @property
    def offered(self) -> int:
        return sum(self.statuses.values())

    @property
    def rate(self) -> float:
        """Requests offered a second."""
        return self.offered / self.seconds

    @property
    def served(self) -> float:
        """Requests answered 200 a second."""
        return len(self.times) / self.seconds

    def strange(self, *allowed: int | str) -> dict[str, int]:
        """Return what came beside these statuses."""
        known = {str(status) for status in allowed}
        return {status: number for status, number in self.statuses.items() if status not in known}


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that ``share`` of them do not exceed."""
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def offer(
    requests: Sequence[Request],
    *,
    clients: int,
    seconds: float,
    rate: float | None = None,
    check: Callable[[int, Response], bool] | None = None,
    total: int | None = None,
) -> Wave:
    """Send the requests in turn at ``rate`` a second, or as fast as they are answered.

    ``check`` is given the number of the request and its answer; what it does not accept counts
    as ``wrong``. What no client is free for in time, since all wait for answers, is sent late. An
    answer's time counts from the moment at which its request was offered.
    """
    wave, begun = Wave(), time.monotonic()
    looked = begun
    end, most, sent = begun + seconds, total if total is not None else 10**12, 0
    poller = selectors.DefaultSelector()

    def done(wire: Wire, what: Response | Exception, took: float) -> None:
        idle.append(wire)
        status = type(what).__name__ if isinstance(what, Exception) else str(what.status)
        if check is not None and isinstance(what, Response) and not check(wire.which, what):
            status = "wrong"
        wave.statuses[status] += 1
        if status == "200":
            wave.times.append(took)
            wave.moments.append(time.monotonic())

    wires = [Wire(poller, done) for _ in range(clients)]
    idle = list(wires)  # last in, first out: no more connections than it takes
    while True:
        now = time.monotonic()
        due = most if rate is None else min(most, math.floor((now - begun) * rate) + 1)
        while idle and sent < due and now < end:
            which = sent % len(requests)
            sent += 1
            idle.pop().ask(requests[which], which)
            now = time.monotonic()
        is_over = now >= end or sent >= most
        if is_over and len(idle) == clients:
            break
        wait = end - now if rate is None or not idle else begun + sent / rate - now
        for key, events in poller.select(_LOOK_SECONDS if is_over else max(0.0, min(1.0, wait))):
            key.data.go_on(events)
        if now > looked + _LOOK_SECONDS:
            looked = now
            for wire in wires:
                wire.give_up(_PATIENCE_SECONDS)
    for wire in wires:
        wire.close()
    wave.seconds = time.monotonic() - begun
    return wave


@contextmanager
def offering(
    requests: Sequence[Request],
    *,
    clients: int,
    seconds: float,
    rate: float | None = None,
    total: int | None = None,
) -> Iterator[Future[Wave]]:
    """Do it in a process of its own, beside the ``with`` block."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        pool.submit(percentile, [0.0], 1.0).result()  # it has started, and knows this module
        yield pool.submit(offer, requests, clients=clients, seconds=seconds, rate=rate, total=total)
