"""One picture a request, whichever way it comes, and no byte of it on a disk."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import tempfile
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask, Request
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st

from visiongate.web import errors, gateway_request, reading
from visiongate.web.answers import json_response

LIMIT = 200_000
PICTURE = bytes(range(256)) * 16
BASE64 = base64.b64encode(PICTURE).decode()


def _app(limit: int = LIMIT) -> Flask:
    app = Flask(__name__)
    settings = SimpleNamespace(max_upload_bytes=limit, max_pictures=4)
    services: Any = SimpleNamespace(settings=settings)
    errors.init_app(app, services)
    reading.init_app(app, services)

    @app.post("/")
    def read() -> Any:
        upload = reading.read_upload(limit)
        return json_response(
            {
                "sha256": hashlib.sha256(upload.picture).hexdigest(),
                "filename": upload.filename,
                "members": upload.members,
            }
        )

    return app


@pytest.fixture
def client() -> FlaskClient:
    return _app().test_client()


def _read(answer: Any, picture: bytes = PICTURE) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    body: dict[str, Any] = answer.get_json()
    assert body["sha256"] == hashlib.sha256(picture).hexdigest()
    return body


def _refused(answer: Any, status: int, code: str) -> str:
    problem = answer.get_json()
    assert (answer.status_code, problem["code"]) == (status, code), answer.text
    assert answer.mimetype == "application/problem+json"
    return str(problem["detail"])


def _part(name: str, data: bytes, filename: str | None = "1.jpg") -> bytes:
    named = "" if filename is None else f'; filename="{filename}"'
    head = f'--b\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'
    return head.encode() + data + b"\r\n"


def _form(client: FlaskClient, *parts: bytes, end: bytes = b"--b--\r\n") -> Any:
    return client.post(
        "/", data=b"".join(parts) + end, content_type="multipart/form-data; boundary=b"
    )


class TestWays:
    @pytest.mark.parametrize("name", ["file", "image"])
    @pytest.mark.parametrize("filename", ["1.jpg", "x.exe", "../../etc/passwd", "blob", "é.png"])
    def test_a_multipart_part_whatever_it_is_called(
        self, client: FlaskClient, name: str, filename: str
    ) -> None:
        data = {name: (io.BytesIO(PICTURE), filename, "text/html")}
        assert _read(client.post("/", data=data))["filename"] == filename

    def test_a_part_with_every_byte_that_looks_like_a_boundary(self, client: FlaskClient) -> None:
        picture = b"\r\n--b\r\n--\r\n\n--b-\r--"[3:] * 40_00
        picture = picture.replace(b"--b\r", b"--c\r")
        _read(_form(client, _part("file", picture)), picture)

    @pytest.mark.parametrize("most", [0, 1_000_000])
    def test_a_form_is_read_the_same_whichever_way(
        self, client: FlaskClient, monkeypatch: pytest.MonkeyPatch, most: int
    ) -> None:
        monkeypatch.setattr(gateway_request, "MOST_BYTES", most)
        plain = _read(_form(client, _part("file", PICTURE)))
        assert (plain["filename"], plain["members"]) == ("1.jpg", [])
        more = _read(_form(client, _part("file", PICTURE), _part("delete", b"true", None)))
        assert (more["filename"], more["members"]) == ("1.jpg", [["delete", "true"]])

    @pytest.mark.parametrize("kind", ["image/jpeg", "image/x-anything", "application/octet-stream"])
    def test_a_raw_body(self, client: FlaskClient, kind: str) -> None:
        _read(client.post("/", data=PICTURE, content_type=kind))

    def test_a_raw_body_without_a_type_as_python_requests_sends_it(
        self, client: FlaskClient
    ) -> None:
        _read(client.post("/", data=PICTURE))

    def test_a_body_in_chunks(self, client: FlaskClient) -> None:
        answer = client.post(
            "/",
            input_stream=io.BytesIO(PICTURE),
            content_type="image/jpeg",
            headers={"Transfer-Encoding": "chunked"},
            environ_overrides={"wsgi.input_terminated": True},
        )
        _read(answer)

    @pytest.mark.parametrize(
        "text",
        [
            BASE64,
            "data:image/jpeg;base64," + BASE64,
            "DATA:image/svg+xml;charset=utf-8;BASE64," + BASE64,
            "data:;base64," + BASE64,
            base64.encodebytes(PICTURE).decode(),
            " \t\r\n" + BASE64 + "\n",
        ],
    )
    def test_json(self, client: FlaskClient, text: str) -> None:
        _read(client.post("/", json={"image": text}))

    def test_json_by_any_json_type(self, client: FlaskClient) -> None:
        body = json.dumps({"image": BASE64})
        kind = "application/vnd.camera+json; charset=utf-8"
        _read(client.post("/", data=body, content_type=kind))

    def test_members_beside_the_picture(self, client: FlaskClient) -> None:
        form = {"file": (io.BytesIO(PICTURE), "1.jpg"), "delete": "true"}
        assert _read(client.post("/", data=form))["members"] == [["delete", "true"]]
        document = {"image": BASE64, "min_confidence": 0.5, "labels": ["a"]}
        members = _read(client.post("/", json=document))["members"]
        assert sorted(members) == [["labels", ["a"]], ["min_confidence", 0.5]]


class TestNoneOrTwo:
    def test_no_body_at_all_names_the_three_ways(self, client: FlaskClient) -> None:
        detail = _refused(client.post("/"), 400, "picture_missing")
        assert "'file'" in detail
        assert "image/*" in detail
        assert '{"image"' in detail

    @pytest.mark.parametrize("document", [{}, {"image": None}, {"file": BASE64}, {"delete": True}])
    def test_json_without_one(self, client: FlaskClient, document: Any) -> None:
        _refused(client.post("/", json=document), 400, "picture_missing")

    def test_empty_bodies_of_types_that_could_carry_one(self, client: FlaskClient) -> None:
        answer = client.post("/", data=b"", content_type="application/json")
        _refused(answer, 400, "picture_missing")
        answer = client.post("/", data=b"", content_type="application/x-www-form-urlencoded")
        _refused(answer, 400, "picture_missing")

    def test_a_form_without_one(self, client: FlaskClient) -> None:
        _refused(_form(client), 400, "picture_missing")
        _refused(_form(client, _part("delete", b"true", None)), 400, "picture_missing")

    def test_a_form_with_one_under_another_name_says_which(self, client: FlaskClient) -> None:
        detail = _refused(_form(client, _part("photo", PICTURE)), 400, "picture_missing")
        assert "'photo'" in detail

    def test_a_form_whose_picture_has_no_file_name_says_so(self, client: FlaskClient) -> None:
        detail = _refused(_form(client, _part("image", PICTURE, None)), 400, "picture_missing")
        assert "no file name" in detail

    @pytest.mark.parametrize("names", [("file", "file"), ("file", "image"), ("image", "image")])
    def test_two_parts(self, client: FlaskClient, names: tuple[str, str]) -> None:
        parts = [_part(name, PICTURE) for name in names]
        assert "2 pictures" in _refused(_form(client, *parts), 400, "picture_ambiguous")

    def test_a_part_and_a_text_of_the_same_purpose(self, client: FlaskClient) -> None:
        parts = _part("file", PICTURE), _part("image", BASE64.encode(), None)
        _refused(_form(client, *parts), 400, "picture_ambiguous")

    def test_a_second_file_under_another_name(self, client: FlaskClient) -> None:
        parts = _part("file", PICTURE), _part("mask", PICTURE)
        assert "'mask'" in _refused(_form(client, *parts), 400, "option_unknown")

    def test_a_field_that_a_browser_left_empty_is_none(self, client: FlaskClient) -> None:
        _read(_form(client, _part("file", b"", ""), _part("image", PICTURE)))

    def test_json_that_repeats_its_picture(self, client: FlaskClient) -> None:
        body = f'{{"image": "{BASE64}", "image": "{BASE64}"}}'
        answer = client.post("/", data=body, content_type="application/json")
        _refused(answer, 400, "picture_ambiguous")

    @pytest.mark.parametrize("kind", ["image/jpeg", "application/octet-stream"])
    def test_an_empty_raw_body(self, client: FlaskClient, kind: str) -> None:
        _refused(client.post("/", data=b"", content_type=kind), 400, "picture_empty")

    def test_an_empty_part_or_string(self, client: FlaskClient) -> None:
        _refused(_form(client, _part("file", b"")), 400, "picture_empty")
        _refused(client.post("/", json={"image": ""}), 400, "picture_empty")
        _refused(client.post("/", json={"image": "data:image/png;base64,"}), 400, "picture_empty")


class TestBase64:
    @pytest.mark.parametrize(
        "text",
        [
            "abc",
            "a" * 5,
            "####",
            "not base64 at all!",
            "ab=c",
            "QUJD=",
            "QUJD====",
            "é" * 4,
            "\ud800AAA",
            "_-_-",
            "data:image/jpeg," + BASE64,
            "data:image/jpeg;base64",
            "data:" + "x" * 300 + ";base64," + BASE64,
            "data:image/jpeg;base64,***",
            7,
            True,
            [BASE64],
            {"data": BASE64},
        ],
    )
    def test_what_is_none(self, client: FlaskClient, text: object) -> None:
        _refused(client.post("/", json={"image": text}), 400, "base64_invalid")

    def test_over_the_limit(self, client: FlaskClient) -> None:
        text = base64.b64encode(bytes(LIMIT + 1)).decode()
        detail = _refused(client.post("/", json={"image": text}), 413, "picture_too_large")
        assert str(LIMIT) in detail

    def test_exactly_the_limit_with_line_ends_and_escaped_slashes(
        self, client: FlaskClient
    ) -> None:
        picture = b"\xff" * LIMIT
        text = json.dumps({"image": base64.encodebytes(picture).decode()}).replace("/", "\\/")
        _read(client.post("/", data=text, content_type="application/json"), picture)


class TestBroken:
    @pytest.mark.parametrize(
        "body",
        [
            b"{",
            b"\xff\xfe\xfd",
            b'{"image": ' + b"[" * 50_000,
            b'{"a": ' + b"9" * 5_000 + b"}",
            b"[]",
            b'"text"',
            b"null",
        ],
    )
    def test_json(self, client: FlaskClient, body: bytes) -> None:
        answer = client.post("/", data=body, content_type="application/json")
        _refused(answer, 400, "bad_request")

    @pytest.mark.parametrize(
        ("kind", "body"),
        [
            ("multipart/form-data", b"--b\r\n"),
            ("multipart/form-data; boundary=b", b"nothing of the kind"),
            ("multipart/form-data; boundary=b", _part("file", PICTURE)),
            ("multipart/form-data; boundary=b", b"--b\r\n\r\n\r\nx\r\n--b--\r\n"),
            ("multipart/form-data; boundary=b", b"--b\r\nContent-Disposition: \xff\r\n\r\nx--b--"),
            ("multipart/form-data; boundary=\xe9", _part("file", PICTURE)),
        ],
    )
    def test_form(self, client: FlaskClient, kind: str, body: bytes) -> None:
        _refused(client.post("/", data=body, content_type=kind), 400, "bad_request")

    @pytest.mark.parametrize(
        "kind", ["image/jpeg", "multipart/form-data; boundary=b", "application/json"]
    )
    def test_a_body_that_ends_early(self, client: FlaskClient, kind: str) -> None:
        length = str(len(PICTURE) + 1)
        sent = {"wsgi.input": io.BytesIO(PICTURE), "CONTENT_LENGTH": length, "CONTENT_TYPE": kind}
        answer = client.post("/", environ_overrides=sent)
        _refused(answer, 400, "bad_request")

    @pytest.mark.parametrize(
        "kind", ["image/jpeg", "multipart/form-data; boundary=b", "application/json"]
    )
    def test_a_body_that_ends_early_where_the_server_ends_it(
        self, client: FlaskClient, kind: str
    ) -> None:
        sent = {
            "wsgi.input": io.BytesIO(PICTURE),
            "wsgi.input_terminated": True,
            "CONTENT_LENGTH": str(len(PICTURE) + 1),
            "CONTENT_TYPE": kind,
        }
        _refused(client.post("/", environ_overrides=sent), 400, "bad_request")

    @pytest.mark.parametrize(
        "kind", ["image/jpeg", "multipart/form-data; boundary=b", "application/json"]
    )
    def test_a_body_in_broken_chunks(self, client: FlaskClient, kind: str) -> None:
        class Broken(io.RawIOBase):
            def readinto(self, buffer: Any) -> int:
                raise LookupError("invalid chunk")  # as strange as servers' own

        sent = {"wsgi.input": Broken(), "wsgi.input_terminated": True, "CONTENT_TYPE": kind}
        headers = {"Transfer-Encoding": "chunked"}
        answer = client.post("/", headers=headers, environ_overrides=sent)
        assert "cannot be read" in _refused(answer, 400, "bad_request")

    @given(body=st.binary(max_size=200), cut=st.integers(0, 200))
    def test_no_form_is_an_error_of_ours(self, body: bytes, cut: int) -> None:
        form = (_part("file", body) + _part("delete", body, None) + b"--b--\r\n")[cut:]
        answer = _form(_app().test_client(), form, end=b"")
        assert answer.status_code in (200, 400), answer.text

    @pytest.mark.parametrize(
        "kind", ["text/plain", "application/x-www-form-urlencoded", "video/mp4", "nonsense"]
    )
    def test_a_type_that_carries_no_picture(self, client: FlaskClient, kind: str) -> None:
        _refused(client.post("/", data=PICTURE, content_type=kind), 415, "format_unsupported")

    def test_a_compressed_body(self, client: FlaskClient) -> None:
        headers = {"Content-Encoding": "gzip"}
        answer = client.post("/", data=PICTURE, content_type="image/jpeg", headers=headers)
        _refused(answer, 415, "format_unsupported")


class _Endless(io.RawIOBase):
    """A body that never ends; ``given`` counts what was read of it."""

    def __init__(self, head: bytes = b"") -> None:
        self.given = 0
        self._head = head

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        head, self._head = self._head[: len(buffer)], self._head[len(buffer) :]
        data = head or bytes(len(buffer))
        buffer[: len(data)] = data
        self.given += len(data)
        return len(data)


class TestTooLarge:
    def test_a_raw_body_of_exactly_the_limit(self, client: FlaskClient) -> None:
        picture = os.urandom(LIMIT)
        _read(client.post("/", data=picture, content_type="image/png"), picture)

    @pytest.mark.parametrize("way", ["raw", "form"])
    def test_one_byte_over_names_the_limit(self, client: FlaskClient, way: str) -> None:
        picture = bytes(LIMIT + 1)
        if way == "raw":
            answer = client.post("/", data=picture, content_type="image/jpeg")
        else:
            answer = _form(client, _part("file", picture))
        assert str(LIMIT) in _refused(answer, 413, "picture_too_large")

    @pytest.mark.parametrize(
        "kind", ["image/jpeg", "multipart/form-data; boundary=b", "application/json"]
    )
    def test_by_its_length_alone_before_a_byte_is_read(
        self, client: FlaskClient, kind: str
    ) -> None:
        body = _Endless()
        sent = {"wsgi.input": body, "CONTENT_LENGTH": str(10**12), "CONTENT_TYPE": kind}
        answer = client.post("/", environ_overrides=sent)
        _refused(answer, 413, "picture_too_large")
        assert body.given == 0

    @pytest.mark.parametrize(
        ("kind", "head"),
        [
            ("image/jpeg", b""),
            ("application/json", b'{"image": "'),
            ("multipart/form-data; boundary=b", _part("file", b"")[:-2]),
        ],
    )
    def test_without_a_length_reading_stops(
        self, client: FlaskClient, kind: str, head: bytes
    ) -> None:
        body = _Endless(head)
        sent = {"wsgi.input": body, "wsgi.input_terminated": True, "CONTENT_TYPE": kind}
        headers = {"Transfer-Encoding": "chunked"}
        answer = client.post("/", headers=headers, environ_overrides=sent)
        _refused(answer, 413, "picture_too_large")
        assert LIMIT < body.given < 3_000_000

    def test_a_form_of_many_parts_or_a_long_text(self, client: FlaskClient) -> None:
        many = [_part(f"a{n}", b"", None) for n in range(100)]
        assert "36 parts" in _refused(_form(client, *many), 413, "request_too_large")
        long = _part("delete", b"x" * 600_000, None)
        assert "500000" in _refused(_form(client, long), 413, "request_too_large")


def test_no_byte_touches_a_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a temporary file was made")

    for name in ("TemporaryFile", "NamedTemporaryFile", "SpooledTemporaryFile", "mkstemp"):
        monkeypatch.setattr(tempfile, name, refuse)
    monkeypatch.setattr("werkzeug.formparser.SpooledTemporaryFile", refuse)
    picture = os.urandom(5_000_000)
    app = _app(len(picture))
    client = app.test_client()
    _read(_form(client, _part("file", picture)), picture)
    _read(client.post("/", data=picture, content_type="image/jpeg"), picture)
    _read(client.post("/", json={"image": base64.b64encode(picture).decode()}), picture)

    app.request_class = Request  # Flask's own would have made one:
    _refused(_form(client, _part("file", picture)), 500, "internal_error")
