"""Watch a camera, a stream, a video or pictures through a gateway's eyes.

Shows a window with boxes, labels and frames per second; with --headless writes a video and a
JSON-lines file. Speaks HTTP only, through visiongate_client.py. docs/stream.md tells more.

Exit status: 0 the source ended or q was pressed, 1 it could not go on (standard error says why),
2 wrong usage, 130 Ctrl+C, 143 SIGTERM. What was written until then is whole in each case.
"""

from __future__ import annotations

import argparse
import getpass
import os
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console

from streaming.arguments import count, fraction, names, regions, seconds
from streaming.frames import Folder, Source, SourceError
from streaming.interrupts import Interrupts
from streaming.outputs import Output, OutputError, Quit, Recorder, Window
from streaming.progress import bar
from streaming.sources import open_source, without_password
from streaming.watch import Question, Watch
from visiongate_client import GatewayError, GatewayRefused, GatewayUnreachable, VisiongateClient

__all__ = ["main"]

PASSWORD_VARIABLE = "VG_PASSWORD"  # noqa: S105 - a name
_SMALLER = "--width 1280 sends smaller pictures."
_HINTS = {
    "credentials_wrong": f"The password is asked for, or read from {PASSWORD_VARIABLE}.",
    "picture_too_large": _SMALLER,
    "request_too_large": _SMALLER,
}
_EXAMPLES = f"""\
examples:
  python examples/stream.py --user ann                       the first camera, in a window
  python examples/stream.py --user ann street.mp4 --detectors face,object --every 5
  python examples/stream.py --user ann rtsp://camera/stream --headless --output yard.mp4

The password is asked for, or read from {PASSWORD_VARIABLE}. q or Ctrl+C ends.
"""


class Unusable(Exception):
    """What was asked for cannot be done; the message says why."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    options = _parser().parse_args(arguments)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    with Interrupts() as interrupts:
        try:
            _run(options, console, interrupts)
        except Quit:
            return 0
        except KeyboardInterrupt:
            return interrupts.status
        except (GatewayError, SourceError, OutputError, Unusable) as problem:
            console.print(_words(problem), markup=False, style="red")
            return 1
    return 0


def _run(options: argparse.Namespace, console: Console, interrupts: Interrupts) -> None:
    def say(text: str) -> None:
        console.print(text, markup=False)

    with ExitStack() as stack:
        with interrupts.allowed():
            source = open_source(
                options.source, every=options.every, patience=options.patience, say=say
            )
            stack.enter_context(closing(source))
            output, written = _output(options, source)
            stack.enter_context(closing(output))
            client = VisiongateClient(
                options.gateway, options.user, _password(options), patience=options.patience
            )
            stack.enter_context(client)
            _warn_of_plain_text(options.gateway, say)
            client.login()
            _check_detectors(client, options.detectors)
        question = Question(
            options.detectors,
            {name: getattr(options, name) for name in ("min_confidence", "labels", "regions")},
            options.keep,
            options.width,
        )
        watch = Watch(source, client, output, question, interrupts, say)
        progress = bar(console, source.total)
        if options.headless:
            stack.enter_context(progress)
        task = progress.task_ids[0]
        try:
            watch.run(lambda: progress.update(task, advance=1, rate=watch.rate, found=watch.found))
        finally:
            where = written if watch.frames else ""
            say(f"{watch.frames} frames, {watch.asked} sent, {watch.found} things found.{where}")


def _output(options: argparse.Namespace, source: Source) -> tuple[Output, str]:
    """Return where frames go, and the words that say which files."""
    if not options.headless:
        rate = None if source.live else source.rate
        return Window(source.name, rate, stay=isinstance(source, Folder)), ""
    video = options.output or Path(f"{_stem(options.source)}-detections.mp4")
    lines = video.with_suffix(".jsonl")
    if video.exists() and Path(options.source).exists() and video.samefile(options.source):
        raise Unusable(f"{video} is the source itself: name another --output.")
    recorder = Recorder(video, lines, source.rate, live=source.live, overwrite=options.force)
    return recorder, f" See {video} and {lines}."


def _stem(source: str) -> str:
    """Return a file name for what is found in this source."""
    if source.isdecimal():
        return f"camera-{source}"
    name = without_password(source).partition("://")[2] or Path(source).resolve().stem
    return re.sub(r"[^\w.-]+", "-", name.partition("?")[0]).strip("-.") or "stream"


def _password(options: argparse.Namespace) -> str:
    if password := os.environ.get(PASSWORD_VARIABLE):
        return password
    if not sys.stdin.isatty():
        raise Unusable(
            f"There is no terminal to ask for the password on: put it into {PASSWORD_VARIABLE}."
        )
    try:
        return getpass.getpass(f"Password of {options.user} at {options.gateway}: ")
    except EOFError:
        raise Unusable("No password was given.") from None


def _warn_of_plain_text(address: str, say: Callable[[str], None]) -> None:
    parts = urlsplit(address)
    if parts.scheme == "http" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        say(f"Warning: {address} is not https, so others on the way can read your password.")


def _check_detectors(client: VisiongateClient, names: Sequence[str]) -> None:
    """Say at once what the gateway would say at the first frame, and what there is instead."""
    known = {one["name"]: one for one in client.detectors()}
    usable = [name for name, one in known.items() if one["allowed"] and one["state"] != "disabled"]
    for name in names:
        if name in usable:
            continue
        if name not in known:
            problem = f"This gateway has no detector {name!r}."
        elif not known[name]["allowed"]:
            problem = f"User {client.username!r} may not use the detector {name!r}."
        else:
            problem = f"The operator has switched the detector {name!r} off."
        raise Unusable(f"{problem} There are: {', '.join(usable) or 'none'}.")


def _words(problem: Exception) -> str:
    hint = _HINTS.get(problem.code) if isinstance(problem, GatewayRefused) else None
    if isinstance(problem, GatewayUnreachable):
        hint = "Is the gateway running (python api.py)? --gateway names another address."
    return f"{problem} {hint}" if hint else str(problem)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="stream.py",
        description="Watch a camera, a stream, a video or pictures through a gateway's eyes.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add(
        "source",
        nargs="?",
        default="0",
        metavar="SOURCE",
        help="a camera's number (default 0), a video, a picture, a folder of pictures, or an "
        "address that OpenCV reads, such as rtsp://camera/stream",
    )
    add("--gateway", default="http://localhost:5000", metavar="URL", help="default: %(default)s")
    add("--user", required=True, metavar="NAME", help="who logs in")
    add(
        "--detectors",
        type=names,
        default=("object",),
        metavar="NAMES",
        help="what is asked, with commas between (default: object)",
    )
    add("--min-confidence", type=fraction, metavar="0..1", help="leave out what is less certain")
    add("--labels", metavar="NAMES", help="only these, as in person,dog")
    add(
        "--regions", type=regions, metavar="FILE", help="only in these, JSON as of docs/http-api.md"
    )
    add("--every", type=count, default=1, metavar="N", help="send every Nth frame (default 1)")
    add("--width", type=count, metavar="PIXELS", help="send wider frames made smaller")
    add("--keep", action="store_true", help="let the gateway keep the pictures")
    add(
        "--patience",
        type=seconds,
        default=60.0,
        metavar="SECONDS",
        help="how long to wait for a stream or a gateway to come back (default 60)",
    )
    add("--headless", action="store_true", help="no window: write a video and a JSON-lines file")
    add("--output", type=Path, metavar="FILE", help="the video; .jsonl stands beside it")
    add("--force", action="store_true", help="overwrite these files")
    return parser


if __name__ == "__main__":
    sys.exit(main())
