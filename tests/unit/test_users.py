"""Accounts: names, passwords, what ends tokens, and what a stranger can learn."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import bcrypt
import pytest

from tests.contract.memory_stores import MemoryUserStore
from visiongate.errors import (
    CredentialsWrong,
    LastAdmin,
    PasswordInvalid,
    StoreUnavailable,
    UserExists,
    UsernameInvalid,
    UserNotFound,
)
from visiongate.types import User
from visiongate.users import Users, check_username


@pytest.fixture
def store() -> MemoryUserStore:
    return MemoryUserStore()


@pytest.fixture
def users(store: MemoryUserStore) -> Iterator[Users]:
    users = Users(store, bcrypt_rounds=4)
    yield users
    users.close()


def refusal(users: Users, username: str, password: str) -> str:
    with pytest.raises(CredentialsWrong) as caught:
        users.authenticate(username, password)
    return caught.value.detail


def test_creates_and_authenticates(users: Users) -> None:
    ann = users.create("ann", "the secret", "admin", ["face", "object"])
    bob = users.create("bob", "the secret")
    assert (ann.role, ann.detectors) == ("admin", frozenset({"face", "object"}))
    assert (bob.role, bob.detectors, bob.disabled) == ("user", None, False)
    assert users.authenticate("ann", "the secret") == ann == users.get("ann")
    assert users.list() == [ann, bob]
    assert "the secret" not in repr(ann)
    assert ann.password_hash not in repr(ann)


def test_a_stranger_learns_nothing_from_the_answer(users: Users) -> None:
    users.create("ann", "the secret")
    users.create("off", "the secret")
    users.set_disabled("off", True)
    attempts = [
        ("nobody", "the secret"),
        ("ann", "wrong"),
        ("off", "the secret"),
        ("off", "wrong"),
        ("ann", ""),
        ("ann", "x" * 5000),
        ("ann", "secret\0"),
        ("ann", "\ud800"),
        ("\ud800", "the secret"),
        ("", ""),
        ("x" * 100_000, "the secret"),
        ("ANN", "the secret"),
        (" ann", "the secret"),
    ]
    assert {refusal(users, *attempt) for attempt in attempts} == {"Wrong user name or password."}


def test_a_stranger_learns_nothing_from_the_work(
    users: Users, monkeypatch: pytest.MonkeyPatch
) -> None:
    users.create("ann", "the secret")
    users.create("off", "the secret")
    users.set_disabled("off", True)
    work: list[int] = []
    check = bcrypt.checkpw

    def checkpw(password: bytes, hashed: bytes) -> bool:
        work.append(int(hashed[4:6]))
        return check(password, hashed)

    monkeypatch.setattr(bcrypt, "checkpw", checkpw)
    for attempt in (
        ("nobody", "the secret"),
        ("ann", "wrong"),
        ("off", "the secret"),
        ("ann", "x" * 99),
    ):
        refusal(users, *attempt)
    users.authenticate("ann", "the secret")
    assert work == [4] * 5


@pytest.mark.parametrize(
    "name",
    ["a", "ann", "Ann Lee", "ann@example.org", "安娜", "🙂", "x" * 64, "é" * 64, "e\u0301" * 64],
)
def test_names_that_can_be_used(users: Users, name: str) -> None:
    users.create(name, "the secret")
    assert users.authenticate(name, "the secret").username == check_username(name)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "has 0"),
        ("x" * 65, "has 65"),
        (" ann", "space"),
        ("ann ", "space"),
        (" ", "space"),
        ("a\nb", "U\\+000A"),
        ("a\0b", "U\\+0000"),
        ("a\x1b[2J", "U\\+001B"),
        ("a\u202eb", "U\\+202E"),
        ("a\u00a0b", "U\\+00A0"),
        ("a\ud800", "U\\+D800"),
        ("a/b", "slash"),
        ("/", "slash"),
        (".", "slash"),
        ("..", "slash"),
    ],
    ids=ascii,
)
def test_names_that_cannot(users: Users, name: str, says: str) -> None:
    with pytest.raises(UsernameInvalid, match=says):
        users.create(name, "the secret")
    assert users.list() == []


def test_a_name_that_looks_the_same_is_the_same(users: Users) -> None:
    users.create("ren\u00e9", "the secret")
    with pytest.raises(UserExists):
        users.create("rene\u0301", "another one")
    assert users.authenticate("rene\u0301", "the secret").username == "ren\u00e9"
    users.set_disabled("rene\u0301", True)
    users.remove("rene\u0301")
    assert users.list() == []


def test_an_impossible_password_changes_nothing(users: Users) -> None:
    ann = users.create("ann", "the secret")
    for password in ("", "x" * 73, "a\0b"):
        with pytest.raises(PasswordInvalid):
            users.create("bob", password)
        with pytest.raises(PasswordInvalid):
            users.set_password("ann", password)
    assert users.list() == [ann]


def test_a_new_password_ends_tokens_and_the_old_password(users: Users) -> None:
    before = users.create("ann", "an old one", "admin", ["face"])
    after = users.set_password("ann", "a new one")
    assert after.token_epoch > before.token_epoch
    assert after == replace(
        before, password_hash=after.password_hash, token_epoch=after.token_epoch
    )
    assert users.authenticate("ann", "a new one") == after
    refusal(users, "ann", "an old one")


def test_closing_an_account_ends_its_tokens_for_good(users: Users) -> None:
    before = users.create("ann", "the secret")
    closed = users.set_disabled("ann", True)
    assert closed.disabled
    assert closed.token_epoch > before.token_epoch
    assert users.set_disabled("ann", True) == closed, "nothing changed, nothing happens"
    opened = users.set_disabled("ann", False)
    assert opened.token_epoch > closed.token_epoch
    assert users.authenticate("ann", "the secret") == opened


def test_rights_change_without_ending_tokens(users: Users) -> None:
    before = users.create("ann", "the secret")
    assert users.change("ann", {"role": "admin"}) == replace(before, role="admin")
    assert users.change("ann", {"detectors": ["face"]}).detectors == frozenset({"face"})
    assert users.change("ann", {"detectors": []}).detectors == frozenset()
    assert users.change("ann", {"detectors": None}) == replace(before, role="admin")


def test_tokens_of_a_removed_account_fit_no_later_one_of_its_name(users: Users) -> None:
    first = users.create("ann", "the secret")
    ended = users.set_password("ann", "another one")
    users.remove("ann")
    second = users.create("ann", "the secret")
    assert second.token_epoch not in (first.token_epoch, ended.token_epoch)
    assert second.token_epoch < 2**53, "JavaScript reads it exactly"


@pytest.mark.parametrize(
    "action",
    [
        lambda users: users.get("bob"),
        lambda users: users.remove("bob"),
        lambda users: users.set_password("bob", "the secret"),
        lambda users: users.set_disabled("bob", True),
        lambda users: users.change("bob", {"role": "admin"}),
    ],
    ids=["get", "remove", "set_password", "set_disabled", "change"],
)
def test_an_unknown_user_is_named(users: Users, action: Callable[[Users], object]) -> None:
    users.create("ann", "the secret")
    with pytest.raises(UserNotFound):
        action(users)


# -- a changed cost


@pytest.fixture
def costlier(store: MemoryUserStore) -> Iterator[Users]:
    users = Users(store, bcrypt_rounds=5)
    yield users
    users.close()


def test_a_login_renews_a_hash_of_another_cost(users: Users, costlier: Users) -> None:
    before = users.create("ann", "the secret")
    refusal(costlier, "ann", "wrong")
    assert users.get("ann") == before
    after = costlier.authenticate("ann", "the secret")
    assert after.password_hash.startswith("$2b$05$")
    assert after == replace(before, password_hash=after.password_hash), "tokens live on"
    assert users.get("ann") == after
    assert costlier.authenticate("ann", "the secret") == after


class Racing(MemoryUserStore):
    """Something happens between the look-up and the change that renews the hash."""

    event: Callable[[MemoryUserStore, User], None] | None = None

    def modify(self, username: str, change: Callable[[User], User]) -> User:
        if self.event is not None:
            event, self.event = self.event, None
            event(self, self.get(username))
        return super().modify(username, change)


def remove(store: MemoryUserStore, user: User) -> None:
    store.remove(user.username)


def disable(store: MemoryUserStore, user: User) -> None:
    store.update(replace(user, disabled=True))


def new_password(store: MemoryUserStore, user: User) -> None:
    store.update(replace(user, password_hash="another"))


@pytest.mark.parametrize("event", [remove, disable, new_password])
def test_a_login_is_void_if_the_account_ends_meanwhile(
    event: Callable[[MemoryUserStore, User], None],
) -> None:
    store = Racing()
    Users(store, bcrypt_rounds=4).create("ann", "the secret")
    store.event = event
    users = Users(store, bcrypt_rounds=5)
    refusal(users, "ann", "the secret")
    assert [u.password_hash for u in store.list() if u.password_hash.startswith("$2b$05")] == []


def test_a_full_disk_locks_nobody_out() -> None:
    def full(store: MemoryUserStore, user: User) -> None:
        raise StoreUnavailable("no room left")

    store = Racing()
    ann = Users(store, bcrypt_rounds=4).create("ann", "the secret")
    store.event = full
    assert Users(store, bcrypt_rounds=5).authenticate("ann", "the secret") == ann


# -- several changes at once, and the last admin


def test_a_change_is_made_whole_or_not_at_all(users: Users) -> None:
    before = users.create("ann", "the secret", detectors=["face"], requests_per_day=5)
    assert (before.requests_per_day, before.megapixels_per_day) == (5, None)
    with pytest.raises(PasswordInvalid):
        users.change("ann", {"role": "admin", "password": ""})
    assert users.get("ann") == before
    after = users.change(
        "ann",
        {"role": "admin", "detectors": None, "requests_per_day": None, "megapixels_per_day": 7},
    )
    assert after == replace(
        before, role="admin", detectors=None, requests_per_day=None, megapixels_per_day=7
    )
    both = users.change("ann", {"password": "a new one", "megapixels_per_day": 8})
    assert both.token_epoch > after.token_epoch
    assert users.authenticate("ann", "a new one") == both


def test_no_work_is_done_for_who_is_not_there(
    users: Users, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bcrypt, "hashpw", lambda *_: pytest.fail("hashed"))
    with pytest.raises(UserNotFound):
        users.set_password("nobody", "the secret")


LETTING_GO: list[Callable[[Users, bool], object]] = [
    lambda users, force: users.remove("ann", force=force),
    lambda users, force: users.set_disabled("ann", True, force=force),
    lambda users, force: users.change("ann", {"role": "user"}, force=force),
    lambda users, force: users.change("ann", {"role": "user", "disabled": False}, force=force),
]


@pytest.mark.parametrize("let_go", LETTING_GO, ids=["remove", "disable", "demote", "change"])
def test_the_last_admin_stays_unless_by_force(
    users: Users, let_go: Callable[[Users, bool], object]
) -> None:
    before = users.create("ann", "the secret", "admin")
    users.create("bob", "the secret")
    users.create("off", "the secret", "admin")
    users.set_disabled("off", True)
    with pytest.raises(LastAdmin, match="'ann' is the last admin"):
        let_go(users, False)
    assert users.get("ann") == before
    users.set_disabled("off", False)
    let_go(users, False)
    users.change("off", {"role": "admin"})
    with pytest.raises(LastAdmin):
        users.remove("off")
    users.remove("off", force=True)


def test_what_takes_no_admin_away_is_free(users: Users) -> None:
    users.create("ann", "the secret", "admin")
    users.create("off", "the secret", "admin")
    users.change("off", {"disabled": True})
    users.change("off", {"role": "user"})
    users.change("off", {"role": "admin"})
    users.remove("off")
    users.change("ann", {"role": "admin", "disabled": False, "password": "a new one"})


def test_with_an_account_goes_what_is_kept_of_it(store: MemoryUserStore) -> None:
    forgotten: list[str] = []

    def forget(username: str) -> int:
        forgotten.append(username)
        return 3

    users = Users(store, bcrypt_rounds=4, forget=forget)
    users.create("ren\u00e9", "the secret")
    forgotten.clear()
    assert users.remove("rene\u0301") == 3
    assert forgotten == ["ren\u00e9"]
    users.close()


def test_pictures_that_could_not_be_deleted_are_told_and_deleted_the_next_time(
    store: MemoryUserStore,
) -> None:
    outcomes: list[object] = [0, StoreUnavailable("The disk refuses."), 2, 0]

    def forget(username: str) -> int:
        outcome = outcomes.pop(0)
        if isinstance(outcome, StoreUnavailable):
            raise outcome
        assert isinstance(outcome, int)
        return outcome

    users = Users(store, bcrypt_rounds=4, forget=forget)
    users.create("ann", "the secret")
    with pytest.raises(
        StoreUnavailable, match=r"'ann' is removed, but.*The disk refuses.*once more"
    ):
        users.remove("ann")
    assert users.list() == []
    assert users.remove("ann") == 2
    with pytest.raises(UserNotFound):
        users.remove("ann")
    users.close()


def test_a_new_account_is_not_made_while_pictures_of_an_earlier_one_are_left(
    store: MemoryUserStore,
) -> None:
    left = ["ann"]
    broken = False

    def forget(username: str) -> int:
        if broken:
            raise StoreUnavailable("The disk refuses.")
        count = left.count(username)
        left[:] = [owner for owner in left if owner != username]
        return count

    users = Users(store, bcrypt_rounds=4, forget=forget)
    broken = True
    with pytest.raises(StoreUnavailable, match=r"No user 'ann' was made.*The disk refuses"):
        users.create("ann", "the secret")
    assert users.list() == []
    broken = False
    users.create("ann", "the secret")
    assert left == []
    left.append("ann")
    with pytest.raises(UserExists):  # whose pictures these are, it leaves alone
        users.create("ann", "another secret")
    assert left == ["ann"]
    users.close()


def test_a_later_account_of_the_same_name_is_another_one(users: Users) -> None:
    first = users.create("ann", "the secret")
    assert users.is_current(first)
    assert users.is_current(users.set_password("ann", "a new secret"))
    users.remove("ann")
    assert not users.is_current(first)
    second = users.create("ann", "the secret")
    assert not users.is_current(first)
    assert users.is_current(second)
