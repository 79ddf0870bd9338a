"""One session: contenders measured in turn, round after round; rows, ratios, what was left out."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, TypeVar

from bench.figures import ratios, rounded, spread
from bench.measures import MEASURES, POINTS

__all__ = ["Key", "Session", "key"]

Key: TypeAlias = tuple[str, tuple[tuple[str, float], ...]]
"""A row: who is measured, and at which point (clients, faces, megapixels ...)."""

T = TypeVar("T")


def key(what: str, **point: float) -> Key:
    """Name a row."""
    return what, tuple(point.items())


@dataclass
class Session:
    """What a scenario is given: how long to measure, and where to write down what it finds.

    Contenders of one round are measured next to each other, in another order in every round, and
    ratios are taken within rounds: the machine's own speed changes from minute to minute.
    """

    data: Path
    rounds: int = 3
    seconds: float = 2.0
    quick: bool = False
    rows: dict[Key, dict[str, list[float]]] = field(default_factory=dict)
    ratios: list[dict[str, Any]] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    facts: dict[str, Any] = field(default_factory=dict)

    def each_round(self) -> Iterator[int]:
        for number in range(self.rounds):
            print(f"round {number + 1} of {self.rounds}", flush=True)
            yield number

    def in_turn(self, contenders: Sequence[T], number: int) -> list[T]:
        """Return the contenders in the order of this round: each begins in its turn."""
        start = number % max(1, len(contenders))
        return [*contenders[start:], *contenders[:start]]

    def points(self, all_of_them: Sequence[T]) -> list[T]:
        """Return the points to measure; of a quick run, the first and the last."""
        whole = list(all_of_them)
        return [whole[0], whole[-1]] if self.quick and len(whole) > 2 else whole

    def note(self, row: Key, measures: Mapping[str, float]) -> None:
        """Write down what one round measured of a row."""
        unknown = (set(measures) - set(MEASURES)) | ({name for name, _ in row[1]} - set(POINTS))
        if unknown:
            raise KeyError(f"bench/measures.py does not know {', '.join(sorted(unknown))}")
        kept = self.rows.setdefault(row, {})
        for name, value in measures.items():
            kept.setdefault(name, []).append(value)
        shown = ", ".join(f"{name} {rounded(value):g}" for name, value in measures.items())
        print(f"  {_shown(row)}: {shown}", flush=True)

    def skip(self, what: str, why: str) -> None:
        """Say aloud what is not measured, and why; once."""
        if what not in self.skipped:
            self.skipped[what] = why
            print(f"  left out: {what}: {why}", flush=True)

    def share(self, of: Key, measure: str = "per_second", name: str = "of_bare") -> None:
        """Give every row with that measure its part of what ``of`` reached, round by round."""
        whole = self.rows[of][measure]
        for kept in self.rows.values():
            if len(kept.get(measure, ())) == len(whole):
                kept[name] = ratios(kept[measure], whole)

    def ratio(
        self,
        what: str,
        of: Key,
        to: Key,
        measure: str,
        *,
        at_least: float | None = None,
        at_most: float | None = None,
    ) -> None:
        """Compare two rows; with a bound, say whether the median keeps it.

        Nothing is compared where a row is missing, for which ``skip`` has given the reason.
        """
        if of in self.rows and to in self.rows:
            values = ratios(self.rows[of][measure], self.rows[to][measure])
            self.add_ratio(what, values, at_least=at_least, at_most=at_most)

    def add_ratio(
        self,
        what: str,
        values: Sequence[float],
        *,
        at_least: float | None = None,
        at_most: float | None = None,
    ) -> None:
        """Write down a figure that is judged, one value a round."""
        median = statistics.median(values)
        entry: dict[str, Any] = {"what": what, **spread(values)}
        if at_least is not None:
            entry |= {"aim": f"at least {at_least:g}", "reached": median >= at_least}
        elif at_most is not None:
            entry |= {"aim": f"at most {at_most:g}", "reached": median <= at_most}
        self.ratios.append(entry)
        print(f"  {what}: {rounded(median):g} {entry.get('aim', '')}", flush=True)

    def median(self, row: Key, measure: str) -> float:
        return statistics.median(self.rows[row][measure])

    def report(self) -> dict[str, Any]:
        """Return all that was found, as it is written to a file."""
        return {
            "rows": [
                {"what": what, **dict(point), **{n: spread(v) for n, v in measures.items()}}
                for (what, point), measures in self.rows.items()
            ],
            "ratios": self.ratios,
            "skipped": [{"what": what, "why": why} for what, why in self.skipped.items()],
            "facts": self.facts,
        }


def _shown(row: Key) -> str:
    what, point = row
    return what + "".join(f", {value:g} {name}" for name, value in point)
