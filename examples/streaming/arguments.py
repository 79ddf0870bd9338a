"""What the command line's words mean: numbers, names and files, or why they mean nothing."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

__all__ = ["count", "fraction", "names", "regions", "seconds"]


def names(text: str) -> tuple[str, ...]:
    """Return names that commas part, each once."""
    found = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if not found:
        raise argparse.ArgumentTypeError("name a detector, or several with commas between")
    return found


def fraction(text: str) -> float:
    """Return a number from 0 to 1."""
    return _number(text, 0, 1)


def count(text: str) -> int:
    """Return a whole number from 1."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number")
    return int(_number(text, 1, 1_000_000))


def seconds(text: str) -> float:
    """Return a time, none included."""
    return _number(text, 0, 1e9)


def regions(name: str) -> str:
    """Return a file's JSON in as few characters as it takes; the gateway says what is wrong in it.

    They travel in the address, whose length servers limit.
    """
    try:
        text = Path(name).read_text(encoding="utf-8")
        return json.dumps(json.loads(text), separators=(",", ":"))
    except OSError as error:
        raise argparse.ArgumentTypeError(f"{name} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise argparse.ArgumentTypeError(f"{name} holds no JSON: {error}") from None


def _number(text: str, least: float, most: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is no number from {least:g} to {most:g}")
    return value
