"""What a picture costs by its size."""

from __future__ import annotations

import time
from contextlib import ExitStack

from bench import bare, pictures, servers
from bench.bare import Missing
from bench.cases import CASES, Case
from bench.figures import exponent
from bench.loads import load, uploads
from bench.scenarios import Plot
from bench.session import Session, key

__all__ = ["ABOUT", "AIM", "PLOTS", "TITLE", "run"]

TITLE = "Cost against picture size"
ABOUT = """\
One photograph with one face as a JPEG of 0.3 to 24 megapixels, one client. Decoding alone is
the whole picture through libjpeg-turbo, in this process; networks see a few hundred pixels a
side, so what grows is reading and decoding, and YuNet's search for small faces, up to its own
limit."""
AIM = "To know where the time goes: no bound."
PLOTS = (Plot("p50_ms", over="megapixels", log=True), Plot("cpu_ms", over="megapixels", log=True))

_MEGAPIXELS = (0.3, 1, 2, 6, 12, 24)
_DECODING = "decoding alone"
_LARGEST = {"max_upload_bytes": "50000000"}


def run(session: Session) -> None:
    """Measure each detector's gateway at every size, all of them alive at once."""
    bodies = {size: pictures.of_megapixels(size) for size in session.points(_MEGAPIXELS)}
    cases = [case for case in CASES[:4] if _there(session, case)]
    with ExitStack() as stack:
        gates = [
            (
                case,
                stack.enter_context(servers.gateway(session.data, {**_LARGEST, **case.settings})),
            )
            for case in cases
        ]
        for number in session.each_round():
            for size, body in bodies.items():
                session.note(key(_DECODING, megapixels=size), _decoding(body))
                for case, gate in session.in_turn(gates, number):
                    found = load(gate, uploads(gate, case.path, [body]), 1, session.seconds)
                    session.note(key(case.title, megapixels=size), found)
    for what in (case.title for case in cases):
        costs = [session.median(key(what, megapixels=size), "cpu_ms") for size in bodies]
        growth = exponent(list(bodies), costs)
        session.facts[f"{what}: processor time grows with pixels to the power of"] = round(
            growth, 2
        )
    session.facts["size of the files, MB"] = {
        f"{size:g} megapixels": round(len(body) / 1e6, 2) for size, body in bodies.items()
    }


def _there(session: Session, case: Case) -> bool:
    try:
        bare.check(session.data, case.detector, case.options)
    except Missing as why:
        session.skip(case.title, str(why))
        return False
    return True


def _decoding(body: bytes) -> dict[str, float]:
    import simplejpeg  # type: ignore[import-untyped]

    times = []
    for _ in range(3):
        begun = time.thread_time()
        simplejpeg.decode_jpeg(body)
        times.append(time.thread_time() - begun)
    return {"decode_ms": min(times) * 1e3}
