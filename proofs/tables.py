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
_MOST_FIGURES = 5


def table(results: Path = RESULTS) -> str:
    """Return all proofs as a table."""
    lines = ["| proof | run | claims | figures |", "|---|---|---|---|"]
    lines += [_row(name, results) for name in NAMES]
    return "\n".join(lines)


def filled(page: str, content: str) -> str:
    """Return the page with the table in its place."""
    before, _, rest = page.partition(_BEGIN)
    _, _, after = rest.partition(_END)
    return f"{before}{_BEGIN}\n{content}\n{_END}{after}"


def _row(name: str, results: Path) -> str:
    for path, how in (
        (results / f"{name}.json", ""),
        (results / "short" / f"{name}.json", "short"),
    ):
        if path.exists():
            report = json.loads(path.read_text())
            about = report["machine"]
            run = f"{about['date']}, {about['cores']} cores, load {about['load_before']}, "
            run += f"{report['took_s']} s: `{report['command']}`"
            if how:
                run = f"**the long run has not been made**; short: {run}"
            held = sum(claim["held"] for claim in report["claims"])
            broken = [claim["what"] for claim in report["claims"] if not claim["held"]]
            claims = f"{held} of {len(report['claims'])}"
            claims += f"; not: {'; '.join(broken)}" if broken else ""
            return f"| {name} | {run} | {claims} | {_figures(report)} |"
    return f"| {name} | not run yet | | |"


def _figures(report: dict[str, Any]) -> str:
    found = [
        f"{claim['what']}: {claim['found']:.4g} ({claim['bound']})"
        for claim in report["claims"]
        if isinstance(claim["found"], (int, float)) and not isinstance(claim["found"], bool)
    ]
    facts = [
        f"{name.replace('_', ' ')}: {value:.4g}"
        for name, value in report["facts"].items()
        if isinstance(value, (int, float))
    ]
    return "<br>".join([*facts[:_MOST_FIGURES], *found[:_MOST_FIGURES]])


def main() -> int:
    """Write the page anew."""
    PAGE.write_text(filled(PAGE.read_text(), table()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
