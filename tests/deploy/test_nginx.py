"""nginx, as ``deploy/nginx`` sets it up, in front of a real gateway."""

from __future__ import annotations

import io
import re
import shutil
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import requests
from PIL import Image

from tests.deploy.conftest import PER_ADDRESS
from tests.deploy.ports import unused_ports
from tests.deploy.proxy import CONFIGURATION, NGINX, Proxy
from tests.examples.moving_face import photograph
from tests.examples.real_gateway import RealGateway
from visiongate.errors import VisiongateError, all_errors
from visiongate.settings import Settings
from visiongate.web.reading import _OVERHEAD

DETECT = "/api/v1/detect?detectors=face&delete=true"
TEXT = (CONFIGURATION / "visiongate.conf").read_text()


@pytest.fixture
def session(proxy: Proxy, token: str) -> Iterator[requests.Session]:
    with proxy.session() as session:
        session.headers["Authorization"] = f"Bearer {token}"
        yield session


def problem(answer: requests.Response) -> dict[str, Any]:
    """Return the problem document, having looked at its shape."""
    assert answer.headers["Content-Type"] == "application/problem+json"
    document: dict[str, Any] = answer.json()
    assert document.keys() == {"type", "title", "status", "detail", "code", "request_id", "msg"}
    assert document["status"] == answer.status_code
    assert document["type"] == f"urn:visiongate:error:{document['code']}"
    assert document["msg"] == document["detail"]
    assert document["request_id"] == answer.headers["X-Request-ID"]
    return document


def test_a_face_is_found_through_tls(proxy: Proxy, session: requests.Session) -> None:
    coded, jpeg = cv2.imencode(".jpg", photograph())
    assert coded
    answer = session.post(proxy.address + DETECT, files={"file": ("1.jpg", jpeg.tobytes())})
    assert answer.status_code == 200
    (face,) = answer.json()["detections"]
    assert face["label"] == "face"
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=")
    assert "1.22" not in answer.headers["Server"]


def test_old_tls_is_refused(proxy: Proxy) -> None:
    context = ssl.create_default_context(cafile=str(proxy.certificate))
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    with (
        socket.create_connection(("127.0.0.1", proxy.tls_port), timeout=30) as plain,
        pytest.raises(ssl.SSLError),
    ):
        context.wrap_socket(plain, server_hostname="127.0.0.1")


def test_a_connection_is_kept(proxy: Proxy, session: requests.Session) -> None:
    pool = session.get_adapter(proxy.address).poolmanager  # type: ignore[attr-defined]
    for _ in range(5):
        assert session.get(f"{proxy.address}/health/live").ok
    opened = [p.num_connections for p in map(pool.pools.get, pool.pools.keys())]
    assert opened == [1]


def test_without_tls_browsers_are_led_on_and_programs_are_told(proxy: Proxy) -> None:
    led = requests.get(f"{proxy.plain}/docs?x=1", allow_redirects=False, timeout=30)
    assert led.status_code == 308
    assert led.headers["Location"] == "https://127.0.0.1/docs?x=1"
    told = requests.post(f"{proxy.plain}/api/v1/login", json={"username": "ann"}, timeout=30)
    assert told.status_code == 403
    assert problem(told)["code"] == "forbidden"


def test_the_body_limit_is_the_gateways_largest(proxy: Proxy, session: requests.Session) -> None:
    largest = Settings.model_fields["max_upload_bytes"].default * 3 // 2 + _OVERHEAD
    for name in ("client_max_body_size", "client_body_buffer_size"):
        assert re.findall(rf"^    {name} (\d{{4,}});", TEXT, re.MULTILINE) == [str(largest)]
    address = f"{proxy.address}/api/v1/detect/face"
    headers = {"Content-Type": "application/json"}
    at_it = session.post(address, data=b" " * largest, headers=headers)
    assert at_it.status_code == 400  # the gateway read it all, and no JSON was in it
    assert problem(at_it)["code"] == "bad_request"
    over = session.post(address, data=b" " * (largest + 1), headers=headers)
    assert over.status_code == 413
    document = problem(over)
    assert document["code"] == "request_too_large"
    assert "VISIONGATE_MAX_UPLOAD_BYTES" in document["detail"]
    assert "Strict-Transport-Security" in over.headers


def test_the_largest_kept_picture_fits_the_buffers_of_one_answer() -> None:
    (count, size) = re.findall(r"^    proxy_buffers (\d+) (\d+)k;", TEXT, re.MULTILINE)[0]
    assert int(count) * int(size) * 1024 > Settings.model_fields["max_upload_bytes"].default


def test_between_the_limits_the_gateway_itself_answers(
    proxy: Proxy, session: requests.Session
) -> None:
    answer = session.post(
        proxy.address + DETECT, data=b"x" * 6_500_000, headers={"Content-Type": "image/jpeg"}
    )
    assert answer.status_code == 413
    assert answer.json()["code"] == "picture_too_large"
    assert answer.json()["max_bytes"] == 5_000_000


def large_picture() -> bytes:
    """A PNG just under the gateway's limit."""
    noise = np.random.default_rng(1).integers(0, 256, (1280, 1280, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, "PNG", compress_level=0)
    assert 4_900_000 < len(buffer.getvalue()) < 5_000_000
    return buffer.getvalue()


@pytest.fixture
def nowhere_to_spool(proxy: Proxy) -> Iterator[None]:
    """No folder for temporary files, so that whoever writes one fails."""
    away = proxy.folder / "away"
    (proxy.folder / "temporary").rename(away)
    yield
    assert not [path for path in away.rglob("*") if path.is_file()]
    shutil.move(away, proxy.folder / "temporary")


@pytest.mark.usefixtures("nowhere_to_spool")
def test_large_pictures_come_and_go_without_a_disk(proxy: Proxy, session: requests.Session) -> None:
    picture = large_picture()
    kept = session.post(
        f"{proxy.address}/api/v1/detect?detectors=face", files={"file": ("n.png", picture)}
    )
    assert kept.status_code == 200, kept.text
    original = kept.json()["retained"]["urls"]["original"]
    chunked = session.post(
        proxy.address + DETECT,
        data=iter([picture[:2_500_000], picture[2_500_000:]]),
        headers={"Content-Type": "image/png"},
    )
    assert chunked.status_code == 200, chunked.text
    # A reader who does not read: the answer waits in nginx, and the gateway's one thread is free.
    with proxy.connection(receive_buffer=4096) as slow:
        slow.sendall(
            f"GET {original} HTTP/1.1\r\nHost: x\r\n"
            f"Authorization: {session.headers['Authorization']}\r\n\r\n".encode()
        )
        assert slow.recv(12) == b"HTTP/1.1 200"
        for _ in range(3):
            assert session.get(f"{proxy.address}/api/v1/me").ok


def test_slow_senders_do_not_hold_the_gateways_only_thread(
    proxy: Proxy, session: requests.Session, token: str
) -> None:
    slow = [proxy.connection() for _ in range(3)]
    try:
        for one in slow:
            one.sendall(
                b"POST /api/v1/detect/face HTTP/1.1\r\nHost: x\r\nContent-Type: image/jpeg\r\n"
                b"Authorization: Bearer %s\r\nContent-Length: 4000000\r\n\r\n%s"
                % (token.encode(), b"x" * 100_000)
            )
        # Sooner than nginx gives the slow ones up (client_body_timeout).
        assert session.get(f"{proxy.address}/api/v1/me", timeout=10).ok
    finally:
        for one in slow:
            one.close()


def test_a_claimed_address_is_not_believed_and_a_real_one_is(proxy: Proxy) -> None:
    wrong = {"username": "nobody", "password": "wrong"}

    def log_in(address: str, number: int) -> requests.Response:
        headers = {
            "X-Forwarded-For": f"203.0.113.{number}",
            "X_Forwarded_For": f"203.0.113.{number}",
            "X-Real-IP": f"203.0.113.{number}",
            "Forwarded": f"for=203.0.113.{number}",
        }
        with proxy.session(address) as session:
            return session.post(f"{proxy.address}/api/v1/login", json=wrong, headers=headers)

    answers = [log_in("127.0.0.7", number) for number in range(PER_ADDRESS + 1)]
    assert [answer.status_code for answer in answers] == [401] * PER_ADDRESS + [429]
    assert "from this address (10 per 1 hour)" in answers[-1].json()["detail"]  # the gateway's
    assert log_in("127.0.0.8", 1).status_code == 401


def test_a_claimed_prefix_or_scheme_is_not_believed(
    proxy: Proxy, session: requests.Session
) -> None:
    claimed = {"X-Forwarded-Prefix": "/evil", "X_Forwarded_Prefix": "/evil", "X-Request-ID": "a b"}
    answer = session.get(f"{proxy.address}/openapi.json", headers=claimed)
    assert answer.ok
    assert "evil" not in answer.text
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Request-ID"])


def test_a_harmless_request_id_is_kept(proxy: Proxy, session: requests.Session) -> None:
    answer = session.get(f"{proxy.address}/health/live", headers={"X-Request-ID": "abc-1"})
    assert answer.headers["X-Request-ID"] == "abc-1"
    assert '"request_id":"abc-1"' in (proxy.folder / "access.log").read_text()


def test_metrics_stay_inside(proxy: Proxy, session: requests.Session, behind: RealGateway) -> None:
    answer = session.get(f"{proxy.address}/metrics")
    assert answer.status_code == 404
    assert problem(answer)["code"] == "not_found"
    assert requests.get(f"{behind.address}/metrics", timeout=30).ok


def test_floods_of_logins_end_at_the_proxy(proxy: Proxy) -> None:
    with proxy.session("127.0.0.9") as session:
        answers = [session.get(f"{proxy.address}/api/v1/login") for _ in range(60)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert refused
    assert {answer.status_code for answer in answers} == {405, 429}
    assert problem(refused[0])["code"] == "too_many_requests"
    assert "at once" in problem(refused[0])["detail"]  # nginx's own
    assert int(refused[0].headers["Retry-After"]) > 0


def test_logs_have_neither_queries_nor_tokens(proxy: Proxy, session: requests.Session) -> None:
    session.get(f"{proxy.address}/health/live?secret=hush")
    log = (proxy.folder / "access.log").read_text()
    assert '"method":"GET"' in log
    assert "hush" not in log
    assert "eyJ" not in log


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[tuple[Proxy, int]]:
    """nginx and the port behind it, where nobody listens; it waits a short while only."""
    if NGINX is None:
        pytest.skip("needs nginx (Debian's package nginx)")
    (port,) = unused_ports(1)
    proxy = Proxy(tmp_path, port, wait=("proxy_read_timeout 60s;", "proxy_read_timeout 100ms;"))
    try:
        proxy.start()
        yield proxy, port
    finally:
        proxy.stop()


def test_a_gateway_that_is_gone_or_silent_is_told_in_the_same_shape(
    alone: tuple[Proxy, int],
) -> None:
    proxy, port = alone
    with proxy.session() as session:
        gone = session.get(f"{proxy.address}/health")
        with socket.create_server(("127.0.0.1", port)):
            silent = session.get(f"{proxy.address}/health")
    assert [gone.status_code, silent.status_code] == [502, 504]
    for answer in (gone, silent):
        assert problem(answer)["code"] == "unavailable"
        assert int(answer.headers["Retry-After"]) > 0
        assert "Strict-Transport-Security" in answer.headers


def test_codes_and_titles_are_the_gateways() -> None:
    known: dict[str, type[VisiongateError]] = {cls.code: cls for cls in all_errors()}
    block = re.search(r"map \$visiongate_code \$visiongate_title \{\n(.*?)\n\}", TEXT, re.DOTALL)
    assert block
    titles = dict(re.findall(r'(\w+) +"([^"]+)";', block[1]))
    assert titles == {code: known[code].title for code in titles}
    codes = re.search(r"map \$status \$visiongate_code \{\n(.*?)\n\}", TEXT, re.DOTALL)
    assert codes
    assert set(re.findall(r"(\w+);", codes[1])) == titles.keys()


def test_every_status_that_is_answered_here_has_words() -> None:
    detail = re.search(r"map \$status \$visiongate_detail \{\n(.*?)\n\}", TEXT, re.DOTALL)
    assert detail
    answered = set(re.findall(r"\b[345]\d\d\b", " ".join(re.findall("error_page ([^=@]*)", TEXT))))
    assert answered - {"494", "495", "496", "497", "400"} <= set(
        re.findall(r"^ +(\d+) ", detail[1], re.MULTILINE)
    )
