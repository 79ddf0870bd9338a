"""gunicorn's threaded worker, whose threads no slow client can hold, nor a crowd of quick ones.

gunicorn gives a thread to a connection, and the thread waits: for the request's lines, its body,
and until the client has taken its answer. As many slow clients as there are threads stop
everything; and a client that does not close its side keeps the worker's own loop for two seconds.
Here that one loop collects each request in memory and hands it to a thread when it has come whole;
what a client does not take of its answer is left to the loop as well, and so is closing.

While as many are inside as may compute and wait (``door``), a request for detection is turned
away as soon as its head is there; the rest of it is read and forgotten, since a client that is
still sending would lose the answer if the connection were closed.

Memory is bounded by ``budget``: beyond it, the requests that have taken longest are given up.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from visiongate.errors import Overloaded, RequestTimeout, RequestTooLarge, VisiongateError
from visiongate.web.serving.answering import AnsweringWorker
from visiongate.web.serving.arrival import MOST_HEAD, Arrival
from visiongate.web.serving.door import Door
from visiongate.web.serving.leaving import LEAST_RATE, PIECE, Connection
from visiongate.web.serving.patient_socket import PatientSocket
from visiongate.web.serving.plain_answer import plain_answer

__all__ = ["patient_worker"]

HEAD_SECONDS = 10.0
BODY_SECONDS = 20.0
_MOST_FORGOTTEN = 1_000_000
"""Bytes of a body that are read for nothing so that its connection can be kept."""
_TURNS = 4
"""Pieces read of one connection before the others have their turn."""
_AT_ONCE = 64
"""Connections accepted before the others have their turn."""
_LOOK_SECONDS = 0.25


class PatientWorker(AnsweringWorker):
    """See the module; ``patient_worker`` sets what is not set here. Sizes are in bytes."""

    budget = 0
    door_of: Callable[[Any], Door]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._arriving: dict[Connection, None] = {}  # in the order in which they began
        self._held = 0
        self._looked = 0.0

    def run(self) -> None:
        """Serve, once the application is there."""
        self._door = self.door_of(self.wsgi)
        try:
            super().run()
        finally:
            self._door.lane.close()

    def accept(self, listener: socket.socket) -> None:
        """Take connections in, all that wait, and give them to no thread yet."""
        for _ in range(_AT_ONCE):
            try:
                accepted, client = listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                return
            except OSError as error:  # no descriptors, or no memory, for more
                self.log.warning("No further connection can be taken in: %s", error)
                self._close_idle()
                self.worker_connections = max(1, self.nr_conns)  # until the next look around
                return
            self.nr_conns += 1
            wire = PatientSocket(fileno=accepted.detach())
            self._expect(Connection(self.cfg, wire, client, listener.getsockname()))
            if self.nr_conns >= self.worker_connections:
                self._close_idle()
                return

    def finish_request(self, conn: Connection, fs: Any) -> None:
        """See the request out, also one that never came to the application. In the loop."""
        self._door.leave(conn.sock)
        self._door.lane.forget(conn)
        self._held -= conn.held
        conn.held = 0
        super().finish_request(conn, fs)

    def murder_pending(self) -> None:
        """Give up what takes too long, a few times a second; and tell of those turned away."""
        now = time.monotonic()
        if now < self._looked + _LOOK_SECONDS:
            return
        self._looked = now
        self.worker_connections = self.cfg.worker_connections
        for conn in list(self._arriving):
            self._safely(conn, lambda conn: self._give_up_if_slow(conn, now))
        for conn in self._door.lane.take_out(self._door.is_late):
            self._safely(conn, self._refuse_late)
        self._close_late(now)
        self._door.tell()

    def _expect(self, conn: Connection, begun_with: bytes = b"") -> None:
        """Wait for a request, of which these bytes are there already."""
        self._begin(conn)
        self._watch(conn, selectors.EVENT_READ, self._read)
        if begun_with:
            self._note(conn, begun_with)

    def _begin(self, conn: Connection) -> None:
        conn.arrival = Arrival(self.most_body)
        conn.begun = time.monotonic()
        conn.route, conn.is_turned_away = None, False
        self._arriving.pop(conn, None)
        self._arriving[conn] = None

    def _read(self, conn: Connection) -> None:
        for _ in range(_TURNS):
            if conn not in self._arriving:
                return
            try:
                data = conn.sock.read_now(PIECE)
            except BlockingIOError:
                return
            if not data:
                self._close(conn)
                return
            self._note(conn, data)
            if len(data) < PIECE:
                return  # that was all, most likely: asking costs more than being told again

    def _note(self, conn: Connection, data: bytes) -> None:
        """Take in what has come, request by request."""
        while data:
            data = self._taken(conn, data)

    def _taken(self, conn: Connection, data: bytes) -> bytes:
        """Take in what is of this request; return what is of one after it that we begin with."""
        arrival = conn.arrival
        assert arrival is not None
        was_read = arrival.has_head
        arrival.feed(data)
        if conn.is_turned_away:
            return self._turned(conn, arrival, data)
        conn.sock.gathered.append(data)
        conn.held += len(data)
        self._held += len(data)
        if arrival.has_head and not was_read:
            conn.route = self._door.route(arrival.head)
        if arrival.head_too_large:
            self._refuse(conn, RequestTooLarge(f"The headers have more than {MOST_HEAD} bytes."))
        elif conn.route and self._door.is_full and (arrival.is_whole or not was_read):
            return self._turn_away(conn, arrival, data)
        elif arrival.is_whole:
            self._hand_over(conn)
        elif arrival.expects and not conn.sock.has_continued:
            conn.sock.say_continue()
        elif self._held > self.budget:
            self._refuse(
                max(self._arriving, key=lambda one: one.held),
                Overloaded("More is being sent than there is room for. Try again.", retry_after=1),
            )
        return b""

    def _hand_over(self, conn: Connection) -> None:
        """Give a request that has come whole to a thread."""
        held = conn.held
        assert conn.arrival is not None
        self._forget(conn)
        conn.sock.came_at = time.monotonic()
        if conn.route is None:
            conn.held = held
            self._held += held
            self.enqueue_req(conn)
            return
        self._door.enter(conn.sock)  # which bounds how many there are
        if self._door.lane.takes(conn.arrival.head):
            self._door.lane.line_up(
                conn,
                self.handle,
                lambda done: self.method_queue.defer(self.finish_request, conn, done),
            )
        else:
            self.enqueue_req(conn)

    def _turn_away(self, conn: Connection, arrival: Arrival, data: bytes) -> bytes:
        assert conn.route is not None
        may_keep = (
            self.alive
            and not arrival.is_cut
            and arrival.missing <= _MOST_FORGOTTEN
            and not conn.sock.has_continued
        )
        refusal = self._door.refuse(arrival.head, conn.route, may_keep=may_keep)
        self._let_go(conn)
        with suppress(OSError):
            conn.sock.sendall(refusal.answer)
        if not refusal.keeps or conn.sock.unsent_bytes:
            self._forget(conn)
            self._take_leave(conn, None)
            return b""
        conn.is_turned_away = True
        return self._turned(conn, arrival, data)

    def _turned(self, conn: Connection, arrival: Arrival, data: bytes) -> bytes:
        """Go on to the next request once all of this one has come; return what is of it."""
        if not arrival.is_whole:
            return b""
        surplus = data[len(data) + arrival.missing :] if arrival.missing < 0 else b""
        self._begin(conn)
        return surplus

    def _give_up_if_slow(self, conn: Connection, now: float) -> None:
        arrival = conn.arrival
        assert arrival is not None
        if conn.is_turned_away:
            if now > conn.begun + BODY_SECONDS:
                self._forget(conn)
                self._take_leave(conn, None)
        elif not arrival.size:
            if not self.alive or now > conn.begun + HEAD_SECONDS:
                self._close(conn)
        elif not arrival.has_head:
            if now > conn.begun + HEAD_SECONDS:
                self._refuse(
                    conn,
                    RequestTimeout(f"The headers have not come within {HEAD_SECONDS:.0f} s."),
                )
        elif now > conn.begun + BODY_SECONDS + arrival.size / LEAST_RATE:
            self._refuse(
                conn,
                RequestTimeout(
                    f"{arrival.size} bytes came in {now - conn.begun:.0f} s; the gateway waits "
                    f"{BODY_SECONDS:.0f} s, and a second more for each {LEAST_RATE} bytes."
                ),
            )

    def _refuse(self, conn: Connection, error: VisiongateError) -> None:
        self._forget(conn)
        conn.sock.gathered.clear()
        with suppress(OSError):
            conn.sock.sendall(plain_answer(error))
        self._take_leave(conn, None)

    def _close(self, conn: Connection) -> None:
        if conn in self._arriving:
            self._forget(conn)
        self._door.leave(conn.sock)
        super()._close(conn)

    def _forget(self, conn: Connection) -> None:
        """Wait no more for the rest of a request."""
        del self._arriving[conn]
        self._held -= conn.held
        conn.held = 0
        self._unwatch(conn)

    def _let_go(self, conn: Connection) -> None:
        """Keep nothing of what has come."""
        conn.sock.gathered.clear()
        self._held -= conn.held
        conn.held = 0


def patient_worker(
    most_body: int, door_of: Callable[[Any], Door] = lambda _: Door(0)
) -> type[PatientWorker]:
    """Return the class for gunicorn's ``worker_class``.

    A request may have ``most_body`` bytes; ``door_of`` makes the door to the application.
    """
    limits = {
        "most_body": most_body,
        "budget": max(64_000_000, 16 * most_body),
        "door_of": staticmethod(door_of),
    }
    return type("PatientWorker", (PatientWorker,), limits)
