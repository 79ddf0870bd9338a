"""Medians, spreads, ratios of rounds, and growth."""

from __future__ import annotations

import pytest

from bench.figures import exponent, ratios, rounded, spread


def test_a_spread_is_the_median_with_the_least_and_the_most() -> None:
    assert spread([3.0, 1.0, 2.0]) == {"median": 2.0, "least": 1.0, "most": 3.0}
    assert spread([4.0, 1.0]) == {"median": 2.5, "least": 1.0, "most": 4.0}
    with pytest.raises(ValueError, match="at least one"):
        spread([])


def test_figures_keep_four_digits_whatever_their_size() -> None:
    assert rounded(123456.0) == 123500.0
    assert rounded(0.000123456) == 0.0001235
    assert rounded(0.0) == 0.0


def test_ratios_are_taken_within_rounds() -> None:
    # The machine was half as fast in the second round: the ratio does not notice.
    assert ratios([10.0, 5.0], [20.0, 10.0]) == [0.5, 0.5]
    with pytest.raises(ValueError, match="2 rounds of one and 1 of the other"):
        ratios([1.0, 2.0], [1.0])


@pytest.mark.parametrize(("power", "factor"), [(0.0, 3.0), (0.5, 1.0), (1.0, 2.0), (2.0, 7.0)])
def test_growth_is_the_power_of_the_size(power: float, factor: float) -> None:
    sizes = [1.0, 4.0, 29.0]
    assert exponent(sizes, [factor * size**power for size in sizes]) == pytest.approx(power)


def test_growth_needs_two_sizes() -> None:
    with pytest.raises(ValueError, match="two different sizes"):
        exponent([4.0, 4.0], [1.0, 2.0])
