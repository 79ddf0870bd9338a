"""What threads do with a request that has come whole: answer it, and wait a moment for another.

A plain request goes a short way (``short_way``); gunicorn and the application see all others.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

from visiongate.web.serving.arrival import Arrival
from visiongate.web.serving.door import Door
from visiongate.web.serving.leaving import PIECE, Connection, LeavingWorker
from visiongate.web.serving.patient_socket import Failure

__all__ = ["LINGER_SECONDS", "AnsweringWorker", "is_waited_for"]

LINGER_SECONDS = 0.002
"""How long a thread waits for the whole next request of a client that is alone."""
_MOST_LINGERED_FOR = 2_000_000


class AnsweringWorker(LeavingWorker):
    """The part of the worker that runs in threads. ``most_body`` is in bytes."""

    most_body = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._door = Door(0)

    def handle(self, conn: Connection) -> Any:
        """Have a request answered, unless it has waited too long for this. In a thread."""
        if conn.route is not None and self._door.is_late(conn.sock.came_at):
            self._refuse_late(conn)
            return False
        while self._goes_the_short_way(conn):
            if not self._comes_again(conn):
                return True
        try:
            return super().handle(conn)
        finally:
            conn.sock.failure = None

    def _goes_the_short_way(self, conn: Connection) -> bool:
        """Answer a plain request at once, and tell whether it was one. In a thread."""
        way, arrival = self._door.short_way, conn.arrival
        if (
            way is None
            or conn.route is None
            or arrival is None
            or arrival.missing  # bytes of the next request have come with it
            or not self.alive
            or len(self.keepalived_conns) >= self.max_keepalived
        ):
            return False

        def send(answer: bytes) -> None:
            self._door.leave(conn.sock)  # before the client has it, who may come again at once
            conn.sock.gathered.clear()
            with suppress(OSError):  # the loop will meet it, too
                conn.sock.sendall(answer)

        try:
            return way.answer(arrival.head, conn.sock.gathered, send)
        except Failure as failure:
            conn.sock.failure = failure  # the application says what it means
            return False

    def _comes_again(self, conn: Connection) -> bool:
        """Take the next request of a client that has the gateway to itself. In a thread.

        Its answer needs no other thread then: to pass a request from the loop to a thread, and the
        connection back, wakes three. Whatever else comes, or nothing, is the loop's as ever, with
        the bytes that have come.
        """
        arrival = Arrival(self.most_body)
        until = time.monotonic() + LINGER_SECONDS
        while not arrival.is_whole:
            if not self._is_free() or conn.sock.unsent_bytes:
                return False
            data = conn.sock.read_until(PIECE, until)
            if not data:
                return False
            conn.sock.gathered.append(data)
            arrival.feed(data)
            if not is_waited_for(arrival):
                return False
        route = self._door.route(arrival.head)
        if (
            route is None
            or arrival.missing
            or not self._is_free()
            or not self._door.lane.takes(arrival.head)
        ):
            return False
        conn.arrival, conn.route = arrival, route
        conn.sock.came_at = time.monotonic()
        self._door.enter(conn.sock)
        return True

    def _is_free(self) -> bool:
        """Tell whether nobody is answered now, or waits for that."""
        return self._door.inside == 0

    def _refuse_late(self, conn: Connection) -> None:
        assert conn.arrival is not None
        assert conn.route is not None
        self._door.leave(conn.sock)
        conn.sock.gathered.clear()
        with suppress(OSError):
            conn.sock.sendall(self._door.refuse_late(conn.arrival.head, conn.route))


def is_waited_for(arrival: Arrival) -> bool:
    """Tell whether a thread may wait for the rest of a request, if there is any.

    What is large is the loop's, which counts it; so is what comes in chunks, of which nobody knows
    how much they are; and a client that waits to be told to go on is told so there.
    """
    if not arrival.has_head:
        return not arrival.head_too_large
    if arrival.expects or not 0 <= arrival.missing <= _MOST_LINGERED_FOR:
        return False
    return arrival.is_whole or arrival.missing > 0
