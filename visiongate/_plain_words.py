"""What is wrong with a setting, in the words of the person who set it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from pydantic import ValidationError

__all__ = ["in_plain_words", "unknown_name"]

_SEE = "All are in docs/configuration.md."
_WORDS = {
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "finite_number": "must be a number",
    "bool_parsing": "must be true or false",
    "greater_than_equal": "must be at least {ge:g}",
    "greater_than": "must be more than {gt:g}",
    "less_than_equal": "must be at most {le:g}",
    "literal_error": "must be one of {expected}",
    "dict_type": "must be a table of options",
    "tuple_type": "must be a list",
    "value_error": "{error}",
}
"""By pydantic's type of error; the braces take what it tells about it."""


def in_plain_words(error: ValidationError, prefix: str, known: Iterable[str]) -> str:
    """Say which settings do not fit and what would, a sentence each."""
    sentences = []
    for item in error.errors():
        name = ".".join(part for part in item["loc"] if isinstance(part, str))
        if item["type"] == "extra_forbidden":
            sentences.append(f"Unknown setting {name}.{_nearest(name, known)} {_SEE}")
            continue
        words = _WORDS.get(item["type"], item["msg"]).format(**item.get("ctx", {}))
        sentences.append(f"{prefix}{name.upper()} {words}, got {item['input']!r}.")
    return " ".join(sentences)


def unknown_name(names: Iterable[str], prefix: str, known: Iterable[str]) -> str | None:
    """Name the first of ``names`` that has the prefix and is no setting, with the nearest."""
    settings = {prefix + name.upper() for name in known}
    for name in names:
        if name.upper().startswith(prefix) and name.upper() not in settings:
            return f"Unknown setting {name}.{_nearest(name.upper(), settings)} {_SEE}"
    return None


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, sorted(known), n=3)
    return f" Did you mean {' or '.join(near)}?" if near else ""
