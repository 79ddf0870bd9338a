"""How connections end, or wait for their next request, without a thread that sees to it.

What a client does not take of its answer is left to the worker's loop, and so is closing: done at
once, while the client still sends, it would destroy the answer on its way.
"""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Any

from gunicorn.workers.gthread import TConn, ThreadWorker

from visiongate.web.serving.arrival import Arrival
from visiongate.web.serving.patient_socket import PatientSocket
from visiongate.web.serving.plain_answer import plain_answer
from visiongate.web.serving.unreadable import unreadable

__all__ = ["LEAST_RATE", "PIECE", "Connection", "LeavingWorker"]

ANSWER_SECONDS = 20.0
_CLOSE_SECONDS = 2.0
_NOTIFY_SECONDS = 0.5
"""gunicorn's ``timeout`` is whole seconds; each time costs a call of the system."""
LEAST_RATE = 500
"""Bytes a second that buy a body, or an answer, more time; so a phone's upload comes through."""
PIECE = 262_144
_MOST_DRAINED = 16_000_000
_IDLE_AT_ONCE = 64
"""Idle connections that are closed when there are as many connections as there may be."""


class Connection(TConn):  # type: ignore[misc]
    """A connection, what has come of its next request, and what has become of it."""

    def __init__(self, cfg: Any, sock: PatientSocket, client: Any, server: Any) -> None:
        super().__init__(cfg, sock, client, server)
        self.data_ready = True  # when a thread sees it
        self.arrival: Arrival | None = None
        self.begun = time.monotonic()
        self.held = 0
        """Bytes that are kept of what has come."""
        self.route: str | None = None
        """That of its request, where it needs a place to compute."""
        self.is_turned_away = False
        self.until = 0.0
        self.then: Callable[[], None] | None = None
        self.drained = 0
        self.is_watched = False
        self.is_closed = False


class LeavingWorker(ThreadWorker):  # type: ignore[misc]
    """The part of the worker that comes after the answer; another takes requests in."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._leaving: dict[Connection, None] = {}  # with an answer to take, or to be closed
        self._notified = 0.0

    def notify(self) -> None:
        """Tell the parent that all is well; now and then, not at every turn of the loop."""
        now = time.monotonic()
        if now >= self._notified + _NOTIFY_SECONDS:
            self._notified = now
            super().notify()

    def _expect(self, conn: Connection, begun_with: bytes = b"") -> None:
        """Wait for a request, of which these bytes are there already."""
        raise NotImplementedError

    def _read(self, conn: Connection) -> None:
        """Take what has come of it."""
        raise NotImplementedError

    def _watch(self, conn: Connection, events: int, then: Callable[[Connection], None]) -> None:
        """Have the loop call ``then`` when the connection is ready for it."""
        watch = self.poller.modify if conn.is_watched else self.poller.register
        conn.is_watched = True
        watch(conn.sock, events, lambda _: self._safely(conn, then))

    def _unwatch(self, conn: Connection) -> None:
        conn.is_watched = False
        with suppress(OSError, KeyError, ValueError):
            self.poller.unregister(conn.sock)

    def _safely(self, conn: Connection, then: Callable[[Connection], None]) -> None:
        """Have whatever fails end this connection, and not the loop that serves all of them."""
        try:
            then(conn)
        except OSError:  # the client is gone
            self._close(conn)
        except Exception as error:
            self.log.error("A connection is given up: %r", error, exc_info=error)
            self._close(conn)

    def on_client_socket_readable(self, conn: Connection, client: socket.socket) -> None:
        """Begin with the next request of a connection that was kept."""
        if client.fileno() < 0:
            return  # closed meanwhile, to let another in
        self.keepalived_conns.remove(conn)
        self._expect(conn)
        self._read(conn)  # it is there: no need to look around once more

    def handle_error(self, req: Any, client: PatientSocket, addr: Any, exc: Exception) -> None:
        """Refuse what cannot be read in the one shape of errors, where gunicorn has a page."""
        error = unreadable(exc)
        if error.status == HTTPStatus.INTERNAL_SERVER_ERROR:
            self.log.error("Error handling request %s", getattr(req, "uri", ""), exc_info=exc)
        else:
            # Only of which kind: what gunicorn says repeats the line, which may hold a token.
            kind = type(exc).__name__
            self.log.warning("Invalid request from ip=%s: %s", addr[0] if addr else "", kind)
        with suppress(OSError):
            client.sendall(plain_answer(error))

    def handle(self, conn: Connection) -> Any:
        """Have a request answered, and send the answer's head and body together. In a thread."""
        conn.sock.sends_together = True
        try:
            return super().handle(conn)
        finally:
            conn.sock.sends_together = False
            with suppress(OSError):  # the loop will meet it, too
                conn.sock.send_rest()

    def _keepalive_after(self, conn: Connection, keepalive: bool) -> bool:
        """Tell whether another request may follow; never wait for the rest of this one."""
        if conn.arrival is None or conn.arrival.is_cut:
            return False
        return bool(super()._keepalive_after(conn, keepalive))

    def finish_request(self, conn: Connection, fs: Any) -> None:
        """Have the answer taken, then wait for the next request or close. In the loop."""
        try:
            keep = not fs.cancelled() and bool(fs.result())
        except Exception:  # noqa: BLE001 - the thread has logged it; its connection ends
            keep = False
        then = (lambda: self._next(conn)) if keep else None
        self._safely(conn, lambda conn: self._take_leave(conn, then))

    def _take_leave(self, conn: Connection, then: Callable[[], None] | None) -> None:
        """Have what is left of an answer taken; ``then`` go on, or close."""
        if conn.sock.fileno() < 0:  # a thread closed it: the answer failed on its way
            self._close(conn)
            return
        conn.then = then
        left = conn.sock.unsent_bytes
        if not left:
            self._left(conn)
            return
        conn.until = time.monotonic() + ANSWER_SECONDS + left / LEAST_RATE
        self._leaving[conn] = None
        self._watch(conn, selectors.EVENT_WRITE, self._write)

    def _write(self, conn: Connection) -> None:
        conn.sock.send_rest()
        if not conn.sock.unsent_bytes:
            del self._leaving[conn]
            self._unwatch(conn)
            self._left(conn)

    def _left(self, conn: Connection) -> None:
        if conn.then is not None:
            conn.then()
            return
        # Close only when the client has: closing while it sends would destroy the answer
        # on its way (RFC 9112, section 9.6).
        conn.sock.shutdown(socket.SHUT_WR)
        conn.until = time.monotonic() + _CLOSE_SECONDS
        self._leaving[conn] = None
        self._watch(conn, selectors.EVENT_READ, self._drain)

    def _drain(self, conn: Connection) -> None:
        try:
            data = conn.sock.read_now(PIECE)
        except BlockingIOError:
            return
        conn.drained += len(data)
        if not data or conn.drained > _MOST_DRAINED:
            self._close(conn)

    def _next(self, conn: Connection) -> None:
        """Wait for the next request, of which the client may have sent some already."""
        begun_with = b"".join(conn.sock.gathered)
        if conn.parser is not None:  # else none of its requests came to gunicorn
            begun_with = conn.parser.unreader.take_buffered() + begun_with
        conn.sock.gathered.clear()
        conn.sock.has_continued = False
        if begun_with:
            self._expect(conn, begun_with)
            return
        conn.set_timeout()
        if not self.alive:
            conn.timeout = min(conn.timeout, time.monotonic() + _CLOSE_SECONDS)
        self.keepalived_conns.append(conn)
        self._watch(
            conn,
            selectors.EVENT_READ,
            lambda conn: self.on_client_socket_readable(conn, conn.sock),
        )
        if self.nr_conns >= self.worker_connections:
            self._close_idle()

    def _close_idle(self) -> None:
        """Close those that were kept for longest, so that nobody waits for a place among them."""
        for _ in range(min(_IDLE_AT_ONCE, len(self.keepalived_conns))):
            self._close(self.keepalived_conns.popleft())

    def _close_late(self, now: float) -> None:
        """Close what has been leaving for too long."""
        for conn in [conn for conn in self._leaving if now >= conn.until]:
            self._close(conn)

    def _close(self, conn: Connection) -> None:
        if conn.is_closed:
            return
        conn.is_closed = True
        self._leaving.pop(conn, None)
        self._unwatch(conn)
        self.nr_conns -= 1
        conn.close()
