"""Accounts as a table on the screen."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from datetime import datetime, timezone

from visiongate.types import User

__all__ = ["detector_names", "quota_words", "show_users"]


def show_users(users: Sequence[User]) -> None:
    """Write the accounts as a table to standard output."""
    # Only a listing needs rich, which knows how wide a character is on the screen.
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("user", "role", "state", "detectors", "quota", "created"):
        table.add_column(heading, no_wrap=True)
    for user in users:
        state = "disabled" if user.disabled else "enabled"
        created = datetime.fromtimestamp(user.created, timezone.utc).strftime("%Y-%m-%d")
        names, quota = detector_names(user), quota_words(user)
        cells = (user.username, user.role, state, names, quota, created)
        table.add_row(*(Text(cell) for cell in cells))  # Text: a name is never markup
    # In a pipe a line stays a line, however long.
    Console(width=None if sys.stdout.isatty() else 10_000).print(table)


def detector_names(user: User) -> str:
    """Say which detectors the account may use."""
    if user.detectors is None:
        return "all"
    return ", ".join(sorted(user.detectors)) or "none"


def quota_words(user: User) -> str:
    """Say what the account may send a day; what the operator's settings say is not known here."""
    if user.requests_per_day is None and user.megapixels_per_day is None:
        return "default"
    named = {"pictures": user.requests_per_day, "megapixels": user.megapixels_per_day}
    words = []
    for unit, limit in named.items():
        amount = "default" if limit is None else "unlimited" if limit == 0 else str(limit)
        words.append(f"{amount} {unit}")
    return ", ".join(words)
