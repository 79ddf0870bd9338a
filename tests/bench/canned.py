"""Results as a scenario writes them, with figures that nobody measured."""

from __future__ import annotations

from typing import Any


def spread(median: float, reach: float = 0.0) -> dict[str, float]:
    return {"median": median, "least": median - reach, "most": median + reach}


def judged(what: str, value: dict[str, float], aim: str, reached: bool) -> dict[str, Any]:
    return {"what": what, **value, "aim": aim, "reached": reached}


def report(name: str = "faces") -> dict[str, Any]:
    return {
        "scenario": name,
        "command": f"python -m bench {name}",
        "rounds": 3,
        "seconds": 2.0,
        "machine": {
            "date": "2030-01-02",
            "cores": 2,
            "processor": "a processor",
            "python": "3.12.1",
        },
        "rows": [
            {"what": "bare loop", "per_second": spread(200.0, 10.0)},
            {"what": "gateway", "clients": 1, "per_second": spread(90.0), "p50_ms": spread(11.0)},
            {"what": "other", "clients": 1, "per_second": spread(40.0, 4.0), "p50_ms": spread(25)},
            {"what": "gateway", "clients": 32, "per_second": spread(180.0), "p50_ms": spread(170)},
        ],
        "ratios": [
            {
                "what": "of the bare loop",
                **spread(0.9, 0.05),
                "aim": "at least 0.93",
                "reached": False,
            },
            {"what": "of the other", **spread(4.5), "aim": "at least 2", "reached": True},
            {"what": "for comparison", **spread(1.5)},
        ],
        "skipped": [{"what": "a third", "why": "it is not installed"}],
        "facts": {"answers": 2000, "names": ["a", "b"], "sizes": {"small": 0.5}},
    }
