"""Write the figures of docs/performance.md from ``bench/results``, so that nobody types them.

``python -m bench.tables``; a test fails where page and results differ.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

from bench import scenarios
from bench.measures import MEASURES, POINTS
from bench.plots import drawings
from bench.summary import summary

__all__ = ["PAGE", "RESULTS", "block", "main", "table", "with_tables"]

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "performance.md"
RESULTS = Path(__file__).with_name("results")
Row: TypeAlias = Mapping[str, Any]
_BEGIN = "<!-- bench {}: made by python -m bench.tables -->"
_END = "<!-- end of bench {} -->"


def table(report: Mapping[str, Any]) -> str:
    """Return a result's rows, and then what is judged, in Markdown."""
    parts = [_rows(rows) for rows in _alike(report["rows"])]
    if report["ratios"]:
        lines = [[entry["what"], _ratio(entry), _aim(entry)] for entry in report["ratios"]]
        parts.append(_markdown(["ratio or bound", "median (least to most)", "aim"], lines))
    notes = [f"- {_plain(name)}: {_plain(value)}" for name, value in report["facts"].items()]
    notes += [f"- Left out: {entry['what']}: {entry['why']}" for entry in report["skipped"]]
    if notes:
        parts.append("\n".join(notes))
    return "\n\n".join(parts)


def _alike(rows: Sequence[Row]) -> list[list[Row]]:
    """Part rows that have no measure in common: in one table each would be mostly empty."""
    groups: list[tuple[set[str], list[Row]]] = []
    for row in rows:
        own = {name for name in MEASURES if name in row}
        group = next((group for group in groups if group[0] & own), None)
        if group is None:
            groups.append((own, [row]))
        else:
            group[0].update(own)
            group[1].append(row)
    return [group[1] for group in groups]


def _rows(rows: Sequence[Row]) -> str:
    points = [name for name in POINTS if any(name in row for row in rows)]
    measures = [name for name in MEASURES if any(name in row for row in rows)]
    head = ["", *(POINTS[name] for name in points), *(MEASURES[n].heading for n in measures)]
    lines, before = [], None
    for row in sorted(rows, key=lambda row: _first(rows, row["what"])):
        what = row["what"] if row["what"] != before else ""
        before = row["what"]
        cells = [f"{row[name]:,g}" if name in row else "" for name in points]
        lines.append([what, *cells, *(_cell(name, row.get(name)) for name in measures)])
    return _markdown(head, lines)


def block(name: str, results: Path = RESULTS) -> str:
    """Return what the page says of one scenario: what it is, how to run it, what it found."""
    scenario = scenarios.get(name)
    text = [f"## {scenario.TITLE}", scenario.ABOUT, f"**Aim:** {scenario.AIM}"]
    path = results / f"{name}.json"
    if not path.exists():
        return "\n\n".join([*text, f"Not measured yet; `python -m bench {name}` does it."])
    report = json.loads(path.read_text(encoding="utf-8"))
    text += [_where(report), table(report)]
    pictures = [f"![{one.title}](images/bench/{one.file})" for one in drawings(name, report)]
    return "\n\n".join([*text, *(["\n".join(pictures)] if pictures else [])])


def with_tables(page: str, results: Path = RESULTS) -> str:
    """Return the page with the summary and every scenario's part made anew between their marks.

    Raises:
        ValueError: the page lacks the marks of one.
    """
    parts = {"summary": summary(results)}
    parts |= {name: block(name, results) for name in scenarios.NAMES}
    for name, text in parts.items():
        begin, end = _BEGIN.format(name), _END.format(name)
        head, found, rest = page.partition(begin)
        _, closed, tail = rest.partition(end)
        if not found or not closed:
            raise ValueError(f"{PAGE.name} lacks the lines {begin!r} and {end!r}")
        page = f"{head}{begin}\n{text}\n{end}{tail}"
    return page


def main() -> None:
    """Bring the page up to the results."""
    PAGE.write_text(with_tables(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def _where(report: Mapping[str, Any]) -> str:
    on = report["machine"]
    rounds = "round" if report["rounds"] == 1 else "rounds"
    return (
        f"`{report['command']}` on {on['date']}: {on['cores']} cores of {on['processor']}, "
        f"Python {on['python']}; {report['rounds']} {rounds} of {report['seconds']:g} s. "
        f"To measure it alone: `python -m bench {report['scenario']}`."
    )


def _first(rows: Sequence[Row], what: str) -> int:
    return next(number for number, row in enumerate(rows) if row["what"] == what)


def _cell(name: str, value: Mapping[str, float] | None) -> str:
    if value is None:
        return ""
    measure = MEASURES[name]
    text = f"{value['median']:.{measure.digits}f}"
    if not measure.spread or value["least"] == value["most"]:
        return text
    return f"{text} ({value['least']:.{measure.digits}f} to {value['most']:.{measure.digits}f})"


def _ratio(entry: Mapping[str, Any]) -> str:
    if entry["least"] == entry["most"]:
        return f"{entry['median']:.3g}"
    return f"{entry['median']:.3g} ({entry['least']:.3g} to {entry['most']:.3g})"


def _aim(entry: Mapping[str, Any]) -> str:
    if "aim" not in entry:
        return ""
    return f"{entry['aim']}: {'reached' if entry['reached'] else 'not reached'}"


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_plain(one)}" for name, one in value.items())
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def _markdown(head: list[str], lines: list[list[str]]) -> str:
    ruled = [head, ["---"] * len(head), *lines]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in ruled)


if __name__ == "__main__":
    main()
