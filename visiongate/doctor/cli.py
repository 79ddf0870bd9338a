"""The command line: examine, show a table or JSON, and say by the exit status how it stands.

Exit status, as monitoring systems expect of a plugin: 0 all is well, 1 something deserves a look
(warn), 2 something does not work or is not safe (fail), 3 wrong usage, 130 Ctrl+C.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from rich.console import Console
from rich.table import Table
from rich.text import Text

from visiongate import __version__
from visiongate._command import command
from visiongate.doctor import (
    clock,
    detectors,
    machine,
    models,
    network,
    permissions,
    pictures,
    settings,
    stores,
)
from visiongate.doctor.findings import LEVELS, Finding, fail, warn
from visiongate.errors import ConfigurationError, VisiongateError
from visiongate.files import explain
from visiongate.settings import Settings, load_settings

__all__ = ["SUBJECTS", "main"]

Examine = Callable[[Settings], Iterator[Finding]]
SUBJECTS: Mapping[str, Examine] = {
    "settings": settings.examine,
    "permissions": permissions.examine,
    "stores": stores.examine,
    "pictures": pictures.examine,
    "models": models.examine,
    "detectors": detectors.examine,
    "machine": machine.examine,
    "network": network.examine,
    "clock": clock.examine,
}
_COLOURS = {"ok": "green", "warn": "yellow", "fail": "bold red"}
_USAGE = 3
_EXAMPLES = """\
examples:
  python -m visiongate.doctor                    examine everything
  python -m visiongate.doctor --only stores      one subject; may be repeated
  python -m visiongate.doctor --problems         leave out what is well
  python -m visiongate.doctor --json             for a program

exit status: 0 all is well, 1 something deserves a look, 2 something does not work or is not
safe, 3 wrong usage. Nothing is changed, and a gateway may go on serving meanwhile. Run it as the
account that the gateway runs as, in the folder that it is started in.
"""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        # argparse would exit with 2, which says here that something is broken.
        self.print_usage(sys.stderr)
        self.exit(_USAGE, f"{self.prog}: error: {message}\n")


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    options = _parser().parse_args(arguments)
    wanted = options.only or SUBJECTS
    # What libraries warn of is for logs; whatever matters here is a finding.
    logging.disable(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = {name: list(_examine(name)) for name in SUBJECTS if name in wanted}
        _show(found, as_json=options.json, problems=options.problems)
    finally:
        logging.disable(logging.NOTSET)
    return _status(found)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m visiongate.doctor",
        description="Examine this installation, and say for each problem what to do.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--only",
        action="append",
        choices=SUBJECTS,
        metavar="SUBJECT",
        help=f"examine this alone: {', '.join(SUBJECTS)}",
    )
    parser.add_argument("--problems", action="store_true", help="leave out what is well")
    parser.add_argument("--json", action="store_true", help="write JSON for a program")
    return parser


def _examine(subject: str) -> Iterator[Finding]:
    try:
        configuration = load_settings()
    except ConfigurationError as error:
        yield _unreadable(subject, error)
        return
    try:
        yield from SUBJECTS[subject](configuration)
    except VisiongateError as error:
        yield fail("examination", error.detail, "Mend what it names, then run this again.")
    except PermissionError as error:
        path = Path(error.filename or configuration.data_dir)
        yield fail("reach", explain(error, path), "Run this as the account of the gateway.")
    except Exception as error:  # noqa: BLE001 - one subject's trouble must not hide the others
        yield fail(
            "examination",
            f"The examination itself failed: {type(error).__name__}: {error}",
            f"Please report this, with what `python -m visiongate.doctor --only {subject}` says.",
        )


def _unreadable(subject: str, error: ConfigurationError) -> Finding:
    if subject == "settings":
        return fail("readable", error.detail, "Correct it: docs/configuration.md has them all.")
    return warn(
        "not examined",
        "Where things are, the settings say, and those cannot be read.",
        "Correct the settings first, then run this again.",
    )


def _status(found: Mapping[str, Sequence[Finding]]) -> int:
    levels = [LEVELS.index(one.level) for some in found.values() for one in some]
    return max(levels, default=0)


def _show(found: Mapping[str, Sequence[Finding]], *, as_json: bool, problems: bool) -> None:
    status = LEVELS[_status(found)]
    rows = [
        (subject, one)
        for subject, some in found.items()
        for one in some
        if not problems or one.level != "ok"
    ]
    if as_json:
        listed = [
            {"subject": s, "check": f.check, "level": f.level, "message": f.message, "do": f.do}
            for s, f in rows
        ]
        document = {"visiongate": __version__, "status": status, "findings": listed}
        sys.stdout.write(json.dumps(document, indent=1) + "\n")
    elif sys.stdout.isatty():
        _draw(rows)
    else:
        for subject, one in rows:
            cells = (one.level, subject, one.check, one.message, one.do)
            sys.stdout.write("\t".join(_plain(cell) for cell in cells) + "\n")


def _draw(rows: Sequence[tuple[str, Finding]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold", expand=True)
    for heading in ("subject", ""):
        table.add_column(heading, no_wrap=True)
    table.add_column("check", max_width=20, overflow="fold")
    table.add_column("what was found", ratio=1, overflow="fold")
    before = ""
    for subject, one in rows:
        if subject != before and before:
            table.add_row()
        said = Text(_plain(one.message))
        if one.do:
            said.append(f"\n-> {_plain(one.do)}", style="bold")
        mark = Text(one.level, style=_COLOURS[one.level])
        table.add_row(Text(subject if subject != before else ""), mark, Text(one.check), said)
        before = subject
    Console().print(table)


def _plain(text: str) -> str:
    """Show what does not print by its number: names of files and users can be anybody's."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in text)
