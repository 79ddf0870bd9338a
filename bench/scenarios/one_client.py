"""One client and an idle machine: how near a request comes to the best time for one picture."""

from __future__ import annotations

from bench import bare, pictures, servers
from bench.bare import Missing
from bench.cases import CASES, Case
from bench.loads import load, uploads
from bench.machine import cores
from bench.scenarios import Plot
from bench.session import Session, key

__all__ = ["ABOUT", "AIM", "PLOTS", "TITLE", "run"]

TITLE = "One client on an idle machine"
ABOUT = """\
One client sends one picture after another. The bare best is one loop, no server, with all
cores: once all of them for one network (one stream), once a stream a core; the faster of the
two counts."""
AIM = "Within 1.15 of the bare best."
PLOTS: tuple[Plot, ...] = ()

_STREAMS = ("bare, one stream", "bare, a stream a core")


def run(session: Session) -> None:
    """Measure both bare loops and the gateway, detector by detector."""
    bodies = pictures.ten()
    cases = CASES[:1] if session.quick else CASES[:4]
    for number in session.each_round():
        for case in session.in_turn(cases, number):
            try:
                _measure(session, case, bodies)
            except Missing as why:
                session.skip(case.title, str(why))
    for case in cases:
        rows = [key(f"{case.title}: {how}") for how in _STREAMS]
        if rows[0] in session.rows:
            best = min(rows, key=lambda row: session.median(row, "p50_ms"))
            gate = key(f"{case.title}: Visiongate")
            session.ratio(
                f"{case.title}, p50, of the bare best", gate, best, "p50_ms", at_most=1.15
            )


def _measure(session: Session, case: Case, bodies: list[bytes]) -> None:
    for how, streams in zip(_STREAMS, (1, cores()), strict=True):
        found = bare.measure(
            session.data,
            session.seconds,
            detector=case.detector,
            options=case.options,
            streams=streams,
            loops=1,
        )
        session.note(key(f"{case.title}: {how}"), found)
    with servers.gateway(session.data, case.settings) as gate:
        found = load(gate, uploads(gate, case.path, bodies), 1, session.seconds)
        session.note(key(f"{case.title}: Visiongate"), found)
