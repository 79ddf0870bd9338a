"""What a request's head says, where there can be no two opinions about it."""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["ends_beyond_doubt", "headers_of"]

_LINES = re.compile(rb"(?:\r\n[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\0\r\n]*)*")
_REQUEST = re.compile(rb"POST [!-~]+ HTTP/1\.1")
_DIGITS = re.compile(rb"[0-9]{1,15}")


def headers_of(head: bytes) -> dict[bytes, bytes] | None:
    """Return the headers, names in lower case; None where a line is odd, or a name comes twice."""
    request, *lines = head.split(b"\r\n")
    if _LINES.fullmatch(head, len(request)) is None:
        return None
    found: dict[bytes, bytes] = {}
    for line in lines:
        name, _, value = line.partition(b":")
        found[name.lower()] = value.strip(b" \t")
    return found if len(found) == len(lines) else None


def ends_beyond_doubt(head: bytes, headers: Mapping[bytes, bytes] | None) -> bool:
    """Tell whether nobody could see the end of this request elsewhere than we do.

    Only then may what follows it be taken for another request: whoever makes a proxy and us
    disagree about that could have one request say two things.
    """
    return (
        headers is not None
        and _REQUEST.fullmatch(head.partition(b"\r\n")[0]) is not None
        and _DIGITS.fullmatch(headers.get(b"content-length", b"")) is not None
        and headers.get(b"connection", b"keep-alive").lower() == b"keep-alive"
        # Whether a client that waits for 100 Continue still sends its body, only it knows.
        and headers.keys().isdisjoint((b"transfer-encoding", b"expect", b"upgrade"))
    )
