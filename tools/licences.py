"""Write docs/licences.md: the licence of each package that the gateway needs.

    python tools/licences.py PATH/TO/pip-licenses

Packages are those of requirements.txt. A licence is what the package says of itself.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "licences.md"
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==", re.MULTILINE)
_BEGIN = "<!-- the table is written by `make licences` -->\n"
_SAID_ELSEWHERE = {
    "imutils": ("MIT", "https://github.com/PyImageSearch/imutils"),
    "namex": ("Apache-2.0", "https://github.com/fchollet/namex"),
    "tomli": ("MIT", "https://github.com/hukkin/tomli"),
    "waitress": ("ZPL-2.1", "https://github.com/Pylons/waitress"),
}
"""What the package's metadata does not say, or does not say here, where it is not installed."""
_OURS = {
    "BSD License": "BSD",
    "Apache Software License": "Apache-2.0",
    "MIT License": "MIT",
    "3-Clause BSD License": "BSD-3-Clause",
    "Apache License 2.0": "Apache-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}


def main(arguments: list[str]) -> int:
    """Write the table; return 1 if a package says nothing of its licence."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    said = subprocess.run(
        [
            arguments[0],
            f"--python={sys.executable}",
            "--format=json",
            "--with-urls",
            "--with-system",
        ],
        capture_output=True,
        check=True,
        text=True,
    )
    known = {canonical(one["Name"]): one for one in json.loads(said.stdout)}
    rows, unknown = [], []
    for name in sorted(pinned()):
        found = known.get(name, {"License": "UNKNOWN", "URL": ""})
        licence = _OURS.get(found["License"], found["License"]).split("\n")[0].strip()
        address = found["URL"]
        if licence in ("", "UNKNOWN"):
            licence, address = _SAID_ELSEWHERE.get(name, ("UNKNOWN", address))
        if licence == "UNKNOWN":
            unknown.append(name)
        rows.append(f"| {name} | {licence} | {address} |\n")
    page = PAGE.read_text(encoding="utf-8")
    before, marker, _ = page.partition(_BEGIN)
    head = "\n| package | licence | where it is made |\n|---|---|---|\n"
    PAGE.write_text(before + marker + head + "".join(rows), encoding="utf-8")
    for name in unknown:
        print(f"{name}: its metadata does not say what its licence is", file=sys.stderr)
    return 1 if unknown else 0


def pinned() -> set[str]:
    """Return the packages of requirements.txt, on every system and Python."""
    text = (ROOT / "requirements.txt").read_text(encoding="utf-8")
    return {canonical(name) for name in _PIN.findall(text)}


def canonical(name: str) -> str:
    """Return the name as PyPI compares names."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
