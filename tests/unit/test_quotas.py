"""Quotas: which limits hold, what is charged when, and what midnight does."""

from __future__ import annotations

import pytest

from tests.contract.memory_stores import MemoryUsageStore
from visiongate.errors import Overloaded, PictureCorrupt, QuotaExceeded
from visiongate.quotas import DAY_SECONDS, Limits, Quotas
from visiongate.types import User

NOON = 20_000 * DAY_SECONDS + DAY_SECONDS / 2
ANN = User("ann", "x", requests_per_day=2, megapixels_per_day=1)


class Clock:
    now = NOON

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def quotas(clock: Clock) -> Quotas:
    return Quotas(MemoryUsageStore(), clock=clock)


def send(quotas: Quotas, user: User = ANN, width: int = 500, height: int = 500) -> None:
    with quotas.metered(user) as charge:
        if charge is not None:
            charge(width, height)


def used(quotas: Quotas, user: User = ANN) -> tuple[float, float]:
    standing = quotas.standing(user)
    assert standing.requests is not None
    assert standing.megapixels is not None
    return standing.requests.used, standing.megapixels.used


@pytest.mark.parametrize(
    ("own", "default", "limits"),
    [
        ((None, None), (0, 0), (0, 0)),
        ((None, None), (5, 6), (5, 6)),
        ((7, None), (5, 6), (7, 6)),
        ((None, 8), (5, 6), (5, 8)),
        ((0, 0), (5, 6), (0, 0)),
    ],
)
def test_a_users_own_limit_goes_before_the_settings(
    own: tuple[int | None, int | None], default: tuple[int, int], limits: tuple[int, int]
) -> None:
    quotas = Quotas(MemoryUsageStore(), requests_per_day=default[0], megapixels_per_day=default[1])
    user = User("ann", "x", requests_per_day=own[0], megapixels_per_day=own[1])
    assert quotas.limits(user) == Limits(*limits)


def test_without_a_limit_the_store_is_not_asked() -> None:
    quotas = Quotas(None)  # type: ignore[arg-type]
    user = User("ann", "x")
    with quotas.metered(user) as charge:
        assert charge is None
    standing = quotas.standing(user)
    assert (standing.requests, standing.megapixels) == (None, None)


def test_what_is_refused_is_not_counted(quotas: Quotas) -> None:
    send(quotas)
    with pytest.raises(QuotaExceeded, match=r"1 megapixels a day; 0\.2 are used.*has 1\.0"):
        send(quotas, width=1000, height=1000)
    assert used(quotas) == (1, 0.25)
    send(quotas)
    with pytest.raises(QuotaExceeded, match="2 pictures a day; 2 are used"):
        send(quotas)
    assert used(quotas) == (2, 0.5)


def test_a_quota_can_be_used_to_the_last_pixel(quotas: Quotas) -> None:
    user = User("ann", "x", megapixels_per_day=1)
    send(quotas, user, 1000, 999)
    send(quotas, user, 1000, 1)
    with pytest.raises(QuotaExceeded):
        send(quotas, user, 1, 1)


def test_waiting_helps_until_midnight(quotas: Quotas, clock: Clock) -> None:
    for _ in range(2):
        send(quotas)
    with pytest.raises(QuotaExceeded) as caught:
        send(quotas)
    assert caught.value.retry_after == DAY_SECONDS / 2
    assert quotas.standing(ANN).resets == NOON + DAY_SECONDS / 2
    clock.now += DAY_SECONDS / 2 - 0.5
    with pytest.raises(QuotaExceeded) as caught:
        send(quotas)
    assert caught.value.retry_after == 1, "never zero"
    clock.now += 0.5
    send(quotas)
    assert used(quotas) == (1, 0.25)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(1, "1 s"), (60, "60 s"), (61, "2 min"), (3541, "1 h 0 min"), (18_720, "5 h 12 min")],
)
def test_how_long_that_is_reads_well(
    quotas: Quotas, clock: Clock, seconds: int, words: str
) -> None:
    clock.now = NOON + DAY_SECONDS / 2 - seconds
    for _ in range(2):
        send(quotas)
    with pytest.raises(QuotaExceeded, match=f"at midnight UTC, in {words}. An admin"):
        send(quotas)


def test_a_clock_that_steps_back_over_midnight_counts_on(quotas: Quotas, clock: Clock) -> None:
    clock.now = 20_001 * DAY_SECONDS + 5
    for _ in range(2):
        send(quotas)
    clock.now -= 10
    with pytest.raises(QuotaExceeded) as caught:
        send(quotas)
    assert caught.value.retry_after == DAY_SECONDS + 5, "until the end of the day that had begun"
    clock.now += 10
    with pytest.raises(QuotaExceeded):
        send(quotas)


@pytest.mark.parametrize(
    ("error", "left"), [(Overloaded, 0), (PictureCorrupt, 1), (ZeroDivisionError, 1)]
)
def test_only_what_was_not_available_is_given_back(
    quotas: Quotas, error: type[Exception], left: int
) -> None:
    def fail() -> None:
        with quotas.metered(ANN) as charge:
            assert charge is not None
            charge(500, 500)
            raise error

    with pytest.raises(error):
        fail()
    assert used(quotas) == (left, left * 0.25)


def test_what_was_refused_before_a_charge_gives_nothing_back(quotas: Quotas) -> None:
    send(quotas)
    with pytest.raises(Overloaded), quotas.metered(ANN):
        raise Overloaded
    assert used(quotas) == (1, 0.25)


def test_a_picture_larger_than_a_day_is_told_so(quotas: Quotas) -> None:
    with pytest.raises(QuotaExceeded, match=r"2\.0 megapixels, more than the 1") as caught:
        send(quotas, width=2000, height=1000)
    assert caught.value.retry_after is None
