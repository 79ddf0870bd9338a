"""Draw what was measured: ``python -m bench.plots``, from ``bench/results`` to docs/images/bench.

The same results give the same files, byte for byte, so that a change of a plot is a change of
figures.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import scenarios
from bench.measures import MEASURES, POINTS
from bench.scenarios import Plot

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["FOLDER", "Drawing", "draw", "drawings", "main"]

_ROOT = Path(__file__).resolve().parents[1]
FOLDER = _ROOT / "docs" / "images" / "bench"
_RESULTS = Path(__file__).with_name("results")
_REPEATABLE: Any = {"svg.hashsalt": "visiongate", "svg.fonttype": "none", "font.size": 9}
_INCHES, _WIDE = (7.0, 3.6), (9.5, 4.2)
_COLOURS = 10
_MOST_INSIDE = 6
"""Lines whose legend has room beside them; that of more stands outside."""


@dataclass(frozen=True)
class Drawing:
    """A plot that a scenario's results allow, and the file that it becomes."""

    plot: Plot
    file: str
    title: str


def drawings(name: str, report: Mapping[str, Any]) -> list[Drawing]:
    """Return what can be drawn of a scenario's results: bars of one thing tell nothing."""
    found = []
    for plot in scenarios.get(name).PLOTS:
        rows = _rows(plot, report)
        if len(rows) > 1:
            over = f" against {POINTS[plot.over]}" if plot.over else ""
            title = f"{scenarios.get(name).TITLE}: {MEASURES[plot.measure].heading}{over}"
            found.append(Drawing(plot, f"{name}-{plot.measure.replace('_', '-')}.svg", title))
    return found


def draw(name: str, report: Mapping[str, Any], folder: Path) -> list[Path]:
    """Draw a scenario's plots into the folder; return the files."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    files = []
    with mpl.rc_context(_REPEATABLE):
        for one in drawings(name, report):
            rows = _rows(one.plot, report)
            lines = len({row["what"] for row in rows}) if one.plot.over else 0
            size = _WIDE if lines > _MOST_INSIDE else _INCHES
            figure = Figure(figsize=size, layout="constrained")
            axes = figure.subplots()
            if one.plot.over is None:
                _bars(axes, one.plot, rows)
            else:
                _lines(axes, one.plot, one.plot.over, rows)
            axes.set_title(one.title, fontsize=9)
            axes.grid(alpha=0.3)
            files.append(folder / one.file)
            figure.savefig(files[-1], metadata={"Date": None})
    return files


def main(results: Path = _RESULTS, folder: Path = FOLDER) -> None:
    """Draw every scenario that has results, and remove what is drawn no more."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn: list[Path] = []
    for name in scenarios.NAMES:
        path = results / f"{name}.json"
        if path.exists():
            drawn += draw(name, json.loads(path.read_text(encoding="utf-8")), folder)
    for old in set(folder.glob("*.svg")) - set(drawn):
        old.unlink()
    print(f"{len(drawn)} plots in {folder}")


def _rows(plot: Plot, report: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [
        row
        for row in report["rows"]
        if plot.measure in row and (plot.over is None or plot.over in row)
    ]


def _bars(axes: Axes, plot: Plot, rows: list[Mapping[str, Any]]) -> None:
    values = [row[plot.measure] for row in rows]
    axes.barh(
        [row["what"] for row in rows],
        [value["median"] for value in values],
        xerr=_reach(values),
        color="tab:blue",
        capsize=3,
    )
    axes.invert_yaxis()
    axes.set_xlabel(MEASURES[plot.measure].heading)


def _lines(axes: Axes, plot: Plot, over: str, rows: list[Mapping[str, Any]]) -> None:
    """Draw medians, with the least and the most of the rounds as whiskers."""
    names = list(dict.fromkeys(row["what"] for row in rows))
    for number, what in enumerate(names):
        own = sorted((row for row in rows if row["what"] == what), key=lambda row: row[over])
        values = [row[plot.measure] for row in own]
        axes.errorbar(
            [row[over] for row in own],
            [value["median"] for value in values],
            yerr=_reach(values),
            marker="o",
            capsize=3,
            label=what,
            linestyle=("-", "--")[number // _COLOURS],
        )
    points = sorted({row[over] for row in rows})
    axes.set_xscale("log")
    axes.set_xticks(points, [f"{point:,g}" for point in points])
    axes.minorticks_off()
    if plot.log:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter("{x:,g}")
    else:
        axes.set_ylim(bottom=0)
    axes.set_xlabel(POINTS[over])
    axes.set_ylabel(MEASURES[plot.measure].heading)
    if len(names) > _MOST_INSIDE:
        axes.legend(fontsize=7, loc="upper left", bbox_to_anchor=(1, 1))
    else:
        axes.legend(fontsize=7)


def _reach(values: list[Mapping[str, float]]) -> list[list[float]]:
    return [
        [value["median"] - value["least"] for value in values],
        [value["most"] - value["median"] for value in values],
    ]


if __name__ == "__main__":
    main()
