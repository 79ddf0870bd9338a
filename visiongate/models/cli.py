"""``python -m visiongate.models``: see, fetch and check the weights that the gateway uses.

Exit status: 0 done, 1 not done (standard error says why), 2 wrong usage or settings, 130 Ctrl+C.
Tables and progress are for people; where the output goes elsewhere, lines are separated by tabs.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from visiongate._command import command
from visiongate.errors import ConfigurationError, ModelUnavailable, VisiongateError
from visiongate.models import check, evaluate
from visiongate.models.console import open_store, show_table
from visiongate.models.download import Progress as Note
from visiongate.models.manifest import Model, get_model
from visiongate.models.store import FileModelStore

__all__ = ["main"]

_RETRIES = 2
_EXAMPLES = """\
examples:
  python -m visiongate.models list
  python -m visiongate.models pull                     what the default settings use
  python -m visiongate.models pull yolox_s yolov4
  python -m visiongate.models verify
  python -m visiongate.models path picodet_s_416_coco
  python -m visiongate.models evaluate instances_val2017.json val2017 --model yolox_nano
  python -m visiongate.models check object --picture workshop.jpg

Files are kept in models/ in the data folder (VISIONGATE_DATA_DIR, default data). For a machine
without a network, pull on one that has it, copy that folder, and name the copy as
VISIONGATE_MODEL_MIRROR.
"""


@command
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except ConfigurationError as error:
        return _fail(error.detail, 2)
    except VisiongateError as error:
        return _fail(error.detail, 1)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m visiongate.models",
        description="The weights that the gateway uses: see, fetch and check them.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("list", help="show which models there are, and which are here")
    listing.set_defaults(run=_list)
    pull = commands.add_parser("pull", help="fetch models into the cache")
    pull.add_argument(
        "names", nargs="*", metavar="NAME", help="default: what the default settings use"
    )
    pull.set_defaults(run=_pull)
    verify = commands.add_parser("verify", help="compare the files that are here with their hashes")
    verify.add_argument("names", nargs="*", metavar="NAME", help="default: all that are here")
    verify.set_defaults(run=_verify)
    path = commands.add_parser("path", help="print where a model's file is, if it is here")
    path.add_argument("name", metavar="NAME")
    path.set_defaults(run=_path)
    evaluate.add_command(commands)
    check.add_command(commands)
    return parser


def _list(_: argparse.Namespace) -> int:
    store = open_store()
    rows = [
        (model.name, model.task, model.size, _state(store, model), model.licence)
        for model in store.manifest.values()
    ]
    show_table("Models", ("name", "for", "size", "here", "licence"), rows)
    return 0


def _state(store: FileModelStore, model: Model) -> str:
    if store.find(model.name) is not None:
        return "yes"
    return "damaged" if store.damage(model.name) else "no"


def _pull(options: argparse.Namespace) -> int:
    store = open_store()
    asked = options.names or [m.name for m in store.manifest.values() if m.default]
    # All names are checked before the first byte is fetched.
    models = {
        needed: get_model(needed, store.manifest)
        for name in asked
        for needed in (name, *get_model(name, store.manifest).needs)
    }
    failed = 0
    with _progress() as progress:
        for model in models.values():
            try:
                path = store.fetch(model.name, retries=_RETRIES, progress=progress(model))
            except ModelUnavailable as error:
                failed = _fail(error.detail, 1)
            else:
                sys.stdout.write(f"{model.name}\t{path}\n")
    return failed


def _verify(options: argparse.Namespace) -> int:
    store = open_store()
    models = [get_model(name, store.manifest) for name in options.names]
    rows, problems = [], []
    for model in models or store.manifest.values():
        damage = store.damage(model.name)
        found = store.find(model.name)
        if found is None and not damage and not models:
            continue
        problems += damage
        if found is None and not damage:
            problems.append(f"{model.name} is not here")
        rows.append(
            (model.name, "right" if found else "wrong" if damage else "absent", str(found or ""))
        )
    show_table("Checked by size and SHA-256", ("name", "file is", "file"), rows)
    for problem in problems:
        _fail(problem, 1)
    if not rows:
        sys.stderr.write("No model is here yet.\n")
    return 1 if problems else 0


def _path(options: argparse.Namespace) -> int:
    sys.stdout.write(f"{open_store().present_only().path(options.name)}\n")
    return 0


@contextmanager
def _progress() -> Iterator[Callable[[Model], Note]]:
    """Give a maker of progress notes: a bar for each model for a person, else one line each."""
    if not sys.stderr.isatty():
        yield _announce
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:

        def bar(model: Model) -> Note:
            task = bars.add_task(model.name, total=model.bytes)
            return lambda done, total: bars.update(task, completed=done, total=total)

        yield bar


def _announce(model: Model) -> Note:
    """Tell of the first bytes and of the last."""
    begun = False

    def note(done: int, total: int) -> None:
        nonlocal begun
        if not begun or done == total:
            sys.stderr.write(f"{model.name}: {done:,} of {total:,} bytes\n")
        begun = True

    return note


def _fail(message: str, status: int) -> int:
    sys.stderr.write(f"{message}\n")
    return status
