"""What the commands of ``python -m visiongate.models`` share: the store, and tables."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

from visiongate.models.store import FileModelStore

__all__ = ["open_store", "show_table"]


def open_store() -> FileModelStore:
    """Return the store that the settings describe. Raises: ConfigurationError."""
    # Only the command line reads settings; whoever has a folder needs none.
    from visiongate.settings import load_settings

    settings = load_settings()
    return FileModelStore(
        settings.data_dir / "models", mirror=settings.model_mirror, offline=settings.offline
    )


def show_table(title: str, heads: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a table to standard output: drawn for a person, tabs for a program."""
    if not sys.stdout.isatty():
        for row in rows:
            sys.stdout.write("\t".join(row) + "\n")
        return
    table = Table(title=title, title_justify="left")
    for head in heads:
        table.add_column(head, overflow="fold", no_wrap=head == heads[0])
    for row in rows:
        table.add_row(*row)
    Console().print(table)
