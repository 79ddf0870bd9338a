"""Look for known vulnerabilities in the packages of requirements.txt.

    python tools/audit.py PATH/TO/pip-audit

pip-audit asks PyPI for the record of each pinned version. Where that cannot be had (mirrors often
lack them), the package's own record does as well if its newest version is the one pinned: the
vulnerabilities in it are that version's (https://docs.pypi.org/api/json/). A version held back
then counts as looked at only if somebody has read its advisories lately and says so in
``advisories.json``, of this very version. Whatever remains fails; nothing is passed over.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import requests

ROOT = Path(__file__).resolve().parents[1]
READ = Path(__file__).with_name("advisories.json")
RECORD = "https://pypi.org/pypi/{name}/json"
_GOOD_FOR = timedelta(days=30)
"""How long a reading counts: advisories are written of old versions, too."""
_SKIPPED = re.compile(r"\(([^()\s]+)\)$")


def main(arguments: list[str]) -> int:
    """Print what was found; return 1 if a package is vulnerable, or could not be looked up."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    packages = audited(arguments[0])
    asked = sorted({one["name"] for one in packages if "version" not in one})
    with ThreadPoolExecutor(8) as pool:
        records = dict(zip(asked, pool.map(record, asked), strict=True))
    read = json.loads(READ.read_text(encoding="utf-8"))
    ways, wrong = {"pip-audit": 0, "its own record": 0, "reading": 0}, []
    for one in packages:
        name = one["name"]
        way, found = judged(one, records.get(name), read.get(name, {}))
        if way:
            ways[way] += 1
        wrong += [f"{name} {line}" for line in found]
    counted = ", ".join(f"{count} by {way}" for way, count in ways.items())
    print(f"{len(packages)} packages of requirements.txt looked up: {counted}.")
    for line in wrong:
        print(line, file=sys.stderr)
    print("Not clean." if wrong else "No known vulnerability.")
    return 1 if wrong else 0


def audited(pip_audit: str) -> list[dict[str, Any]]:
    """Return what pip-audit says of each package that this system and Python would install."""
    options = ("--disable-pip", "--no-deps", "--progress-spinner=off", "--format=json")
    done = subprocess.run(
        [pip_audit, *options, "-r", str(ROOT / "requirements.txt")],
        capture_output=True,
        text=True,
        check=False,  # it exits with 1 where it finds something
    )
    try:
        found: list[dict[str, Any]] = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        found = []
    holes = any(one.get("vulns") for one in found)
    if not found or done.returncode != (1 if holes else 0):
        raise SystemExit(f"pip-audit did not answer as it does:\n{done.stderr}")
    return found


def record(name: str) -> dict[str, Any] | None:
    """Return PyPI's record of a package and its newest version; None if it cannot be had."""
    try:
        answer = requests.get(RECORD.format(name=name), timeout=30)
        answer.raise_for_status()
        found = answer.json()
    except (requests.RequestException, ValueError):
        return None
    return found if isinstance(found, dict) and "vulnerabilities" in found else None


def judged(
    one: dict[str, Any], newest: dict[str, Any] | None, read: dict[str, str]
) -> tuple[str, list[str]]:
    """Return how a package was looked up, "" if it could not be, and a line for each finding."""
    if "version" in one:
        return "pip-audit", [f"{one['version']}: {_told(known)}" for known in one["vulns"]]
    match = _SKIPPED.search(one["skip_reason"])
    version = match[1] if match else "?"
    if newest is not None and newest["info"]["version"] == version:
        known = [one for one in newest["vulnerabilities"] if not one.get("withdrawn")]
        return "its own record", [f"{version}: {_told(one)}" for one in known]
    days = datetime.now(timezone.utc).date() - date.fromisoformat(read.get("read", "1970-01-01"))
    if read.get("version") == version and days <= _GOOD_FOR:
        return "reading", []
    return "", [
        f"{version} could not be looked up: no record of this version can be had from here, it is "
        f"not the newest, and nobody has read its advisories in the last {_GOOD_FOR.days} days. "
        f"Read them, and say so in tools/{READ.name}."
    ]


def _told(known: dict[str, Any]) -> str:
    fixed = known.get("fix_versions") or known.get("fixed_in") or ["no version"]
    return f"{known['id']}, mended in {', '.join(fixed)}"


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
