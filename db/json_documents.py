"""Read TinyDB's documents one after another.

All at once, as dictionaries, they take several times the room of the file: a hundred thousand
accounts are 25 MB of JSON and 130 MB of objects, and the interpreter waits until all are made.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

__all__ = ["each_document"]

_SPACE = re.compile(r"[ \t\n\r]*")
_decoder = json.JSONDecoder()


def each_document(content: bytes) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield each document with its table and its id.

    Raises:
        ValueError: the content is not JSON, or not tables of documents.
    """
    scanner = _Scanner(content.decode(json.detect_encoding(content), "surrogatepass"))
    for table in scanner.members():
        for key in scanner.members():
            document = scanner.value()
            if not key.isdecimal() or not isinstance(document, dict):
                raise ValueError(f"document {key!r} of table {table!r}")
            yield table, key, document
    scanner.end()


class _Scanner:
    """A place in a JSON text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def members(self) -> Iterator[str]:
        """Yield each key of the object here; its value is to be read before the next one."""
        self._expect("{")
        if self._take("}"):
            return
        while True:
            key = self.value()
            if not isinstance(key, str):
                raise ValueError(f"{key!r} is no key")
            self._expect(":")
            yield key
            if self._take("}"):
                return
            self._expect(",")

    def value(self) -> Any:
        """Read the value here."""
        self._skip()
        value, self._at = _decoder.raw_decode(self._text, self._at)
        return value

    def end(self) -> None:
        self._skip()
        if self._at != len(self._text):
            raise ValueError(f"more follows at character {self._at}")

    def _take(self, mark: str) -> bool:
        self._skip()
        found = self._text.startswith(mark, self._at)
        self._at += found
        return found

    def _expect(self, mark: str) -> None:
        if not self._take(mark):
            raise ValueError(f"no {mark!r} at character {self._at}")

    def _skip(self) -> None:
        space = _SPACE.match(self._text, self._at)
        assert space is not None
        self._at = space.end()
