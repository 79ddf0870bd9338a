"""Servers that answer too much, too little, too slowly, or something else."""

from __future__ import annotations

import gzip
import socket
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.web.checks import problem_of
from tests.web.fetching.network import LIMIT, OTHER, PUBLIC, Headers, Use, ask
from tests.web.fetching.picture_server import PictureServer
from tests.web.test_detect import PICTURE


class TestBadServers:
    def test_more_than_a_picture_may_have(
        self, client: FlaskClient, auth: Headers, camera: str, server: PictureServer
    ) -> None:
        big = PICTURE + bytes(LIMIT)
        server.gives("/honest.jpg", PICTURE, length=LIMIT + 1)
        server.gives("/silent.jpg", big, length=-1)
        chunk = b"%x\r\n%b\r\n" % (len(PICTURE), PICTURE)
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        server.answers["/chunked.jpg"] = lambda handler: endless(handler, head, chunk)
        for name in ("honest", "silent", "chunked"):
            problem = problem_of(ask(client, auth, f"{camera}/{name}.jpg"), 413, "url_too_large")
            assert problem["max_bytes"] == LIMIT

    def test_a_length_that_lies(
        self, client: FlaskClient, auth: Headers, camera: str, server: PictureServer
    ) -> None:
        server.gives("/less.jpg", PICTURE, length=len(PICTURE) + 100)
        problem_of(ask(client, auth, f"{camera}/less.jpg"), 502, "url_unreachable")
        server.gives("/more.jpg", PICTURE + bytes(LIMIT), length=len(PICTURE))
        assert ask(client, auth, f"{camera}/more.jpg").status_code == 200
        huge = "9" * 30
        server.answers["/huge.jpg"] = lambda handler: wrote(
            handler, f"HTTP/1.1 200 OK\r\nContent-Length: {huge}\r\n\r\n".encode() + PICTURE
        )
        problem_of(ask(client, auth, f"{camera}/huge.jpg"), 502, "url_unreachable")

    def test_compressed(
        self, client: FlaskClient, auth: Headers, camera: str, server: PictureServer
    ) -> None:
        bomb = gzip.compress(PICTURE + bytes(50_000_000))
        assert len(bomb) < LIMIT
        server.gives("/bomb.jpg", bomb, Content_Encoding="gzip")
        problem_of(ask(client, auth, f"{camera}/bomb.jpg"), 415, "url_not_a_picture")
        server.gives("/plain.jpg", PICTURE, Content_Encoding="Identity")
        assert ask(client, auth, f"{camera}/plain.jpg").status_code == 200

    @pytest.mark.parametrize(
        "body", [b"<html>secret of the inner server</html>", b"", b"secret", b"BMsecret"]
    )
    def test_no_picture(
        self, client: FlaskClient, auth: Headers, camera: str, server: PictureServer, body: bytes
    ) -> None:
        server.gives("/page", body, Content_Type="image/jpeg")
        answer = ask(client, auth, f"{camera}/page")
        problem = problem_of(answer, 415, "url_not_a_picture")
        assert problem["detail"] == "What lies at the address is no picture that can be read."

    def test_a_picture_that_is_broken(
        self, client: FlaskClient, auth: Headers, camera: str, server: PictureServer
    ) -> None:
        server.gives("/half.jpg", PICTURE[:300])
        problem_of(ask(client, auth, f"{camera}/half.jpg"), 400, "picture_corrupt")

    @pytest.mark.parametrize("status", [204, 206, 304, 400, 401, 403, 404, 500, 503])
    def test_no_success_and_its_words_stay_there(
        self, client: FlaskClient, auth: Headers, camera: str, server: PictureServer, status: int
    ) -> None:
        body = b"" if status in (204, 304) else b"secret of the inner server"
        server.gives("/no.jpg", body, status=status, WWW_Authenticate='Basic realm="secret"')
        answer = ask(client, auth, f"{camera}/no.jpg")
        problem_of(answer, 502, "url_unreachable")
        assert "secret" not in answer.text
        assert str(status) not in answer.get_json()["detail"]
        assert "WWW-Authenticate" not in answer.headers

    @pytest.mark.parametrize(
        "words",
        [b"", b"SSH-2.0-OpenSSH_9.9 secret\r\n", b"HTTP/1.1 200 OK\r\nBroken header\r\n\r\n"],
    )
    def test_no_http(
        self, client: FlaskClient, auth: Headers, camera: str, server: PictureServer, words: bytes
    ) -> None:
        server.answers["/odd.jpg"] = lambda handler: wrote(handler, words)
        answer = ask(client, auth, f"{camera}/odd.jpg")
        problem_of(answer, 502, "url_unreachable")
        assert "secret" not in answer.text

    def test_no_server(self, client: FlaskClient, auth: Headers, use: Use) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
            use(f"cam.test:{port}", cam_test=[[PUBLIC, OTHER]])
            answer = ask(client, auth, f"http://cam.test:{port}/1.jpg")
        problem_of(answer, 502, "url_unreachable")

    @pytest.mark.parametrize(
        ("head", "drop"),
        [
            (b"", b""),
            (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
            (b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n" + PICTURE, b"x"),
            (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                b"0",
            ),
        ],
        ids=["silent", "promises", "headers", "body", "chunks"],
    )
    def test_slowness_ends_after_all_of_the_time_whatever_still_comes(
        self,
        client: FlaskClient,
        auth: Headers,
        use: Use,
        server: PictureServer,
        head: bytes,
        drop: bytes,
    ) -> None:
        server.drips("/slow.jpg", head, drop)
        use(f"cam.test:{server.port}", seconds=0.2, cam_test=[[PUBLIC]])
        answer = ask(client, auth, f"http://cam.test:{server.port}/slow.jpg")
        problem_of(answer, 504, "url_timeout")

    def test_a_deadline_shortens_the_time(
        self, client: FlaskClient, auth: Headers, camera: str, server: PictureServer
    ) -> None:
        server.says_nothing("/slow.jpg")
        headers = {**auth, "X-Deadline-Ms": "100"}
        problem_of(ask(client, headers, f"{camera}/slow.jpg"), 504, "url_timeout")


def endless(handler: Any, head: bytes, chunk: bytes) -> None:
    handler.wfile.write(head)
    while not handler.server.closing.is_set():
        handler.wfile.write(chunk)


def wrote(handler: Any, words: bytes) -> None:
    handler.wfile.write(words)
