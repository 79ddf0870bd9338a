"""Which picture formats are read, and what other bytes look like.

The bytes alone decide; what the sender called them does not.
"""

from __future__ import annotations

__all__ = ["FORMATS", "describe", "extension", "identify", "media_type"]

_MEDIA_TYPES = {
    "JPEG": ("image/jpeg", "jpg"),
    "PNG": ("image/png", "png"),
    "WEBP": ("image/webp", "webp"),
    "BMP": ("image/bmp", "bmp"),
    "TIFF": ("image/tiff", "tif"),
    "GIF": ("image/gif", "gif"),
}

FORMATS: tuple[str, ...] = tuple(_MEDIA_TYPES)
"""The formats that ``decode`` reads, as they are named in ``Picture.format``."""

_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),  # BigTIFF
    (b"MM\0+", "TIFF"),
)

_FOREIGN: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "a PDF document"),
    (b"%!PS", "PostScript"),
    (b"8BPS", "a Photoshop document"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\0\0\1\0", "an icon file"),
    (b"qoif", "QOI"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
    (b"#?RADIANCE", "Radiance HDR"),
    (b"DDS ", "a DDS texture"),
    (b"FUJIFILM", "a camera's raw file"),
    (b"IIRO", "a camera's raw file"),
    (b"IIU\0", "a camera's raw file"),
    (b"\x1a\x45\xdf\xa3", "a Matroska or WebM video"),
    (b"\0\0\1\xba", "an MPEG video"),
    (b"FLV\1", "a Flash video"),
    (b"PK\3\4", "a ZIP archive"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"Rar!", "a RAR archive"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"data:", "a data URI; send its decoded bytes"),
    (b"/9j/", "base64 text; send the decoded bytes"),
    (b"iVBORw0KGgo", "base64 text; send the decoded bytes"),
    (b"{", "JSON"),
)

# ISO base media files (HEIF, AVIF, MP4 …) tell each other apart by this brand at byte 8.
_BRANDS = {
    b"avif": "AVIF",
    b"avis": "AVIF",
    b"heic": "HEIC",
    b"heix": "HEIC",
    b"hevc": "HEIC",
    b"heim": "HEIC",
    b"heis": "HEIC",
    b"mif1": "HEIF",
    b"msf1": "HEIF",
    b"crx ": "a camera's raw file",
    b"qt  ": "a QuickTime video",
}


def identify(data: bytes) -> str | None:
    """Return the format of ``FORMATS`` whose signature ``data`` carries, or None."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    # Canon's CR2 is a TIFF that only a raw converter can develop; its first picture is a preview.
    if data[8:10] == b"CR" and data[:4] == b"II*\0":
        return None
    return next((name for magic, name in _SIGNATURES if data.startswith(magic)), None)


def describe(data: bytes) -> str:
    """Say in words what bytes that are none of ``FORMATS`` look like, or an empty string."""
    if data[4:8] == b"ftyp":
        return _BRANDS.get(data[8:12], "an MP4 video")
    if data[:4] == b"RIFF" and data[8:12] == b"AVI ":
        return "an AVI video"
    if data[8:10] == b"CR" and data[:4] == b"II*\0":
        return "a camera's raw file"
    if data[:1] == b"P" and data[1:2] in b"1234567" and data[2:3].isspace():
        return "a Netpbm picture"
    start = data[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in start:
        return "SVG"
    if start.startswith((b"<!doctype html", b"<html")):
        return "an HTML page"
    if start.startswith(b"<"):
        return "XML"
    return next((name for magic, name in _FOREIGN if data.startswith(magic)), "")


def media_type(format: str) -> str:
    """Return the media type of a name in ``FORMATS``, ``application/octet-stream`` of another."""
    return _MEDIA_TYPES.get(format, ("application/octet-stream", ""))[0]


def extension(format: str) -> str:
    """Return the file extension, without its dot, of a name in ``FORMATS``, else ``bin``."""
    return _MEDIA_TYPES.get(format, ("", "bin"))[1]
