"""What a picture costs by its size."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable
from contextlib import ExitStack

from bench import bare, pictures, servers
from bench.bare import Missing
from bench.cases import CASES, Case
from bench.loads import load, uploads
from bench.scenarios import Plot
from bench.session import Session, key

__all__ = ["ABOUT", "AIM", "PLOTS", "TITLE", "run"]

TITLE = "Cost against picture size"
ABOUT = """\
One photograph with one face as a JPEG of 0.3 to 24 megapixels, one client. Networks see a few
hundred pixels a side, so what grows is reading and decoding, and YuNet's search for small faces,
up to its own limit. To compare, what it takes libjpeg-turbo alone to decode every pixel: the
gateway decodes a JPEG no larger than the detector asked can see, and so may need less."""
AIM = "To know where the time goes: no bound."
PLOTS = (Plot("p50_ms", over="megapixels", log=True), Plot("cpu_ms", over="megapixels", log=True))

_MEGAPIXELS = (0.3, 1, 2, 6, 12, 24)
_DECODING = "every pixel decoded, and no more"
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
                    # Too few requests for a p99; and one client's rate only says p50 again.
                    shown = {name: found[name] for name in ("p50_ms", "cpu_ms", "client_cpu_ms")}
                    session.note(key(case.title, megapixels=size), shown)
    for what in (_DECODING, *(case.title for case in cases)):
        session.add_ratio(f"{what}: ms for each further megapixel", _slopes(session, what, bodies))
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
    return {"cpu_ms": min(times) * 1e3}


def _slopes(session: Session, what: str, sizes: Iterable[float]) -> list[float]:
    """Return what a megapixel adds to the processor time, for each round."""
    sizes = list(sizes)
    rounds = zip(
        *(session.rows[key(what, megapixels=size)]["cpu_ms"] for size in sizes), strict=True
    )
    return [statistics.linear_regression(sizes, costs).slope for costs in rounds]
