"""``url=…``, wherever it comes: who may have a picture fetched, and what is written down."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.web.checks import problem_of
from tests.web.fakes import FakeDetector, bearer
from tests.web.fetching.network import FACE, PUBLIC, Headers, Use, ask
from tests.web.fetching.picture_server import PictureServer
from tests.web.test_detect import PICTURE
from tests.web.test_metrics import value
from visiongate.services import Services
from visiongate.types import User
from visiongate.web.detect import PICTURE_HEADER

MakeUser = Callable[..., User]
Login = Callable[..., dict[str, Any]]


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
