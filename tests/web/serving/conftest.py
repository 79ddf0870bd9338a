"""A server for the tests of its loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from flask import Flask

from tests.web.serving.server import Server
from tests.web.serving.ways import Ways, make_ready, two_ways
from visiongate.annotate import encode_jpeg
from visiongate.services import Services


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    servers: list[Server] = []

    def make(*args: Any, **kwargs: Any) -> Server:
        servers.append(Server(*args, **kwargs))
        return servers[-1]

    yield make
    for server in servers:
        server.stop()


@pytest.fixture(scope="session")
def jpeg() -> bytes:
    pixels = np.random.default_rng(1).integers(0, 256, (48, 64, 3), np.uint8)
    return encode_jpeg(pixels)


@pytest.fixture
def ways(
    app: Flask, services: Services, serve: Callable[..., Server], make_user: Callable[..., Any]
) -> Ways:
    """Both ways to one app, whose user ``anna`` is logged in."""
    make_ready(services)
    make_user()
    return two_ways(app, serve)
