"""Each built-in detector: one picture on one core and on all, and at saturation."""

from __future__ import annotations

from bench import bare, pictures, servers
from bench.bare import Missing
from bench.cases import CASES, Case
from bench.loads import load, uploads
from bench.scenarios import Plot
from bench.session import Session, key

__all__ = ["ABOUT", "AIM", "PLOTS", "TITLE", "run"]

TITLE = "Every detector"
ABOUT = """\
800x533 JPEGs with one face each. One picture on one core and on all: a loop with no server,
decoding included. At saturation: the gateway with eight clients, beside a loop on all cores
with the same networks. Gender and ethnicity are judged on the faces that `face` finds, so its
time is part of theirs."""
AIM = "At saturation 0.90 of the bare loop."
PLOTS = (Plot("one_core_ms"), Plot("per_second"))

_CLIENTS = 8


def run(session: Session) -> None:
    """Measure each detector that has its weights here."""
    bodies = pictures.ten()
    for number in session.each_round():
        for case in session.in_turn(CASES, number):
            try:
                session.note(key(case.title), _measure(session, case, bodies))
            except Missing as why:
                session.skip(case.title, str(why))
    for case in CASES:
        row = session.rows.get(key(case.title))
        if row is not None:
            session.add_ratio(f"{case.title}, of the bare loop", row["of_bare"], at_least=0.9)


def _measure(session: Session, case: Case, bodies: list[bytes]) -> dict[str, float]:
    def alone(**how: int) -> dict[str, float]:
        return bare.measure(
            session.data, session.seconds, detector=case.detector, options=case.options, **how
        )

    one, every, whole = alone(cores=1), alone(streams=1), alone()
    with servers.gateway(session.data, case.settings) as gate:
        found = load(gate, uploads(gate, case.path, bodies), _CLIENTS, session.seconds)
    return {
        "one_core_ms": one["p50_ms"],
        "all_cores_ms": every["p50_ms"],
        "bare_per_second": whole["per_second"],
        "per_second": found["per_second"],
        "of_bare": found["per_second"] / whole["per_second"],
        "cpu_ms": found["cpu_ms"],
        "bare_cpu_ms": whole["cpu_ms"],
    }
