"""A thread for each place to compute, for requests that need nothing but such a place.

Whoever is done with one picture takes the next out of the line himself, and nobody is woken for
it. A thread of its own for each request that waits would be woken twice, to read the request and
when its place is free, and by then both cores have something else to do: measured on
two cores, that costs a twentieth of the pictures a second.

What may wait for something else than the processor does not belong here, since it would hold a
place: an address to fetch from, a model that is being loaded. Nor does who has set a deadline of
his own, and must be told on time.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from visiongate.web.serving.leaving import Connection

__all__ = ["Lane"]

_OWN_DEADLINE = b"x-deadline-ms"


class Lane:
    """The line of those requests. The loop lines up and takes out; any thread may ask its length.

    Args:
        threads: the places; 0 for no lane.
        is_open: tells whether nothing goes on that would hold up whoever is in it.
    """

    def __init__(self, threads: int = 0, is_open: Callable[[], bool] = lambda: True) -> None:
        self._threads = threads
        self._is_open = is_open
        self._lined_up: dict[Connection, Future[Any]] = {}  # in the order in which they came
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="picture") if threads else None

    @property
    def waiting(self) -> int:
        """About how many wait for a thread."""
        return max(0, len(self._lined_up) - self._threads)

    def takes(self, head: bytes) -> bool:
        """Tell whether a request for detection with this head belongs here."""
        return self._pool is not None and _OWN_DEADLINE not in head.lower() and self._is_open()

    def line_up(
        self,
        conn: Connection,
        handle: Callable[[Connection], Any],
        then: Callable[[Future[Any]], None],
    ) -> None:
        """Have a thread ``handle`` the connection's request in its turn, and call ``then``."""
        assert self._pool is not None
        future = self._lined_up[conn] = self._pool.submit(handle, conn)
        future.add_done_callback(then)

    def forget(self, conn: Connection) -> None:
        """Note that its request is done, if it was here at all."""
        self._lined_up.pop(conn, None)

    def take_out(self, is_late: Callable[[float], bool]) -> list[Connection]:
        """Return those that have waited too long; no thread will see them any more."""
        late = []
        for conn, future in list(self._lined_up.items()):
            if not is_late(conn.sock.came_at):
                break
            if future.cancel():
                late.append(conn)
        return late

    def close(self) -> None:
        """Begin nothing more."""
        if self._pool is not None:
            self._pool.shutdown(wait=False)
