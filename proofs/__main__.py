"""Prove what the documentation claims: ``python -m proofs NAME ...``, or ``make prove PROOF=NAME``.

Each proof writes what it found to ``proofs/results/NAME.json`` with date, machine and command;
``docs/reliability.md`` quotes those. Exit status: 0 every claim held, 1 one did not, 2 usage.
"""

from __future__ import annotations

import argparse
import importlib
import os
import shlex
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from proofs.report import RESULTS, Report, describe
from proofs.scale import Scale

NAMES = (
    "answers", "overload", "slow_clients", "worker_deaths", "store_kills", "damage", "clock",
    "hostile", "hostile_requests", "fuzz", "soak",
)  # fmt: skip
"""In this order when none is named: the longest last."""
_SHORT = Path(".cache/proofs")

Prove = Callable[[Report, Path, Scale], None]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the proofs that are named, or all; return the exit status."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    options = _parser().parse_args(given)
    wanted = NAMES if options.names in ([], ["all"]) else options.names
    unknown = [name for name in wanted if name not in NAMES]
    if unknown:
        print(f"There is no {', '.join(unknown)}; there are: {', '.join(NAMES)}.", file=sys.stderr)
        return 2
    scale = Scale.short() if options.short else Scale()
    scale = scale.changed(
        seconds=options.seconds, count=options.count, seed=options.seed, weights=options.weights
    )
    results = options.results or (_SHORT if options.short else RESULTS)
    broken = []
    for name in wanted:
        prove: Prove = importlib.import_module(f"proofs.{name}").prove
        report = Report(name)
        print(f"\n{name}", flush=True)
        about, begun = describe(), time.monotonic()
        with tempfile.TemporaryDirectory(prefix="visiongate-proof-") as folder:
            try:
                prove(report, Path(folder), scale)
            except Exception as error:  # noqa: BLE001 - the other proofs are still worth running
                report.none("what kept the proof from its end", f"{type(error).__name__}: {error}")
        command = shlex.join(["python", "-m", "proofs", *given])
        print(f"  written: {report.write(results, command, about, time.monotonic() - begun)}")
        if report.broken or not report.claims:
            broken.append(name)
    if broken:
        print(f"\nNot proven: {', '.join(broken)}.", file=sys.stderr)
    return 1 if broken else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m proofs",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"all, or of {', '.join(NAMES)}")
    parser.add_argument("--seconds", type=float, help="length of overload and soak")
    parser.add_argument("--count", type=int, help="requests, kills, writes or mutated pictures")
    parser.add_argument("--seed", type=int, help="of everything that is random; default 1")
    parser.add_argument(
        "--weights",
        type=Path,
        default=os.environ.get("VISIONGATE_MODEL_MIRROR"),
        help="folder that is asked first for models; default: VISIONGATE_MODEL_MIRROR",
    )
    parser.add_argument("--short", action="store_true", help=f"seconds each, into {_SHORT}")
    parser.add_argument("--results", type=Path, help="folder to write to")
    return parser


if __name__ == "__main__":
    sys.exit(main())
