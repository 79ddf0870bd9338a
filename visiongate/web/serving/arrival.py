"""How much of a request has come: told from its head, without understanding more than that.

What is decided here is only when a thread is given to a request, never what the request means:
gunicorn reads the same bytes again, strictly. Whatever looks odd counts as come whole, so that
gunicorn refuses it.
"""

from __future__ import annotations

import re

__all__ = ["MOST_HEAD", "Arrival"]

MOST_HEAD = 65_536
"""Bytes that request line and headers may have together."""
_MOST_CHUNK_LINE = 256
_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"^content-length:[ \t]*([0-9]{1,15})[ \t]*\r?$", re.I | re.M)
_CODED = re.compile(rb"^transfer-encoding:", re.I | re.M)
_EXPECTS = re.compile(rb"^expect:[ \t]*100-continue[ \t]*\r?$", re.I | re.M)


class Arrival:
    """One request while it comes.

    Args:
        most: bytes of body that are waited for; a request that announces more has come whole
            with its head, since it will be refused for its length.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._head = bytearray()
        self.head = b""
        """Request line and headers, once all have come, without the empty line that ends them."""
        self._chunks: _Chunks | None = None
        self._missing = 0
        self.size = 0
        self.has_head = False
        self.is_whole = False
        self.is_cut = False
        """Whether more may follow that belongs to it, which nobody waits for."""
        self.expects = False
        """Whether the client waits for ``100 Continue`` before it sends its body."""

    @property
    def head_too_large(self) -> bool:
        return not self.has_head and len(self._head) > MOST_HEAD

    @property
    def missing(self) -> int:
        """Bytes of an announced length that have not come yet; below 0, of the next request."""
        return self._missing

    def feed(self, data: bytes) -> None:
        """Take note of the next bytes."""
        self.size += len(data)
        if self.is_whole:
            self._missing -= len(data)  # the beginning of the next request
            return
        body = memoryview(data)
        if not self.has_head:
            earlier = len(self._head)
            if earlier:
                self._head += data
            come = self._head if earlier else data  # mostly all of the head at once
            end = come.find(_END, max(0, earlier - len(_END)))
            if end < 0:
                self._head = bytearray(come)
                return
            body = memoryview(come)[end + len(_END) :]
            self.head = bytes(come[:end])
            self._read_head(self.head)
            self._head = bytearray()
        if self._chunks is not None:
            self._chunks.feed(bytes(body))
            self.is_cut = not self._chunks.ended and (
                self._chunks.payload > self._most or self._chunks.size > 4 * self._most
            )
            self.is_whole = self._chunks.ended or self.is_cut
        elif not self.is_whole:
            self._missing -= len(body)
            self.is_whole = self._missing <= 0

    def _read_head(self, head: bytes) -> None:
        self.has_head = True
        names = head.lower()  # in which to look for a name costs a tenth of an expression
        lengths = _LENGTH.findall(head) if b"content-length:" in names else []
        self.expects = b"expect:" in names and bool(_EXPECTS.search(head))
        if b"transfer-encoding:" in names and _CODED.search(head):
            self._chunks = _Chunks()
            return
        self._missing = int(lengths[0]) if len(lengths) == 1 else 0
        self.is_cut = self._missing > self._most
        self.is_whole = self.is_cut


class _Chunks:
    """A body in chunks, up to its last; also ended when it is none."""

    def __init__(self) -> None:
        self.size = self.payload = 0
        self.ended = False
        self._line = bytearray()
        self._skip = 0
        self._last = False

    def feed(self, data: bytes) -> None:
        self.size += len(data)
        at = 0
        while at < len(data) and not self.ended:
            if self._skip:
                step = min(self._skip, len(data) - at)
                self._skip -= step
                self.payload += step
                at += step
                continue
            end = data.find(b"\n", at)
            upto = len(data) if end < 0 else end + 1
            self._line += data[at:upto]
            at = upto
            if end < 0:
                self.ended = len(self._line) > MOST_HEAD
            else:
                self._read_line(bytes(self._line).rstrip(b"\r\n"))
                self._line.clear()

    def _read_line(self, line: bytes) -> None:
        if self._last:
            self.ended = not line  # what comes before an empty line are trailers
            return
        size = line[:_MOST_CHUNK_LINE].partition(b";")[0].strip()
        try:
            length = int(size, 16)
        except ValueError:
            self.ended = True
            return
        self._last = length == 0
        if length < 0:
            self.ended = True
        elif length:
            self._skip = length + 2
