"""Two ways, one answer: whatever the short way answers, the long way answers so as well."""

from __future__ import annotations

import json
import random
import sys
import time
from typing import Any, cast

import pytest

from tests.web.conftest import MakeApp
from tests.web.fakes import PASSWORD, FakeDetector
from tests.web.serving.server import SECONDS, Client, Serve, Server
from tests.web.serving.ways import (
    EDGE,
    Answer,
    Ways,
    answer_of,
    form,
    make_ready,
    request,
    two_ways,
)
from visiongate.errors import DetectorUnavailable
from visiongate.services import Services
from visiongate.web.metrics import Metrics

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="gunicorn needs fork")

_ROUTE = "/api/v1/detect/{name}"


def detect(query: bytes, name: bytes = b"object") -> bytes:
    return b"/api/v1/detect/" + name + b"?delete=true&" + query


@pytest.mark.parametrize(
    "changed",
    [
        {},
        {"path": detect(b"", b"face")},
        {"path": detect(b"type=face")},
        {"path": detect(b"min_confidence=0.5&labels=person,dog&max_detections=3")},
        {"path": detect(b"min_confidence=0.95")},
        {"path": detect(b"", b"classify")},
        {"path": detect(b"delete=true")},
        {"Accept": None, "User_Agent": None},
        {"Accept": b"application/json", "Connection": b"keep-alive"},
        {"X_Forwarded_For": b"10.0.0.1, 10.0.0.2", "X_Real_IP": b"10.0.0.1"},
        {"Authorization": "bearer"},
    ],
    ids=str,
)
def test_plain_requests_are_answered_alike_on_both_ways(
    ways: Ways, jpeg: bytes, changed: dict[str, Any]
) -> None:
    if changed.get("Authorization") == "bearer":
        changed = {"Authorization": b"bearer " + ways.token.encode()}
    raw = request(ways, jpeg, **changed)
    assert ways.took_the_short_way(raw)
    short, _ = ways.ask(raw)
    assert short[0] == 200
    assert short[1]["x-request-id"] == "mine"


@pytest.mark.parametrize(
    ("status", "changed"),
    [
        (401, {"Authorization": None}),
        (401, {"Authorization": b"Bearer x.y.z"}),
        (401, {"Authorization": b"Basic YTpi"}),
        (404, {"path": detect(b"", b"nothing")}),
        (400, {"path": detect(b"min_confidence=2")}),
        (400, {"path": detect(b"colour=red")}),
        (400, {"path": detect(b"labels=unicorn")}),
        (400, {"path": detect(b"delete=false")}),
        (400, {"path": detect(b"type=elephant")}),
        (200, {"path": detect(b"labels=person%2Cdog")}),
        (200, {"path": detect(b"annotate=true")}),
        (200, {"path": detect(b"type=face&gender=true")}),
        (200, {"path": detect(b"", b"gender")}),
        (200, {"Accept": b"image/jpeg"}),
        (200, {"Accept": b"text/html, */*"}),
        (200, {"X_Deadline_Ms": b"5000"}),
        (400, {"X_Deadline_Ms": b"soon"}),
        (200, {"Connection": b"close"}),
        (200, {"Cookie": b"a=b"}),
        (400, {"Host": b"a..b"}),
        (400, {"Host": b"."}),
        (400, {"Host": b"a" * 255}),
        (415, {"Content_Type": b"text/plain"}),
        (200, {"Content_Type": b'multipart/form-data; boundary="%s"' % EDGE}),
        (415, {"Content_Encoding": b"gzip"}),
    ],
    ids=str,
)
def test_all_else_goes_the_long_way(
    ways: Ways, jpeg: bytes, status: int, changed: dict[str, Any]
) -> None:
    raw = request(ways, jpeg, **changed)
    assert not ways.took_the_short_way(raw)
    assert ways.ask(raw)[0][0] == status


def test_heads_that_gunicorn_refuses_or_reads_otherwise_are_left_to_it(
    ways: Ways, jpeg: bytes
) -> None:
    plain = request(ways, jpeg)
    odd = [
        plain.replace(b"HTTP/1.1", b"HTTP/1.0", 1),
        plain.replace(b"POST ", b"PUT ", 1),
        plain.replace(b"\r\nHost: ", b"\r\nHost : ", 1),
        plain.replace(b"\r\nHost: localhost:5000", b"", 1),
        plain.replace(b"\r\nHost: ", b"\r\nHost: other\r\nHost: ", 1),
        plain.replace(b"\r\nAccept: ", b"\r\n folded\r\nAccept: ", 1),
        plain.replace(b"\r\nAccept: ", b"\r\nTransfer-Encoding: chunked\r\nAccept: ", 1),
        plain.replace(b"\r\nContent-Length: ", b"\r\nContent-Length: 5\r\nContent-Length: ", 1),
        plain.replace(b"curl/7", b"curl\xe9/7", 1),
        plain.replace(b"curl/7", b"curl\x01/7", 1),
        plain.replace(b"/object?", b"/object//?", 1),
        plain.replace(b"/api/", b"/%61pi/", 1),
    ]
    for raw in odd:
        assert raw != plain
        ways.answered.clear()
        short, long = ways.ask(raw)
        assert not any(ways.answered), raw[:80]
        assert short[0] == long[0]


@pytest.mark.parametrize(
    "body",
    [
        form(b""),
        form(b"no picture"),
        form(b"x", b"files"),
        form(b"x", b"photo"),
        form(
            b"x",
            more=b'--%s\r\nContent-Disposition: form-data; name="labels"\r\n\r\ndog\r\n' % EDGE,
        ),
        form(b"x")[:-5],
        b"",
        b"nonsense",
    ],
    ids=["no bytes", "no picture", "several", "another name", "a field", "cut", "none", "no form"],
)
def test_forms_with_anything_wrong_or_more_are_left_to_the_long_way(
    ways: Ways, body: bytes
) -> None:
    assert not ways.took_the_short_way(request(ways, b"", body=body))


def test_whoever_lost_his_right_is_refused_at_once(
    ways: Ways, services: Services, jpeg: bytes
) -> None:
    raw = request(ways, jpeg)
    assert ways.took_the_short_way(raw)
    services.users.change("anna", {"detectors": ["face"]})
    assert not ways.took_the_short_way(raw)
    assert ways.ask(raw)[0][0] == 403
    services.users.change("anna", {"detectors": None, "requests_per_day": 1000})
    ways.answered.clear()
    assert "ratelimit" in ways.short.ask(raw).answer()[1]
    assert not any(ways.answered)
    services.users.change("anna", {"requests_per_day": 0})
    assert ways.took_the_short_way(raw)
    services.users.change("anna", {"disabled": True})
    assert not ways.took_the_short_way(raw)
    assert ways.ask(raw)[0][0] == 401


def test_an_ended_token_is_refused_at_once(ways: Ways, jpeg: bytes) -> None:
    raw = request(ways, jpeg)
    assert ways.took_the_short_way(raw)
    out = ways.short.ask(
        b"POST /api/v1/logout HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
        b"Authorization: Bearer %s\r\n\r\n" % ways.token.encode()
    )
    assert out.answer()[0] == 200
    assert not ways.took_the_short_way(raw)
    assert ways.ask(raw)[0][0] == 401


def test_a_picture_that_would_be_kept_goes_the_long_way(ways: Ways, jpeg: bytes) -> None:
    raw = request(ways, jpeg, path=b"/api/v1/detect/object")
    short = ways.short.ask(raw).answer()
    assert short[0] == 200
    assert "x-picture-id" in short[1]
    assert not any(ways.answered[1:])


def test_without_retention_nothing_is_kept_and_nobody_needs_to_say_so(
    make_app: MakeApp, serve: Serve, jpeg: bytes
) -> None:
    app = make_app(retention="off")
    services: Services = app.extensions["visiongate.services"]
    make_ready(services)
    services.users.create("anna", PASSWORD)
    ways = two_ways(app, serve)
    assert ways.took_the_short_way(request(ways, jpeg, path=b"/api/v1/detect/object"))


def test_there_is_none_where_pages_of_other_origins_are_served(
    make_app: MakeApp, serve: Serve
) -> None:
    server = serve(0, app=make_app(cors_origins=("https://home.example",)))
    assert server.door.short_way is None


def test_a_detector_that_fails_is_asked_once_and_told_of_in_the_one_shape(
    ways: Ways, detectors: dict[str, FakeDetector], jpeg: bytes
) -> None:
    raw = request(ways, jpeg)
    assert ways.took_the_short_way(raw)
    fake = detectors["object"]
    asked: list[int] = []

    def fails(*_: object) -> Any:
        asked.append(1)
        raise DetectorUnavailable("It is out of order.")

    fake.predict = fails  # type: ignore[method-assign]
    status, headers, body = ways.short.ask(raw).answer()
    assert (status, headers["content-type"]) == (503, "application/problem+json")
    assert json.loads(body)["code"] == "detector_unavailable"
    assert len(asked) == 1
    assert ways.ask(raw)[0] == ways.ask(raw)[1]


def test_a_failure_is_of_its_own_request_alone(
    ways: Ways, detectors: dict[str, FakeDetector], jpeg: bytes
) -> None:
    client = ways.short.ask(request(ways, b"no picture"))
    assert client.answer()[0] == 415
    for raw, status in [
        (request(ways, jpeg), 200),
        (request(ways, jpeg[:200]), 400),
        (request(ways, jpeg, Accept=b"image/png"), 200),
        (request(ways, jpeg), 200),
    ]:
        client.wire.sendall(raw)
        assert client.answer()[0] == status


def test_both_ways_count_and_log_alike(
    ways: Ways, jpeg: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    raw = request(ways, jpeg)
    lines, counts = [], []
    for server in (ways.short, ways.long):
        capsys.readouterr()
        before = _counts(server)
        assert server.ask(raw).answer()[0] == 200
        line, after = _line(capsys), _counts(server)
        assert line.pop("ms") >= 0
        assert line.pop("timestamp")
        lines.append(line)
        counts.append({name: after[name] - before.get(name, 0) for name in after})
    assert any(ways.answered)
    assert lines[0] == lines[1]
    assert lines[0]["user"] == "anna"
    assert lines[0]["request_id"] == "mine"
    assert counts[0] == counts[1]
    detected = 'visiongate_requests_total{method="POST",route="/api/v1/detect/{name}",status="200"}'
    assert counts[0][detected] == 1


def test_what_cannot_be_counted_is_answered_and_said(
    ways: Ways, jpeg: bytes, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("no space left on device")

    raw = request(ways, jpeg)
    client = ways.short.ask(raw)
    first = answer_of(client)
    _line(capsys)
    monkeypatch.setattr(Metrics, "observe", full)
    client.wire.sendall(raw)  # the connection is kept, and takes another
    assert answer_of(client) == first
    written, end = "", time.monotonic() + SECONDS
    while _ROUTE not in written and time.monotonic() < end:
        written += capsys.readouterr().err
    assert "a request could not be counted" in written
    assert "no space left on device" in written
    client.wire.sendall(raw)
    assert answer_of(client) == first
    monkeypatch.undo()
    assert _counts(ways.short)["visiongate_requests_in_flight"] == 1


def _line(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """Return the one line that is written of a request; it may come after the answer."""
    written, end = "", time.monotonic() + SECONDS
    while time.monotonic() < end:
        written += capsys.readouterr().err
        if _ROUTE in written and written.endswith("\n"):
            (line,) = (json.loads(one) for one in written.splitlines() if _ROUTE in one)
            return cast("dict[str, Any]", line)
        time.sleep(0.005)
    raise AssertionError(f"no line of a request in {written!r}")


def _counts(server: Server) -> dict[str, float]:
    """Return the counters and gauges that a request changes by whole numbers, once it has ended."""
    end = time.monotonic() + SECONDS
    while (counts := _counts_now(server))["visiongate_requests_in_flight"] > 1:  # this one
        assert time.monotonic() < end
    return counts


def _counts_now(server: Server) -> dict[str, float]:
    text = server.ask(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n").answer()[2].decode()
    pairs = (line.rsplit(" ", 1) for line in text.splitlines() if line.startswith("visiongate_"))
    return {
        name: float(value)
        for name, value in pairs
        if not any(part in name for part in ("_sum", "_bucket", "_created", '"/metrics"'))
    }


def test_heads_that_were_tampered_with_are_never_answered_otherwise(
    ways: Ways, jpeg: bytes
) -> None:
    draw = random.Random(5)
    plain = request(ways, jpeg)
    end = plain.index(b"\r\n\r\n")
    pieces = [
        b"\r\n",
        b"\n",
        b":",
        b" ",
        b"\t",
        b"\0",
        b"%2e",
        b"chunked",
        b"x",
        b"9",
        b"\xff",
        b"&",
    ]
    for _ in range(150):
        at = draw.randrange(end)
        cut = draw.choice((0, 0, 1, 2, 5))
        head = plain[:at] + draw.choice(pieces) + plain[at + cut : end]
        ways.answered.clear()
        short = ways.short.ask(head + plain[end:])
        if not _answers(short):
            continue  # its end is still to come, by what its head says
        if any(ways.answered):
            long = answer_of(ways.long.ask(head + plain[end:]))
            assert _but_id(answer_of(short)) == _but_id(long), head


def _but_id(answer: Answer) -> Answer:
    """Return the answer without the id, which is drawn where that header was hit."""
    status, headers, body = answer
    return status, headers | {"x-request-id": ""}, body


def _answers(client: Client) -> bool:
    client.wire.settimeout(0.3)
    try:
        return client.wire.recv(1, 2) != b""  # MSG_PEEK
    except TimeoutError:
        return False
    except OSError:
        return False
    finally:
        client.wire.settimeout(30)
