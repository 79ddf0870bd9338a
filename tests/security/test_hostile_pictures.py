"""Pictures that are something else as well, that lie about their size, and that name places."""

from __future__ import annotations

import io
import re
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.security.conftest import House
from tests.security.doors import picture
from tests.web.checks import problem_of
from tests.web.fakes import bearer

PAGE = b"<!DOCTYPE html><html><script>fetch('/api/v1/me')</script></html>"
SCRIPT = b"<?php system($_GET['c']); ?>"
PROGRAM = b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff"
PATH = "/api/v1/detect/face"
KEPT = re.compile(
    r"images(/[0-9a-f]{16}(/[0-9a-f]{16}-[0-9a-f]{32}(/(original\.[a-z]+|annotated\.jpg|meta\.json))?)?)?"
)


def _archive() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("../../evil.sh", "#!/bin/sh")
    return buffer.getvalue()


def _saved(kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 30, 90)).save(buffer, kind, **options)
    return buffer.getvalue()


def _chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def _png_saying(content: bytes) -> bytes:
    whole = _saved("PNG")
    return whole[:33] + _chunk(b"tEXt", b"Comment\0" + content) + whole[33:]


BOTH: dict[str, tuple[bytes, str]] = {
    "JPEG and page": (_saved("JPEG", comment=PAGE), "image/jpeg"),
    "JPEG and script": (_saved("JPEG", exif=b"Exif\0\0" + SCRIPT), "image/jpeg"),
    "JPEG and archive": (_saved("JPEG") + _archive(), "image/jpeg"),
    "PNG and page": (_png_saying(PAGE), "image/png"),
    "PNG and archive": (_saved("PNG") + _archive(), "image/png"),
    "PNG and program": (_saved("PNG") + PROGRAM, "image/png"),
    "GIF and script": (_saved("GIF", comment=b"*/=1;/*") + b"*/;" + PAGE, "image/gif"),
    "BMP and page": (_saved("BMP") + PAGE, "image/bmp"),
    "TIFF and page": (_saved("TIFF") + PAGE, "image/tiff"),
    "WEBP and page": (_saved("WEBP") + PAGE, "image/webp"),
}
"""Pictures that another reader would take for something else, and what they are to us."""

OTHERS = {
    "page, then picture": PAGE + _saved("PNG"),
    "archive, then picture": _archive() + _saved("JPEG"),
    "program": PROGRAM + _saved("PNG"),
    "PDF, then picture": b"%PDF-1.7\n" + _saved("JPEG"),
    "drawing with a script": b'<svg xmlns="http://www.w3.org/2000/svg"><script>1</script></svg>',
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n" + _saved("JPEG"),
    "a shell's commands": b"push graphic-context\nfill 'url(https://x|id)'\n",
}

SIDES = 65_535


def _jpeg() -> bytes:
    whole = _saved("JPEG")
    at = whole.index(b"\xff\xc0") + 5
    return whole[:at] + struct.pack(">HH", SIDES, SIDES) + whole[at + 4 :]


def _png() -> bytes:
    whole = _saved("PNG")
    header = struct.pack(">IIBBBBB", SIDES, SIDES, 8, 2, 0, 0, 0)
    return whole[:8] + _chunk(b"IHDR", header) + whole[33:]


def _png_bomb() -> bytes:
    """Return 400 megapixels, whole and right, in 2 MB."""
    side = 20_000
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    packed = zlib.compressobj(1)
    content = b"".join(packed.compress(bytes(side + 1)) for _ in range(side)) + packed.flush()
    return (
        _saved("PNG")[:8]
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", content)
        + _chunk(b"IEND", b"")
    )


def _gif() -> bytes:
    whole = bytearray(_saved("GIF"))
    whole[6:10] = struct.pack("<HH", SIDES, SIDES)
    at = whole.index(b"\x2c", 13 + 3 * 2 ** ((whole[10] & 7) + 1))
    whole[at + 5 : at + 9] = struct.pack("<HH", SIDES, SIDES)
    return bytes(whole)


def _bmp() -> bytes:
    whole = bytearray(_saved("BMP"))
    whole[18:26] = struct.pack("<ii", SIDES, SIDES)
    return bytes(whole)


def _tiff() -> bytes:
    whole = bytearray(_saved("TIFF"))
    for tag in (256, 257):
        at = next(
            at
            for at in range(8, len(whole) - 12)
            if struct.unpack_from("<HH", whole, at) in ((tag, 3), (tag, 4))
        )
        struct.pack_into("<HII", whole, at + 2, 4, 1, SIDES)
    return bytes(whole)


HUGE: dict[str, Callable[[], bytes]] = {
    "JPEG": _jpeg,
    "PNG": _png,
    "PNG that is whole": _png_bomb,
    "GIF": _gif,
    "BMP": _bmp,
    "TIFF": _tiff,
}

NAMES = (
    "../../../../etc/cron.d/x", "..\\..\\windows\\system32\\x.dll", "/etc/passwd", "C:\\x.jpg",
    "%2e%2e%2f%2e%2e%2fx.jpg", "..%c0%af..%c0%afx", "....//....//x", "a\0../b.jpg", ".", "..",
    "~root/.ssh/authorized_keys", "\\\\host\\share\\x", "file:///etc/passwd", "CON", "x" * 5000,
    "\u202egpj.exe", "\u2025/\u2025/x", "$(id).jpg", "`id`.jpg", "x.jpg;id", "../keys.json", "-rf",
)  # fmt: skip


def ask(house: House, data: bytes, kind: str = "application/octet-stream") -> Any:
    headers = bearer(house.login("intruder")["access_token"])
    return house.client.post(PATH, data=data, content_type=kind, headers=headers)


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.parametrize("name", BOTH)
def test_what_is_two_things_is_the_picture_alone(name: str, house: House) -> None:
    data, media_type = BOTH[name]
    headers = bearer(house.login("intruder")["access_token"])
    for kind in ("image/png", "text/html", "application/javascript"):
        form = {"file": (io.BytesIO(data), "a.html", kind)}
        answer = house.client.post(PATH, data=form, headers=headers)
        assert answer.status_code == 200, answer.text
        path = f"/api/v1/images/{answer.headers['X-Picture-Id']}"
        given = house.client.get(path, headers=headers)
        # As it came: the sender's own. But nothing may take it for a page, run or frame it.
        assert given.data == data
        assert given.content_type == media_type
        assert given.headers["X-Content-Type-Options"] == "nosniff"
        assert given.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"
        name_given = given.headers["Content-Disposition"]
        assert re.fullmatch(r'inline; filename="[0-9a-f-]+\.[a-z]+"', name_given)
        drawn = house.client.get(f"{path}?annotated=true", headers=headers)
        assert drawn.content_type == "image/jpeg"
        for payload in (PAGE, SCRIPT, PROGRAM, b"evil.sh"):
            assert payload not in drawn.data


@pytest.mark.parametrize("name", OTHERS)
def test_what_begins_as_something_else_is_no_picture(name: str, house: House) -> None:
    for kind in ("image/jpeg", "application/octet-stream"):
        problem_of(ask(house, OTHERS[name], kind), 415, "format_unsupported")
    assert not house.services.pictures or house.services.pictures.list() == []


@pytest.mark.parametrize("name", HUGE)
def test_a_size_that_is_too_large_is_told_before_any_pixel(name: str, house: House) -> None:
    data = HUGE[name]()
    assert ask(house, picture()).status_code == 200  # what is allocated once, is
    tracemalloc.start()
    try:
        answer = ask(house, data)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    detail = problem_of(answer, 413, "picture_too_large")["detail"]
    assert ("65535" if "whole" not in name else "20000") in detail.replace(",", "")
    assert most < 5_000_000 + 4 * len(data)


def test_a_name_leads_nowhere(house: House) -> None:
    headers = bearer(house.login("intruder")["access_token"])
    for name in NAMES:
        before = files(house.folder)
        form = {"file": (io.BytesIO(picture()), name)}
        answer = house.client.post(PATH, data=form, headers=headers)
        assert answer.status_code == 200, (name, answer.text)
        new = {one for one in files(house.folder) - before if not one.startswith("data/")}
        assert any(one.endswith("/original.png") for one in new), name
        assert all(KEPT.fullmatch(one) for one in new), (name, new)


def test_an_id_leads_nowhere(house: House) -> None:
    headers = bearer(house.login("intruder")["access_token"])
    house.keep("victim")
    before = files(house.folder)
    for name in NAMES:
        path = "/api/v1/images/" + name.replace("%", "%25")
        for method in ("GET", "DELETE"):
            answer = house.client.open(path, method=method, headers=headers)
            assert answer.status_code in (301, 308, 404, 405), (name, answer.text)
            assert house.services.keys.signing().secret not in answer.text
    assert files(house.folder) == before
