"""One client and an idle machine: how near a request comes to the best time for one picture."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import partial

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
two counts. All three are alive at once and take turns of a moment, so that whatever else slows the
machine slows each alike."""
AIM = "Within 1.15 of the bare best."
PLOTS: tuple[Plot, ...] = ()

_STREAMS = ("bare, one stream", "bare, a stream a core")


def run(session: Session) -> None:
    """Measure both bare loops and the gateway, detector by detector."""
    bodies = pictures.ten()
    cases = CASES[:1] if session.quick else CASES[:4]
    for case in cases:
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
    with ExitStack() as stack:
        contenders: list[tuple[str, Callable[[float], dict[str, float]]]] = [
            (
                how,
                stack.enter_context(
                    bare.waiting(
                        session.data,
                        detector=case.detector,
                        options=case.options,
                        streams=streams,
                        loops=1,
                    )
                ),
            )
            for how, streams in zip(_STREAMS, (1, cores()), strict=True)
        ]
        gate = stack.enter_context(servers.gateway(session.data, case.settings))
        asked = partial(load, gate, uploads(gate, case.path, bodies), 1)
        contenders.append(("Visiongate", asked))
        asked(session.seconds)  # by then its network is compiled for a lone client
        for number in session.each_round():
            for how, measure in session.in_turn(contenders, number):
                session.note(key(f"{case.title}: {how}"), measure(session.seconds))
