"""Requests that two readers could take for different ones end at nginx, and none gets through."""

from __future__ import annotations

import json
import re

import pytest
import requests

from tests.deploy.proxy import Proxy
from tests.examples.real_gateway import RealGateway

INNER = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
CODED = "Transfer-Encoding: chunked\r\n\r\n"
POST = "POST /api/v1/login HTTP/1.1\r\nHost: x\r\n"
REFUSED = {
    "CL.TE": f"{POST}Content-Length: {len(INNER) + 5}\r\nTransfer-Encoding: chunked\r\n\r\n"
    f"0\r\n\r\n{INNER}",
    "TE.CL": f"{POST}Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n"
    f"{len(INNER):x}\r\n{INNER}\r\n0\r\n\r\n",
    "TE.TE": f"{POST}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n"
    f"0\r\n\r\n{INNER}",
    "another coding": f"{POST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{INNER}",
    "coding with a tab": f"{POST}Transfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n{INNER}",
    "coding in HTTP/1.0": f"{POST.replace('1.1', '1.0')}Transfer-Encoding: chunked\r\n\r\n"
    f"0\r\n\r\n{INNER}",
    "two lengths": f"{POST}Content-Length: 0\r\nContent-Length: {len(INNER)}\r\n\r\n{INNER}",
    "one length twice": f"{POST}Content-Length: 2\r\nContent-Length: 2\r\n\r\n{{}}{INNER}",
    "a list of lengths": f"{POST}Content-Length: 0, {len(INNER)}\r\n\r\n{INNER}",
    "length with a sign": f"{POST}Content-Length: +0\r\n\r\n{INNER}",
    "negative length": f"{POST}Content-Length: -1\r\n\r\n{INNER}",
    "folded line": f"{POST}X-Note: a\r\n Content-Length: {len(INNER)}\r\n\r\n{INNER}",
    "blank before the colon": f"{POST}Content-Length : {len(INNER)}\r\n\r\n{INNER}",
    "a NUL in a header": f"{POST}X-Note: a\0b\r\n\r\n{INNER}",
    "two hosts": f"GET /smuggled HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n{INNER}",
    "no host": f"GET /smuggled HTTP/1.1\r\n\r\n{INNER}",
    "chunk size that is none": f"{POST}{CODED}0x1\r\na\r\n0\r\n\r\n{INNER}",
    "chunk longer than said": f"{POST}{CODED}1\r\nabc\r\n0\r\n\r\n{INNER}",
    "huge headers": f"{POST}X-Note: {'a' * 9000}\r\n\r\n{INNER}",
    "tracing": f"TRACE /smuggled HTTP/1.1\r\nHost: x\r\n\r\n{INNER}",
}


def answered(behind: RealGateway) -> float:
    """Return how many requests beside this one the gateway has answered."""
    text = requests.get(f"{behind.address}/metrics", timeout=30).text
    others = re.findall(r'^visiongate_requests_total\{(?!.*"/metrics").*\} (\S+)$', text, re.M)
    return sum(map(float, others))


def read_to_the_end(proxy: Proxy, request: str) -> bytes:
    """Send ``request`` and return all that comes until nginx closes the connection."""
    with proxy.connection() as connection:
        connection.sendall(request.encode("latin-1"))
        got = b""
        while piece := connection.recv(65536):
            got += piece
    return got


@pytest.mark.parametrize("how", REFUSED)
def test_it_is_refused_once_and_the_connection_ends(
    how: str, proxy: Proxy, behind: RealGateway
) -> None:
    before = answered(behind)
    got = read_to_the_end(proxy, REFUSED[how])
    head, _, body = got.partition(b"\r\n\r\n")
    assert re.match(rb"HTTP/1.1 (400|405|431|501) ", head), got
    assert got.count(b"HTTP/1.1 ") == 1
    assert b"Content-Type: application/problem+json" in head
    assert json.loads(body)["status"] == int(head.split()[1])
    assert answered(behind) == before


def test_plain_http_on_the_tls_port_is_told(proxy: Proxy) -> None:
    answer = requests.get(proxy.address.replace("https", "http"), timeout=30)
    assert answer.status_code == 400
    assert answer.json()["code"] == "bad_request"


def test_two_requests_in_one_write_are_two_answers(proxy: Proxy) -> None:
    one = "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    got = read_to_the_end(proxy, one + one.replace("Host", "Connection: close\r\nHost"))
    assert got.count(b"HTTP/1.1 200 OK") == 2
    assert got.count(b'"live"') == 2
