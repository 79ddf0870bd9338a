"""Read data sets as people have them: which pictures there are, and what their files say of them.

Four layouts are known by what lies in the folder:

- `labels.csv` with columns shard, file, gender, race7, age, and the shards as zip files beside it;
- FairFace's own label file (`fairface_label_*.csv`: file, age, gender, race), with its folders;
- UTKFace: files named `AGE_GENDER_RACE_DATE.jpg`, gender 0 male and 1 female, race 0 to 4;
- one folder per class, named after a gender, a group or one of FairFace's races.
"""

from __future__ import annotations

import csv
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from training.labels import AGES, FOLD, GENDERS, GROUPS, RACES, UTK_AGES

__all__ = ["Record", "read_bytes", "records"]

_PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp")
_UTK = re.compile(r"^(\d{1,3})_([01])_([0-4])_\d*")
_CLASSES = {"man": "male", "men": "male", "woman": "female", "women": "female", "other": "Others"}


@dataclass(frozen=True)
class Record:
    """One picture and its labels, as indices; -1 is unknown."""

    path: Path  # of the picture, or of the zip file that holds it
    member: str = ""  # its name in the zip file
    gender: int = -1
    race: int = -1
    group: int = -1
    age: int = -1

    @property
    def name(self) -> str:
        return f"{self.path.name}/{self.member}" if self.member else str(self.path)


def records(folder: Path) -> list[Record]:
    """List the pictures of a data set.

    Raises:
        ValueError: the folder has none of the four layouts; the message names them.
    """
    for reader in (_shards, _fairface, _utkface, _folders):
        found = list(reader(folder))
        if found:
            return found
    raise ValueError(
        f"{folder} is no data set of faces: need labels.csv with zip files, FairFace's "
        "fairface_label_*.csv, UTKFace's AGE_GENDER_RACE_DATE.jpg files, or one folder per class "
        f"({', '.join((*GENDERS, *GROUPS))})"
    )


def read_bytes(found: Sequence[Record]) -> Iterator[bytes]:
    """Yield the files' contents in order; a zip file is opened once."""
    archives: dict[Path, zipfile.ZipFile] = {}
    try:
        for record in found:
            if not record.member:
                yield record.path.read_bytes()
                continue
            if record.path not in archives:
                archives[record.path] = zipfile.ZipFile(record.path)
            yield archives[record.path].read(record.member)
    finally:
        for archive in archives.values():
            archive.close()


def _index(names: Sequence[str], value: str) -> int:
    lowered = [name.lower().replace("_", " ") for name in names]
    wanted = value.strip().lower().replace("_", " ")
    return lowered.index(wanted) if wanted in lowered else -1


def _labelled(path: Path, member: str, row: dict[str, str], race: str) -> Record:
    index = _index(RACES, row[race])
    return Record(
        path,
        member,
        gender=_index(GENDERS, row["gender"]),
        race=index,
        group=FOLD[index] if index >= 0 else -1,
        age=_index(AGES, row["age"]),
    )


def _rows(table: Path, make: Callable[[dict[str, str]], Record]) -> Iterator[Record]:
    with table.open(newline="", encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            yield make(row)


def _shards(folder: Path) -> Iterator[Record]:
    if (folder / "labels.csv").exists():
        yield from _rows(
            folder / "labels.csv",
            lambda row: _labelled(folder / row["shard"], row["file"], row, "race7"),
        )


def _fairface(folder: Path) -> Iterator[Record]:
    for table in sorted(folder.glob("fairface_label_*.csv")):
        yield from _rows(table, lambda row: _labelled(folder / row["file"], "", row, "race"))


def _utkface(folder: Path) -> Iterator[Record]:
    for path in sorted(folder.rglob("*")):
        named = _UTK.match(path.name)
        if named and path.suffix.lower() in _PICTURES:
            age, gender, group = (int(part) for part in named.groups())
            older = sum(age >= lowest for lowest in UTK_AGES) - 1
            race = FOLD.index(group) if FOLD.count(group) == 1 else -1
            yield Record(path, gender=gender, race=race, group=group, age=older)


def _folders(folder: Path) -> Iterator[Record]:
    for part in sorted(path for path in folder.rglob("*") if path.is_dir()):
        name = _CLASSES.get(part.name.lower(), part.name)
        gender, race, group = _index(GENDERS, name), _index(RACES, name), _index(GROUPS, name)
        group = FOLD[race] if race >= 0 else group
        if max(gender, race, group) < 0:
            continue
        for path in sorted(part.iterdir()):
            if path.suffix.lower() in _PICTURES:
                yield Record(path, gender=gender, race=race, group=group)
