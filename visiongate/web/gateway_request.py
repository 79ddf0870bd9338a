"""The request class: bodies are read to their end, strictly, and in memory alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from typing import IO, Any

from flask import Request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge
from werkzeug.formparser import FormDataParser
from werkzeug.wsgi import LimitedStream

from visiongate.errors import BadRequest, PictureTooLarge, RequestTooLarge, VisiongateError
from visiongate.web.form_parser import MOST_BYTES, FilePart, only_file

__all__ = ["MAX_FIELD", "MAX_PARTS", "GatewayRequest"]

MAX_PARTS = 32
"""Parts that a form may have beside the pictures of ``files``."""
MAX_FIELD = 500_000
"""Bytes of text that a form may have in one part."""


class GatewayRequest(Request):
    """A request whose forms are parsed strictly, and in memory."""

    def _get_file_stream(self, *_: object, **__: object) -> IO[bytes]:
        """Return a buffer in memory; Werkzeug's own spools to a file from 500 kB on."""
        return BytesIO()

    def make_form_data_parser(self) -> FormDataParser:
        parser = super().make_form_data_parser()
        parser.silent = False  # else a broken form is read as an empty one
        return parser

    @property
    def went_on(self) -> bool:
        """Whether a body without a length reached the limit, where reading it stops."""
        stream = self.stream
        return (
            self.content_length is None
            and isinstance(stream, LimitedStream)
            and stream.is_exhausted
        )

    def get_data(self, *args: Any, **kwargs: Any) -> Any:  # a chain of overloads in Werkzeug
        """Return the body as Werkzeug does, or say that it broke off."""
        with self._whole():
            body = super().get_data(*args, **kwargs)
        if isinstance(body, bytes) and not kwargs.get("parse_form_data"):
            _check_whole(body, self.content_length or 0)
        return body

    def only_file(self) -> FilePart | None:
        """Return the file of a form that has nothing else, if that is plain to see; else None.

        To be asked first; then ``files`` and ``form`` still have whatever was sent.
        """
        length = self.content_length
        if length is None or length > MOST_BYTES:
            return None
        with self._whole():
            # Past Werkzeug's stream, which copies a body several times on its way.
            body: bytes = self.environ["wsgi.input"].read(length)
        _check_whole(body, length)
        self.stream = BytesIO(body)
        return only_file(body, self.mimetype_params.get("boundary", ""))

    def _load_form_data(self) -> None:
        with self._whole():
            super()._load_form_data()

    @contextmanager
    def _whole(self) -> Iterator[None]:
        try:
            yield
        except RequestEntityTooLarge:
            raise self._over_a_limit() from None
        except (HTTPException, VisiongateError, MemoryError):
            raise
        except ValueError as error:
            raise BadRequest(f"The form cannot be parsed: {error}.") from None
        except Exception as error:
            # Each WSGI server has its own kind of exception for a body in broken chunks.
            raise BadRequest(
                f"The body cannot be read to its end ({type(error).__name__})."
            ) from error

    def _over_a_limit(self) -> RequestTooLarge:
        if self.went_on:
            return PictureTooLarge(f"The body went on beyond {self.max_content_length} bytes.")
        return RequestTooLarge(
            f"The form has more than {self.max_form_parts} parts, or over {MAX_FIELD} bytes of "
            "text or without its boundary. Pictures go in a part with a file name."
        )


def _check_whole(body: bytes, length: int) -> None:
    missing = length - len(body)
    if missing > 0:
        raise BadRequest(f"The body ended {missing} bytes before its Content-Length.")
