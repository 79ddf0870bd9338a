"""A running gateway on a port of its own, with fake detectors and real everything else."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from werkzeug.serving import WSGIRequestHandler, make_server

from tests.web.conftest import fake_services
from tests.web.fakes import PASSWORD, fake_detectors
from visiongate.services import Services
from visiongate.settings import Settings
from visiongate.types import User
from visiongate.web.app import create_app
from visiongate.web.tokens import issue

USER = "ann"


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps connections: thousands of requests, few ports

    def log_request(self, *_: object) -> None:
        """Write nothing; the gateway writes a line itself."""


@dataclass(frozen=True)
class Gateway:
    """Where it listens, and what a test may reach behind it."""

    url: str
    services: Services
    app: Any

    def tokens(self) -> dict[str, str]:
        """Return the tokens of a new login; straight from the issuer, since bcrypt is slow."""
        with self.app.test_request_context():
            return dict(issue(self.services.users.get(USER)))  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Start the gateway, every detector ready, with the user of the specification's example."""
    folder: Path = tmp_path_factory.mktemp("gateway")
    before = Path.cwd()
    os.chdir(folder)  # away from any configuration of the working directory
    try:
        settings = Settings(
            data_dir=folder / "data",
            images_dir=folder / "images",
            bcrypt_rounds=4,
            login_rate_per_user="100000 per minute",
            login_rate_per_address="100000 per minute",
            log_level="error",
        )
    finally:
        os.chdir(before)
    services = fake_services(settings, {one.info.name: one for one in fake_detectors()})
    # An admin, so that every route opens; the only one, who therefore cannot be removed.
    user: User = services.users.create(USER, PASSWORD, "admin")
    assert user.username == USER
    services.users.create("bob", PASSWORD)
    for entry in services.registry:
        services.detector(entry)
    app = create_app(settings, services)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield Gateway(f"http://127.0.0.1:{server.server_port}", services, app)
    server.shutdown()
    thread.join()
    server.server_close()
    services.close()
