"""A lone client that comes again at once is answered by the thread that answered it before."""

from __future__ import annotations

import sys
import time

import pytest

from tests.web.serving.ways import Ways, answer_of, request
from visiongate.web.serving.answering import LINGER_SECONDS

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="gunicorn needs fork")


@pytest.mark.parametrize("pause", [0.0, LINGER_SECONDS * 5], ids=["at once", "later"])
def test_a_lone_client_is_answered_again_and_again(ways: Ways, jpeg: bytes, pause: float) -> None:
    raw = request(ways, jpeg)
    client = ways.short.ask(raw)
    first = answer_of(client)
    for _ in range(20):
        time.sleep(pause)
        client.wire.sendall(raw)
        assert answer_of(client) == first
    assert ways.short.door.inside == 0


def test_what_comes_next_may_be_anything(ways: Ways, jpeg: bytes) -> None:
    raw = request(ways, jpeg)
    client = ways.short.ask(raw)
    assert client.answer()[0] == 200
    health = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    for more, statuses in [
        (health, [200]),
        (raw, [200]),
        (raw + raw, [200, 200]),
        (health + raw, [200, 200]),
        (raw + health, [200, 200]),
        (request(ways, b"no picture"), [415]),
        (request(ways, jpeg, Authorization=b"Bearer x"), [401]),
        (raw, [200]),
    ]:
        client.wire.sendall(more)
        assert [client.answer()[0] for _ in statuses] == statuses


def test_what_comes_in_pieces_is_put_together(ways: Ways, jpeg: bytes) -> None:
    raw = request(ways, jpeg)
    client = ways.short.ask(raw)
    first = answer_of(client)
    for cut in (1, 10, 200, len(raw) - 1):
        for pause in (0.0, LINGER_SECONDS / 2, 0.05):
            client.wire.sendall(raw[:cut])
            time.sleep(pause)
            client.wire.sendall(raw[cut:])
            assert answer_of(client) == first


def test_who_goes_after_the_answer_leaves_nothing_behind(ways: Ways, jpeg: bytes) -> None:
    raw, before = request(ways, jpeg), ways.short.worker.nr_conns
    for _ in range(10):
        client = ways.short.ask(raw)
        assert client.answer()[0] == 200
        client.close()
    end = time.monotonic() + 30
    while ways.short.worker.nr_conns > before and time.monotonic() < end:
        time.sleep(0.01)
    assert ways.short.worker.nr_conns == before
    assert ways.short.door.inside == 0
