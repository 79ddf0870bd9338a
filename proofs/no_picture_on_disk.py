"""Show that with retention off no byte of a picture is written to any file.

    python -m proofs.no_picture_on_disk               200 uploads of up to 5 MB
    python -m proofs.no_picture_on_disk --uploads 20

Runs the gateway under strace, which notes every write to a file with all of its bytes, every
file that is opened to be written or shared in memory, and every copy from one to another. Exit
status: 0 nothing was written, 1 something was, 2 it could not be tried (strace is not there, or
may not trace).
"""

from __future__ import annotations

import argparse
import base64
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import requests

from proofs.gateway import Gateway, running
from proofs.marked_pictures import Marker

__all__ = ["SIZES", "Seen", "can_trace", "files_with", "read_trace", "strange", "trace"]

SIZES = (4_990_000, 600_000, 20_000, 400_000, 2_000_000)
"""Bytes; web servers put what is over half a megabyte into temporary files, unless told not to."""

_WRITES = ("write", "pwrite64", "writev", "pwritev", "pwritev2")
_COPIES = ("sendfile", "copy_file_range", "splice", "tee")
_OPENS = ("openat", "open", "creat", "openat2")
_CALL = re.compile(r"(?:\d+ +)?(\w+)\((.*)")
_INTO = re.compile(r"\d+<(/[^>]*)>")
_NAMED = re.compile(r"\d+<((?:[^>]|->)*)>")
_LINE = 100_000_000  # strace cuts strings that are longer


@dataclass
class Seen:
    """What the gateway did with files."""

    uploads: int = 0
    marked: list[str] = field(default_factory=list)
    """Calls that wrote a piece of a picture."""
    opened: Counter[str] = field(default_factory=Counter)
    """Files opened to be written, and how often."""
    written: Counter[str] = field(default_factory=Counter)
    """Calls that wrote to a file, by its path."""
    copied: list[str] = field(default_factory=list)
    """Calls that moved bytes into a file without showing them."""
    shared: list[str] = field(default_factory=list)
    """Files that were mapped into memory to be written."""


def can_trace() -> bool:
    """Tell whether strace is here and may trace."""
    if shutil.which("strace") is None:
        return False
    tried = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True)
    return tried.returncode == 0


def strange(paths: Iterable[str], folder: Path) -> list[str]:
    """Return the files that are neither the gateway's data nor its log.

    gunicorn's workers each have an empty file, by whose time they show that they are alive.
    """
    known = (f"{folder}/data/", f"{folder}/log", "/dev/shm/wgunicorn-", "/dev/null", "/dev/pts/")
    return sorted({path for path in paths if not path.startswith(known)})


def trace(folder: Path, uploads: int, **settings: str) -> tuple[Seen, Marker]:
    """Run a gateway under strace, send it pictures, and return what it did with files."""
    marker = Marker()
    calls = ",".join((*_WRITES, *_COPIES, *_OPENS, "mmap"))
    notes = folder / "strace"
    before = ["strace", "-f", "-yy", "-s", str(_LINE), "-e", f"trace=?{calls.replace(',', ',?')}"]
    with running(folder, before=[*before, "-o", str(notes)], **settings) as gateway:
        for number in range(uploads):
            _upload(gateway, marker, number)
    seen = read_trace(notes, marker)
    notes.unlink()
    seen.uploads = uploads
    return seen, marker


def _upload(gateway: Gateway, marker: Marker, number: int) -> None:
    """Send one picture; each way of sending, kind and size in turn."""
    size = SIZES[number // 6 % len(SIZES)]
    kind = ("jpeg", "png")[number // 3 % 2]
    body = marker.jpeg(size) if kind == "jpeg" else marker.png(size)
    route = ("/api/v1/detect/face", "/api/v1/detect?detectors=face")[number % 2]
    address = gateway.address + route
    headers = dict(gateway.headers)
    if number % 5 == 4:
        headers["Accept"] = "image/png"
    way = number % 3
    if way == 0:
        files = {"file": (f"picture.{kind}", body, f"image/{kind}")}
        answer = requests.post(address, files=files, headers=headers, timeout=60)
    elif way == 1:
        text = base64.b64encode(body).decode()
        document = {"image": f"data:image/{kind};base64,{text}"}
        answer = requests.post(address, json=document, headers=headers, timeout=60)
    else:
        headers["Content-Type"] = f"image/{kind}"
        answer = requests.post(address, data=body, headers=headers, timeout=60)
    if answer.status_code != 200:
        raise RuntimeError(f"Upload {number} was answered {answer.status_code}: {answer.text}")


def read_trace(notes: Path, marker: Marker) -> Seen:
    """Read strace's notes."""
    seen = Seen()
    with notes.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            call = _CALL.match(line)
            if call is None:
                continue
            name, rest = call.groups()
            if name in _OPENS:
                _note_open(seen, name, rest)
            elif name in _COPIES:
                named = _NAMED.findall(rest)
                into_file = named[:1] if name == "sendfile" else named[1:]
                if any(path.startswith("/") and _is_file(path) for path in into_file):
                    seen.copied.append(line[:300])
            elif name == "mmap":
                if "PROT_WRITE" in rest and "MAP_SHARED" in rest and _mapped(rest):
                    seen.shared.append(_mapped(rest))
            elif name in _WRITES:
                into = _INTO.match(rest)
                if into is not None and _is_file(into[1]):
                    seen.written[into[1]] += 1
                    if any(trace in rest for trace in marker.traces):
                        seen.marked.append(line[:300])
    return seen


def _note_open(seen: Seen, name: str, rest: str) -> None:
    if name != "creat" and not re.search(r"O_WRONLY|O_RDWR|O_CREAT|O_TMPFILE", rest):
        return
    path = re.search(r'"([^"]*)"', rest)
    if path is not None and " = -1 " not in rest:
        seen.opened[path[1]] += 1


def _mapped(rest: str) -> str:
    into = _INTO.search(rest)
    return into[1] if into is not None and _is_file(into[1]) else ""


def _is_file(path: str) -> bool:
    """Tell whether the path is a file's: neither a device's nor memory's."""
    return not path.startswith(("/memfd:", "/dev/null", "/dev/pts/", "/proc/"))


def files_with(folder: Path, marker: Marker) -> Iterator[Path]:
    """Yield the files under ``folder`` that have a piece of a marked picture in them."""
    for path in folder.rglob("*"):
        if path.is_file() and marker.found_in(path.read_bytes()):
            yield path


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m proofs.no_picture_on_disk", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--uploads", type=int, default=200, metavar="NUMBER")
    options = parser.parse_args(arguments)
    if not can_trace():
        print("strace is not here, or may not trace; nothing was tried.", file=sys.stderr)
        return 2
    failed = 0
    for retention, uploads in (("off", options.uploads), ("on", 6)):
        with tempfile.TemporaryDirectory(prefix="visiongate-proof-") as name:
            folder = Path(name)
            seen, marker = trace(folder, uploads, RETENTION=retention)
            left = list(files_with(folder, marker))
            _show(retention, seen, left, folder)
            elsewhere = strange([*seen.opened, *seen.written, *seen.shared], folder)
        nothing = not (seen.marked or seen.copied or left or elsewhere)
        failed |= nothing != (retention == "off")
    print("FAILED" if failed else "Proven: nothing of a picture is written with retention off,")
    if not failed:
        print("and what looks for it finds it where retention is on.")
    return failed


def _show(retention: str, seen: Seen, left: Sequence[Path], folder: Path) -> None:
    print(f"retention {retention}: {seen.uploads} uploads")
    print(f"  calls that wrote a piece of a picture to a file: {len(seen.marked)}")
    print(f"  calls that copied into a file unseen:            {len(seen.copied)}")
    print(f"  files with a piece of a picture afterwards:      {len(left)}")
    for path, number in sorted(seen.written.items()):
        print(f"  {number:6} writes to {path.replace(str(folder), '.')}")
    for path in sorted(set(seen.shared)):
        print(f"         mapped to be written: {path.replace(str(folder), '.')}")
    for path in strange(seen.opened, folder):
        print(f"         opened to be written: {path.replace(str(folder), '.')}")


if __name__ == "__main__":
    raise SystemExit(main())
