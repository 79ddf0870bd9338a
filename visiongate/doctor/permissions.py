"""Can this account use what the gateway needs, and nobody else what is private?"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from visiongate.doctor.findings import Finding, command, fail, in_words, ok, warn
from visiongate.settings import Settings

__all__ = ["examine", "nearest"]

_OTHERS = 0o077
_MAY_WRITE = 0o022
_CONVERTED_ANEW = "models"


def examine(settings: Settings) -> Iterator[Finding]:
    if os.name == "nt":
        yield ok("modes", "Windows keeps rights in another way; they were not examined.")
        return
    yield _account(settings.data_dir)
    yield from _folder("data folder", settings.data_dir)
    yield from _private_files("data files", settings.data_dir)
    if settings.retention == "on" or settings.images_dir.is_dir():
        yield from _folder("pictures folder", settings.images_dir)
        yield from _private_files("picture files", settings.images_dir)
    yield from _configuration(settings)
    yield from _own_models(settings)


def nearest(path: Path) -> Path:
    """Return ``path``, or of the folders above it the nearest that is there."""
    while not os.path.exists(path) and path != path.parent:  # noqa: PTH110 - never raises
        path = path.parent
    return path


def _account(data: Path) -> Finding:
    if os.geteuid() != 0:
        return ok("account", f"Examined as the account with the number {os.geteuid()}.")
    if nearest(data).stat().st_uid != 0:
        return ok("account", "Examined as root; the data folder belongs to another account.")
    return warn(
        "account",
        "This is root. A hole in a library that reads pictures would give away the machine.",
        "Run the gateway as an account of its own, such as a systemd unit's User=.",
    )


def _folder(check: str, folder: Path) -> Iterator[Finding]:
    if nearest(folder) != folder:
        parent = nearest(folder)
        if not parent.is_dir() or not _may(parent, os.W_OK | os.X_OK):
            yield fail(
                check,
                f"{folder} is not there, or out of this account's reach; it may not be made in "
                f"{parent}.",
                f"As root: {command('install', '-d', '-m', '700', '-o', _me(), folder.absolute())}",
            )
        else:
            yield ok(check, f"{folder} is not there yet; it is made when it is needed.")
        return
    if not folder.is_dir():
        yield fail(check, f"{folder} is not a folder.", f"Move it away: {_away(folder)}")
        return
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        yield fail(
            check,
            f"{folder} lies on a read-only file system.",
            f"Mount it writable: {command('mount', '-o', 'remount,rw', _mount(folder))}",
        )
    elif not _may(folder, os.R_OK | os.W_OK | os.X_OK):
        yield fail(
            check,
            f"This account may not write to {folder}, which belongs to {_owner(folder)}.",
            f"Run as that account, or as root: {command('chown', '-R', _me(), folder)}",
        )
    else:
        yield from _open_to_others(check, folder)


def _open_to_others(check: str, folder: Path) -> Iterator[Finding]:
    mode = stat.S_IMODE(folder.stat().st_mode)
    if mode & _MAY_WRITE:
        yield fail(
            check,
            f"Other accounts may put files into {folder} and take files away (mode {mode:04o}).",
            command("chmod", "700", folder),
        )
    elif mode & _OTHERS:
        yield warn(
            check,
            f"Other accounts may look into {folder} (mode {mode:04o}).",
            command("chmod", "700", folder),
        )
    else:
        yield ok(check, f"{folder} is this account's alone, and can be written.")


def _private_files(check: str, root: Path) -> Iterator[Finding]:
    """Look at every file but models, which are public and kept as readable as they came."""
    if not root.is_dir():
        return
    open_, unreadable = [], []
    for folder, names, files in os.walk(root):
        if Path(folder) == root and _CONVERTED_ANEW in names:
            names.remove(_CONVERTED_ANEW)
        for path in (Path(folder) / name for name in files):
            try:
                if path.stat().st_mode & _OTHERS and not path.is_symlink():
                    open_.append(path)
            except OSError:
                continue  # gone meanwhile, or a link to nowhere
            if not _may(path, os.R_OK | os.W_OK):
                unreadable.append(path)
    if open_:
        files_only = command("find", root, "-type", "f", "-perm", "/077", "-exec")
        keys = " If others may have read the keys: python -m visiongate.keys rotate --at-once"
        yield fail(
            check,
            f"Other accounts may read or write {in_words(open_)}.",
            f"{files_only} chmod 600 {{}} +{keys * any(p.name == 'keys.json' for p in open_)}",
        )
    if unreadable:
        yield fail(
            check,
            f"This account may not read and write {in_words(unreadable)}.",
            f"Run as their owner, or as root: {command('chown', '-R', _me(), root)}",
        )
    if not open_ and not unreadable:
        yield ok(check, f"All files in {root} are this account's alone.")


def _configuration(settings: Settings) -> Iterator[Finding]:
    secret = any(
        urlsplit(address).password
        for address in (settings.rate_limit_storage, settings.model_mirror)
    )
    for path in (Path(".env"), settings.config):
        if not path.is_file():
            continue
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & _MAY_WRITE:
            yield fail(
                "configuration",
                f"Other accounts may write {path}, and so decide what runs here (mode {mode:04o}).",
                command("chmod", "go-w", path),
            )
        elif mode & _OTHERS and secret:
            yield warn(
                "configuration",
                f"Settings hold a password, and other accounts may read {path} (mode {mode:04o}).",
                command("chmod", "600", path),
            )
        else:
            yield ok("configuration", f"{path} can be changed by its owner alone.")


def _own_models(settings: Settings) -> Iterator[Finding]:
    """A model's file can carry code: who may write it, may run code as the gateway."""
    for name, options in settings.detectors.items():
        path = Path(str(options.get("model", ""))).expanduser()
        if path.is_file() and stat.S_IMODE(path.stat().st_mode) & _MAY_WRITE:
            yield fail(
                "own models",
                f"Other accounts may write {path}, which detector {name} loads.",
                command("chmod", "go-w", path),
            )


def _may(path: Path, what: int) -> bool:
    effective = os.access in os.supports_effective_ids
    return os.access(path, what, effective_ids=effective)


def _owner(path: Path) -> str:
    try:
        return path.owner()
    except KeyError:
        return f"the account with the number {path.stat().st_uid}"


def _me() -> str:
    return str(os.geteuid())


def _away(path: Path) -> str:
    return command("mv", path, path.with_name(path.name + ".old"))


def _mount(path: Path) -> Path:
    path = path.resolve()
    while not path.is_mount():
        path = path.parent
    return path
