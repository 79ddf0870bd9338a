"""Memory with all detectors loaded, and for each further worker process."""

from __future__ import annotations

from bench import bare, pictures, servers
from bench.bare import Missing
from bench.cases import names
from bench.loads import load, uploads
from bench.processes import private_megabytes, resident_megabytes
from bench.scenarios import Plot
from bench.session import Session, key

__all__ = ["ABOUT", "AIM", "PLOTS", "TITLE", "run"]

TITLE = "Memory"
ABOUT = """\
The gateway as it is installed, with one to four worker processes, after every detector has
answered eight clients for each of them for a while. In the first column the memory of all
processes, pages that several share counted once (PSS); beside it what each worker shares with
nobody (USS). What is loaded before the workers are forked, they share: Python, its packages, and
the libraries, and most networks as they are read. Each compiles its own, once for each core of its
share."""
AIM = "450 MB with all detectors loaded; little for each further process."
PLOTS = (Plot("memory_mb", over="workers"),)

_WORKERS = (1, 2, 3, 4)
_CLIENTS = 8
_MOST = 450


def run(session: Session) -> None:
    """Measure each number of workers in turn."""
    detectors = []
    for name in names():
        try:
            bare.check(session.data, name, {})
            detectors.append(name)
        except Missing as why:
            session.skip(name, str(why))
    bodies = pictures.ten()
    title = f"{len(detectors)} detectors loaded"
    counts = session.points(_WORKERS)
    for number in session.each_round():
        for workers in session.in_turn(counts, number):
            with servers.gateway(session.data, {"workers": str(workers)}) as gate:
                for name in detectors:
                    requests = uploads(gate, f"/api/v1/detect/{name}?delete=true", bodies)
                    load(gate, requests, _CLIENTS * workers, session.seconds)
                used = {
                    "memory_mb": resident_megabytes(gate.pid),
                    "private_mb": private_megabytes(gate.pid),
                }
            session.note(key(title, workers=workers), used)
    session.facts["detectors loaded"] = detectors
    rows = [session.rows[key(title, workers=count)] for count in counts]
    one, many = rows[0]["memory_mb"], rows[-1]["memory_mb"]
    session.add_ratio(f"one worker, {title}, MB", one, at_most=_MOST)
    further = counts[-1] - counts[0]
    session.add_ratio(
        "each further worker, MB",
        [(most - least) / further for least, most in zip(one, many, strict=True)],
    )
    session.add_ratio(f"private to each of {counts[-1]} workers, MB", rows[-1]["private_mb"])
