"""From the start of the process to the first face."""

from __future__ import annotations

import json

from bench import pictures, servers
from bench.cases import CVLIB
from bench.processes import peak_megabytes
from bench.scenarios import Plot
from bench.session import Session, key

__all__ = ["ABOUT", "AIM", "PLOTS", "TITLE", "run"]

TITLE = "Start"
ABOUT = """\
From the start of the process until a picture that was sent at once, as soon as anybody
listened, is answered with its face; and until the gateway says that it is ready, every detector
having answered a picture of known content. Files lie in the system's cache, networks were
converted by an earlier start; the very first one, which fetches and converts them, is apart. Of
memory, the most that any of the processes had by then, all its pages counted (RSS)."""
AIM = "2.0 s to the first face."
PLOTS = (Plot("first_face_s"),)

_AS_INSTALLED = {"detectors": json.dumps({"face": {"model": "auto"}})}


def run(session: Session) -> None:
    """Start the gateway again and again."""
    body = pictures.ten()[0]
    cases = {"face alone, cvlib's network": CVLIB.settings, "all detectors": _AS_INSTALLED}
    for settings in reversed(cases.values()):  # all first: they are what is fetched and converted
        with servers.gateway(session.data, settings) as gate:
            token = gate.token or ""
            if settings is _AS_INSTALLED:
                found = {"ready_s": gate.ready_seconds, "peak_mb": peak_megabytes(gate.pid)}
                session.note(key("all detectors, the very first start"), found)
    for number in session.each_round():
        for title, settings in session.in_turn(list(cases.items()), number):
            found = servers.cold_start(session.data, CVLIB.path, body, token, settings)
            session.note(key(title), found)
    for title in cases:
        row = session.rows[key(title)]
        session.add_ratio(f"{title}: first face, s", row["first_face_s"], at_most=2.0)
