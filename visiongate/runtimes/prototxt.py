"""Read protobuf's text form, in which Caffe describes a network, without its schema."""

from __future__ import annotations

import re
from typing import Any, TypeAlias

__all__ = ["Message", "parse_prototxt"]

Message: TypeAlias = dict[str, list[Any]]
"""The values of each field, in order: messages, numbers, booleans, or text."""

_TOKEN = re.compile(r'\s+|#[^\n]*|(?P<string>"[^"\n]*")|(?P<word>[\w.+-]+)|(?P<mark>[{}:])')


def parse_prototxt(text: str) -> Message:
    """Return the fields of the message; words other than numbers and booleans stay text.

    Raises:
        ValueError: the text is not of that form; says where.
    """
    stack: list[Message] = [{}]
    field = ""
    position = 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            raise _misread(text, position, "cannot be read")
        piece = found.group()
        if piece == "}":
            if field or len(stack) == 1:
                raise _misread(text, position, "a closing brace where none belongs")
            stack.pop()
        elif found.lastgroup is not None and piece != ":":
            if field:
                value = {} if piece == "{" else _value(piece)
                stack[-1].setdefault(field, []).append(value)
                if isinstance(value, dict):
                    stack.append(value)
                field = ""
            elif found.lastgroup == "word":
                field = piece
            else:
                raise _misread(text, position, f"a field's name belongs where {piece} is")
        position = found.end()
    if len(stack) != 1 or field:
        raise _misread(text, position, "the text ends early")
    return stack[0]


def _misread(text: str, position: int, what: str) -> ValueError:
    line = text.count("\n", 0, position) + 1
    return ValueError(f"prototxt line {line}: {what}")


def _value(piece: str) -> Any:
    if piece.startswith('"'):
        return piece[1:-1]
    if piece in ("true", "false"):
        return piece == "true"
    for kind in (int, float):
        try:
            return kind(piece)
        except ValueError:
            continue
    return piece
