"""Forms that two readers could take apart differently: one request each, for nginx and gateway."""

from __future__ import annotations

import io
import re

import pytest
from PIL import Image

from tests.deploy.proxy import Proxy
from tests.deploy.test_smuggling import answered, read_to_the_end
from tests.examples.real_gateway import RealGateway

INNER = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"
KIND = "multipart/form-data; boundary=edge"
END = "--edge--\r\n"
_LIVE = "GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
_LINE = 'Content-Disposition: form-data; name="file"; filename="1.png"'


def _picture() -> str:
    buffer = io.BytesIO()
    Image.new("L", (16, 16), 128).save(buffer, "PNG")
    return buffer.getvalue().decode("latin-1")


PICTURE = _picture()


def part(*lines: str, content: str = PICTURE, edge: str = "edge") -> str:
    head = "\r\n".join(lines or (_LINE,))
    return f"--{edge}\r\n{head}\r\n\r\n{content}\r\n"


FORMS = {
    "as it should be": (KIND, part() + END, 200),
    "a request behind its end": (KIND, part() + END + INNER, 200),
    "a request before its beginning": (KIND, f"{INNER}\r\n{part()}{END}", 200),
    "a request instead of a picture": (KIND, part(content=INNER) + END, 415),
    "a request behind the picture": (KIND, part(content=PICTURE + INNER) + END, 200),
    "a part with a length of its own": (KIND, part(_LINE, "Content-Length: 0") + END, 200),
    "a part in chunks": (KIND, part(_LINE, "Transfer-Encoding: chunked") + END, 200),
    "a part in base64": (KIND, part(_LINE, "Content-Transfer-Encoding: base64") + END, 200),
    "a line break in a file's name": (KIND, part(_LINE[:-4] + "\r\nX-Note: 1.png") + END, 400),
    "two names for a part": (KIND, part(_LINE + '; name="image"') + END, 200),
    "two dispositions": (KIND, part(_LINE, _LINE.replace("file", "image", 1)) + END, 200),
    "two pictures": (KIND, part() + part() + END, 400),
    "a form in a form": (
        KIND,
        part(
            _LINE,
            "Content-Type: multipart/mixed; boundary=inner",
            content=part(edge="inner") + "--inner--\r\n",
        )
        + END,
        415,
    ),
    "two boundaries, of which it has the first": (f"{KIND}; boundary=other", part() + END, 400),
    "two boundaries, of which it has the last": (
        KIND.replace("edge", "other") + "; boundary=edge",
        part() + END,
        200,
    ),
    "a boundary in quotes": (KIND.replace("edge", '"edge"'), part() + END, 200),
    "a boundary with a coding": (KIND.replace("=", "*=utf-8''"), part() + END, 200),
    "an empty boundary": (KIND.replace("edge", ""), part(edge="") + "----\r\n", 400),
    "no boundary": ("multipart/form-data", part() + END, 400),
    "no end": (KIND, part(), 400),
    "no beginning": (KIND, PICTURE, 400),
    "line feeds alone": (KIND, f"--edge\n{_LINE}\n\n{PICTURE}\n--edge--\n", 200),
}


def statuses(got: bytes) -> list[int]:
    return [int(status) for status in re.findall(rb"HTTP/1\.1 (\d{3}) ", got)]


def in_chunks(body: str) -> str:
    """Cut it so that hardly a boundary, a header or a line end is in one piece."""
    pieces = (body[at : at + 7] for at in range(0, len(body), 7))
    return "".join(f"{len(one):x};note={len(one)}\r\n{one}\r\n" for one in pieces) + "0\r\n\r\n"


@pytest.mark.parametrize("how", FORMS)
@pytest.mark.parametrize("is_cut", [False, True], ids=["whole", "in chunks"])
def test_a_form_is_one_request(
    how: str, is_cut: bool, proxy: Proxy, behind: RealGateway, token: str
) -> None:
    kind, body, status = FORMS[how]
    if is_cut:
        body, length = in_chunks(body), "Transfer-Encoding: chunked"
    else:
        length = f"Content-Length: {len(body)}"
    before = answered(behind)
    got = read_to_the_end(
        proxy, f"{_head(token)}Content-Type: {kind}\r\n{length}\r\n\r\n{body}{_LIVE}"
    )
    assert statuses(got) == [status, 200], got
    assert got.endswith(b'{"status":"live"}\n')
    assert answered(behind) == before + 2


def test_two_content_types_are_refused_in_our_words(proxy: Proxy, token: str) -> None:
    kinds = f"Content-Type: {KIND}\r\nContent-Type: image/png\r\n"
    body = part() + END
    head = f"{_head(token)}{kinds}Content-Length: {len(body)}\r\n\r\n"
    got = read_to_the_end(proxy, head + body + _LIVE)
    assert statuses(got) == [400, 200]
    assert b"application/problem+json" in got
    assert b"The request cannot be read: " in got


def _head(token: str) -> str:
    return (
        "POST /api/v1/detect?detectors=face&delete=true HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {token}\r\n"
    )
