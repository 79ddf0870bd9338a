"""The short way through a form gives what Werkzeug gives, for whatever bytes."""

from __future__ import annotations

import io

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from werkzeug.exceptions import HTTPException
from werkzeug.formparser import FormDataParser

from visiongate.web.form_parser import FilePart, only_file

EDGE = "edge"
PLAIN = (
    b'--edge\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n'
    b"Content-Type: image/jpeg\r\n\r\n\xff\xd8 picture \xff\xd9\r\n--edge--\r\n"
)


def by_werkzeug(body: bytes, boundary: str) -> FilePart | None:
    """Return the only file that Werkzeug finds; None where it finds anything else, or fails."""
    parser = FormDataParser(
        stream_factory=lambda *_, **__: io.BytesIO(),
        max_form_memory_size=500_000,
        max_form_parts=36,
        silent=False,
    )
    try:
        _, form, files = parser.parse(
            io.BytesIO(body), "multipart/form-data", len(body), {"boundary": boundary}
        )
    except (ValueError, HTTPException, AssertionError, AttributeError, TypeError):
        return None
    found = [(name, file.filename, file.stream.read()) for name, file in files.items(multi=True)]
    return found[0] if len(found) == 1 and not form else None


def assert_same(body: bytes, boundary: str = EDGE) -> None:
    short = only_file(body, boundary)
    assert short is None or short == by_werkzeug(body, boundary)


def takes_the_short_way(body: bytes, boundary: str = EDGE) -> bool:
    return only_file(body, boundary) is not None


@pytest.mark.parametrize(
    "body",
    [
        PLAIN,
        PLAIN.removesuffix(b"\r\n"),
        PLAIN.replace(b"Content-Type: image/jpeg\r\n", b""),
        PLAIN.replace(b"picture", b"\r\n--edg\r\n-- edge"),
        PLAIN.replace(b"picture ", b"\r\r\n\n" * 3),
        PLAIN.replace(b" \xff\xd9", b"\r"),
        PLAIN.replace(b" \xff\xd9", b"\n"),
        PLAIN.replace(b" \xff\xd9", b"\r\n"),
        PLAIN.replace(b"a.jpg", b"IMG (1) of 2.jpg"),
        PLAIN.replace(b"picture", bytes(range(256)) * 1000),
        PLAIN.replace(b"\xff\xd8 picture \xff\xd9", b""),
    ],
)
def test_what_clients_send_takes_the_short_way(body: bytes) -> None:
    assert_same(body)
    assert takes_the_short_way(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"--edge--\r\n",
        b"\r\n" + PLAIN,
        PLAIN + b"\r\n",
        PLAIN + PLAIN,
        PLAIN.removesuffix(b"--\r\n"),
        PLAIN.replace(b"picture", b"\r\n--edge\r\n"),
        PLAIN.replace(b"picture", b"--edge"),
        PLAIN.replace(b"\xff\xd9\r\n", b"\xff\xd9\n"),
        PLAIN.replace(b"\xff\xd8 picture \xff\xd9\r\n", b""),
        PLAIN.replace(b"a.jpg", b""),
        PLAIN.replace(b"a.jpg", b" a.jpg"),
        PLAIN.replace(b"a.jpg", b'a\\".jpg'),
        PLAIN.replace(b"a.jpg", b"C:\\\\a.jpg"),
        PLAIN.replace(b"a.jpg", "ä.jpg".encode()),
        PLAIN.replace(b"a.jpg", b"%22.jpg"),
        PLAIN.replace(b'; filename="a.jpg"', b""),
        PLAIN.replace(b"; filename", b"; filename*=utf-8''b.jpg; filename"),
        PLAIN.replace(b"image/jpeg", b"image/jpeg; charset=x"),
        PLAIN.replace(b"image/jpeg", b"image/jpeg\r\nContent-Length: 3"),
        PLAIN.replace(b"Content-Type", b"content-type"),
        PLAIN.replace(b"\r\n", b"\n"),
    ],
)
def test_whatever_differs_goes_to_werkzeug(body: bytes) -> None:
    assert_same(body)
    assert not takes_the_short_way(body)


@pytest.mark.parametrize("boundary", ["", "ä", "edge ", "--edge", "e", "[e].*", "x" * 70])
def test_boundaries_of_every_kind(boundary: str) -> None:
    assert_same(PLAIN, boundary)
    assert_same(PLAIN.replace(b"edge", boundary.encode()), boundary)


PIECES = (
    b"--edge", b"--edge--", b"--edg", b"edge", b"--", b"-", b"\r\n", b"\r", b"\n", b"\r\n\r\n",
    b'Content-Disposition: form-data; name="file"; filename="a.jpg"', b"Content-Type: image/jpeg",
    b" ", b"\t", b'"', b";", b"\\", b"\xff\xd8", b"\0", b"Content-Length: 3", b'name="image"',
)  # fmt: skip


@settings(max_examples=1500, deadline=None, derandomize=True, database=None)
@given(st.lists(st.sampled_from(PIECES), max_size=16).map(b"".join))
@example(PLAIN)
def test_any_heap_of_a_forms_pieces_is_the_same(body: bytes) -> None:
    assert_same(body)
    assert_same(b"--edge\r\n" + body + b"\r\n--edge--\r\n")
    assert_same(PLAIN.replace(b"picture", body))


@settings(max_examples=1500, deadline=None, derandomize=True, database=None)
@given(st.integers(0, len(PLAIN)), st.integers(0, 4), st.sampled_from([*PIECES, b""]))
def test_any_damage_to_a_plain_form_is_the_same(at: int, gone: int, new: bytes) -> None:
    assert_same(PLAIN[:at] + new + PLAIN[at + gone :])


@settings(max_examples=600, deadline=None, derandomize=True, database=None)
@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20), st.binary(max_size=60))
def test_any_names_are_the_same(name: str, filename: str, kind: str, data: bytes) -> None:
    assert_same(
        f'--edge\r\nContent-Disposition: form-data; name="{name}"; filename="{filename}"\r\n'
        f"Content-Type: image/{kind}\r\n\r\n".encode(errors="surrogatepass")
        + data
        + b"\r\n--edge--\r\n"
    )
