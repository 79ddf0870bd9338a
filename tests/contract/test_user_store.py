"""Every UserStore keeps the promises of ``visiongate.contracts``."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from db.tinydb_store import TinyDBUserStore
from tests.contract.memory_stores import MemoryUserStore
from visiongate.contracts import UserStore
from visiongate.errors import StoreUnavailable, UserExists, UserNotFound
from visiongate.types import User

ANN = User(
    username="ann",
    password_hash="$2b$04$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234",
    role="admin",
    disabled=True,
    detectors=frozenset({"face", "object"}),
    token_epoch=1_700_000_000_000_000,
    created=1_700_000_000.125,
    requests_per_day=1000,
    megapixels_per_day=0,
)
BOB = User(username="bob", password_hash="x")

Open = Callable[[], UserStore]


@pytest.fixture(params=["memory", "tinydb"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Open the same store again and again; whatever one handle wrote, the next one finds."""
    if request.param == "memory":
        only = MemoryUserStore()
        return lambda: only
    return lambda: TinyDBUserStore(tmp_path / "data" / "users.json")


def test_starts_empty(open_store: Open) -> None:
    assert open_store().list() == []
    with pytest.raises(UserNotFound):
        open_store().get("ann")


@pytest.mark.parametrize(
    "user",
    [
        ANN,
        BOB,
        replace(ANN, detectors=frozenset()),
        replace(BOB, username='"quoted" \\ 安娜 é 🙂 [red]'),
    ],
    ids=["all fields", "defaults", "no detectors", "odd name"],
)
def test_gives_back_what_was_added(open_store: Open, user: User) -> None:
    open_store().add(user)
    assert open_store().get(user.username) == user
    assert open_store().list() == [user]


def test_lists_by_name(open_store: Open) -> None:
    for name in ("carl", "ann", "bob"):
        open_store().add(replace(BOB, username=name))
    assert [user.username for user in open_store().list()] == ["ann", "bob", "carl"]


def test_a_name_is_taken_once_and_the_first_stays(open_store: Open) -> None:
    open_store().add(ANN)
    with pytest.raises(UserExists):
        open_store().add(replace(BOB, username="ann"))
    assert open_store().list() == [ANN]


def test_names_differ_by_case_and_by_every_character(open_store: Open) -> None:
    for name in ("ann", "Ann", "ann.", "an"):
        open_store().add(replace(BOB, username=name))
    assert open_store().get("Ann").username == "Ann"
    with pytest.raises(UserNotFound):
        open_store().get("ANN")


def test_update_replaces_that_account_alone(open_store: Open) -> None:
    store = open_store()
    store.add(ANN)
    store.add(BOB)
    changed = replace(BOB, disabled=True, detectors=frozenset({"face"}), token_epoch=7)
    store.update(changed)
    assert open_store().list() == [ANN, changed]


def test_a_handle_sees_what_another_changed(open_store: Open) -> None:
    first, second = open_store(), open_store()
    first.add(ANN)
    assert second.get("ann") == ANN
    second.update(replace(ANN, disabled=False))
    assert not first.get("ann").disabled
    first.remove("ann")
    with pytest.raises(UserNotFound):
        second.get("ann")


def test_unknown_users_cannot_be_changed_or_removed(open_store: Open) -> None:
    store = open_store()
    store.add(ANN)
    for attempt in (
        lambda: store.update(BOB),
        lambda: store.modify("bob", lambda user: user),
        lambda: store.remove("bob"),
    ):
        with pytest.raises(UserNotFound):
            attempt()
    assert open_store().list() == [ANN]


def test_a_removed_name_can_be_taken_again(open_store: Open) -> None:
    store = open_store()
    store.add(ANN)
    store.remove("ann")
    store.add(replace(BOB, username="ann"))
    assert open_store().get("ann") == replace(BOB, username="ann")


def test_modify_returns_and_keeps_what_the_change_made(open_store: Open) -> None:
    open_store().add(ANN)
    after = open_store().modify("ann", lambda user: replace(user, role="user"))
    assert after == replace(ANN, role="user")
    assert open_store().get("ann") == after


def test_a_change_that_raises_or_renames_changes_nothing(open_store: Open) -> None:
    open_store().add(ANN)

    def fail(user: User) -> User:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        open_store().modify("ann", fail)
    with pytest.raises(ValueError, match="may not rename"):
        open_store().modify("ann", lambda user: replace(user, username="eve"))
    assert open_store().list() == [ANN]


def test_changes_from_many_threads_do_not_undo_each_other(open_store: Open) -> None:
    open_store().add(BOB)
    store = open_store()

    def work(number: int) -> None:
        for round_ in range(4):
            store.modify("bob", lambda user: replace(user, token_epoch=user.token_epoch + 1))
            store.add(replace(BOB, username=f"user {number} {round_}"))

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(work, range(6)))
    assert open_store().get("bob").token_epoch == 24
    assert len(open_store().list()) == 25


def test_exactly_one_thread_gets_a_name(open_store: Open) -> None:
    store = open_store()

    def attempt(number: int) -> bool:
        try:
            store.add(replace(BOB, token_epoch=number))
        except UserExists:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(attempt, range(8)))
    assert won.count(True) == 1
    assert open_store().get("bob").token_epoch == won.index(True)


def test_a_page_begins_after_a_name_that_need_not_be_there(open_store: Open) -> None:
    names = ["Zoe", "ann", "ann lee", "bob", "zoe", "安娜"]
    for name in reversed(names):
        open_store().add(replace(BOB, username=name))

    def page(after: str, limit: int) -> list[str]:
        return [user.username for user in open_store().page(after, limit)]

    assert page("", 100) == names
    assert page("", 2) == names[:2]
    assert page("ann", 2) == ["ann lee", "bob"]
    assert page("an", 1) == ["ann"]
    assert page("bobby", 9) == ["zoe", "安娜"]
    assert page("安娜", 5) == []


def test_who_is_asked_may_keep_an_account_from_going(open_store: Open) -> None:
    store = open_store()
    store.add(ANN)
    asked: list[User] = []

    def refuse(user: User) -> None:
        asked.append(user)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.remove("ann", refuse)
    assert open_store().list() == asked == [ANN]
    with pytest.raises(UserNotFound):
        store.remove("bob", refuse)
    store.remove("ann", asked.append)
    assert open_store().list() == []
    assert asked == [ANN, ANN]


def test_a_change_may_look_at_the_other_accounts(open_store: Open) -> None:
    store = open_store()
    store.add(ANN)
    store.add(BOB)
    seen: list[int] = []
    store.modify("ann", lambda user: seen.append(len(store.list())) or user)  # type: ignore[func-returns-value]
    store.remove("ann", lambda _: seen.append(len(store.list())))
    assert seen == [2, 2]


def test_accounts_older_than_quotas_have_the_operators(tmp_path: Path) -> None:
    path = tmp_path / "users.json"
    TinyDBUserStore(path).add(ANN)
    document = json.loads(path.read_text())
    for name in ("requests_per_day", "megapixels_per_day"):
        del document["users"]["1"][name]
    path.write_text(json.dumps(document))
    assert TinyDBUserStore(path).get("ann") == replace(
        ANN, requests_per_day=None, megapixels_per_day=None
    )


@pytest.mark.parametrize("wrong", [-1, 1.5, "5", True, [1]])
def test_a_quota_that_is_none_is_damage(tmp_path: Path, wrong: object) -> None:
    path = tmp_path / "users.json"
    TinyDBUserStore(path).add(ANN)
    document = json.loads(path.read_text())
    document["users"]["1"]["requests_per_day"] = wrong
    path.write_text(json.dumps(document))
    with pytest.raises(StoreUnavailable, match="requests_per_day"):
        TinyDBUserStore(path).get("ann")
