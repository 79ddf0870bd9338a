"""Tables out of results, and the page that holds them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bench import scenarios, tables
from tests.bench.canned import report, spread

MARKED = ("summary", *scenarios.NAMES)


def test_rows_of_one_contender_stand_together_under_its_name() -> None:
    lines = tables.table(report()).splitlines()
    assert lines[0] == "|  | clients | per second | p50 ms |"
    assert lines[2:6] == [
        "| bare loop |  | 200.0 (190.0 to 210.0) |  |",
        "| gateway | 1 | 90.0 | 11.00 |",
        "|  | 32 | 180.0 | 170.00 |",
        "| other | 1 | 40.0 (36.0 to 44.0) | 25.00 |",
    ]


def test_what_is_judged_says_whether_the_aim_was_reached() -> None:
    text = tables.table(report())
    assert "| of the bare loop | 0.9 (0.85 to 0.95) | at least 0.93: not reached |" in text
    assert "| of the other | 4.5 | at least 2: reached |" in text
    assert "| for comparison | 1.5 |  |" in text


def test_what_was_left_out_and_what_else_was_found_is_told() -> None:
    text = tables.table(report())
    assert "- Left out: a third: it is not installed" in text
    assert "- answers: 2,000" in text
    assert "- names: a, b" in text
    assert "- sizes: small 0.5" in text


@pytest.fixture
def results(tmp_path: Path) -> Path:
    (tmp_path / "faces.json").write_text(json.dumps(report()))
    return tmp_path


def test_a_block_says_what_when_where_and_by_which_command(results: Path) -> None:
    text = tables.block("faces", results)
    for part in (
        scenarios.get("faces").TITLE,
        "**Aim:** ",
        "`python -m bench faces` on 2030-01-02: 2 cores of a processor, Python 3.12.1",
        "3 rounds of 2 s",
        "| bare loop |",
        "](images/bench/faces-per-second.svg)",
    ):
        assert part in text


def test_what_has_not_been_measured_says_how_to(results: Path) -> None:
    assert "Not measured yet; `python -m bench users` does it." in tables.block("users", results)


def test_tables_replace_what_stood_between_their_marks_and_nothing_else(results: Path) -> None:
    page = "".join(
        f"before {name}\n<!-- bench {name}: made by python -m bench.tables -->\nold\n"
        f"<!-- end of bench {name} -->\nafter {name}\n"
        for name in MARKED
    )
    made = tables.with_tables(page, results)
    assert "old" not in made
    assert re.findall(r"^(?:before|after) \w+$", made, re.MULTILINE) == [
        f"{word} {name}" for name in MARKED for word in ("before", "after")
    ]
    assert tables.with_tables(made, results) == made


def test_a_page_without_the_marks_is_refused(results: Path) -> None:
    with pytest.raises(ValueError, match="bench summary"):
        tables.with_tables("# Performance\n", results)


def test_the_page_holds_the_figures_of_the_results_and_no_others() -> None:
    page = tables.PAGE.read_text(encoding="utf-8")
    assert tables.with_tables(page) == page, "run: python -m bench.tables"


@pytest.mark.parametrize("path", sorted(tables.RESULTS.glob("*.json")), ids=lambda path: path.stem)
def test_results_are_of_a_scenario_and_say_when_and_by_which_command(path: Path) -> None:
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found["scenario"] == path.stem
    assert path.stem in scenarios.NAMES
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", found["machine"]["date"])
    assert found["command"]
    assert found["rows"]


@pytest.mark.parametrize("name", scenarios.NAMES)
def test_every_scenario_says_what_it_measures_and_what_for(name: str) -> None:
    scenario = scenarios.get(name)
    assert scenario.TITLE
    assert scenario.ABOUT
    assert scenario.AIM
    assert callable(scenario.run)
    assert {plot.measure for plot in scenario.PLOTS} <= set(tables.MEASURES)


def test_every_module_of_the_scenarios_is_run() -> None:
    modules = {path.stem for path in Path(scenarios.__file__).parent.glob("*.py")} - {"__init__"}
    assert modules == set(scenarios.NAMES)
    with pytest.raises(KeyError, match="facse"):
        scenarios.get("facse")


def test_rows_with_no_measure_in_common_have_tables_of_their_own() -> None:
    found = report() | {"ratios": [], "facts": {}, "skipped": []}
    found["rows"] = [
        {"what": "store", "users": 10, "lookup_us": spread(4.0)},
        {"what": "login", "users": 10, "cpu_ms": spread(2.0)},
        {"what": "store", "users": 1000, "lookup_us": spread(4.5)},
    ]
    first, second = tables.table(found).split("\n\n")
    assert first.splitlines()[2:] == ["| store | 10 | 4.00 |", "|  | 1,000 | 4.50 |"]
    assert second.splitlines()[2:] == ["| login | 10 | 2.00 |"]


def test_one_round_is_no_rounds(tmp_path: Path) -> None:
    for rounds, words in ((1, "1 round of"), (3, "3 rounds of")):
        text = json.dumps(report("users") | {"rounds": rounds})
        (tmp_path / "users.json").write_text(text)
        assert words in tables.block("users", tmp_path)
