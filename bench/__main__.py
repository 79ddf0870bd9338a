"""Measure, in one session: ``python -m bench [SCENARIO ...]``, or ``make bench`` for everything.

Each scenario writes what it found to ``bench/results/SCENARIO.json`` and prints a table. Quote
ratios: the machine's own speed changes from minute to minute. ``python -m bench.tables`` puts the
tables into docs/performance.md, ``python -m bench.plots`` draws.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bench import machine, scenarios, tables
from bench.session import Session

__all__ = ["main"]

_QUICK = Path(".cache/bench")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the scenarios that are named, or all; return the exit status."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = _parser().parse_args(given)
    unknown = [name for name in options.scenarios if name not in scenarios.NAMES]
    if unknown:
        there = ", ".join(scenarios.NAMES)
        print(f"There is no {', '.join(unknown)}; there are: {there}.", file=sys.stderr)
        return 2
    quick = options.quick
    results = options.results or (_QUICK if quick else tables.RESULTS)
    results.mkdir(parents=True, exist_ok=True)
    # TensorFlow, which the stand-in for mlapi imports, is talkative.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    failed = []
    for name in options.scenarios or scenarios.NAMES:
        scenario = scenarios.get(name)
        print(f"\n{scenario.TITLE} ({name})", flush=True)
        about, begun = machine.describe(), time.monotonic()
        with tempfile.TemporaryDirectory(prefix="visiongate-bench-") as folder:
            session = Session(
                Path(folder),
                rounds=options.rounds or (1 if quick else 3),
                seconds=options.seconds or (0.5 if quick else 2.0),
                quick=quick,
            )
            try:
                scenario.run(session)
            except Exception as error:  # noqa: BLE001 - the other scenarios are still worth running
                print(f"  {name} failed: {type(error).__name__}: {error}", file=sys.stderr)
                failed.append(name)
                continue
        report = {
            "scenario": name,
            "command": shlex.join(["python", "-m", "bench", *given]),
            "rounds": session.rounds,
            "seconds": session.seconds,
            "took_s": round(time.monotonic() - begun),
            "machine": about,
            **session.report(),
        }
        (results / f"{name}.json").write_text(json.dumps(report, indent=1) + "\n")
        print("\n" + tables.table(report), flush=True)
    print(f"\nWritten to {results}.")
    if failed:
        print(f"Failed: {', '.join(failed)}.", file=sys.stderr)
    return 1 if failed else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "scenarios", nargs="*", metavar="SCENARIO", help=f"of {', '.join(scenarios.NAMES)}"
    )
    parser.add_argument("--rounds", type=_positive(int), help="default 3; with --quick 1")
    parser.add_argument(
        "--seconds", type=_positive(float), help="for each measurement; default 2; with --quick 0.5"
    )
    parser.add_argument(
        "--quick", action="store_true", help=f"fewer points, to see that all works; into {_QUICK}"
    )
    parser.add_argument("--results", type=Path, help="folder to write to, by default bench/results")
    return parser


def _positive(kind: type[int] | type[float]):  # type: ignore[no-untyped-def]
    def positive(text: str) -> float:
        value = kind(text)
        if value <= 0:
            raise ValueError(text)
        return value

    return positive


if __name__ == "__main__":
    sys.exit(main())
