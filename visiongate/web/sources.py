"""Where the pictures of a detect request come from: its body, one or several, or an address.

``file`` and ``image`` are one picture; ``files`` of a form and ``images`` of JSON are several,
each with a result or a problem of its own; ``url`` is fetched, once the rest of the request has
been found to be in order. Compatibility routes know none of this, see ``reading.read_upload``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flask import request

from visiongate.errors import (
    Base64Invalid,
    OptionUnknown,
    PictureAmbiguous,
    PictureMissing,
    PicturesTooMany,
    VisiongateError,
)
from visiongate.web.logging import note
from visiongate.web.metrics import count_fetch
from visiongate.web.picture_bytes import check_size, decode_base64
from visiongate.web.reading import HOW, Body, Members, one_picture, read_body

if TYPE_CHECKING:
    from visiongate.fetching.fetcher import Fetcher
    from visiongate.services import Services

__all__ = ["Source", "Sources", "read_sources"]

_FILES, _IMAGES, _URL = "files", "images", "url"
_ONE = ("file", "image")
_LONGEST_NAME = 255
_SEVERAL = "Here several may come as parts 'files', or in JSON as a list 'images'."


@dataclass(frozen=True, slots=True)
class Source:
    """A picture that can be read; ``filename`` is safe to be shown, and decides nothing.

    ``read`` raises what is wrong with this picture alone.
    """

    filename: str | None
    read: Callable[[], bytes]


@dataclass(frozen=True, slots=True)
class Sources:
    """The pictures of a request, in its order, and the members beside them.

    ``several`` tells that a list is to be answered, also where it has one item.
    """

    pictures: tuple[Source, ...]
    several: bool
    members: Members


def read_sources(services: Services, deadline: float | None) -> Sources:
    """Return the current request's pictures; what comes from elsewhere is not fetched yet.

    Raises:
        PictureMissing, PictureAmbiguous, PictureEmpty, PictureTooLarge, Base64Invalid: of one.
        PicturesTooMany: more than the operator lets one request bring.
        UrlFetchingOff, UrlInvalid, UrlNotAllowed: an address that is not even tried.
        RequestTooLarge, FormatUnsupported, BadRequest, OptionUnknown: as ``reading`` says.
    """
    settings = services.settings
    body = read_body(settings.max_upload_bytes)
    urls: list[object] = [*request.args.getlist(_URL)]
    urls += [value for name, value in body.members if name == _URL]
    if urls:
        return _fetched(services.fetcher, body, urls, deadline)
    several = _several(body, settings.max_upload_bytes)
    if several is None:
        try:
            upload = one_picture(body, settings.max_upload_bytes)
        except PictureAmbiguous as error:
            raise PictureAmbiguous(f"{error.detail} {_SEVERAL}") from None
        source = _sent(upload.filename, upload.picture)
        return Sources((source,), False, upload.members)
    if len(several) > settings.max_pictures:
        raise PicturesTooMany(
            f"The request has {len(several)} pictures, and may have {settings.max_pictures}. The "
            "operator's setting is VISIONGATE_MAX_PICTURES.",
            extra={"max_pictures": settings.max_pictures},
        )
    return Sources(several, True, _without(body.members, _IMAGES))


def _fetched(fetcher: Fetcher, body: Body, urls: list[object], deadline: float | None) -> Sources:
    sent = {name for name, *_ in (*body.files, *body.members)}
    if len(urls) > 1 or body.data or not sent.isdisjoint((*_ONE, _FILES, _IMAGES)):
        raise PictureAmbiguous(
            "The request has an address and another picture, or two addresses; send one a request."
        )
    if body.files:
        raise OptionUnknown(f"The form has a file beside its address, under {body.files[0][0]!r}.")
    target = fetcher.target(urls[0])
    note(url_host=target.host)

    def read() -> bytes:
        try:
            picture = fetcher.fetch(target, deadline)
        except VisiongateError as error:
            count_fetch(target.entry.text, error.code)
            raise
        count_fetch(target.entry.text, "ok")
        return picture

    return Sources((Source(None, read),), False, _without(body.members, _URL))


def _without(members: Members, taken: str) -> Members:
    return Members(member for member in members if member[0] != taken)


def _several(body: Body, max_bytes: int) -> tuple[Source, ...] | None:
    """Return the pictures under ``files`` or ``images``; None where there is neither."""
    if body.way == "form":
        return _files(body, max_bytes)
    lists = [value for name, value in body.members if name == _IMAGES]
    if body.way != "json" or not lists:
        return None
    if len(lists) > 1 or any(name == "image" for name, _ in body.members):
        raise PictureAmbiguous(
            "The JSON has both 'image' and 'images', or one of them twice. Send several pictures "
            "in one list 'images', or one alone, as 'image'."
        )
    texts = lists[0]
    if type(texts) is not list:
        raise Base64Invalid("Member 'images' must be a list of strings of base64 or data URIs.")
    if not texts:
        raise PictureMissing("The list 'images' is empty.")
    return tuple(_in_base64(text, max_bytes) for text in texts)


def _files(body: Body, max_bytes: int) -> tuple[Source, ...] | None:
    found = [(filename, data) for name, filename, data in body.files if name == _FILES]
    as_text = any(name == _FILES for name, _ in body.members)
    if not found and not as_text:
        return None
    if as_text:
        raise PictureMissing(
            "A part 'files' has no file name, so it is text and no picture. With curl, write "
            '-F "files=@1.jpg" -F "files=@2.jpg".'
        )
    others = [name for name, _, _ in body.files if name != _FILES]
    others += [name for name, _ in body.members if name in _ONE]
    if any(name in _ONE for name in others):
        raise PictureAmbiguous(
            "The form has pictures under 'files' and under another name. Call each 'files', or "
            "send one alone, as 'file'."
        )
    if others:
        raise OptionUnknown(f"The form has a file under {str(others[0])[:64]!r}. {HOW}")
    return tuple(_sent(filename, data, max_bytes) for filename, data in found)


def _sent(filename: str | None, data: bytes, max_bytes: int | None = None) -> Source:
    def read() -> bytes:
        if max_bytes is not None:
            check_size(data, max_bytes)
        return data

    return Source(_showable(filename), read)


def _in_base64(text: object, max_bytes: int) -> Source:
    def read() -> bytes:
        data = decode_base64(text, max_bytes)
        check_size(data, max_bytes)
        return data

    return Source(None, read)


def _showable(filename: str | None) -> str | None:
    """Return a name that can stand in an answer, a log or a terminal, whatever was sent."""
    if filename is None:
        return None
    return "".join(char if char.isprintable() else "\ufffd" for char in filename[:_LONGEST_NAME])
