"""A gateway with one thread, and nginx in front of it."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from tests.deploy.proxy import NGINX, Proxy
from tests.examples.real_gateway import PASSWORD, USER, RealGateway

PER_ADDRESS = 10
"""Fewer than nginx lets through, so that the gateway's own limit is seen."""


@pytest.fixture(scope="session")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealGateway]:
    """A gateway that believes one proxy, and has one thread, which whoever is slow would hold."""
    gateway = RealGateway(
        tmp_path_factory.mktemp("behind") / "gateway",
        THREADS="1",
        TRUSTED_PROXIES="1",
        LOGIN_RATE_PER_ADDRESS=f"{PER_ADDRESS} per hour",
    )
    try:
        gateway.start()
        yield gateway
    finally:
        gateway.kill()


@pytest.fixture(scope="session")
def proxy(tmp_path_factory: pytest.TempPathFactory, behind: RealGateway) -> Iterator[Proxy]:
    """nginx as ``deploy/nginx`` sets it up, in front of ``behind``."""
    if NGINX is None:
        pytest.skip("needs nginx (Debian's package nginx)")
    proxy = Proxy(tmp_path_factory.mktemp("nginx"), urlsplit(behind.address).port or 0)
    proxy.check()
    try:
        proxy.start()
        yield proxy
    finally:
        proxy.stop()


@pytest.fixture(scope="session")
def token(proxy: Proxy) -> str:
    """An access token, got through the proxy."""
    with proxy.session() as session:
        answer = session.post(
            f"{proxy.address}/api/v1/login", json={"username": USER, "password": PASSWORD}
        )
    assert answer.status_code == 200, answer.text
    access: str = answer.json()["access_token"]
    return access
