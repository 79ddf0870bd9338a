"""Accounts: who there is, what they may, and whether a password is theirs."""

from __future__ import annotations

import builtins
import logging
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from typing_extensions import TypedDict

from visiongate.audit import Audit, EventName
from visiongate.contracts import UserStore
from visiongate.errors import (
    CredentialsWrong,
    LastAdmin,
    StoreUnavailable,
    Unavailable,
    UserExists,
    UserNotFound,
    VisiongateError,
)
from visiongate.passwords import PasswordHasher, check_new_password
from visiongate.types import Role, User
from visiongate.usernames import MAX_USERNAME_LENGTH, check_username

__all__ = ["MAX_USERNAME_LENGTH", "Changes", "Users", "check_username"]

_WRONG = "Wrong user name or password."
_log = logging.getLogger(__name__)


class Changes(TypedDict, total=False):
    """What is to change of an account; what is not named stays. Values as in ``User``."""

    password: str
    disabled: bool
    role: Role
    detectors: Iterable[str] | None
    requests_per_day: int | None
    megapixels_per_day: int | None


class Users:
    """The accounts of ``store``, with the rules that hold for all of them.

    Methods that take a user name raise UserNotFound if nobody has it, and all raise
    StoreUnavailable if the store cannot be used. Changes are recorded, refused ones too.

    Args:
        bcrypt_rounds: the cost of new hashes (2^rounds).
        forget: deletes what else is kept of a removed account; returns how many pictures went.
    """

    def __init__(
        self,
        store: UserStore,
        *,
        bcrypt_rounds: int,
        hasher: PasswordHasher | None = None,
        audit: Audit | None = None,
        forget: Callable[[str], int] = lambda _: 0,
    ) -> None:
        self._store = store
        self._hasher = hasher or PasswordHasher(bcrypt_rounds)
        self._audit = audit
        self._forget = forget

    def create(
        self,
        username: str,
        password: str,
        role: Role = "user",
        detectors: Iterable[str] | None = None,
        *,
        requests_per_day: int | None = None,
        megapixels_per_day: int | None = None,
    ) -> User:
        """Add an account; ``detectors`` None means that it may use all of them.

        Raises:
            UsernameInvalid, PasswordInvalid, UserExists, Overloaded.
            StoreUnavailable: also where pictures of an earlier account of the name are left that
                cannot be deleted.
        """
        changes: Changes = {
            "role": role,
            "detectors": detectors,
            "requests_per_day": requests_per_day,
            "megapixels_per_day": megapixels_per_day,
        }
        fields = _fields(changes)
        with self._recorded(EventName.USER_CREATED, username, fields):
            user = User(
                username=check_username(username),
                password_hash=self._hasher.hash(check_new_password(password)),
                token_epoch=_later_than(0),
                created=time.time(),
                **fields,
            )
            self._inherit_nothing(user.username)
            self._store.add(user)
        return user

    def authenticate(self, username: str, password: str) -> User:
        """Return the account whose name and password these are.

        An unknown name, a wrong password and a disabled account get one answer, after the same
        work. A hash of another cost than the configured one is made anew on the way.

        Raises:
            CredentialsWrong, Overloaded.
        """
        try:
            user: User | None = self._store.get(unicodedata.normalize("NFC", username))
        except UserNotFound:
            user = None
        good = self._hasher.verify(password, user.password_hash if user else None)
        if user is None or not good or user.disabled:
            raise CredentialsWrong(_WRONG)
        if self._hasher.outdated(user.password_hash):
            return self._rehash(user, password)
        return user

    def change(self, username: str, changes: Changes, *, force: bool = False) -> User:
        """Change an account, all at once. A new password and a change of ``disabled`` end tokens.

        Raises:
            PasswordInvalid, Overloaded.
            LastAdmin: no admin would be left who is not disabled, and there is no ``force``.
        """
        fields = _fields(changes)
        password = {"password": "changed"} if "password" in changes else {}
        new_hash: dict[str, Any] = {}

        def change(user: User) -> User:
            after = replace(user, **fields, **new_hash)
            if _administers(user) and not _administers(after) and not force:
                self._check_other_admin(user)
            if password or after.disabled != user.disabled:
                return replace(after, token_epoch=_later_than(user.token_epoch))
            return after

        with self._recorded(EventName.USER_CHANGED, username, fields | password):
            self._store.get(_key(username))  # hashing is slow, and refuses in words of its own
            if "password" in changes:
                new_hash["password_hash"] = self._hasher.hash(
                    check_new_password(changes["password"])
                )
            return self._store.modify(_key(username), change)

    def set_password(self, username: str, password: str) -> User:
        """Change the password and end every token. Raises: PasswordInvalid, Overloaded."""
        return self.change(username, {"password": password})

    def set_disabled(self, username: str, disabled: bool, *, force: bool = False) -> User:
        """Close or open an account; either way its tokens end. No change, no effect."""
        return self.change(username, {"disabled": disabled}, force=force)

    def remove(self, username: str, *, force: bool = False) -> int:
        """Remove the account and its kept pictures; return how many of these there were.

        Its tokens, and its pictures, are of no later account of the same name. Of an account that
        is gone already, pictures may be left that could not be deleted then: now they are.

        Raises:
            LastAdmin: as ``change`` does.
            StoreUnavailable: also where the account is removed, but not all of its pictures; the
                message says so.
        """

        def allow(user: User) -> None:
            if _administers(user) and not force:
                self._check_other_admin(user)

        try:
            with self._recorded(EventName.USER_REMOVED, username, {}):
                self._store.remove(_key(username), allow)
        except UserNotFound:
            if left := self._forget(_key(username)):
                return left
            raise
        try:
            return self._forget(_key(username))
        except StoreUnavailable as error:
            raise StoreUnavailable(
                f"The user {username!r} is removed, but kept pictures of theirs are left: "
                f"{error.detail} Remove {username!r} once more when that is mended."
            ) from error

    def get(self, username: str) -> User:
        return self._store.get(_key(username))

    def is_current(self, user: User) -> bool:
        """Tell whether this very account is still there, and no later one of its name."""
        try:
            return self._store.get(user.username).created == user.created
        except UserNotFound:
            return False

    def list(self) -> builtins.list[User]:
        """Return all accounts, by name."""
        return self._store.list()

    def page(self, after: str, limit: int) -> builtins.list[User]:
        """Return at most ``limit`` accounts by name, the first whose name comes ``after``."""
        return self._store.page(after, limit)

    def close(self) -> None:
        """Finish the hashing that is under way."""
        self._hasher.close()

    @contextmanager
    def _recorded(
        self, name: EventName, username: str, detail: Mapping[str, object]
    ) -> Iterator[None]:
        """Record a change that the ``with`` block makes, or that it was refused."""
        if self._audit is None:
            yield
            return
        try:
            yield
        except VisiongateError as error:
            # A name that no account has may be anything, somebody's password too.
            known = username if isinstance(error, UserExists | LastAdmin) else None
            self._audit.record(name, user=known, outcome="refused", reason=error.code)
            raise
        shown = {key: sorted(v) if isinstance(v, frozenset) else v for key, v in detail.items()}
        self._audit.record(name, user=_key(username), detail=shown)

    def _inherit_nothing(self, username: str) -> None:
        """Delete what the removal of an earlier account of this name could not, or died over."""
        try:
            self._store.get(username)
        except UserNotFound:
            try:
                self._forget(username)
            except StoreUnavailable as error:
                raise StoreUnavailable(
                    f"No user {username!r} was made: there may be kept pictures of an earlier one, "
                    f"which would be theirs. {error.detail}"
                ) from error

    def _check_other_admin(self, user: User) -> None:
        if not any(_administers(u) and u.username != user.username for u in self._store.list()):
            raise LastAdmin(
                f"{user.username!r} is the last admin who is not disabled. Make somebody else an "
                "admin first."
            )

    def _rehash(self, user: User, password: str) -> User:
        def change(now: User) -> User:
            # A password changed, or an account closed, while we hashed: then this login is void.
            if now.disabled or now.password_hash != user.password_hash:
                raise CredentialsWrong(_WRONG)
            return replace(now, password_hash=new)

        try:
            new = self._hasher.hash(password)
            return self._store.modify(user.username, change)
        except UserNotFound:
            raise CredentialsWrong(_WRONG) from None
        except Unavailable as error:
            # The old hash serves until the next login; a full disk locks nobody out.
            _log.warning("password of %r not hashed anew: %s", user.username, error.detail)
            return user


def _key(username: str) -> str:
    return unicodedata.normalize("NFC", username)


def _fields(changes: Changes) -> dict[str, Any]:
    """Return the changes as fields of ``User``, but for the password."""
    fields: dict[str, Any] = {name: v for name, v in changes.items() if name != "password"}
    if fields.get("detectors") is not None:
        fields["detectors"] = frozenset(fields["detectors"])
    return fields


def _administers(user: User) -> bool:
    return user.role == "admin" and not user.disabled


def _later_than(epoch: int) -> int:
    # Microseconds since 1970, not a count from zero: a removed account's tokens must not fit a
    # new account of the same name. Below 2^53, so that it survives JSON everywhere.
    return max(epoch + 1, time.time_ns() // 1000)
