"""Pictures come from the hosts that the operator listed, and from nowhere else."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from tests.web.checks import problem_of
from tests.web.fetching.network import OTHER, PUBLIC, Headers, Use, ask
from tests.web.fetching.picture_server import PictureServer

NEVER = ("169.254.169.254", "0.0.0.0", "224.0.0.1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "fe80::1")
PRIVATE = ("127.0.0.1", "10.0.0.1", "172.20.0.1", "192.168.1.1", "100.64.0.1", "::1", "fd00::1")


class TestWhere:
    @pytest.mark.parametrize(
        ("url", "code"),
        [
            ("http://cam.test/1.jpg", "url_not_allowed"),  # listed with another port
            ("http://cam.test:{port}.evil.test/1.jpg", "url_invalid"),
            ("http://evil.test:{port}/1.jpg", "url_not_allowed"),
            ("http://a.cam.test:{port}/1.jpg", "url_not_allowed"),
            ("http://127.0.0.1:{port}/1.jpg", "url_not_allowed"),
            ("http://[::1]:{port}/1.jpg", "url_not_allowed"),
            ("http://evil.test\\@cam.test:{port}/1.jpg", "url_invalid"),
            ("http://ann:secret@cam.test:{port}/1.jpg", "url_invalid"),
            ("http://cam.test:{port}@127.0.0.1/", "url_invalid"),
            ("http://2130706433:{port}/1.jpg", "url_invalid"),
            ("http://0x7f.1:{port}/1.jpg", "url_invalid"),
            ("http://0177.0.0.1:{port}/1.jpg", "url_invalid"),
            ("http://cam。test:{port}/1.jpg", "url_invalid"),
            ("file:///etc/passwd", "url_invalid"),
            ("gopher://cam.test:{port}/1.jpg", "url_invalid"),
        ],
    )
    def test_what_is_not_listed_is_not_even_looked_up(
        self,
        client: FlaskClient,
        auth: Headers,
        use: Use,
        server: PictureServer,
        url: str,
        code: str,
    ) -> None:
        net = use(f"cam.test:{server.port}", cam_test=[[PUBLIC]])
        answer = ask(client, auth, url.format(port=server.port))
        problem = problem_of(answer, 400 if code == "url_invalid" else 403, code)
        assert "secret" not in problem["detail"]
        assert (net.names.asked, net.dialled.to, server.asked) == ([], [], [])

    @pytest.mark.parametrize("spelled", ["CAM.test", "cam.test."])
    def test_one_host_in_every_spelling(
        self, client: FlaskClient, auth: Headers, use: Use, server: PictureServer, spelled: str
    ) -> None:
        use(f"Cam.Test:{server.port}", cam_test=[[PUBLIC]])
        assert ask(client, auth, f"http://{spelled}:{server.port}/1.jpg").status_code == 200
        assert server.asked[0][1]["Host"] == f"cam.test:{server.port}"

    @pytest.mark.parametrize("address", [*PRIVATE, *NEVER])
    def test_a_public_host_that_lies_in_a_network_of_ours(
        self, client: FlaskClient, auth: Headers, use: Use, server: PictureServer, address: str
    ) -> None:
        for found in ([address], [PUBLIC, address]):
            net = use(f"cam.test:{server.port}", cam_test=[found])
            answer = ask(client, auth, f"http://cam.test:{server.port}/1.jpg")
            problem = problem_of(answer, 403, "url_not_allowed")
            assert address not in problem["detail"]
            assert net.dialled.to == []

    @pytest.mark.parametrize("address", PRIVATE)
    def test_a_private_host(
        self, client: FlaskClient, auth: Headers, use: Use, server: PictureServer, address: str
    ) -> None:
        net = use(private=(f"cam.test:{server.port}",), cam_test=[[address]])
        assert ask(client, auth, f"http://cam.test:{server.port}/1.jpg").status_code == 200
        assert net.dialled.to == [address]

    @pytest.mark.parametrize("address", NEVER)
    def test_where_nothing_is_ever_fetched_from(
        self, client: FlaskClient, auth: Headers, use: Use, server: PictureServer, address: str
    ) -> None:
        net = use(private=(f"cam.test:{server.port}",), cam_test=[[address]])
        answer = ask(client, auth, f"http://cam.test:{server.port}/1.jpg")
        problem_of(answer, 403, "url_not_allowed")
        assert net.dialled.to == []

    def test_a_private_host_by_its_address(
        self, client: FlaskClient, auth: Headers, use: Use, server: PictureServer
    ) -> None:
        use(private=(f"127.0.0.1:{server.port}", f"[::1]:{server.port}"))
        for host in ("127.0.0.1", "[::1]", "[0:0:0:0:0:0:0:1]"):
            assert ask(client, auth, f"http://{host}:{server.port}/1.jpg").status_code == 200, host
        assert server.asked[-1][1]["Host"] == f"[::1]:{server.port}"

    def test_a_name_that_changes_its_mind_is_looked_up_once(
        self, client: FlaskClient, auth: Headers, use: Use, server: PictureServer
    ) -> None:
        net = use(f"cam.test:{server.port}", cam_test=[[PUBLIC], ["127.0.0.1"]])
        assert ask(client, auth, f"http://cam.test:{server.port}/1.jpg").status_code == 200
        assert net.names.asked == ["cam.test"]
        assert net.dialled.to == [PUBLIC]
        again = ask(client, auth, f"http://cam.test:{server.port}/1.jpg")
        problem_of(again, 403, "url_not_allowed")

    def test_proxies_of_the_environment_are_not_asked(
        self,
        client: FlaskClient,
        auth: Headers,
        camera: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, "http://127.0.0.1:1")
        assert ask(client, auth, f"{camera}/1.jpg").status_code == 200

    def test_a_name_that_is_none(self, client: FlaskClient, auth: Headers, use: Use) -> None:
        use("*.test")
        problem = problem_of(ask(client, auth, "http://no.such.test/"), 502, "url_unreachable")
        assert "host" in problem["detail"]


class TestRedirects:
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    @pytest.mark.parametrize("to", ["/1.jpg", "1.jpg", "http://cdn.test:{port}/1.jpg"])
    def test_followed_where_listed(
        self,
        client: FlaskClient,
        auth: Headers,
        use: Use,
        server: PictureServer,
        status: int,
        to: str,
    ) -> None:
        hosts = (f"cam.test:{server.port}", f"cdn.test:{server.port}")
        net = use(*hosts, cam_test=[[PUBLIC]], cdn_test=[[OTHER]])
        server.moves("/moved", to.format(port=server.port), status)
        assert ask(client, auth, f"http://cam.test:{server.port}/moved").status_code == 200
        assert net.dialled.to == [PUBLIC, OTHER if "cdn" in to else PUBLIC]

    @pytest.mark.parametrize(
        "to",
        [
            "http://evil.test:{port}/1.jpg",
            "http://127.0.0.1:{port}/1.jpg",
            "//evil.test:{port}/1.jpg",
            "http://cam.test:1/1.jpg",
            "http://ann:b@cam.test:{port}/1.jpg",
            "file:///etc/passwd",
            "http://[::1/1.jpg",
            "http://cdn.test:{port}/1.jpg",  # listed, but lies in a private network
        ],
    )
    def test_not_followed_elsewhere_and_nothing_is_said_of_it(
        self, client: FlaskClient, auth: Headers, use: Use, server: PictureServer, to: str
    ) -> None:
        hosts = (f"cam.test:{server.port}", f"cdn.test:{server.port}")
        net = use(*hosts, cam_test=[[PUBLIC]], cdn_test=[["10.0.0.1"]])
        server.moves("/moved", to.format(port=server.port))
        answer = ask(client, auth, f"http://cam.test:{server.port}/moved")
        problem = problem_of(answer, 403, "url_not_allowed")
        assert to.format(port=server.port) not in problem["detail"]
        assert "evil" not in problem["detail"]
        assert net.dialled.to == [PUBLIC]
        assert len(server.asked) == 1

    def test_a_host_that_moves_into_a_private_network_by_redirecting_to_itself(
        self, client: FlaskClient, auth: Headers, use: Use, server: PictureServer
    ) -> None:
        net = use(f"cam.test:{server.port}", cam_test=[[PUBLIC], ["192.168.0.1"]])
        server.moves("/moved", "/1.jpg")
        answer = ask(client, auth, f"http://cam.test:{server.port}/moved")
        problem_of(answer, 403, "url_not_allowed")
        assert net.dialled.to == [PUBLIC]

    def test_in_circles(
        self, client: FlaskClient, auth: Headers, camera: str, server: PictureServer
    ) -> None:
        server.moves("/a", "/b")
        server.moves("/b", "/a")
        problem_of(ask(client, auth, f"{camera}/a"), 502, "url_unreachable")
        assert len(server.asked) == 4

    def test_to_nowhere(
        self, client: FlaskClient, auth: Headers, camera: str, server: PictureServer
    ) -> None:
        server.gives("/moved", b"", status=302)
        problem_of(ask(client, auth, f"{camera}/moved"), 502, "url_unreachable")
