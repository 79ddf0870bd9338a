"""Read what a request carries, in memory alone, and the one picture of those that carry one.

A picture arrives as a multipart part called ``file`` or ``image``, as a raw ``image/*`` body, or
in JSON as ``{"image": "<base64 or data URI>"}``. Names and content types that the sender chose
decide nothing about the picture: its bytes do, later. No byte is spooled to a disk.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from io import BytesIO
from typing import TYPE_CHECKING, Literal, cast
from urllib.parse import parse_qsl

import flask
from flask import Flask

from visiongate.errors import (
    BadRequest,
    FormatUnsupported,
    OptionUnknown,
    PictureAmbiguous,
    PictureMissing,
)
from visiongate.web.form_parser import FilePart
from visiongate.web.gateway_request import MAX_FIELD, MAX_PARTS, GatewayRequest
from visiongate.web.picture_bytes import check_size, decode_base64, too_large

if TYPE_CHECKING:
    from visiongate.services import Services

__all__ = [
    "HOW",
    "PARTS",
    "Body",
    "Members",
    "Upload",
    "init_app",
    "one_picture",
    "read_body",
    "read_upload",
]

PARTS = ("file", "image")
"""What the part with a picture may be called."""
_OVERHEAD = 1_000_000
"""Bytes that a body may have beside its picture: boundaries, headers, options, JSON."""
_LONGEST_TEXT = 16_384
"""Bytes that a form without files may have; a picture sent as one by mistake has more."""
_TEXT_FORM = "application/x-www-form-urlencoded"
HOW = (
    "Send one as multipart part 'file' or 'image', as a raw body with an image/* content type, "
    'or as JSON {"image": "<base64 or data URI>"}.'
)


class Members(list[tuple[str, object]]):
    """The members of a JSON object or form, in order, repeated names included."""


@dataclass(frozen=True, slots=True)
class Body:
    """What a request carries, before anything is taken for a picture.

    ``data`` is a raw body; ``files`` and ``members`` are those of a form, or ``members`` alone
    of JSON and of a form without files (``text``).
    """

    way: Literal["none", "raw", "form", "text", "json"]
    data: bytes = b""
    files: tuple[FilePart, ...] = ()
    members: Members = field(default_factory=Members)


@dataclass(frozen=True, slots=True)
class Upload:
    """A picture's bytes as they came, what the sender called it, and the members beside it."""

    picture: bytes
    filename: str | None
    members: Members


def init_app(app: Flask, services: Services) -> None:
    """Have ``app`` read requests in memory, and none that is larger than a picture can be."""
    app.request_class = GatewayRequest
    app.config.update(
        MAX_CONTENT_LENGTH=services.settings.max_upload_bytes + _OVERHEAD,
        MAX_FORM_PARTS=MAX_PARTS + services.settings.max_pictures,
        MAX_FORM_MEMORY_SIZE=MAX_FIELD,
    )


def read_upload(max_bytes: int) -> Upload:
    """Return the current request's one picture, of 1 to ``max_bytes`` bytes.

    Raises:
        PictureMissing, PictureAmbiguous, PictureEmpty, Base64Invalid: as they say.
        PictureTooLarge, RequestTooLarge, FormatUnsupported, BadRequest: as ``read_body``.
    """
    return one_picture(read_body(max_bytes), max_bytes)


def read_body(max_bytes: int) -> Body:
    """Return what the current request carries; no more than one picture of that size may have.

    Raises:
        PictureTooLarge, RequestTooLarge: told from Content-Length where there is one, before
            reading; else reading stops at the limit.
        FormatUnsupported: a content type or encoding that carries no picture.
        BadRequest: a form or JSON that does not parse, or a body that ended early.
    """
    # The request itself: each look at the proxy for it costs as much as the look at a header.
    request = cast(GatewayRequest, flask.request._get_current_object())  # type: ignore[attr-defined]
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise FormatUnsupported("Compressed bodies are not read; send the picture as it is.")
    kind = request.mimetype
    if request.is_json:
        # Base64 takes 4/3 of the bytes; line ends and escaped slashes take some more.
        request.max_content_length = max_bytes * 3 // 2 + _OVERHEAD
    limit = request.max_content_length
    if limit is not None and (request.content_length or 0) > limit:
        raise too_large(request.content_length, max_bytes)
    if kind == "multipart/form-data":
        return _form(request)
    if request.is_json:
        return _json(_read(request, max_bytes))
    if kind.startswith("image/") or kind in ("application/octet-stream", ""):
        data = _read(request, max_bytes)
        return Body("raw", data) if data or kind else Body("none")
    if not _has_body(request):
        return Body("none")
    if kind == _TEXT_FORM and (request.content_length or _LONGEST_TEXT + 1) <= _LONGEST_TEXT:
        data = _read(request, max_bytes)
        if data.isascii():  # curl calls whatever it is given a form, pictures too
            fields = parse_qsl(data.decode(), keep_blank_values=True)
            return Body("text", members=Members(fields))
    raise _no_carrier(kind)


def one_picture(body: Body, max_bytes: int) -> Upload:
    """Return the one picture of ``body``, of 1 to ``max_bytes`` bytes.

    Raises:
        PictureMissing, PictureAmbiguous, PictureEmpty, PictureTooLarge, Base64Invalid: as they
            say.
        FormatUnsupported: a form without files.
    """
    if body.way == "none":
        raise PictureMissing(f"The request has no body. {HOW}")
    if body.way == "text":
        raise _no_carrier(_TEXT_FORM)
    if body.way == "form":
        upload = _from_form(body)
    elif body.way == "json":
        upload = _from_json(body, max_bytes)
    else:
        upload = Upload(body.data, None, Members())
    check_size(upload.picture, max_bytes)
    return upload


def _form(request: GatewayRequest) -> Body:
    only = request.only_file()
    if only is not None:
        return Body("form", files=(only,))
    parts = []
    for name, part in request.files.items(multi=True):
        assert isinstance(part.stream, BytesIO)  # see GatewayRequest
        data = part.stream.getvalue()
        # A browser sends an empty part without a file name for a field that was left empty.
        if data or part.filename:
            parts.append((name, part.filename, data))
    return Body("form", files=tuple(parts), members=Members(request.form.items(multi=True)))


def _json(data: bytes) -> Body:
    if not data:
        return Body("none")
    try:
        document = json.loads(data, object_pairs_hook=Members)
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, ValueError) else "it is nested too deeply"
        raise BadRequest(f"The JSON cannot be parsed: {reason}.") from None
    if not isinstance(document, Members):
        raise BadRequest(f"The JSON must be an object. {HOW}")
    return Body("json", members=document)


def _from_form(body: Body) -> Upload:
    as_text = [name for name, _ in body.members if name in PARTS]
    pictures = [(filename, data) for name, filename, data in body.files if name in PARTS]
    others = [name for name, _, _ in body.files if name not in PARTS]
    if len(pictures) + len(as_text) > 1:
        raise PictureAmbiguous(
            f"The form has {len(pictures) + len(as_text)} pictures under 'file' and 'image'; "
            "send one a request."
        )
    if as_text:
        raise PictureMissing(
            f"Part {as_text[0]!r} has no file name, so it is text and no picture. With curl, "
            f'write -F "{as_text[0]}=@picture.jpg".'
        )
    if not pictures:
        found = f"The form has a file under {str(others[0])[:64]!r}." if others else ""
        raise PictureMissing(f"{found or 'The form has no picture.'} {HOW}")
    if others:
        raise OptionUnknown(
            f"The form has a second file, under {str(others[0])[:64]!r}; send one picture a "
            "request, as 'file' or 'image'."
        )
    return Upload(pictures[0][1], pictures[0][0], body.members)


def _from_json(body: Body, max_bytes: int) -> Upload:
    images = [value for name, value in body.members if name == "image" and value is not None]
    if not images:
        raise PictureMissing(f"The JSON has no member 'image'. {HOW}")
    if len(images) > 1:
        raise PictureAmbiguous("The JSON has several members 'image'; send one a request.")
    options = Members(member for member in body.members if member[0] != "image")
    return Upload(decode_base64(images[0], max_bytes), None, options)


def _read(request: GatewayRequest, max_bytes: int) -> bytes:
    body: bytes = request.get_data(cache=False)
    if request.went_on:
        raise too_large(None, max_bytes)
    return body


def _has_body(request: GatewayRequest) -> bool:
    if request.content_length is not None:
        return request.content_length > 0
    return "chunked" in request.headers.get("Transfer-Encoding", "").lower()


def _no_carrier(kind: str) -> FormatUnsupported:
    return FormatUnsupported(f"Content type {kind[:100]!r} carries no picture. {HOW}")
