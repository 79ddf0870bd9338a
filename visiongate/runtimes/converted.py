"""Keep what was converted from one format to OpenVINO's, so that it is done once a machine."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from visiongate.errors import ModelUnavailable
from visiongate.runtimes.openvino import import_openvino

__all__ = ["converted", "converted_before", "is_intact", "sha256_of"]

_LOCK_SECONDS = 120.0


def sha256_of(path: Path) -> str:
    """Return the file's SHA-256 as hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def converted(
    folder: Path, name: str, sources: Sequence[Path], version: int, convert: Callable[[], Any]
) -> Path:
    """Return the IR file that ``convert`` made of ``sources``, making it if it is not there.

    ``convert`` returns an ``openvino.Model``. The file's name follows from the sources' content and
    ``version``. What is kept is checked by its hash and made anew if damaged; of several processes
    one converts and the others wait.

    Raises:
        ModelUnavailable: a source cannot be read or converted, or ``folder`` cannot be written.
    """
    try:
        file = _file(folder, name, sources, version)
        if is_intact(file):
            return file  # without the lock, for which the folder would have to be writable
        with FileLock(file.with_suffix(".lock"), timeout=_LOCK_SECONDS):
            if not is_intact(file):
                _write(convert(), file)
        return file
    except ValueError as error:
        raise ModelUnavailable(f"The model {name} cannot be converted: {error}") from error
    except Timeout:
        raise ModelUnavailable(
            f"The model {name} is being converted by another process that does not finish: "
            f"{folder} stayed locked for {_LOCK_SECONDS:.0f} s."
        ) from None
    except OSError as error:
        raise ModelUnavailable(
            f"The converted model {name} cannot be kept: {error}. Make {folder} writable."
        ) from error


def converted_before(folder: Path, name: str, sources: Sequence[Path], version: int) -> Path | None:
    """Return the file that ``converted`` would, if it is there already. Raises: OSError."""
    file = _file(folder, name, sources, version)
    return file if is_intact(file) else None


def _file(folder: Path, name: str, sources: Sequence[Path], version: int) -> Path:
    key = hashlib.sha256(" ".join([*map(sha256_of, sources), str(version)]).encode())
    return folder / f"{name}-{key.hexdigest()[:16]}.xml"


def is_intact(file: Path) -> bool:
    """Tell whether the IR file and its weights are as they were written."""
    try:
        return file.with_suffix(".sha256").read_text(encoding="ascii") == _sums(file)
    except (OSError, UnicodeDecodeError):
        return False


def _sums(file: Path) -> str:
    """Return the hashes of both files of an IR, as ``sha256sum`` writes them."""
    parts = (file, file.with_suffix(".bin"))
    return "".join(f"{sha256_of(part)}  {part.name}\n" for part in parts)


def _write(model: Any, file: Path) -> None:
    # The hashes come last: without them, what a crash left behind does not count.
    sums = file.with_suffix(".sha256")
    sums.unlink(missing_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".converting-", dir=file.parent))
    try:
        import_openvino().save_model(model, made / file.name, compress_to_fp16=False)
        (made / sums.name).write_text(_sums(made / file.name), encoding="ascii")
        for suffix in (".bin", ".xml", ".sha256"):
            (made / file.with_suffix(suffix).name).replace(file.with_suffix(suffix))
    finally:
        shutil.rmtree(made, ignore_errors=True)
