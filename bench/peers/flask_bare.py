"""A bare Flask route that reads an upload, under gunicorn set as ``api.py`` sets it."""

from __future__ import annotations

import argparse
from pathlib import Path

from flask import Flask, Response, jsonify, request

__all__ = ["make_app"]

_MEMORY_FOLDER = Path("/dev/shm")


def make_app() -> Flask:
    """Make the application: one route that counts the upload's bytes."""
    app = Flask(__name__)

    @app.post("/detect")
    def detect() -> Response:
        return jsonify(bytes=len(request.files["file"].read()))

    @app.get("/health")
    def health() -> Response:
        return jsonify(ready=True)

    return app


def main() -> None:
    from gunicorn.app.base import BaseApplication

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()

    class Server(BaseApplication):  # type: ignore[misc]
        def load_config(self) -> None:
            settings = {
                "bind": f"127.0.0.1:{options.port}",
                "workers": 1,
                "worker_class": "gthread",
                "threads": options.threads,
                "timeout": 120,
                "keepalive": 15,
                "worker_tmp_dir": str(_MEMORY_FOLDER) if _MEMORY_FOLDER.is_dir() else None,
                "loglevel": "warning",
                "control_socket_disable": True,
            }
            for name, value in settings.items():
                self.cfg.set(name, value)

        def load(self) -> Flask:
            return make_app()

    Server().run()


if __name__ == "__main__":
    main()
