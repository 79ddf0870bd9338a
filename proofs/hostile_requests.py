"""Hostile requests: mutated requests are answered below 500 or not at all, and nothing is left.

Whole requests of every kind (forms, raw bodies, JSON, chunks, logins) are changed at random
(seeded), and some are written to be hostile: traversal in file names and paths, boundaries within
boundaries, lengths that contradict each other. Each goes to a real gateway on a connection of its
own, which the gateway must end or answer; beside them, ordinary requests are still answered.
"""

from __future__ import annotations

import random
import re
import socket
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import requests

from bench.client import multipart, prepared
from bench.processes import resident_megabytes
from proofs.gateway import Gateway, running
from proofs.mutations import changed
from proofs.pictures import small
from proofs.processes import children
from proofs.report import Report
from proofs.scale import Scale

__all__ = ["prove"]

_STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
_NOT_FAULTS = {"501", "503", "505"}
"""Of 5xx: a method or coding that is not known, no room, another HTTP."""
_SECONDS = 30.0
_MEGABYTES = 100
_NAMES = (
    "../../../../etc/passwd", "..\\..\\windows\\win.ini", "/etc/passwd", "%2e%2e%2fusers.json",
    "a\0b.jpg", "x" * 5000, "", ".", "..", "CON", "\u202egpj.exe", "'; DROP TABLE users; --",
)  # fmt: skip


def prove(report: Report, folder: Path, scale: Scale) -> None:
    """Send them, and look at every answer and at the process."""
    total = scale.number(full=100_000, short=150)
    with running(folder, LOG_LEVEL="error", LOGIN_RATE_PER_ADDRESS="1000000 per minute") as gateway:
        workers = children(gateway.pid)
        asked = _requests(gateway)
        files = _files(folder)
        before = resident_megabytes(gateway.pid)
        statuses: Counter[str] = Counter()
        faults = []
        for number in range(total):
            chance = random.Random(f"{scale.seed}-{number}")
            is_first = number < len(asked)  # each once as it is
            request = asked[number] if is_first else changed(chance.choice(asked), chance, asked)
            found = _send(gateway, request)
            statuses.update(found or ["closed"])
            if any(one >= "500" and one not in _NOT_FAULTS for one in found):
                faults.append((number, found))
            if "silent" in found:
                faults.append((number, found))
        report.note(seed=scale.seed, statuses=dict(statuses))
        report.none("answers of 5xx that are faults, or none within 30 s", faults[:5])
        report.at_least("answers that are 200, so that routes are reached", statuses["200"], 1)
        report.holds("no worker ended", children(gateway.pid) == workers)
        grown = resident_megabytes(gateway.pid) - before
        report.at_most("memory gained, MB", grown, _MEGABYTES)
        new = _files(folder) - files
        outside = {name for name in new if not name.startswith(("data/", "images/"))}
        report.none("files outside its folders", outside)
        answer = requests.get(f"{gateway.address}/api/v1/me", headers=gateway.headers, timeout=60)
        report.holds("serves on", answer.status_code, expected=200)


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def _send(gateway: Gateway, request: bytes) -> list[str]:
    """Return the statuses that are answered until the gateway closes, or has nothing to say."""
    host, _, port = gateway.address.removeprefix("http://").partition(":")
    got = b""
    with socket.create_connection((host, int(port)), timeout=_SECONDS) as wire:
        try:
            wire.sendall(request)
            wire.shutdown(socket.SHUT_WR)
            while piece := wire.recv(65536):
                got += piece
        except TimeoutError:
            return ["silent"]
        except OSError:
            pass
    return [status.decode() for status in _STATUS.findall(got)]


def _requests(gateway: Gateway) -> Sequence[bytes]:
    host, _, number = gateway.address.removeprefix("http://").partition(":")
    port, token = int(number), gateway.tokens["access_token"]
    path, picture = "/api/v1/detect/face", small()
    form = multipart(host, port, path, picture, token).raw
    login = b'{"username": "ann", "password": "x"}'
    made = [
        form,
        prepared(host, port, "POST", path, picture, "image/jpeg", token).raw,
        prepared(host, port, "POST", path, b'{"image": "aGFsbG8="}', "application/json", token).raw,
        prepared(host, port, "POST", "/api/v1/login", login, "application/json").raw,
        prepared(host, port, "GET", "/api/v1/images?limit=3", b"", "", token).raw,
        prepared(host, port, "GET", "/api/v1/images/../../users.json", b"", "", token).raw,
        prepared(host, port, "GET", "/playground/..%2f..%2f..%2fetc%2fpasswd", b"", "").raw,
        prepared(host, port, "GET", "/docs/../../../../etc/passwd", b"", "").raw,
        form.replace(b"boundary=", b"boundary=other; boundary="),
        form.replace(b"multipart/form-data", b"multipart/form-data\r\nContent-Type: image/jpeg"),
        form.replace(b'name="file"', b'name="file"; name="options"'),
        form.replace(b"Content-Type: image/jpeg", b"Content-Transfer-Encoding: base64"),
    ]
    head, _, body = form.partition(b"\r\n\r\n")
    chunked = re.sub(rb"Content-Length: \d+", b"Transfer-Encoding: chunked", head)
    made.append(chunked + b"\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body))
    made.append(
        head + b"\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\n\r\n"
    )
    for name in _NAMES:
        data = name.encode()
        named = body.replace(b"1.jpg", data)
        length = b"Content-Length: %d" % len(named)
        made.append(re.sub(rb"Content-Length: \d+", length, head) + b"\r\n\r\n" + named)
    return made
