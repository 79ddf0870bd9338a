"""Plots out of results: which there are, and that they are the same each time."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from bench import plots, tables
from tests.bench.canned import report, spread


def texts(file: Path) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", file.read_text(encoding="utf-8"))


def test_a_line_for_each_contender_over_the_points(tmp_path: Path) -> None:
    throughput, latency = plots.draw("faces", report(), tmp_path)
    assert throughput.name == "faces-per-second.svg"
    assert latency.name == "faces-p50-ms.svg"  # p99 was not measured
    shown = texts(throughput)
    assert {"gateway", "other", "clients", "per second", "1", "32"} <= set(shown)
    assert "bare loop" not in shown  # it has no clients


def test_bars_where_there_is_nothing_to_draw_over(tmp_path: Path) -> None:
    found: dict[str, Any] = report("startup") | {
        "rows": [
            {"what": "one detector", "first_face_s": spread(1.5, 0.2)},
            {"what": "all detectors", "first_face_s": spread(2.5)},
        ]
    }
    (file,) = plots.draw("startup", found, tmp_path)
    assert {"one detector", "all detectors", "first answer, s"} <= set(texts(file))


def test_one_bar_or_one_point_is_not_drawn(tmp_path: Path) -> None:
    found = report("startup") | {"rows": [{"what": "alone", "first_face_s": spread(1.5)}]}
    assert plots.draw("startup", found, tmp_path) == []


def test_the_same_results_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for folder in (first, second):
        folder.mkdir()
        plots.draw("faces", report(), folder)
    for file in first.iterdir():
        assert file.read_bytes() == (second / file.name).read_bytes()


def test_the_command_draws_what_has_results_and_removes_what_has_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results, folder = tmp_path / "results", tmp_path / "images"
    results.mkdir()
    folder.mkdir()
    (results / "faces.json").write_text(json.dumps(report()))
    (folder / "gone-p50-ms.svg").write_text("old")
    plots.main(results, folder)
    assert {file.name for file in folder.iterdir()} == {"faces-per-second.svg", "faces-p50-ms.svg"}
    assert "2 plots" in capsys.readouterr().out


def test_the_page_shows_every_plot_that_was_drawn() -> None:
    page = tables.PAGE.read_text(encoding="utf-8")
    shown = re.findall(r"\]\(images/bench/([^)]+)\)", page)
    assert sorted(shown) == sorted(file.name for file in plots.FOLDER.glob("*.svg"))
