"""How long a proof runs: in full by default, in short for the tests."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

__all__ = ["Scale"]


@dataclass(frozen=True)
class Scale:
    """What a caller may choose; None leaves it to the proof."""

    seconds: float | None = None
    count: int | None = None
    seed: int = 1
    weights: Path | None = None
    is_short: bool = False

    @classmethod
    def short(cls) -> Scale:
        """Return the scale of a few seconds."""
        return cls(is_short=True)

    def changed(
        self,
        *,
        seconds: float | None,
        count: int | None,
        seed: int | None,
        weights: Path | None,
    ) -> Scale:
        """Return this with what the caller chose."""
        given = {"seconds": seconds, "count": count, "seed": seed, "weights": weights}
        return replace(self, **{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]

    def length(self, *, full: float, short: float) -> float:
        """Return the seconds to run."""
        return self.seconds or (short if self.is_short else full)

    def number(self, *, full: int, short: int) -> int:
        """Return how many to do."""
        return self.count or (short if self.is_short else full)
