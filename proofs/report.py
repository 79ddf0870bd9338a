"""What a proof claims, what was found, and where that is written."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import machine

__all__ = ["RESULTS", "Report"]

RESULTS = Path(__file__).resolve().parent / "results"


@dataclass
class Report:
    """The claims of one proof, each with the figure that was found and the bound it is held to."""

    name: str
    claims: list[dict[str, Any]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    def at_most(self, what: str, found: float, bound: float) -> None:
        """Claim that a figure is no more than its bound."""
        self._claim(what, found, f"at most {bound:.4g}", found <= bound)

    def at_least(self, what: str, found: float, bound: float) -> None:
        """Claim that a figure is no less than its bound."""
        self._claim(what, found, f"at least {bound:.4g}", found >= bound)

    def none(self, what: str, found: object) -> None:
        """Claim that there is nothing of this: no exception, no wrong answer, no loss."""
        self._claim(what, found, "none", not found)

    def holds(self, what: str, found: object, *, expected: object = True) -> None:
        """Claim that something is exactly so."""
        self._claim(what, found, str(expected), found == expected)

    def note(self, **facts: object) -> None:
        """Write down what belongs to the picture, and is no claim."""
        self.facts.update(facts)
        for name, value in facts.items():
            print(f"    {name}: {_shown(value)}", flush=True)

    @property
    def broken(self) -> list[dict[str, Any]]:
        """The claims that do not hold."""
        return [claim for claim in self.claims if not claim["held"]]

    def write(self, folder: Path, command: str, about: dict[str, Any], seconds: float) -> Path:
        """Write all of it to ``folder/NAME.json``."""
        folder.mkdir(parents=True, exist_ok=True)
        document = {
            "proof": self.name,
            "command": command,
            "took_s": round(seconds),
            "machine": about,
            "held": bool(self.claims) and not self.broken,
            "claims": self.claims,
            "facts": self.facts,
        }
        path = folder / f"{self.name}.json"
        path.write_text(json.dumps(document, indent=1, default=str) + "\n")
        return path

    def _claim(self, what: str, found: object, bound: str, held: bool) -> None:
        value = round(found, 4) if isinstance(found, float) else found
        self.claims.append({"what": what, "found": value, "bound": bound, "held": held})
        print(f"  {'ok  ' if held else 'FAIL'} {what}: {_shown(value)} ({bound})", flush=True)


def describe() -> dict[str, Any]:
    """Return date and machine."""
    return machine.describe()


def _shown(value: object) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text if len(text) <= 500 else f"{text[:500]}…"
