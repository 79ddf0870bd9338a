"""Connections of a load: each sends a request and takes the answer, and none waits for another.

One loop drives them all. With a thread each, hundreds would measure how Python takes turns among
them, on the very cores on which the gateway computes.
"""

from __future__ import annotations

import errno
import selectors
import socket
import time
from collections.abc import Callable
from contextlib import suppress

from bench.client import Request, Response

__all__ = ["Wire"]

_CHUNK = 65536
_IDLE_SECONDS = 5.0
"""A connection that was idle for longer is made anew: the gateway closes it after 10 or 15."""
_UNDER_WAY = (0, errno.EINPROGRESS)

Done = Callable[["Wire", "Response | Exception", float], None]


class Wire:
    """A connection that is kept while it is in use.

    ``done`` is told the answer, or what came in its place, and how long it took since the request
    was offered: connecting included, where there was no connection yet.
    """

    def __init__(self, poller: selectors.BaseSelector, done: Done) -> None:
        self._poller = poller
        self._done = done
        self._socket: socket.socket | None = None
        self._unsent = memoryview(b"")
        self._got = bytearray()
        self._offered = 0.0
        self._used = 0.0
        self._events = 0
        self._is_asking = False
        self.which = 0

    def ask(self, request: Request, which: int) -> None:
        """Offer a request; ``which`` is for the caller to know it by."""
        self._offered = time.monotonic()
        if self._offered - self._used > _IDLE_SECONDS:
            self.close()
        self.which = which
        self._is_asking = True
        self._unsent = memoryview(request.raw)
        self._got.clear()
        try:
            if self._socket is None:
                self._connect(request)
            else:
                self._send()
            self._watch()
        except OSError as error:
            self._finish(error)

    def give_up(self, seconds: float) -> None:
        """Wait no more for an answer that has been waited for for so long."""
        if self._is_asking and time.monotonic() > self._offered + seconds:
            self._finish(TimeoutError(f"no answer within {seconds:.0f} s"))

    def close(self) -> None:
        """End the connection, whatever it was doing."""
        self._is_asking = False
        if self._socket is not None:
            if self._events:
                self._poller.unregister(self._socket)
            self._socket.close()
        self._socket, self._events = None, 0

    def _connect(self, request: Request) -> None:
        self._socket = socket.socket()
        self._socket.setblocking(False)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        code = self._socket.connect_ex((request.host, request.port))
        if code not in _UNDER_WAY:
            raise OSError(code, "cannot connect")

    def _send(self) -> None:
        assert self._socket is not None
        with suppress(BlockingIOError):
            while self._unsent:
                self._unsent = self._unsent[self._socket.send(self._unsent) :]

    def _watch(self) -> None:
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._unsent else 0)
        if events == self._events or self._socket is None:
            return
        if self._events:
            self._poller.modify(self._socket, events, self)
        else:
            self._poller.register(self._socket, events, self)
        self._events = events

    def go_on(self, events: int) -> None:
        """Send and take what can be now."""
        if self._socket is None:
            return
        try:
            if events & selectors.EVENT_WRITE:
                # What was refused may have been answered before all was sent: read it first.
                with suppress(ConnectionResetError, BrokenPipeError):
                    self._send()
            if events & selectors.EVENT_READ:
                self._read()
            self._watch()
        except (OSError, ValueError, IndexError) as error:
            self._finish(error)

    def _read(self) -> None:
        assert self._socket is not None
        try:
            data = self._socket.recv(_CHUNK)
        except BlockingIOError:
            return
        if not data:
            raise ConnectionError("the server closed the connection")
        self._got += data
        answer = _answer(self._got)
        if answer is not None:
            self._finish(answer)

    def _finish(self, what: Response | Exception) -> None:
        took, asked = time.monotonic() - self._offered, self._is_asking
        self._used = time.monotonic()
        # The rest of a request that was answered early is not worth sending: the next one gets a
        # connection of its own.
        if isinstance(what, Exception) or what.closes or self._unsent:
            self.close()
        self._is_asking = False
        if asked:  # else the server has closed a connection that was idle
            self._done(self, what, took)


def _answer(got: bytearray) -> Response | None:
    """Return the answer once it is whole.

    Raises:
        ValueError: it is none, or comes in chunks.
    """
    end = got.find(b"\r\n\r\n")
    if end < 0:
        return None
    lines = bytes(got[:end]).lower().split(b"\r\n")
    headers = dict(line.split(b": ", 1) for line in lines[1:])
    if b"transfer-encoding" in headers:
        raise ValueError("the answer comes in chunks, which this client does not read")
    length = int(headers.get(b"content-length", b"0"))
    if len(got) < end + 4 + length:
        return None
    closes = headers.get(b"connection") == b"close"
    return Response(int(lines[0].split()[1]), bytes(got[end + 4 : end + 4 + length]), closes)
