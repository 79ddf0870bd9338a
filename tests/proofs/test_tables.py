"""The tables of docs/reliability.md, out of results."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from proofs import tables

CLAIMS = [
    {"what": "lost", "held": True, "found": 0, "bound": "none"},
    {"what": "growth", "held": False, "found": 0.03384, "bound": "at most 0.03"},
    {"what": "serves on", "held": True, "found": True, "bound": "True"},
]


def write(folder: Path, name: str, **more: Any) -> None:
    report = {
        "machine": {"date": "2030-01-02", "cores": 2, "load_before": 0.5},
        "command": f"python -m proofs {name}",
        "took_s": 1810,
        "facts": {"requests": 283139.0, "per_second": 157.2839, "statuses": {"200": 1}},
        "claims": CLAIMS,
    }
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(report | more))


def test_it_says_which_claims_held_and_what_was_found(tmp_path: Path) -> None:
    write(tmp_path, "soak")
    lines = tables.table(tmp_path).splitlines()
    assert (
        "| soak | 2 of 3; not: growth | 2030-01-02, 2 cores, load 0.5: `python -m proofs soak` "
        "| 1,810 s |"
    ) in lines
    assert lines[lines.index("| proof | figure | found | bound |") + 2 :] == [
        "| soak | requests | 283,139 |  |",
        "|  | per second | 157.3 |  |",
        "|  | lost | 0 | none |",
        "|  | growth | 0.03384 | at most 0.03 |",
    ]


def test_a_proof_that_was_run_in_short_alone_or_never_says_so(tmp_path: Path) -> None:
    write(tmp_path / "short", "clock")
    text = tables.table(tmp_path)
    assert "**the long run has not been made**; short: 2030-01-02" in text
    assert "| soak | not run yet | | |" in text


def test_only_what_is_between_the_marks_is_replaced() -> None:
    page = "before\n<!-- proofs -->\nold\n<!-- end of proofs -->\nafter\n"
    assert tables.filled(page, "new") == (
        "before\n<!-- proofs -->\nnew\n<!-- end of proofs -->\nafter\n"
    )


def test_the_page_holds_the_figures_of_the_results_and_no_others() -> None:
    page = tables.PAGE.read_text(encoding="utf-8")
    assert tables.filled(page, tables.table()) == page, "run: python -m proofs.tables"
