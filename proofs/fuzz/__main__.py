"""Look for inputs that break the gateway, guided by coverage: ``python -m proofs.fuzz imaging``.

Needs Atheris (``make fuzz`` installs it). What is interesting is kept in .cache/fuzz/TARGET and
begun with the next time; what breaks something is written there as crash-*, timeout-* or oom-*,
and can be tried again by naming the file. Exit status: 0 nothing found, 2 usage, else a finding.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from proofs.fuzz.targets import TARGETS, has_atheris

CACHE = Path(".cache/fuzz")
_SECONDS = 120
"""That one input may take before it counts as one that hangs; a busy machine is slow."""
_MEGABYTES = 2048


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz until the runs are done, or something is found; libFuzzer ends the process."""
    options = _parser().parse_args(arguments)
    if options.files:
        for file in options.files:
            TARGETS[options.target].load().check(file.read_bytes())
            print(f"{file}: as it should be")
        return 0
    if not has_atheris():
        print("Atheris is not installed here; `make fuzz` does that.", file=sys.stderr)
        return 2
    import atheris  # type: ignore[import-untyped,import-not-found,unused-ignore]

    target = TARGETS[options.target]
    with atheris.instrument_imports(include=list(target.instrumented)):
        module = target.load()
    corpus, begin = options.folder / options.target, options.folder / f"{options.target}-seeds"
    for folder in (corpus, begin):
        folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(module.seeds()):
        (begin / f"{number}").write_bytes(data)
    flags = {
        "runs": options.runs,
        "seed": options.seed,
        "max_len": target.longest,
        "timeout": _SECONDS,
        "rss_limit_mb": _MEGABYTES,
        "artifact_prefix": f"{corpus.parent}/{options.target}-",
        "print_final_stats": 1,
    }
    command = [sys.argv[0], *(f"-{name}={value}" for name, value in flags.items())]
    atheris.Setup([*command, str(corpus), str(begin)], module.check)
    atheris.Fuzz()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m proofs.fuzz",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("files", nargs="*", type=Path, help="only try these, without Atheris")
    parser.add_argument("--runs", type=int, default=100_000, help="default 100,000; -1: no end")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, default=CACHE)
    return parser


if __name__ == "__main__":
    sys.exit(main())
