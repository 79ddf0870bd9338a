"""Face, gender and ethnicity in one request: what each further face costs."""

from __future__ import annotations

from collections.abc import Sequence

from bench import bare, pictures, servers
from bench.bare import Missing
from bench.cases import settings
from bench.client import call
from bench.figures import exponent
from bench.loads import load, uploads
from bench.scenarios import Plot
from bench.session import Session, key

__all__ = ["ABOUT", "AIM", "ALL", "PLOTS", "TITLE", "all_there", "path", "run"]

TITLE = "Cost against faces"
ABOUT = """\
`detectors=face,gender,ethnicity` on pictures of one size with 1, 4 and 29 faces of one size,
one client, YuNet. That the gateway finds and judges just so many is checked before anything is
measured."""
AIM = """\
Cost grows with faces well below linearly: 29 faces for at most half of 29 times what one costs."""
PLOTS = (Plot("p50_ms", over="faces"), Plot("cpu_ms", over="faces"))

ALL = ("face", "gender", "ethnicity")
_COUNTS = (1, 4, 29)
_OPTIONS = {"face": {"model": "yunet"}}


def run(session: Session) -> None:
    """Measure face alone and, where their networks are here, all three."""
    try:
        bare.check(session.data, "face", _OPTIONS)
    except Missing as why:
        session.skip("everything", f"small faces are found by YuNet alone: {why}")
        return
    bodies = {count: pictures.with_faces(count) for count in _COUNTS}
    asked = [("face",), *([ALL] if all_there(session) else [])]
    with servers.gateway(session.data, settings(*asked[-1], options=_OPTIONS)) as gate:
        for detectors in asked:
            for count in _COUNTS:
                _check(gate, detectors, bodies[count], count)
        for number in session.each_round():
            for detectors in session.in_turn(asked, number):
                for count in _COUNTS:
                    requests = uploads(gate, path(detectors), [bodies[count]])
                    found = load(gate, requests, 1, session.seconds)
                    session.note(key(", ".join(detectors), faces=count), found)
    for detectors in asked:
        _judge(session, ", ".join(detectors))


def all_there(session: Session) -> bool:
    """Tell whether gender and ethnicity can be measured; say why not."""
    try:
        for name in ALL[1:]:
            bare.check(session.data, name, {})
    except Missing as why:
        session.skip(", ".join(ALL), str(why))
        return False
    return True


def path(detectors: Sequence[str]) -> str:
    """Return the route that answers with the full report of these detectors."""
    return f"/api/v1/detect?detectors={','.join(detectors)}&delete=true"


def _judge(session: Session, what: str) -> None:
    few, many = (key(what, faces=count) for count in (_COUNTS[0], _COUNTS[-1]))
    for measure, name in (("p50_ms", "time"), ("cpu_ms", "processor time")):
        session.ratio(
            f"{what}: {name} for 29 faces, of that for one", many, few, measure, at_most=14.5
        )
    further = _COUNTS[-1] - _COUNTS[0]
    pairs = zip(session.rows[many]["cpu_ms"], session.rows[few]["cpu_ms"], strict=True)
    session.add_ratio(
        f"{what}: processor ms for each further face", [(a - b) / further for a, b in pairs]
    )
    costs = [session.median(key(what, faces=count), "cpu_ms") for count in _COUNTS]
    session.facts[f"{what}: processor time grows with faces to the power of"] = round(
        exponent(_COUNTS, costs), 2
    )


def _check(gate: servers.Running, detectors: Sequence[str], body: bytes, count: int) -> None:
    report = call(uploads(gate, path(detectors), [body])[0]).json()
    faces = [found for found in report["detections"] if found["label"] == "face"]
    judged = [face for face in faces if set(face.get("attributes", ())) >= set(detectors[1:])]
    if len(judged) != count:
        raise RuntimeError(f"of {count} faces {len(faces)} were found, {len(judged)} judged")
