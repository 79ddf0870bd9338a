"""``python -m visiongate.audit``: search the audit log.

Exit status: 0 done, 1 not done (standard error says why), 2 wrong usage, 130 Ctrl+C.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from visiongate._command import command
from visiongate.audit.events import OUTCOMES, EventName
from visiongate.audit.opening import audit_path
from visiongate.audit.reading import Query, Reading, files_of
from visiongate.errors import VisiongateError
from visiongate.settings import load_settings

__all__ = ["main"]

_MOST_ROWS = 1000
_LAST = datetime.max.replace(tzinfo=timezone.utc)
_AGO = re.compile(r"(\d{1,6})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_EVENTS = [event.value for event in EventName]
_EXAMPLES = f"""\
examples:
  python -m visiongate.audit --since 24h
  python -m visiongate.audit --user ann --event login --outcome failed
  python -m visiongate.audit --event detector.sensitive --since 2026-01-01 --until 2026-01-31
  python -m visiongate.audit --event user --json | jq .detail

events: {", ".join(_EVENTS)};
a name's first part, such as login, stands for all that begin with it. Times are UTC unless they
say otherwise: 2026-01-31, 2026-01-31T12:00, 2026-01-31T12:00+02:00, or how long ago: 90m, 24h, 7d.
"""


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    options = _parser().parse_args(arguments)
    query = Query(
        options.user or "",
        options.event or "",
        options.outcome or "",
        options.since or "",
        options.until or "",
    )
    try:
        settings = load_settings()
        path = options.file or audit_path(settings)
        if not files_of(path):
            off = " It is switched off (VISIONGATE_AUDIT=off)." if settings.audit == "off" else ""
            _fail(f"There is no audit log at {path} yet.{off}")
            return 1 if options.file else 0
        reading = Reading(path)
        found = reading.events(query)
        if options.json:
            for line, _ in deque(found, options.last) if options.last else found:
                sys.stdout.buffer.write(line)
        else:
            _show(found, _MOST_ROWS if options.last is None else options.last)
        sys.stdout.flush()
        if reading.damaged:
            _fail(
                f"{reading.damaged} damaged lines are not shown: a crash, or a full disk, cut "
                "them off."
            )
    except VisiongateError as error:
        return _fail(error.detail)
    except BrokenPipeError:
        raise  # no fault of the log
    except OSError as error:
        return _fail(f"The audit log cannot be read: {error}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m visiongate.audit",
        description="Search the audit log, its rotated files included.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--user", metavar="NAME", help="about whom, or by whom")
    parser.add_argument("--event", type=_event, metavar="NAME", help="what happened; see below")
    parser.add_argument("--outcome", choices=OUTCOMES)
    parser.add_argument("--since", type=_since, metavar="TIME", help="from then on; see below")
    parser.add_argument(
        "--until", type=_until, metavar="TIME", help="before then; a day is included"
    )
    parser.add_argument(
        "--last",
        type=_number,
        metavar="N",
        help=f"the newest alone (0: all; default {_MOST_ROWS}, with --json all)",
    )
    parser.add_argument("--json", action="store_true", help="the lines as they are")
    parser.add_argument(
        "--file", type=Path, metavar="FILE", help="the log to search, such as a copy"
    )
    return parser


def _event(text: str) -> str:
    if any(f"{name}.".startswith(f"{text}.") for name in _EVENTS):
        return text
    raise argparse.ArgumentTypeError(f"{text!r} is no event; there are: {', '.join(_EVENTS)}")


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number")
    return int(text[:9])


def _since(text: str) -> str:
    return _written(_moment(text)[0])


def _until(text: str) -> str:
    moment, is_day = _moment(text)
    day = timedelta(days=1) if is_day else timedelta()
    return _written(min(moment, _LAST - day) + day)


def _moment(text: str) -> tuple[datetime, bool]:
    """Return the time, and whether a whole day was named."""
    try:
        if ago := _AGO.fullmatch(text):
            return datetime.now(timezone.utc) - timedelta(**{_UNITS[ago[2]]: int(ago[1])}), False
        moment = datetime.fromisoformat(re.sub("[zZ]$", "+00:00", text))
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=timezone.utc)
        return moment.astimezone(timezone.utc), bool(re.fullmatch(r"\d{4}-\d\d-\d\d", text))
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no time; write 2026-01-31, 2026-01-31T12:00, or 24h for a day ago"
        ) from None


def _written(moment: datetime) -> str:
    """Return the time as the lines have it, so that text compares as time does."""
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _show(found: Iterable[tuple[bytes, dict[str, Any]]], last: int) -> None:
    # Only a table needs rich, which knows how wide a character is on the screen.
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows: deque[tuple[str, ...]] = deque(maxlen=last or None)
    count = 0
    for _, event in found:
        count += 1
        rows.append(tuple(_cells(event)))
    if not rows:
        sys.stderr.write("Nothing like that is in the audit log.\n")
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("time (UTC)", "event", "outcome", "user", "by", "address", "more"):
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # Text: a name is never markup
    # In a pipe a line stays a line, however long.
    Console(width=None if sys.stdout.isatty() else 10_000).print(table)
    if count > len(rows):
        sys.stderr.write(f"The last {len(rows)} of {count}; --last 0 shows all.\n")


def _cells(event: dict[str, Any]) -> Iterator[str]:
    yield _plain(event["time"][:19].replace("T", " "))
    yield _plain(event["event"])
    yield _plain(event.get("outcome"))
    yield _plain(event.get("user"))
    via = "" if event.get("via") != "command line" else " (command line)"
    yield _plain(event.get("actor")) + via
    yield _plain(event.get("address"))
    reason, detail = event.get("reason"), event.get("detail")
    more = [_plain(reason)] if reason else []
    if detail:
        more.append(_plain(json.dumps(detail, ensure_ascii=False, separators=(", ", ": "))))
    yield " ".join(more)


def _plain(value: object) -> str:
    """Return text that does nothing to a terminal but show."""
    if value is None:
        return ""
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in str(value)
    )


def _fail(text: str) -> int:
    sys.stderr.write(f"{text}\n")
    return 1
