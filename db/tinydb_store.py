"""Accounts in a TinyDB file; see ``visiongate.contracts.UserStore`` for the promises."""

from __future__ import annotations

import builtins
from bisect import bisect_right
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from tinydb.table import Document

from db.account_table import Accounts, NotAnAccount
from db.atomic_storage import each_document, transaction
from visiongate.errors import StoreUnavailable, UserExists, UserNotFound
from visiongate.files import FileView, explain
from visiongate.types import User

__all__ = ["TinyDBUserStore"]

_TABLE = "users"


class TinyDBUserStore:
    """Accounts in the table ``users`` of a TinyDB file.

    A look-up costs one ``stat`` and one step in a dict, however many accounts there are; the dict
    is made again when any process has changed the file. A change rewrites the file. Both cost
    more the more accounts there are, so import many with ``add_many``.
    """

    def __init__(self, path: Path) -> None:
        # Resolved once: a lock belongs to one name of the file, and a link to it must survive.
        self._path = Path(path).resolve()
        self._view = FileView(self._path, self._derive)

    def get(self, username: str) -> User:
        """Raises: UserNotFound, StoreUnavailable."""
        return self._entry(username)[1]

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
            accounts = self._accounts()
            names = set()
            for user in users:
                if user.username in accounts or user.username in names:
                    raise UserExists(f"There is a user {user.username!r} already.")
                names.add(user.username)
            database.table(_TABLE).insert_multiple(
                Document(_to_document(user), doc_id)
                for doc_id, user in enumerate(users, accounts.last_id + 1)
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
        accounts = self._accounts()
        return [accounts.get(name)[1] for name in accounts.names]

    def page(self, after: str, limit: int) -> builtins.list[User]:
        """Return some accounts by name. Raises: StoreUnavailable."""
        accounts = self._accounts()
        start = bisect_right(accounts.names, after)
        return [accounts.get(name)[1] for name in accounts.names[start : start + limit]]

    def _entry(self, username: str) -> tuple[int, User]:
        try:
            return self._accounts().get(username)
        except KeyError:
            raise UserNotFound(f"There is no user {username!r}.") from None

    def _accounts(self) -> Accounts:
        try:
            return self._view.get()
        except OSError as error:
            raise StoreUnavailable(explain(error, self._path)) from error

    def _derive(self, content: bytes | None) -> Accounts:
        documents = each_document(content, self._path)
        try:
            return Accounts((key, document) for name, key, document in documents if name == _TABLE)
        except NotAnAccount as problem:
            key, error = problem.args
            raise StoreUnavailable(
                f"{self._path} is damaged: document {key} of table {_TABLE!r} is no account "
                f"({type(error).__name__}: {error}). Mend or delete that document."
            ) from None


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
