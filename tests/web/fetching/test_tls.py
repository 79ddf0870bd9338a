"""Certificates are those of the names that were asked for, whatever address was connected to."""

from __future__ import annotations

import ssl
from typing import Any

import pytest
import trustme
from flask.testing import FlaskClient

from tests.web.checks import problem_of
from tests.web.fetching.network import PUBLIC, Headers, Use, ask
from tests.web.fetching.picture_server import PictureServer, serving
from tests.web.test_detect import PICTURE


class TestTls:
    @pytest.fixture
    def authority(self) -> trustme.CA:
        return trustme.CA()

    @pytest.fixture
    def trusting(self, authority: trustme.CA) -> ssl.SSLContext:
        context = ssl.create_default_context()
        authority.configure_trust(context)
        return context

    def _serving(self, authority: trustme.CA, *names: str) -> Any:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*names).configure_cert(context)
        self.wanted: list[str | None] = []
        context.sni_callback = lambda _, name, __: self.wanted.append(name)
        return serving(context)

    def test_the_name_is_asked_for_and_its_certificate_checked(
        self,
        client: FlaskClient,
        auth: Headers,
        use: Use,
        authority: trustme.CA,
        trusting: ssl.SSLContext,
    ) -> None:
        with self._serving(authority, "cam.test") as server:
            server.gives("/1.jpg", PICTURE)
            hosts = (f"cam.test:{server.port}", f"other.test:{server.port}")
            use(*hosts, tls=trusting, cam_test=[[PUBLIC]], other_test=[[PUBLIC]])
            answer = ask(client, auth, f"https://cam.test:{server.port}/1.jpg")
            assert answer.status_code == 200, answer.text
            assert self.wanted == ["cam.test"]
            answer = ask(client, auth, f"https://other.test:{server.port}/1.jpg")
            problem = problem_of(answer, 502, "url_unreachable")
            assert "certificate" in problem["detail"]
            assert [path for path, _ in server.asked] == ["/1.jpg"]

    def test_an_address_has_certificates_too(
        self,
        client: FlaskClient,
        auth: Headers,
        use: Use,
        authority: trustme.CA,
        trusting: ssl.SSLContext,
    ) -> None:
        with self._serving(authority, "::1") as server:
            server.gives("/1.jpg", PICTURE)
            use(private=(f"[::1]:{server.port}",), tls=trusting)
            answer = ask(client, auth, f"https://[::1]:{server.port}/1.jpg")
            assert answer.status_code == 200, answer.text

    def test_an_authority_that_nobody_knows(
        self, client: FlaskClient, auth: Headers, use: Use, authority: trustme.CA
    ) -> None:
        with self._serving(authority, "cam.test") as server:
            use(f"cam.test:{server.port}", cam_test=[[PUBLIC]])  # the system's authorities
            answer = ask(client, auth, f"https://cam.test:{server.port}/1.jpg")
            assert "certificate" in problem_of(answer, 502, "url_unreachable")["detail"]
            assert server.asked == []

    def test_no_redirect_from_there_to_plain_http(
        self,
        client: FlaskClient,
        auth: Headers,
        use: Use,
        server: PictureServer,
        authority: trustme.CA,
        trusting: ssl.SSLContext,
    ) -> None:
        with self._serving(authority, "cam.test") as secure:
            secure.moves("/1.jpg", f"http://cam.test:{server.port}/1.jpg")
            hosts = (f"cam.test:{secure.port}", f"cam.test:{server.port}")
            use(*hosts, tls=trusting, cam_test=[[PUBLIC]])
            answer = ask(client, auth, f"https://cam.test:{secure.port}/1.jpg")
            problem_of(answer, 403, "url_not_allowed")
            assert server.asked == []
