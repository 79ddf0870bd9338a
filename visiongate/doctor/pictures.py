"""Are kept pictures whole, and is anything left that should be gone?"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from visiongate.doctor.findings import Finding, command, fail, in_words, ok, warn
from visiongate.errors import VisiongateError
from visiongate.retention import layout
from visiongate.services import build_users
from visiongate.settings import PREFIX, Settings

__all__ = ["examine"]

_SECONDS = 2.0  # there can be hundreds of thousands
_A_DAY = 86_400.0
_SWEEPS_MISSED = 3600.0


def examine(settings: Settings) -> Iterator[Finding]:
    root = settings.images_dir
    if not root.is_dir():
        yield ok("kept", f"None: {root} is not there.")
        return
    yield from _leftovers(root)
    paths = [Path(folder) for folder in layout.pictures(root)]
    looked, damaged, late, used = 0, [], 0, 0
    owners: Counter[str] = Counter()
    latest = time.time() - settings.retention_days * _A_DAY - _SWEEPS_MISSED
    begun = time.monotonic()
    for path in paths:
        if time.monotonic() - begun > _SECONDS:
            break
        looked += 1
        try:
            meta = layout.Meta.read(str(path))
            sizes = _sizes(path, meta)
        except FileNotFoundError:
            if path.exists():  # else it was deleted while we looked
                damaged.append(path)
            continue
        except (OSError, ValueError, TypeError):
            damaged.append(path)
            continue
        if sizes is None or layout.owner_key(meta.owner) != path.parent.name:
            damaged.append(path)
            continue
        used += sizes
        owners[meta.owner] += 1
        late += meta.created < latest
    part = "" if looked == len(paths) else f", of which {looked} were looked at"
    yield ok("kept", f"Pictures: {len(paths)}{part}; {used / 1e6:.1f} MB in those that are whole.")
    if damaged:
        yield warn(
            "whole",
            f"{len(damaged)} are torn, as a power cut leaves them: {in_words(damaged)}.",
            f"{command('rm', '-r', *damaged[:5])} (or leave them to be swept when they are old)",
        )
    if late:
        yield warn(
            "swept",
            f"{late} are older than {settings.retention_days:g} days, and still there.",
            "Start the gateway: it sweeps at once. If it runs, its log says why it cannot.",
        )
    yield from _nobodys(settings, owners)


def _sizes(folder: Path, meta: layout.Meta) -> int | None:
    """Return the bytes of a picture and its copy; None where they are not those written."""
    total = (folder / meta.original_name).stat().st_size
    if total != meta.original_bytes:
        return None
    if meta.annotated_bytes is not None:
        copy = (folder / layout.ANNOTATED).stat().st_size
        if copy != meta.annotated_bytes:
            return None
        total += copy
    return total


def _leftovers(root: Path) -> Iterator[Finding]:
    now = time.time()
    found = [
        path
        for kind in (layout.INCOMING, layout.DELETED)
        for path in root.glob(f"{kind}*")
        if now - path.stat().st_mtime > _SWEEPS_MISSED or kind == layout.DELETED
    ]
    if found:
        yield fail(
            "leftovers",
            f"{len(found)} were being written or deleted when something crashed: "
            f"{in_words([path.name for path in found])}. Nobody can fetch them, but their bytes "
            "are there.",
            "Start the gateway, which sweeps them at once; or, with the gateway stopped: "
            + command("rm", "-r", *found[:5]),
        )
    else:
        yield ok("leftovers", "No picture is half-written or half-deleted.")


def _nobodys(settings: Settings, owners: Counter[str]) -> Iterator[Finding]:
    try:
        names = {user.username for user in build_users(settings)[0].list()}
    except VisiongateError:
        return  # the stores' examination says so
    gone = {owner: number for owner, number in owners.items() if owner not in names}
    if gone:
        yield warn(
            "owners",
            f"{sum(gone.values())} belong to users who are no more: {in_words(sorted(gone))}.",
            "An admin can delete each (DELETE /api/v1/images/ID); all are swept at the age that "
            f"{PREFIX}RETENTION_DAYS says.",
        )
