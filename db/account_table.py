"""All accounts in memory, in little room, each checked as it is read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple, NoReturn, get_args

from visiongate.types import Role, User

__all__ = ["Accounts", "NotAnAccount"]


_MOST_RECENT = 64


class NotAnAccount(Exception):
    """A document that is no account: its id, and what is wrong with it."""


class Accounts:
    """All accounts in little memory: a text each, and each set of rights once.

    A hundred thousand take 25 MB, a fifth of what they would take as ``User``s, and Python's
    garbage collector, which would look at each of those time and again, need not look at texts.
    """

    def __init__(self, documents: Iterable[tuple[str, dict[str, Any]]]) -> None:
        self._texts: dict[str, str] = {}
        rights: dict[_Rights, int] = {}
        shared: dict[frozenset[str], frozenset[str]] = {}
        ids: set[int] = set()
        for key, document in documents:
            try:
                user = _to_user(document, shared)
                if user.username in self._texts:
                    raise ValueError(f"a second account named {user.username!r}")
                if int(key) in ids:
                    raise ValueError("a second document of that id")
            except (KeyError, TypeError, ValueError) as error:
                raise NotAnAccount(key, error) from error
            ids.add(int(key))
            number = rights.setdefault(_rights(user), len(rights))
            # The hash comes last, since it may hold spaces.
            self._texts[user.username] = (
                f"{int(key)} {number} {user.token_epoch} {user.created!r} {user.password_hash}"
            )
        self._rights = tuple(rights)
        self.names = tuple(sorted(self._texts))
        self.last_id = max(ids, default=0)
        self._recent: dict[str, tuple[int, User]] = {}

    def __contains__(self, name: object) -> bool:
        return name in self._texts

    def get(self, name: str) -> tuple[int, User]:
        """Return the account and the id of its document. Raises: KeyError."""
        if (found := self._recent.get(name)) is None:
            found = self._read(name)
            if len(self._recent) >= _MOST_RECENT:
                self._recent.clear()
            self._recent[name] = found
        return found

    def _read(self, name: str) -> tuple[int, User]:
        doc_id, number, epoch, created, password_hash = self._texts[name].split(" ", 4)
        role, disabled, detectors, requests, megapixels = self._rights[int(number)]
        return int(doc_id), User(
            username=name,
            password_hash=password_hash,
            role=role,
            disabled=disabled,
            detectors=detectors,
            token_epoch=int(epoch),
            created=float(created),
            requests_per_day=requests,
            megapixels_per_day=megapixels,
        )


class _Rights(NamedTuple):
    """What most accounts have in common with many others."""

    role: Role
    disabled: bool
    detectors: frozenset[str] | None
    requests_per_day: int | None
    megapixels_per_day: int | None


def _rights(user: User) -> _Rights:
    return _Rights(
        user.role,
        user.disabled,
        user.detectors,
        user.requests_per_day,
        user.megapixels_per_day,
    )


def _to_user(document: dict[str, Any], shared: dict[frozenset[str], frozenset[str]]) -> User:
    """Read one account; a field that is missing has no default, lest a right be widened.

    Only quotas may be missing, in accounts older than those: then the operator's setting holds.
    """
    role = document["role"]
    if role not in get_args(Role):
        _wrong("role", role)
    detectors = document["detectors"]
    if detectors is not None:
        if not isinstance(detectors, list) or not all(isinstance(d, str) for d in detectors):
            _wrong("detectors", detectors)
        detectors = shared.setdefault(frozenset(detectors), frozenset(detectors))
    return User(
        username=_typed(document, "username", str),
        password_hash=_typed(document, "password_hash", str),
        role=role,
        disabled=_typed(document, "disabled", bool),
        detectors=detectors,
        token_epoch=_typed(document, "token_epoch", int),
        created=float(document["created"]),
        requests_per_day=_quota(document, "requests_per_day"),
        megapixels_per_day=_quota(document, "megapixels_per_day"),
    )


def _typed(document: dict[str, Any], field: str, kind: type) -> Any:
    value = document[field]
    return value if type(value) is kind else _wrong(field, value)


def _quota(document: dict[str, Any], field: str) -> int | None:
    value = document.get(field)
    if value is not None and (type(value) is not int or value < 0):
        _wrong(field, value)
    return value


def _wrong(field: str, value: object) -> NoReturn:
    raise ValueError(f"{field} is of type {type(value).__name__}, or unknown")
