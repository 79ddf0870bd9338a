"""When a request has come whole, wherever it is cut in two on its way."""

from __future__ import annotations

import pytest

from visiongate.web.serving.arrival import MOST_HEAD, Arrival

HEAD = b"POST / HTTP/1.1\r\nHost: x\r\n"
WHOLE = {
    "no body": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "no headers": b"GET / HTTP/1.0\r\n\r\n",
    "a length": HEAD + b"Content-Length: 5\r\n\r\nabcde",
    "a length written otherwise": HEAD + b"content-LENGTH:\t5 \r\n\r\nabcde",
    "a length of none": HEAD + b"Content-Length: 0\r\n\r\n",
    "a body with an empty line": HEAD + b"Content-Length: 6\r\n\r\n\r\n\r\n\r\n",
    "chunks": HEAD
    + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=1\r\n0\r\n\r\n12345\r\n0\r\n\r\n",
    "chunks and trailers": HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: 1\r\n\r\n",
    "one that waits": HEAD + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\nab",
}
ODD = {
    "chunks that are none": HEAD + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
    "a negative chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n",
    "two lengths": HEAD + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\n",
    "a length that is none": HEAD + b"Content-Length: +5\r\n\r\n",
    "a body over the limit": HEAD + b"Content-Length: 1001\r\n\r\n",
    "nonsense": b"\0\0\r\n\r\n",
}


@pytest.mark.parametrize("name", WHOLE)
def test_it_is_whole_with_its_last_byte(name: str) -> None:
    data = WHOLE[name]
    for cut in range(len(data)):
        arrival = Arrival(1000)
        arrival.feed(data[:cut])
        assert not arrival.is_whole, cut
        arrival.feed(data[cut:])
        assert arrival.is_whole, cut
        assert not arrival.is_cut
        assert arrival.size == len(data)
    byte_by_byte = Arrival(1000)
    for byte in data:
        assert not byte_by_byte.is_whole
        byte_by_byte.feed(bytes([byte]))
    assert byte_by_byte.is_whole


@pytest.mark.parametrize("name", WHOLE)
def test_what_follows_is_the_next_request(name: str) -> None:
    arrival = Arrival(1000)
    arrival.feed(WHOLE[name] + b"GET /next")
    assert arrival.is_whole
    assert not arrival.is_cut


@pytest.mark.parametrize("name", ODD)
def test_what_is_odd_is_for_the_server_to_refuse(name: str) -> None:
    arrival = Arrival(1000)
    arrival.feed(ODD[name])
    assert arrival.is_whole


def test_what_announces_too_much_is_cut() -> None:
    arrival = Arrival(1000)
    arrival.feed(ODD["a body over the limit"])
    assert arrival.is_cut


@pytest.mark.parametrize("size", [1, 500])
def test_chunks_over_the_limit_are_cut(size: int) -> None:
    arrival = Arrival(1000)
    arrival.feed(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
    chunk = b"%x\r\n%s\r\n" % (size, b"x" * size)
    fed = 0
    while not arrival.is_whole and fed < 2000:
        arrival.feed(chunk)
        fed += 1
    assert arrival.is_cut
    assert fed <= 1001


def test_headers_end_or_are_too_large() -> None:
    arrival = Arrival(1000)
    arrival.feed(HEAD + b"X: " + b"a" * MOST_HEAD)
    assert not arrival.has_head
    assert arrival.head_too_large


def test_it_tells_who_waits_to_be_asked() -> None:
    waiting, other = Arrival(1000), Arrival(1000)
    waiting.feed(HEAD + b"Expect: 100-Continue\r\nContent-Length: 5\r\n\r\n")
    other.feed(HEAD + b"Content-Length: 5\r\n\r\n")
    assert (waiting.expects, other.expects) == (True, False)
    assert not waiting.is_whole
