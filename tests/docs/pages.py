"""Read the project's pages: tables, code blocks, links."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"


def section(page: str, heading: str) -> str:
    """Return the text of ``page`` from the heading to the next of its level."""
    level = heading.split()[0]
    start = page.index(f"\n{heading}\n")
    following = re.search(rf"^{level} ", page[start + len(heading) + 2 :], re.MULTILINE)
    return page[start:][: following.start() + len(heading) + 2] if following else page[start:]


def table(text: str) -> list[list[str]]:
    """Return the rows of the first table in ``text``, cells stripped, without its head."""
    rows = [line for line in text.splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    return cells[2:]


def code_blocks(text: str, language: str) -> list[str]:
    """Return the fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def in_code(text: str) -> list[str]:
    """Return what stands between single backticks."""
    return re.findall(r"`([^`]+)`", text)
