"""Accounts: who there is, what they may, and whether a password is theirs."""

from __future__ import annotations

import builtins
import logging
import time
import unicodedata
from collections.abc import Iterable
from dataclasses import replace

from visiongate.contracts import UserStore
from visiongate.errors import CredentialsWrong, Unavailable, UsernameInvalid, UserNotFound
from visiongate.passwords import PasswordHasher
from visiongate.types import Role, User

__all__ = ["MAX_USERNAME_LENGTH", "Users", "check_username"]

MAX_USERNAME_LENGTH = 64

_WRONG = "Wrong user name or password."
_log = logging.getLogger(__name__)


def check_username(username: str) -> str:
    """Return the name as it is kept, in Unicode's NFC form, so that one look is one name.

    Raises:
        UsernameInvalid: empty, over 64 characters, with a character that does not print (control
            characters, line breaks, unusual spaces), or with a space at either end.
    """
    name = unicodedata.normalize("NFC", username)
    if not 1 <= len(name) <= MAX_USERNAME_LENGTH:
        raise UsernameInvalid(
            f"A user name has 1 to {MAX_USERNAME_LENGTH} characters; this one has {len(name)}."
        )
    if not name.isprintable():
        bad = next(character for character in name if not character.isprintable())
        raise UsernameInvalid(
            f"A user name consists of characters that print; this one has U+{ord(bad):04X}."
        )
    if name != name.strip():
        raise UsernameInvalid("A user name neither begins nor ends with a space.")
    return name


class Users:
    """The accounts of ``store``, with the rules that hold for all of them.

    ``bcrypt_rounds`` is the cost of new hashes (2^rounds). Methods that take a user name raise
    UserNotFound if nobody has it, and all raise StoreUnavailable if the store cannot be used.
    """

    def __init__(
        self, store: UserStore, *, bcrypt_rounds: int, hasher: PasswordHasher | None = None
    ) -> None:
        self._store = store
        self._hasher = hasher or PasswordHasher(bcrypt_rounds)

    def create(
        self,
        username: str,
        password: str,
        role: Role = "user",
        detectors: Iterable[str] | None = None,
    ) -> User:
        """Add an account; ``detectors`` None means that it may use all of them.

        Raises:
            UsernameInvalid, PasswordInvalid, UserExists, Overloaded.
        """
        user = User(
            username=check_username(username),
            password_hash=self._hasher.hash(password),
            role=role,
            detectors=None if detectors is None else frozenset(detectors),
            token_epoch=_later_than(0),
            created=time.time(),
        )
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

    def set_password(self, username: str, password: str) -> User:
        """Change the password and end every token. Raises: PasswordInvalid, Overloaded."""
        password_hash = self._hasher.hash(password)
        return self._store.modify(
            _key(username), lambda user: replace(_ended(user), password_hash=password_hash)
        )

    def set_disabled(self, username: str, disabled: bool) -> User:
        """Close or open an account; either way its tokens end. No change, no effect."""
        return self._store.modify(
            _key(username),
            lambda user: (
                user if user.disabled == disabled else replace(_ended(user), disabled=disabled)
            ),
        )

    def set_role(self, username: str, role: Role) -> User:
        return self._store.modify(_key(username), lambda user: replace(user, role=role))

    def set_detectors(self, username: str, detectors: Iterable[str] | None) -> User:
        """Say which detectors the account may use; None means all, an empty set none."""
        allowed = None if detectors is None else frozenset(detectors)
        return self._store.modify(_key(username), lambda user: replace(user, detectors=allowed))

    def remove(self, username: str) -> None:
        """Remove the account; its tokens are of no later account of the same name."""
        self._store.remove(_key(username))

    def get(self, username: str) -> User:
        return self._store.get(_key(username))

    def list(self) -> builtins.list[User]:
        """Return all accounts, by name."""
        return self._store.list()

    def close(self) -> None:
        """Finish the hashing that is under way."""
        self._hasher.close()

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


def _ended(user: User) -> User:
    """Raise the epoch, so that every token issued before is of the past."""
    return replace(user, token_epoch=_later_than(user.token_epoch))


def _later_than(epoch: int) -> int:
    # Microseconds since 1970, not a count from zero: a removed account's tokens must not fit a
    # new account of the same name. Below 2^53, so that it survives JSON everywhere.
    return max(epoch + 1, time.time_ns() // 1000)
