"""Memory with all detectors loaded, and for each further worker process."""

from __future__ import annotations

from bench import bare, pictures, servers
from bench.bare import Missing
from bench.cases import names
from bench.loads import load, uploads
from bench.processes import resident_megabytes
from bench.scenarios import Plot
from bench.session import Session, key

__all__ = ["ABOUT", "AIM", "PLOTS", "TITLE", "run"]

TITLE = "Memory"
ABOUT = """\
The gateway as it is installed, with one to four worker processes, after every detector has
answered eight clients for a while in each of them. Pages that processes share are counted once
(PSS)."""
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
                    load(gate, requests, _CLIENTS, session.seconds)
                memory = resident_megabytes(gate.pid)
            session.note(key(title, workers=workers), {"memory_mb": memory})
    session.facts["detectors loaded"] = detectors
    rows = [session.rows[key(title, workers=count)]["memory_mb"] for count in counts]
    session.add_ratio(f"one process, {title}, MB", rows[0], at_most=_MOST)
    further = counts[-1] - counts[0]
    session.add_ratio(
        "each further worker, MB",
        [(most - least) / further for least, most in zip(rows[0], rows[-1], strict=True)],
    )
