"""What of the pages' commands is not run in a test, and what is changed in a line before it is."""

from __future__ import annotations

import re
from pathlib import Path

USER, PASSWORD = "ann", "correct horse battery staple"

LEFT_OUT = {
    r"^make serve\b": "goes on until it is stopped; the fixture `served` runs it",
    r"--resolve vision\.example\.com:443": "asks nginx at port 443, which tests/deploy does "
    "with the same configuration at a free port",
    r"^make bench\b|^python -m bench\b": "takes minutes; tests/bench has its parts",
    r"^make (prove|fuzz)\b": "takes hours; tests/proofs has their short forms",
    r"^promtool\b": "tests/deploy/test_monitoring.py runs it, where promtool is there",
}
"""Lines that are not run, and why. Each is in a page, or the list is too long."""

ADAPTED = [
    (r"http://localhost:5000", "{address}", "the port is a free one"),
    (r'"<user>"|"ann"', f'"{USER}"', "who that is"),
    (r'("password": ?)"(<password>|\.\.\.)"', rf'\1"{PASSWORD}"', "what a reader types"),
    (r"\bACCESS_TOKEN=\.\.\.", "ACCESS_TOKEN={token}", "what a reader copies"),
    (r"\byolox_s\b", "yolox_nano", "weights that the tests have, in place of some they have not"),
    (
        r"^(python examples/stream\.py) --user ann( 1)?(?= *#|$)",
        r"\1 --user ann street.mp4 --headless --output camera.mp4",
        "no camera and no screen",
    ),
    (
        r"^(python examples/stream\.py --user ann street\.mp4)(?!.*--headless)",
        r"\1 --headless --output street-seen.mp4",
        "no screen",
    ),
    (r"rtsp://camera/stream", "street.mp4", "no camera"),
    (
        r"^(python examples/stream\.py --user ann) --gateway https://vision\.example\.com",
        r"\1 street.mp4 --headless --output small.mp4 --gateway {address}",
        "no camera, no screen, and a gateway that is here",
    ),
    (
        r"^(python examples/stream\.py)(?!.*--gateway)",
        r"\1 --gateway {address} --force",
        "the port is a free one",
    ),
    (
        r"pip install \./my-detector",
        "pip install --quiet --no-deps --no-build-isolation --target plugins ./my-detector",
        "not into the environment that runs the tests",
    ),
    (r"/(?=(opt/visiongate|etc|var/lib/visiongate)(/|\b))", "{root}/", "a root of its own"),
    (
        r"^(python -m visiongate\.doctor.*?)( *#.*)?$",
        r"\1 || test $? -le 1",
        "a test's machine may deserve a look",
    ),
]
"""What is changed in a line before it runs, and why."""


def adapt(line: str, address: str, access: str, root: Path) -> str:
    """Return ``line`` as it is run here."""
    for pattern, replacement, _ in ADAPTED:
        filled = (
            replacement.replace("{address}", address)
            .replace("{token}", access)
            .replace("{root}", str(root))
        )
        line = re.sub(pattern, filled, line)
    return line


def is_left_out(line: str) -> bool:
    return any(re.search(pattern, line) for pattern in LEFT_OUT)
