"""Read the one picture of a request, and what came beside it, in memory alone.

A picture arrives as a multipart part called ``file`` or ``image``, as a raw ``image/*`` body, or
in JSON as ``{"image": "<base64 or data URI>"}``. Names and content types that the sender chose
decide nothing about the picture: its bytes do, later. No byte is spooled to a disk.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, cast

import flask
from flask import Flask

from visiongate.errors import (
    BadRequest,
    Base64Invalid,
    FormatUnsupported,
    OptionUnknown,
    PictureAmbiguous,
    PictureEmpty,
    PictureMissing,
    PictureTooLarge,
)
from visiongate.web.gateway_request import MAX_FIELD, MAX_PARTS, GatewayRequest

if TYPE_CHECKING:
    from visiongate.services import Services

__all__ = ["Members", "Upload", "decode_base64", "init_app", "read_upload"]

_PARTS = ("file", "image")
_OVERHEAD = 1_000_000
"""Bytes that a body may have beside its picture: boundaries, headers, options, JSON."""
_HOW = (
    "Send one as multipart part 'file' or 'image', as a raw body with an image/* content type, "
    'or as JSON {"image": "<base64 or data URI>"}.'
)
_DATA_URI = re.compile(r"data:([^,]{0,200}),", re.IGNORECASE)


class Members(list[tuple[str, object]]):
    """The members of a JSON object or form, in order, repeated names included."""


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
        MAX_FORM_PARTS=MAX_PARTS,
        MAX_FORM_MEMORY_SIZE=MAX_FIELD,
    )


def read_upload(max_bytes: int) -> Upload:
    """Return the current request's one picture, of 1 to ``max_bytes`` bytes.

    Raises:
        PictureMissing, PictureAmbiguous, PictureEmpty, Base64Invalid: as they say.
        PictureTooLarge, RequestTooLarge: told from Content-Length where there is one, before
            reading; else reading stops at the limit.
        FormatUnsupported: a content type or encoding that carries no picture.
        BadRequest: a form or JSON that does not parse, or a body that ended early.
    """
    request = cast(GatewayRequest, flask.request)
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise FormatUnsupported("Compressed bodies are not read; send the picture as it is.")
    kind = request.mimetype
    if request.is_json:
        # Base64 takes 4/3 of the bytes; line ends and escaped slashes take some more.
        request.max_content_length = max_bytes * 3 // 2 + _OVERHEAD
    limit = request.max_content_length
    if limit is not None and (request.content_length or 0) > limit:
        raise _too_large(request.content_length, max_bytes)
    if kind == "multipart/form-data":
        upload = _from_form(request)
    elif request.is_json:
        upload = _from_json(_read(request, max_bytes), max_bytes)
    elif kind.startswith("image/") or kind in ("application/octet-stream", ""):
        body = _read(request, max_bytes)
        if not body and not kind:
            raise PictureMissing(f"The request has no body. {_HOW}")
        upload = Upload(body, None, Members())
    elif _has_body(request):
        raise FormatUnsupported(f"Content type {kind[:100]!r} carries no picture. {_HOW}")
    else:
        raise PictureMissing(f"The request has no body. {_HOW}")
    if not upload.picture:
        raise PictureEmpty("The picture has zero bytes. Was the file written to the end?")
    if len(upload.picture) > max_bytes:
        raise _too_large(len(upload.picture), max_bytes)
    return upload


def decode_base64(text: object, max_bytes: int) -> bytes:
    """Return the bytes of standard base64 (RFC 4648, section 4), with or without a data URI.

    White space between characters is skipped, as mail and PEM encoders put it there.

    Raises:
        Base64Invalid: it is not that.
        PictureTooLarge: it would decode to more than ``max_bytes``.
    """
    if not isinstance(text, str):
        raise Base64Invalid("The picture must be a string of base64 or a data URI.")
    start = 0
    if text[:5].lower() == "data:":
        head = _DATA_URI.match(text)
        if head is None or not head[1].lower().endswith(";base64"):
            raise Base64Invalid("A data URI must begin like 'data:image/jpeg;base64,'.")
        start = head.end()
    try:
        compact = text[start:].encode("ascii").translate(None, b" \t\r\n")
        if len(compact) > (max_bytes + 2) // 3 * 4:
            raise _too_large(len(compact) // 4 * 3, max_bytes)
        if len(compact) % 4 or compact.endswith(b"==="):
            raise ValueError("its length or padding is wrong")  # Python overlooks some of these
        return base64.b64decode(compact, validate=True)
    except ValueError as error:
        raise Base64Invalid(
            f"The picture is not base64: {error}. Use the standard alphabet (A-Z a-z 0-9 + /) "
            "and pad with '='."
        ) from None


def _from_form(request: GatewayRequest) -> Upload:
    members = Members(request.form.items(multi=True))
    as_text = [name for name, _ in members if name in _PARTS]
    parts = []
    for name, part in request.files.items(multi=True):
        assert isinstance(part.stream, BytesIO)  # see GatewayRequest
        data = part.stream.getvalue()
        # A browser sends an empty part without a file name for a field that was left empty.
        if data or part.filename:
            parts.append((name, part.filename, data))
    pictures = [(filename, data) for name, filename, data in parts if name in _PARTS]
    others = [name for name, _, _ in parts if name not in _PARTS]
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
        raise PictureMissing(f"{found or 'The form has no picture.'} {_HOW}")
    if others:
        raise OptionUnknown(
            f"The form has a second file, under {str(others[0])[:64]!r}; send one picture a "
            "request, as 'file' or 'image'."
        )
    return Upload(pictures[0][1], pictures[0][0], members)


def _from_json(body: bytes, max_bytes: int) -> Upload:
    if not body:
        raise PictureMissing(f"The request has no body. {_HOW}")
    try:
        document = json.loads(body, object_pairs_hook=Members)
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, ValueError) else "it is nested too deeply"
        raise BadRequest(f"The JSON cannot be parsed: {reason}.") from None
    if not isinstance(document, Members):
        raise BadRequest(f"The JSON must be an object. {_HOW}")
    images = [value for name, value in document if name == "image" and value is not None]
    if not images:
        raise PictureMissing(f"The JSON has no member 'image'. {_HOW}")
    if len(images) > 1:
        raise PictureAmbiguous("The JSON has several members 'image'; send one a request.")
    options = Members(member for member in document if member[0] != "image")
    return Upload(decode_base64(images[0], max_bytes), None, options)


def _read(request: GatewayRequest, max_bytes: int) -> bytes:
    body: bytes = request.get_data(cache=False)
    if request.went_on:
        raise _too_large(None, max_bytes)
    return body


def _has_body(request: GatewayRequest) -> bool:
    if request.content_length is not None:
        return request.content_length > 0
    return "chunked" in request.headers.get("Transfer-Encoding", "").lower()


def _too_large(size: int | None, max_bytes: int) -> PictureTooLarge:
    came = f"{size} bytes came" if size is not None else "the body went on beyond the limit"
    return PictureTooLarge(
        f"A picture may have at most {max_bytes} bytes; {came}. "
        "The operator's setting is VISIONGATE_MAX_UPLOAD_BYTES.",
        extra={"max_bytes": max_bytes},
    )
