"""Offer requests at a rate, whatever comes back, from a process of its own.

``bench.client.run`` waits for each answer before it sends on, so it can never ask for more than
there is. Here a schedule says when the next request is due.
"""

from __future__ import annotations

import math
import multiprocessing
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

from bench.client import Request, Response, call

__all__ = ["Wave", "offer", "offering", "percentile"]

_IDLE_SECONDS = 5.0
"""A connection that was idle for longer is made anew: the gateway closes it after 15."""


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
    as ``wrong``. What a client cannot send in time, since all wait for answers, is sent late.
    """
    wave, lock = Wave(), threading.Lock()
    numbers = iter(range(total if total is not None else 10**12))
    begun = time.monotonic()

    def client() -> None:
        wire: _Wire | None = None
        while True:
            with lock:
                number = next(numbers, None)
            due = begun + (number or 0) / rate if rate else 0.0
            if number is None or max(due, time.monotonic()) >= begun + seconds:
                break
            time.sleep(max(0.0, due - time.monotonic()))
            which = number % len(requests)
            sent = time.monotonic()
            try:
                wire = wire or _Wire(requests[which])
                answer = wire.ask(requests[which])
                status = str(answer.status)
                if check is not None and not check(which, answer):
                    status = "wrong"
            except (OSError, ValueError, IndexError) as error:
                status, wire = type(error).__name__, None
            came = time.monotonic()
            with lock:
                wave.statuses[status] += 1
                if status == "200":
                    wave.times.append(came - sent)
                    wave.moments.append(came)
        if wire is not None:
            wire.close()

    threads = [threading.Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
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
        yield pool.submit(offer, requests, clients=clients, seconds=seconds, rate=rate, total=total)


class _Wire:
    """A connection that is kept while it is in use."""

    def __init__(self, to: Request) -> None:
        self._to = to
        self._open()

    def _open(self) -> None:
        self._socket = socket.create_connection((self._to.host, self._to.port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._used = time.monotonic()

    def ask(self, request: Request) -> Response:
        if time.monotonic() - self._used > _IDLE_SECONDS:
            self.close()
            self._open()
        answer = call(request, self._socket)
        self._used = time.monotonic()
        return answer

    def close(self) -> None:
        self._socket.close()
