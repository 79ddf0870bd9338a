"""A gateway that fetches pictures, and the network that it sees: every address is loopback."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import pytest

from tests.web.fetching.network import LIMIT, PUBLIC, Dialled, Names, Net, Use
from tests.web.fetching.picture_server import PictureServer, serving
from tests.web.test_detect import PICTURE
from visiongate.fetching.fetcher import Fetcher
from visiongate.services import Services


@pytest.fixture
def server() -> Iterator[PictureServer]:
    with serving() as running:
        running.gives("/1.jpg", PICTURE, Content_Type="text/plain")
        yield running


@pytest.fixture
def use(services: Services) -> Iterator[Use]:
    """Return a function that gives the gateway a network, and lists of hosts in it."""
    made: list[Fetcher] = []

    def configure(
        *hosts: str,
        private: tuple[str, ...] = (),
        seconds: float = 20.0,
        tls: ssl.SSLContext | None = None,
        **names: list[list[str]],
    ) -> Net:
        net = Net(Names(**names), Dialled())
        services.fetcher = Fetcher(
            hosts,
            private,
            max_bytes=LIMIT,
            seconds=seconds,
            resolve=net.names,
            backend=net.dialled,
            tls=tls,
        )
        made.append(services.fetcher)
        return net

    yield configure
    for fetcher in made:
        fetcher.close()


@pytest.fixture
def camera(use: Use, server: PictureServer) -> str:
    """The address of a listed public host, without its path."""
    use(f"cam.test:{server.port}", cam_test=[[PUBLIC]])
    return f"http://cam.test:{server.port}"
