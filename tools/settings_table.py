"""Write the table of all settings into ``docs/configuration.md``, from the code that reads them.

``python tools/settings_table.py``; a test fails where page and code differ.
"""

from __future__ import annotations

import sys
import typing
from pathlib import Path
from typing import Any, Literal

from pydantic.fields import FieldInfo

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from visiongate.settings import PREFIX, Settings  # noqa: E402 - a bare checkout is not installed

PAGE = ROOT / "docs" / "configuration.md"
BEGIN = "<!-- The table is made by `make docs`; change visiongate/settings.py instead. -->"
END = "<!-- end of the table -->"


def table() -> str:
    """Return the table of all settings in Markdown, in the order of the code."""
    rows = ["| setting | value | default | meaning |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        cells = (f"`{PREFIX}{name.upper()}`", kind(field), default(field), field.description or "")
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows)


def kind(field: FieldInfo) -> str:
    """Say in words which values a setting takes."""
    annotation: Any = field.annotation
    origin = typing.get_origin(annotation)
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in typing.get_args(annotation))
    if origin is tuple:
        inner = typing.get_args(annotation)[0]
        if typing.get_origin(inner) is Literal:
            return "list of " + ", ".join(f"`{value}`" for value in typing.get_args(inner))
        return "list"
    if origin is dict:
        return "tables (TOML), or JSON"
    words = {bool: "`true` or `false`", int: "whole number", float: "number", Path: "path"}
    return words.get(annotation, "text") + limits(field)


def limits(field: FieldInfo) -> str:
    """Say the range of a number, as `` from 1 to 256``."""
    bounds = {
        name: getattr(rule, name)
        for rule in field.metadata
        for name in ("ge", "gt", "le")
        if getattr(rule, name, None) is not None
    }
    if "gt" in bounds:
        return f" over {bounds['gt']:g}"
    if "ge" not in bounds:
        return ""
    return f" from {bounds['ge']} to {bounds['le']}" if "le" in bounds else f" from {bounds['ge']}"


def default(field: FieldInfo) -> str:
    """Return a setting's default as a person would write it."""
    value = field.get_default(call_default_factory=True)
    if value in ("", (), {}):
        return "(none)"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, float):
        return f"`{value:g}`"
    return f"`{value}`"


def with_table(page: str) -> str:
    """Return the page with the table made anew between its two marks."""
    head, _, rest = page.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not end:
        raise ValueError(f"{PAGE.name} lacks the lines {BEGIN!r} and {END!r}")
    return f"{head}{BEGIN}\n{table()}\n{END}{tail}"


if __name__ == "__main__":
    PAGE.write_text(with_table(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
