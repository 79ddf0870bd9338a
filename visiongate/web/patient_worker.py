"""gunicorn's threaded worker, whose threads no slow client can hold.

gunicorn gives a thread to a connection, and the thread waits: for the request's lines, its body,
and until the client has taken its answer. As many slow clients as there are threads stop
everything; and a client that does not close its side keeps the worker's own loop for two seconds.
Here that one loop collects each request in memory and hands it to a thread when it has come whole;
what a client does not take of its answer is left to the loop as well, and so is closing.

Memory is bounded by ``budget``: beyond it, the requests that have taken longest are given up.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

from visiongate.errors import Overloaded, RequestTimeout, RequestTooLarge, VisiongateError
from visiongate.web.arrival import MOST_HEAD, Arrival
from visiongate.web.patient_socket import PatientSocket
from visiongate.web.plain_answer import plain_answer

__all__ = ["patient_worker"]

HEAD_SECONDS = 10.0
BODY_SECONDS = 20.0
ANSWER_SECONDS = 20.0
LEAST_RATE = 500
"""Bytes a second that buy a body, or an answer, more time; so a phone's upload comes through."""
_CLOSE_SECONDS = 2.0
_MOST_DRAINED = 16_000_000
_PIECE = 262_144
_TURNS = 4
"""Pieces read of one connection before the others have their turn."""
_LOOK_SECONDS = 0.25


class _Connection(TConn):  # type: ignore[misc]
    """A connection, what has come of its next request, and what has become of it."""

    def __init__(self, cfg: Any, sock: PatientSocket, client: Any, server: Any) -> None:
        super().__init__(cfg, sock, client, server)
        self.data_ready = True  # when a thread sees it
        self.arrival: Arrival | None = None
        self.begun = time.monotonic()
        self.until = 0.0
        self.then: Callable[[], None] | None = None
        self.drained = 0


class PatientWorker(ThreadWorker):  # type: ignore[misc]
    """See the module. ``most_body`` and ``budget`` are bytes; ``patient_worker`` sets them."""

    most_body = 0
    budget = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._arriving: dict[_Connection, None] = {}  # in the order in which they began
        self._leaving: dict[_Connection, None] = {}  # with an answer to take, or to be closed
        self._held = 0
        self._looked = 0.0

    def accept(self, listener: socket.socket) -> None:
        """Take a connection in, and give it to no thread yet."""
        try:
            accepted, client = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        self.nr_conns += 1
        wire = PatientSocket(fileno=accepted.detach())
        self._expect(_Connection(self.cfg, wire, client, listener.getsockname()))

    def on_client_socket_readable(self, conn: _Connection, client: socket.socket) -> None:
        """Begin with the next request of a connection that was kept."""
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        self._expect(conn)

    def _keepalive_after(self, conn: _Connection, keepalive: bool) -> bool:
        """Tell whether another request may follow; never wait for the rest of this one."""
        if conn.arrival is None or conn.arrival.is_cut:
            return False
        return bool(super()._keepalive_after(conn, keepalive))

    def finish_request(self, conn: _Connection, fs: Any) -> None:
        """Have the answer taken, then wait for the next request or close. In the loop."""
        try:
            keep = not fs.cancelled() and bool(fs.result())
        except Exception:  # noqa: BLE001 - the thread has logged it; its connection ends
            keep = False
        self._take_leave(conn, (lambda: self._next(conn)) if keep else None)

    def murder_pending(self) -> None:
        """Give up what takes too long, a few times a second."""
        now = time.monotonic()
        if now < self._looked + _LOOK_SECONDS:
            return
        self._looked = now
        for conn in list(self._arriving):
            self._give_up_if_slow(conn, now)
        for conn in [conn for conn in self._leaving if now >= conn.until]:
            self._close(conn)

    def _expect(self, conn: _Connection, begun_with: bytes = b"") -> None:
        """Wait for a request, of which these bytes are there already."""
        conn.arrival = Arrival(self.most_body)
        conn.begun = time.monotonic()
        self._arriving[conn] = None
        self.poller.register(conn.sock, selectors.EVENT_READ, lambda _: self._read(conn))
        if begun_with:
            self._note(conn, begun_with)

    def _read(self, conn: _Connection) -> None:
        for _ in range(_TURNS):
            try:
                data = conn.sock.read_now(_PIECE)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._forget(conn)
                self._close(conn)
                return
            self._note(conn, data)
            if conn not in self._arriving:
                return

    def _note(self, conn: _Connection, data: bytes) -> None:
        arrival = conn.arrival
        assert arrival is not None
        conn.sock.gathered.append(data)
        self._held += len(data)
        arrival.feed(data)
        if arrival.head_too_large:
            self._refuse(conn, RequestTooLarge(f"The headers have more than {MOST_HEAD} bytes."))
        elif arrival.is_whole:
            self._forget(conn)
            self.enqueue_req(conn)
        elif arrival.expects and not conn.sock.has_continued:
            conn.sock.say_continue()
        elif self._held > self.budget:
            oldest = max(self._arriving, key=lambda one: one.arrival.size if one.arrival else 0)
            self._refuse(
                oldest,
                Overloaded("More is being sent than there is room for. Try again.", retry_after=1),
            )

    def _give_up_if_slow(self, conn: _Connection, now: float) -> None:
        arrival = conn.arrival
        assert arrival is not None
        if not arrival.size:
            if not self.alive or now > conn.begun + HEAD_SECONDS:
                self._forget(conn)
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

    def _refuse(self, conn: _Connection, error: VisiongateError) -> None:
        self._forget(conn)
        conn.sock.gathered.clear()
        with suppress(OSError):
            conn.sock.sendall(plain_answer(error))
        self._take_leave(conn, None)

    def _forget(self, conn: _Connection) -> None:
        """Wait no more for the rest of a request."""
        del self._arriving[conn]
        self._held -= conn.arrival.size if conn.arrival else 0
        with suppress(OSError, KeyError, ValueError):
            self.poller.unregister(conn.sock)

    def _take_leave(self, conn: _Connection, then: Callable[[], None] | None) -> None:
        """Have what is left of an answer taken; ``then`` go on, or close."""
        conn.then = then
        left = conn.sock.unsent_bytes
        if not left:
            self._left(conn)
            return
        conn.until = time.monotonic() + ANSWER_SECONDS + left / LEAST_RATE
        self._leaving[conn] = None
        self.poller.register(conn.sock, selectors.EVENT_WRITE, lambda _: self._write(conn))

    def _write(self, conn: _Connection) -> None:
        try:
            conn.sock.send_rest()
        except OSError:
            self._close(conn)
            return
        if not conn.sock.unsent_bytes:
            del self._leaving[conn]
            self.poller.unregister(conn.sock)
            self._left(conn)

    def _left(self, conn: _Connection) -> None:
        if conn.then is not None:
            conn.then()
            return
        # Close only when the client has: closing while it sends would destroy the answer
        # on its way (RFC 9112, section 9.6).
        try:
            conn.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(conn)
            return
        conn.until = time.monotonic() + _CLOSE_SECONDS
        self._leaving[conn] = None
        self.poller.register(conn.sock, selectors.EVENT_READ, lambda _: self._drain(conn))

    def _drain(self, conn: _Connection) -> None:
        try:
            data = conn.sock.read_now(_PIECE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        conn.drained += len(data)
        if not data or conn.drained > _MOST_DRAINED:
            self._close(conn)

    def _next(self, conn: _Connection) -> None:
        """Wait for the next request, of which the client may have sent some already."""
        begun_with = conn.parser.unreader.take_buffered() + b"".join(conn.sock.gathered)
        conn.sock.gathered.clear()
        conn.sock.has_continued = False
        if begun_with:
            self._expect(conn, begun_with)
            return
        conn.set_timeout()
        if not self.alive:
            conn.timeout = min(conn.timeout, time.monotonic() + _CLOSE_SECONDS)
        self.keepalived_conns.append(conn)
        self.poller.register(
            conn.sock,
            selectors.EVENT_READ,
            lambda client: self.on_client_socket_readable(conn, client),
        )

    def _close(self, conn: _Connection) -> None:
        self._leaving.pop(conn, None)
        with suppress(OSError, KeyError, ValueError):
            self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        conn.close()


def patient_worker(most_body: int) -> type[PatientWorker]:
    """Return the class for gunicorn's ``worker_class``; ``most_body`` bytes a request may have."""
    limits = {"most_body": most_body, "budget": max(64_000_000, 16 * most_body)}
    return type("PatientWorker", (PatientWorker,), limits)
