"""Who runs networks alone is told so, after a while; who does not is told so at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from visiongate.runtimes.turns import Turns


def alone(turns: Turns) -> bool:
    with turns.taken() as told:
        return told


def test_a_lone_caller_is_known_after_a_few_turns() -> None:
    turns = Turns(enough=3)
    assert [alone(turns) for _ in range(5)] == [False, False, False, True, True]


def test_one_turn_beside_another_ends_it() -> None:
    turns = Turns(enough=3)
    for _ in range(9):
        alone(turns)
    with turns.taken() as first, turns.taken() as second:
        assert (first, second) == (True, False)
    assert [alone(turns) for _ in range(4)] == [False, False, False, True]


def test_a_turn_that_fails_is_given_back() -> None:
    turns = Turns(enough=1)
    for _ in range(3):
        with pytest.raises(ValueError, match="bad"), turns.taken():
            raise ValueError("bad")
    assert alone(turns)


def test_of_many_at_once_one_at_most_is_alone() -> None:
    turns = Turns(enough=0)
    with ExitStack() as held:
        told = [held.enter_context(turns.taken()) for _ in range(10)]
    assert told == [True] + [False] * 9

    inside: list[int] = []

    def take(_: int) -> None:
        with turns.taken() as told:
            if told:
                inside.append(1)
                assert len(inside) == 1
                inside.pop()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(take, range(2000)))
    assert alone(turns)
