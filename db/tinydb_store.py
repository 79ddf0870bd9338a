"""Accounts in a TinyDB file; see ``visiongate.contracts.UserStore`` for the promises."""

from __future__ import annotations

import builtins
from bisect import bisect_right
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple, NoReturn, get_args

from tinydb.table import Document

from db.atomic_storage import parse_tables, transaction
from visiongate.errors import StoreUnavailable, UserExists, UserNotFound
from visiongate.files import FileView, explain
from visiongate.types import Role, User

__all__ = ["TinyDBUserStore"]

_TABLE = "users"


class _Entry(NamedTuple):
    doc_id: int
    user: User


class _Accounts(NamedTuple):
    entries: dict[str, _Entry]
    names: list[str]  # sorted


class TinyDBUserStore:
    """Accounts in the table ``users`` of a TinyDB file.

    A look-up costs one ``stat`` and one step in a dict, however many accounts there are; the dict
    holds each account once and is made again when any process has changed the file. A change
    rewrites the file: its cost grows with the number of accounts, so import many with
    ``add_many``.
    """

    def __init__(self, path: Path) -> None:
        # Resolved once: a lock belongs to one name of the file, and a link to it must survive.
        self._path = Path(path).resolve()
        self._view = FileView(self._path, self._derive)

    def get(self, username: str) -> User:
        """Raises: UserNotFound, StoreUnavailable."""
        return self._entry(username).user

    def add(self, user: User) -> None:
        """Raises: UserExists, StoreUnavailable."""
        self.add_many([user])

    def add_many(self, users: Iterable[User]) -> None:
        """Add all of these, or none, in one write.

        Raises:
            UserExists: a name is taken already, or twice among ``users``.
            StoreUnavailable: as in every method.
        """
        users = list(users)
        with transaction(self._path) as database:
            entries = self._accounts().entries
            next_id = 1 + max((entry.doc_id for entry in entries.values()), default=0)
            names = set(entries)
            for user in users:
                if user.username in names:
                    raise UserExists(f"There is a user {user.username!r} already.")
                names.add(user.username)
            database.table(_TABLE).insert_multiple(
                Document(_to_document(user), doc_id) for doc_id, user in enumerate(users, next_id)
            )

    def update(self, user: User) -> None:
        """Raises: UserNotFound, StoreUnavailable."""
        self.modify(user.username, lambda _: user)

    def modify(self, username: str, change: Callable[[User], User]) -> User:
        """Raises: UserNotFound, StoreUnavailable, and what ``change`` raises."""
        with transaction(self._path) as database:
            doc_id, before = self._entry(username)
            after = change(before)
            if after.username != username:
                raise ValueError(f"a change may not rename {username!r} to {after.username!r}")
            if after != before:
                # An update keeps fields that a later version of the gateway may have added.
                database.table(_TABLE).update(_to_document(after), doc_ids=[doc_id])
        return after

    def remove(self, username: str, allow: Callable[[User], None] | None = None) -> None:
        """Raises: UserNotFound, StoreUnavailable, and what ``allow`` raises."""
        with transaction(self._path) as database:
            doc_id, user = self._entry(username)
            if allow is not None:
                allow(user)
            database.table(_TABLE).remove(doc_ids=[doc_id])

    def list(self) -> builtins.list[User]:
        """Return all accounts, by name. Raises: StoreUnavailable."""
        entries, names = self._accounts()
        return [entries[name].user for name in names]

    def page(self, after: str, limit: int) -> builtins.list[User]:
        """Return some accounts by name. Raises: StoreUnavailable."""
        entries, names = self._accounts()
        start = bisect_right(names, after)
        return [entries[name].user for name in names[start : start + limit]]

    def _entry(self, username: str) -> _Entry:
        try:
            return self._accounts().entries[username]
        except KeyError:
            raise UserNotFound(f"There is no user {username!r}.") from None

    def _accounts(self) -> _Accounts:
        try:
            return self._view.get()
        except OSError as error:
            raise StoreUnavailable(explain(error, self._path)) from error

    def _derive(self, content: bytes | None) -> _Accounts:
        tables = parse_tables(content, self._path) or {}
        entries: dict[str, _Entry] = {}
        # Most accounts share few sets of detectors; keep each set once.
        shared: dict[frozenset[str], frozenset[str]] = {}
        for key, document in tables.get(_TABLE, {}).items():
            try:
                user = _to_user(document, shared)
                if user.username in entries:
                    raise ValueError(f"a second account named {user.username!r}")
            except (KeyError, TypeError, ValueError) as error:
                raise StoreUnavailable(
                    f"{self._path} is damaged: document {key} of table {_TABLE!r} is no account "
                    f"({type(error).__name__}: {error}). Mend or delete that document."
                ) from None
            entries[user.username] = _Entry(int(key), user)
        return _Accounts(entries, sorted(entries))


def _to_document(user: User) -> dict[str, Any]:
    return {
        "username": user.username,
        "password_hash": user.password_hash,
        "role": user.role,
        "disabled": user.disabled,
        "detectors": None if user.detectors is None else sorted(user.detectors),
        "token_epoch": user.token_epoch,
        "created": user.created,
        "requests_per_day": user.requests_per_day,
        "megapixels_per_day": user.megapixels_per_day,
    }


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
