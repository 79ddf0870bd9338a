"""What the gateway itself costs: a detector that does nothing, beside a bare Flask route."""

from __future__ import annotations

from contextlib import ExitStack

from bench import pictures, servers
from bench.cases import settings
from bench.loads import load, uploads
from bench.plugin import NOTHING, installed
from bench.scenarios import Plot
from bench.session import Session, key

__all__ = ["ABOUT", "AIM", "PLOTS", "TITLE", "run"]

TITLE = "The gateway's own cost"
ABOUT = """\
A detector that does nothing, and a body of 60 kB: a small picture filled up with comments,
which costs little to decode, and a photograph of 800x533, which the gateway decodes and the
bare route does not look at. The bare route reads the same upload in Flask under gunicorn with
the same settings, and does nothing else: no token, no log line, no metrics."""
AIM = "At least 0.6 of the bare route."
PLOTS = (Plot("per_second", over="clients"),)

_CLIENTS = (1, 8)
_BYTES = 60_000
_THREADS = 32
_FLASK = "bare Flask route"
_KINDS = ("small picture", "photograph")


def run(session: Session) -> None:
    """Measure both, alive at once, in turn."""
    bodies = dict(zip(_KINDS, (pictures.padded(_BYTES), pictures.noise(_BYTES)), strict=True))
    path = f"/api/v1/detect/{NOTHING}?delete=true"
    with ExitStack() as stack:
        flask = stack.enter_context(
            servers.peer("flask_bare", "--threads", str(_THREADS), health="/health")
        )
        gate = stack.enter_context(
            servers.gateway(
                session.data,
                {"threads": str(_THREADS), **settings(NOTHING)},
                environment=installed(session.data),
            )
        )
        contenders = [(_FLASK, flask, uploads(flask, "/detect", [bodies[_KINDS[0]]]))]
        contenders += [
            (_title(kind), gate, uploads(gate, path, [body])) for kind, body in bodies.items()
        ]
        for number in session.each_round():
            for clients in _CLIENTS:
                for title, server, requests in session.in_turn(contenders, number):
                    found = load(server, requests, clients, session.seconds)
                    session.note(key(title, clients=clients), found)
    session.facts["bytes of the bodies"] = {kind: len(body) for kind, body in bodies.items()}
    for kind in _KINDS:
        ours, bare = key(_title(kind), clients=_CLIENTS[-1]), key(_FLASK, clients=_CLIENTS[-1])
        session.ratio(f"{kind}: of the bare route", ours, bare, "per_second", at_least=0.6)
        session.ratio(f"{kind}: processor time, of the bare route's", ours, bare, "cpu_ms")


def _title(kind: str) -> str:
    return f"Visiongate, {kind}"
