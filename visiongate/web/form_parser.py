"""Werkzeug's parser of forms, and a short way for the form that nearly all clients send.

That form is one file, named in plain characters. It is read in one piece, taken apart in one
step, and its bytes are copied once; Werkzeug searches and copies every chunk. Whatever differs in
a single byte goes to Werkzeug, and both give the same answer for what takes the short way.
"""

from __future__ import annotations

import re
from io import BytesIO
from typing import IO, Any

from werkzeug.datastructures import FileStorage, Headers
from werkzeug.formparser import FormDataParser

__all__ = ["FormParser"]

_LARGEST = 2_000_000
"""Bytes of a body that is read in one piece, so that large ones are not held twice."""

_PART = re.compile(
    rb"\r\nContent-Disposition: "
    rb'(form-data; name="([A-Za-z0-9_-]+)"; filename="([A-Za-z0-9_.()-][A-Za-z0-9_.() -]*)")'
    rb"(?:\r\nContent-Type: ([a-z]+/[a-z0-9.+-]+))?\r\n\r\n"
)


class FormParser(FormDataParser):
    """Werkzeug's, with the short way."""

    def _parse_multipart(
        self, stream: IO[bytes], mimetype: str, content_length: int | None, options: dict[str, str]
    ) -> Any:  # as in Werkzeug, a name that it does not export
        if content_length is None or content_length > _LARGEST:
            return super()._parse_multipart(stream, mimetype, content_length, options)
        body = stream.read()
        file = _only_file(body, options.get("boundary", ""))
        if file is not None:
            return stream, self.cls(), self.cls([(file.name or "", file)])
        _, form, files = super()._parse_multipart(BytesIO(body), mimetype, content_length, options)
        return stream, form, files


def _only_file(body: bytes, boundary: str) -> FileStorage | None:
    """Return the file of a form that has one and is written in the commonest way, else None."""
    if not boundary or not boundary.isascii():
        return None
    edge = b"--" + boundary.encode()
    part = _PART.match(body, len(edge)) if body.startswith(edge) else None
    if part is None:
        return None
    end = body.find(edge, part.end())
    if body[end - 2 : end] != b"\r\n" or body[end + len(edge) :] not in (b"--\r\n", b"--"):
        return None
    # An empty file's line break belongs to the headers as well.
    if end - 2 < part.end():
        return None
    disposition, name, filename, kind = (
        text.decode() if text is not None else None for text in part.groups()
    )
    headers = Headers([("Content-Disposition", disposition)])
    if kind is not None:
        headers.add("Content-Type", kind)
    return FileStorage(BytesIO(body[part.end() : end - 2]), filename, name, headers=headers)
