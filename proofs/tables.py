"""Write what the proofs found into docs/reliability.md: ``python -m proofs.tables``.

From ``proofs/results/NAME.json``, or where a proof has not been run in full, from that of its
short form in ``proofs/results/short``; the table says which.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from proofs.__main__ import NAMES
from proofs.report import RESULTS

__all__ = ["PAGE", "filled", "table"]

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reliability.md"
SHORT = RESULTS / "short"
_BEGIN, _END = "<!-- proofs -->", "<!-- end of proofs -->"
_MOST_FIGURES = 6
"""Of each proof's facts, and of its claims: the page shows some, the JSON has all."""


def table(results: Path = RESULTS) -> str:
    """Return all proofs as two tables: which claims held, and what was found."""
    runs = ["| proof | claims that held | run | took |", "|---|---|---|---|"]
    found = ["| proof | figure | found | bound |", "|---|---|---|---|"]
    for name in NAMES:
        report, short = _report(name, results)
        runs.append(_run(name, report, short=short))
        figures = _figures(report) if report else []
        found += [f"| {name if not at else ''} | {row} |" for at, row in enumerate(figures)]
    return "\n".join([*runs, "", *found])


def filled(page: str, content: str) -> str:
    """Return the page with the table in its place."""
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n{content}\n{_END}{after}"


def _report(name: str, results: Path) -> tuple[dict[str, Any], bool]:
    """Return what a proof found, and whether that was its short form; nothing, if never run."""
    for folder, short in ((results, False), (results / "short", True)):
        path = folder / f"{name}.json"
        if path.exists():
            report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            return report, short
    return {}, False


def _run(name: str, report: dict[str, Any], *, short: bool) -> str:
    if not report:
        return f"| {name} | not run yet | | |"
    about = report["machine"]
    run = f"{about['date']}, {about['cores']} cores, load {about['load_before']}: "
    run += f"`{report['command']}`"
    if short:
        run = f"**the long run has not been made**; short: {run}"
    broken = [claim["what"] for claim in report["claims"] if not claim["held"]]
    claims = f"{len(report['claims']) - len(broken)} of {len(report['claims'])}"
    claims += f"; not: {'; '.join(broken)}" if broken else ""
    return f"| {name} | {claims} | {run} | {report['took_s']:,.0f} s |"


def _figures(report: dict[str, Any]) -> list[str]:
    """Return the first of the facts and of the claims, each as figure, found and bound."""
    facts = [
        f"{name.replace('_', ' ')} | {_number(value)} | "
        for name, value in report["facts"].items()
        if isinstance(value, int | float)
    ]
    claims = [
        f"{claim['what']} | {_number(claim['found'])} | {claim['bound']}"
        for claim in report["claims"]
        if isinstance(claim["found"], int | float) and not isinstance(claim["found"], bool)
    ]
    return [*facts[:_MOST_FIGURES], *claims[:_MOST_FIGURES]]


def _number(value: float) -> str:
    """Return four digits, or all of a larger one's before the point."""
    if value == int(value) or abs(value) >= 10_000:
        return f"{value:,.0f}"
    return f"{value:.4g}"


def main() -> int:
    """Write the page anew."""
    page = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(filled(page, table()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
