"""``url=…``: pictures from the hosts that the operator listed, and from nowhere else."""

from __future__ import annotations

import gzip
import io
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trustme
from flask.testing import FlaskClient

from tests.web.checks import problem_of
from tests.web.fakes import FakeDetector, bearer
from tests.web.picture_server import Dialled, Names, PictureServer, serving
from tests.web.test_detect import PICTURE
from tests.web.test_metrics import value
from visiongate.fetching.fetcher import Fetcher
from visiongate.services import Services
from visiongate.types import User
from visiongate.web.detect import PICTURE_HEADER

Headers = dict[str, str]
Use = Callable[..., "Net"]
MakeUser = Callable[..., User]
Login = Callable[..., dict[str, Any]]

FACE = "/api/v1/detect/face"
LIMIT = 100_000
PUBLIC, OTHER = "93.184.215.14", "8.8.8.8"
NEVER = ("169.254.169.254", "0.0.0.0", "224.0.0.1", "::ffff:10.0.0.1", "64:ff9b::a00:1", "fe80::1")
PRIVATE = ("127.0.0.1", "10.0.0.1", "172.20.0.1", "192.168.1.1", "100.64.0.1", "::1", "fd00::1")


class Net:
    """The network that a gateway of a test sees."""

    def __init__(self, names: Names, dialled: Dialled) -> None:
        self.names = names
        self.dialled = dialled


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


def ask(client: FlaskClient, headers: Headers, url: str) -> Any:
    return client.post(FACE, headers=headers, json={"url": url, "delete": True})


class TestWays:
    def test_each_answers_as_if_the_picture_had_been_sent(
        self, client: FlaskClient, auth: Headers, camera: str
    ) -> None:
        sent = client.post(FACE, headers=auth, data={"file": (io.BytesIO(PICTURE), "1.jpg")})
        url = f"{camera}/1.jpg?width=640"
        for ways in (
            {"query_string": {"url": url}},
            {"json": {"url": url}},
            {"data": {"url": url}},
            {"data": {"url": url}, "content_type": "multipart/form-data"},
        ):
            answer = client.post(FACE, headers=auth, **ways)
            assert answer.status_code == 200, answer.text
            assert answer.get_json() == sent.get_json() != []

    def test_a_full_report_and_a_drawn_picture(
        self, client: FlaskClient, auth: Headers, camera: str
    ) -> None:
        form = {"url": f"{camera}/1.jpg", "detectors": "face,object"}
        report = client.post("/api/v1/detect", headers=auth, data=form).get_json()
        assert report["image"]["width"] == 80
        drawn = client.post(f"{FACE}?annotate=true", headers=auth, json={"url": form["url"]})
        assert drawn.mimetype == "image/jpeg"

    def test_it_is_kept_like_any_other_unless_told_not_to(
        self, client: FlaskClient, auth: Headers, camera: str, services: Services
    ) -> None:
        store = services.pictures
        assert store is not None
        assert PICTURE_HEADER not in ask(client, auth, f"{camera}/1.jpg").headers
        assert store.list() == []
        kept = client.post(FACE, headers=auth, json={"url": f"{camera}/1.jpg"})
        assert store.read(kept.headers[PICTURE_HEADER])[0] == PICTURE

    def test_what_the_server_gets_to_see(
        self, client: FlaskClient, auth: Headers, camera: str, server: PictureServer
    ) -> None:
        ask(client, auth, f"{camera}/1.jpg?a=b#c")
        ((path, headers),) = server.asked
        assert path == "/1.jpg?a=b"
        assert headers.pop("User-Agent").startswith("visiongate/")
        assert headers == {
            "Host": camera.removeprefix("http://"),
            "Accept": "image/*",
            "Accept-Encoding": "identity",
            "Connection": "close",
        }

    @pytest.mark.parametrize("name", ["file", "image", "files"])
    def test_not_beside_another_picture(
        self, client: FlaskClient, auth: Headers, camera: str, server: PictureServer, name: str
    ) -> None:
        form = {name: (io.BytesIO(PICTURE), "1.jpg"), "url": f"{camera}/1.jpg"}
        problem_of(client.post(FACE, headers=auth, data=form), 400, "picture_ambiguous")
        url = {"url": f"{camera}/1.jpg"}
        raw = {"data": PICTURE, "content_type": "image/jpeg", "query_string": url}
        problem_of(client.post(FACE, headers=auth, **raw), 400, "picture_ambiguous")
        twice = {"query_string": url, "json": url}
        problem_of(client.post(FACE, headers=auth, **twice), 400, "picture_ambiguous")
        stray = {"mask": (io.BytesIO(PICTURE), "1.jpg"), "url": f"{camera}/1.jpg"}
        problem_of(client.post(FACE, headers=auth, data=stray), 400, "option_unknown")
        assert server.asked == []


class TestWhoMay:
    def test_nobody_until_hosts_are_listed(self, client: FlaskClient, auth: Headers) -> None:
        problem = problem_of(ask(client, auth, "http://cam.test/1.jpg"), 403, "url_fetching_off")
        assert "VISIONGATE_URL_HOSTS" in problem["detail"]

    def test_nothing_is_fetched_for_who_may_not_call_the_detector(
        self,
        client: FlaskClient,
        make_user: MakeUser,
        login: Login,
        camera: str,
        server: PictureServer,
    ) -> None:
        make_user("eva", detectors=("object",))
        headers = bearer(login("eva")["access_token"])
        problem_of(ask(client, headers, f"{camera}/1.jpg"), 403, "detector_forbidden")
        assert server.asked == []

    def test_nothing_is_fetched_for_a_request_that_is_wrong(
        self, client: FlaskClient, auth: Headers, camera: str, server: PictureServer
    ) -> None:
        document = {"url": f"{camera}/1.jpg", "min_confidence": 7}
        problem_of(client.post(FACE, headers=auth, json=document), 400, "option_invalid")
        assert server.asked == []

    @pytest.mark.parametrize("route", ["/classify", "/upload"])
    def test_compatibility_routes_fetch_nothing(
        self, client: FlaskClient, auth: Headers, camera: str, server: PictureServer, route: str
    ) -> None:
        answer = client.post(route, headers=auth, json={"url": f"{camera}/1.jpg"})
        assert answer.status_code == 400
        assert server.asked == []


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


class TestBadServers:
    def test_more_than_a_picture_may_have(
        self, client: FlaskClient, auth: Headers, camera: str, server: PictureServer
    ) -> None:
        big = PICTURE + bytes(LIMIT)
        server.gives("/honest.jpg", PICTURE, length=LIMIT + 1)
        server.gives("/silent.jpg", big, length=-1)
        chunk = b"%x\r\n%b\r\n" % (len(PICTURE), PICTURE)
        head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
        server.answers["/chunked.jpg"] = lambda handler: endless(handler, head, chunk)
        for name in ("honest", "silent", "chunked"):
            problem = problem_of(ask(client, auth, f"{camera}/{name}.jpg"), 413, "url_too_large")
            assert problem["max_bytes"] == LIMIT

    def test_a_length_that_lies(
        self, client: FlaskClient, auth: Headers, camera: str, server: PictureServer
    ) -> None:
        server.gives("/less.jpg", PICTURE, length=len(PICTURE) + 100)
        problem_of(ask(client, auth, f"{camera}/less.jpg"), 502, "url_unreachable")
        server.gives("/more.jpg", PICTURE + bytes(LIMIT), length=len(PICTURE))
        assert ask(client, auth, f"{camera}/more.jpg").status_code == 200
        huge = "9" * 30
        server.answers["/huge.jpg"] = lambda handler: wrote(
            handler, f"HTTP/1.1 200 OK\r\nContent-Length: {huge}\r\n\r\n".encode() + PICTURE
        )
        problem_of(ask(client, auth, f"{camera}/huge.jpg"), 502, "url_unreachable")

    def test_compressed(
        self, client: FlaskClient, auth: Headers, camera: str, server: PictureServer
    ) -> None:
        bomb = gzip.compress(PICTURE + bytes(50_000_000))
        assert len(bomb) < LIMIT
        server.gives("/bomb.jpg", bomb, Content_Encoding="gzip")
        problem_of(ask(client, auth, f"{camera}/bomb.jpg"), 415, "url_not_a_picture")
        server.gives("/plain.jpg", PICTURE, Content_Encoding="Identity")
        assert ask(client, auth, f"{camera}/plain.jpg").status_code == 200

    @pytest.mark.parametrize(
        "body", [b"<html>secret of the inner server</html>", b"", b"secret", b"BMsecret"]
    )
    def test_no_picture(
        self, client: FlaskClient, auth: Headers, camera: str, server: PictureServer, body: bytes
    ) -> None:
        server.gives("/page", body, Content_Type="image/jpeg")
        answer = ask(client, auth, f"{camera}/page")
        problem = problem_of(answer, 415, "url_not_a_picture")
        assert problem["detail"] == "What lies at the address is no picture that can be read."

    def test_a_picture_that_is_broken(
        self, client: FlaskClient, auth: Headers, camera: str, server: PictureServer
    ) -> None:
        server.gives("/half.jpg", PICTURE[:300])
        problem_of(ask(client, auth, f"{camera}/half.jpg"), 400, "picture_corrupt")

    @pytest.mark.parametrize("status", [204, 206, 304, 400, 401, 403, 404, 500, 503])
    def test_no_success_and_its_words_stay_there(
        self, client: FlaskClient, auth: Headers, camera: str, server: PictureServer, status: int
    ) -> None:
        body = b"" if status in (204, 304) else b"secret of the inner server"
        server.gives("/no.jpg", body, status=status, WWW_Authenticate='Basic realm="secret"')
        answer = ask(client, auth, f"{camera}/no.jpg")
        problem_of(answer, 502, "url_unreachable")
        assert "secret" not in answer.text
        assert str(status) not in answer.get_json()["detail"]
        assert "WWW-Authenticate" not in answer.headers

    @pytest.mark.parametrize(
        "words",
        [b"", b"SSH-2.0-OpenSSH_9.9 secret\r\n", b"HTTP/1.1 200 OK\r\nBroken header\r\n\r\n"],
    )
    def test_no_http(
        self, client: FlaskClient, auth: Headers, camera: str, server: PictureServer, words: bytes
    ) -> None:
        server.answers["/odd.jpg"] = lambda handler: wrote(handler, words)
        answer = ask(client, auth, f"{camera}/odd.jpg")
        problem_of(answer, 502, "url_unreachable")
        assert "secret" not in answer.text

    def test_no_server(self, client: FlaskClient, auth: Headers, use: Use) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        use(f"cam.test:{port}", cam_test=[[PUBLIC, OTHER]])
        answer = ask(client, auth, f"http://cam.test:{port}/1.jpg")
        problem_of(answer, 502, "url_unreachable")

    @pytest.mark.parametrize(
        ("head", "drop"),
        [
            (b"", b""),
            (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
            (b"HTTP/1.1 200 OK\r\nX-Slow: ", b"x"),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n" + PICTURE, b"x"),
            (
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
                b"0",
            ),
        ],
        ids=["silent", "promises", "headers", "body", "chunks"],
    )
    def test_slowness_ends_after_all_of_the_time_whatever_still_comes(
        self,
        client: FlaskClient,
        auth: Headers,
        use: Use,
        server: PictureServer,
        head: bytes,
        drop: bytes,
    ) -> None:
        server.drips("/slow.jpg", head, drop)
        use(f"cam.test:{server.port}", seconds=0.2, cam_test=[[PUBLIC]])
        answer = ask(client, auth, f"http://cam.test:{server.port}/slow.jpg")
        problem_of(answer, 504, "url_timeout")

    def test_a_deadline_shortens_the_time(
        self, client: FlaskClient, auth: Headers, camera: str, server: PictureServer
    ) -> None:
        server.says_nothing("/slow.jpg")
        headers = {**auth, "X-Deadline-Ms": "100"}
        problem_of(ask(client, headers, f"{camera}/slow.jpg"), 504, "url_timeout")


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


class TestWhatIsWrittenDown:
    def test_the_host_and_no_more(
        self,
        client: FlaskClient,
        auth: Headers,
        camera: str,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        capsys.readouterr()
        ask(client, auth, f"{camera}/1.jpg?key=secret")
        ask(client, auth, f"{camera}/none.jpg?key=secret")
        ask(client, auth, "http://ann:secret@cam.test/")
        written = capsys.readouterr().err
        assert '"url_host": "cam.test"' in written
        assert "secret" not in written
        assert "1.jpg" not in written

    def test_fetches_are_counted_by_what_the_operator_listed(
        self, client: FlaskClient, auth: Headers, use: Use, server: PictureServer
    ) -> None:
        entry = f"*.cams.test:{server.port}"
        use(entry, a_cams_test=[[PUBLIC]], b_cams_test=[["10.0.0.1"]])
        for name in ("a", "a", "b"):
            ask(client, auth, f"http://{name}.cams.test:{server.port}/1.jpg")
        counted = "visiongate_url_fetches_total"
        assert value(client, counted, host=entry, outcome="ok") == 2
        assert value(client, counted, host=entry, outcome="url_not_allowed") == 1
        assert value(client, "visiongate_errors_total", code="url_not_allowed") == 1


def test_a_failing_detector_is_no_fault_of_the_address(
    client: FlaskClient, auth: Headers, camera: str, detectors: dict[str, FakeDetector]
) -> None:
    detectors["face"].fails = RuntimeError("broken")
    problem_of(ask(client, auth, f"{camera}/1.jpg"), 503, "detector_unavailable")


def endless(handler: Any, head: bytes, chunk: bytes) -> None:
    handler.wfile.write(head)
    while not handler.server.closing.is_set():
        handler.wfile.write(chunk)


def wrote(handler: Any, words: bytes) -> None:
    handler.wfile.write(words)
