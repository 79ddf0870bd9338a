"""Ports that are taken, addresses that are open, and a clock that is wrong."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.doctor.conftest import Doctor
from visiongate.doctor import clock
from visiongate.keys import KeyRing


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which something listens that never answers."""
    with closing(socket.socket()) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        yield listener.getsockname()[1]


class _Live(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps({"status": "live"}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def gateway() -> Iterator[int]:
    """A port on which something says that it is alive, as a gateway does."""
    with HTTPServer(("127.0.0.1", 0), _Live) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_all_is_well(doctor: Doctor) -> None:
    answer = doctor("network")
    assert answer.status == 0
    assert "is free" in answer.well("port")
    assert "this machine alone" in answer.well("reach")


def test_a_running_gateway_is_well(gateway: int, doctor: Doctor) -> None:
    assert "A gateway runs" in doctor("network", PORT=gateway).well("port")


def test_a_port_that_something_else_has(taken: int, doctor: Doctor) -> None:
    assert "ss -ltnp" in doctor("network", PORT=taken).problem("port", "fail")


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid", "not an address"])
def test_an_address_that_is_not_ours(host: str, doctor: Doctor) -> None:
    assert "VISIONGATE_HOST" in doctor("network", HOST=host).problem("port", "fail")


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_passwords_in_the_clear(host: str, doctor: Doctor) -> None:
    assert "certificate" in doctor("network", HOST=host).problem("TLS", "warn")


def test_a_proxy_that_can_be_gone_past(doctor: Doctor) -> None:
    answer = doctor("network", HOST="0.0.0.0", TRUSTED_PROXIES=1)
    assert "goes past them" in answer.problem("proxy", "warn")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.8.8.8"])
def test_here_alone(host: str, doctor: Doctor) -> None:
    assert doctor("network", HOST=host).status == 0


def test_origins_and_open_routes(doctor: Doctor) -> None:
    assert "every origin" in doctor("network", CORS_ORIGINS="*").problem("origins", "warn")
    plain = doctor("network", CORS_ORIGINS="http://app.example.com,http://localhost:3000")
    assert "http://app.example.com can" in plain.problem("origins", "warn")
    opened = doctor("network", CORS_ORIGINS="", OPEN_ROUTES="/predict")
    assert "/predict" in opened.problem("open routes", "warn")


def test_a_redis_that_is_not_there(doctor: Doctor) -> None:
    answer = doctor("network", RATE_LIMIT_STORAGE="redis://:hunter2@127.0.0.1:1/0")
    assert "hunter2" not in answer.problem("Redis", "warn")


def test_a_redis_that_is_there(taken: int, doctor: Doctor) -> None:
    assert doctor("network", RATE_LIMIT_STORAGE=f"redis://127.0.0.1:{taken}").well("Redis")


def test_settings_that_deserve_a_look(doctor: Doctor) -> None:
    odd = {"BCRYPT_ROUNDS": 6, "ACCESS_TOKEN_SECONDS": 864000, "DEBUG": 1}
    answer = doctor("settings", **odd, WORKERS=3, RATE_LIMIT_STORAGE="memory://")
    for check in ("passwords", "tokens", "debug", "login attempts"):
        answer.problem(check, "warn")


def test_several_workers_count_together_unless_told_otherwise(doctor: Doctor) -> None:
    assert "the data folder" in doctor("settings", WORKERS=3).well("login attempts")


def test_a_clock_before_its_time(doctor: Doctor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "time", SimpleNamespace(time=lambda: 86_400.0))
    assert "1970-01-02" in doctor("clock").problem("time", "fail")


def test_files_of_the_future(data: Path, doctor: Doctor) -> None:
    assert doctor("clock").status == 0
    os.utime(data / "users.json", (time.time() + 3600,) * 2)
    assert "users.json" in doctor("clock").problem("order", "warn")


def test_a_key_of_the_future(home: Path, doctor: Doctor) -> None:
    KeyRing(home / "data" / "keys.json", clock=lambda: time.time() + 7200).signing()
    assert "signing key" in doctor("clock").problem("order", "warn")
