"""A picture's bytes as they were sent: how many there may be, and base64."""

from __future__ import annotations

import base64
import re

from visiongate.errors import Base64Invalid, PictureEmpty, PictureTooLarge

__all__ = ["check_size", "decode_base64", "too_large"]

_DATA_URI = re.compile(r"data:([^,]{0,200}),", re.IGNORECASE)


def check_size(picture: bytes, max_bytes: int) -> None:
    """Raise PictureEmpty or PictureTooLarge for a picture that is not 1 to ``max_bytes`` long."""
    if not picture:
        raise PictureEmpty("The picture has zero bytes. Was the file written to the end?")
    if len(picture) > max_bytes:
        raise too_large(len(picture), max_bytes)


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
            raise too_large(len(compact) // 4 * 3, max_bytes)
        if len(compact) % 4 or compact.endswith(b"==="):
            raise ValueError("its length or padding is wrong")  # Python overlooks some of these
        return base64.b64decode(compact, validate=True)
    except ValueError as error:
        raise Base64Invalid(
            f"The picture is not base64: {error}. Use the standard alphabet (A-Z a-z 0-9 + /) "
            "and pad with '='."
        ) from None


def too_large(size: int | None, max_bytes: int) -> PictureTooLarge:
    """Return the error for a picture of ``size`` bytes, or of nobody knows how many."""
    came = f"{size} bytes came" if size is not None else "the body went on beyond the limit"
    return PictureTooLarge(
        f"A picture may have at most {max_bytes} bytes; {came}. "
        "The operator's setting is VISIONGATE_MAX_UPLOAD_BYTES.",
        extra={"max_bytes": max_bytes},
    )
