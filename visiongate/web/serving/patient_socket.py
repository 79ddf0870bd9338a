"""A socket of which threads read what has come already, and write what is sent when it can be."""

from __future__ import annotations

import select
import socket
import time
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from itertools import islice
from typing import Any

__all__ = ["Failure", "PatientSocket", "came_whole_at", "id_of_failure", "raise_failure"]

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_MOST_UNSENT = 64_000_000
"""Bytes of an answer that wait for the client; more than any answer has."""
_READ_SECONDS = 1.0
_MOST_GATHERED = 65_536
"""Bytes of an answer that wait for what else there is of it."""
_PIECES = 64
"""Pieces that are sent at once; systems allow a thousand or so."""


class Failure(Exception):
    """What a request's picture has failed of on the short way, and the id that logs have it under.

    The long way says it, and asks nobody again.
    """

    def __init__(self, error: Exception, request_id: str) -> None:
        super().__init__()
        self.error = error
        self.request_id = request_id


class PatientSocket(socket.socket):
    """Never blocking, whatever it is told. Owned by the loop, and by one thread in between."""

    def __init__(self, fileno: int) -> None:
        super().__init__(fileno=fileno)
        super().setblocking(False)
        self.gathered: deque[bytes] = deque()
        """What has come and was not read yet."""
        self.has_continued = False
        self.came_at = 0.0
        """When its request had come whole, by ``time.monotonic``."""
        self.failure: Failure | None = None
        """Of the request that is being answered. It holds the picture: to be let go with it."""
        self.sends_together = False
        """Whether what is sent waits, to a degree, for ``send_rest``: a head for its body."""
        self._unsent: deque[memoryview] = deque()
        self._deadline = 0.0

    @property
    def unsent_bytes(self) -> int:
        return sum(map(len, self._unsent))

    def setblocking(self, flag: bool, /) -> None:
        """Stay as it is."""

    def settimeout(self, value: float | None, /) -> None:
        """Stay as it is."""

    def read_now(self, size: int) -> bytes:
        """Return what has come. Raises: BlockingIOError: nothing has; OSError."""
        self._deadline = 0.0
        return super().recv(size)

    def read_until(self, size: int, until: float) -> bytes:
        """Return what comes before that ``monotonic`` time; nothing if the client is gone, too."""
        left = until - time.monotonic()
        if left <= 0:
            return b""
        try:
            with suppress(BlockingIOError):
                return super().recv(size)  # a client without a pause is here already
            return super().recv(size) if _can_read(self, left) else b""
        except OSError:
            return b""

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        """Return what was gathered; wait a little, in all, only for what was not announced."""
        if self.gathered:
            piece = self.gathered.popleft()
            if len(piece) > bufsize:
                self.gathered.appendleft(piece[bufsize:])
                return piece[:bufsize]
            return piece
        now = time.monotonic()
        self._deadline = self._deadline or now + _READ_SECONDS
        if not _can_read(self, self._deadline - now):
            raise TimeoutError("the rest of the request has not come in time")
        return super().recv(bufsize, flags)

    def say_continue(self) -> None:
        """Ask a client that waits for that to send its body."""
        self.has_continued = True
        self.sendall(_CONTINUE)

    def send(self, data: Any, _flags: int = 0, /) -> int:
        """Take all of it, as ``sendall`` does; ``100 Continue`` only once."""
        if not (self.has_continued and bytes(data[: len(_CONTINUE)]) == _CONTINUE):
            self.sendall(data)
        return len(data)

    def sendall(self, data: Any, _flags: int = 0, /) -> None:
        """Send what the client takes now, and keep the rest for ``send_rest``.

        Raises:
            OSError: the client is gone, or takes nothing of very much.
        """
        if not self._unsent and not self.sends_together:
            try:
                data = memoryview(data)[super().send(data) :]
            except BlockingIOError:
                pass
            except OSError:
                self._unsent.append(memoryview(data))  # so that it is seen not to have been sent
                raise
            if not data:
                return
        if len(data) + self.unsent_bytes > _MOST_UNSENT:
            raise ConnectionResetError("the client does not take its answer")
        self._unsent.append(memoryview(data))
        if not self.sends_together or self.unsent_bytes > _MOST_GATHERED:
            self.send_rest()

    def send_rest(self) -> None:
        """Send on. Raises: OSError: the client is gone."""
        while self._unsent:
            try:
                sent = self.sendmsg([*islice(self._unsent, _PIECES)])
            except BlockingIOError:
                return
            while self._unsent and sent >= len(self._unsent[0]):
                sent -= len(self._unsent.popleft())
            if sent:
                self._unsent[0] = self._unsent[0][sent:]


def came_whole_at(environ: Mapping[str, Any]) -> float:
    """Return when a request had come whole, by ``time.monotonic``; now, if its server cannot tell.

    What it waited for a thread counts like any other waiting.
    """
    return getattr(environ.get("gunicorn.socket"), "came_at", 0.0) or time.monotonic()


def id_of_failure(environ: Mapping[str, Any]) -> str | None:
    """Return the id of a request that has failed on the short way; None of any other."""
    failure = getattr(environ.get("gunicorn.socket"), "failure", None)
    return None if failure is None else failure.request_id


def raise_failure(environ: Mapping[str, Any]) -> None:
    """Raise what a request's picture has failed of on the short way, if it has."""
    wire = environ.get("gunicorn.socket")
    failure: Failure | None = getattr(wire, "failure", None)
    if wire is None or failure is None:
        return
    wire.failure = None
    try:
        raise failure.error
    finally:
        # Else the error's own traceback would hold this frame, and the frame the error: a circle,
        # with the picture in it, that only the garbage collector takes apart.
        del failure


def _can_read(wire: socket.socket, seconds: float) -> bool:
    """Wait until there is something to read; a descriptor may be over 1023, so no ``select``."""
    poll = select.poll()
    poll.register(wire, select.POLLIN)
    return bool(poll.poll(max(0.0, seconds) * 1000))
