"""Several pictures in one request, each with its own result or problem."""

from __future__ import annotations

import base64
import io
import time
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.web.checks import problem_of
from tests.web.conftest import MakeApp
from tests.web.fakes import FakeDetector, bearer
from tests.web.test_detect import PICTURE, picture
from tests.web.test_metrics import value
from visiongate.errors import Overloaded
from visiongate.services import Services
from visiongate.types import User
from visiongate.web.detect import PICTURE_HEADER
from visiongate.web.option_table import OPTIONS

Headers = dict[str, str]
Detectors = dict[str, FakeDetector]

FACE = "/api/v1/detect/face"
MANY = "/api/v1/detect?detectors=face,object"
BASE64 = base64.b64encode(PICTURE).decode()


def send(client: FlaskClient, url: str, headers: Headers, *bodies: Any, **form: Any) -> Any:
    """Send files as curl -F "files=@1.jpg" -F "files=@2.jpg" does; a body, or it and its name."""
    files = [
        (io.BytesIO(one), f"{number}.jpg")
        if isinstance(one, bytes)
        else (io.BytesIO(one[0]), one[1])
        for number, one in enumerate(bodies, start=1)
    ]
    return client.post(url, headers=headers, data={"files": files, **form})


def problems(items: list[dict[str, Any]]) -> list[str | None]:
    """Return each item's code, None for one with a result; both at once are an error."""
    assert all((one["result"] is None) != (one["problem"] is None) for one in items)
    return [one["problem"] and one["problem"]["code"] for one in items]


class TestResults:
    def test_each_in_its_place_as_if_it_were_alone(
        self, client: FlaskClient, auth: Headers
    ) -> None:
        small, large = picture(40, 40), picture(400, 200)
        for url in (FACE, f"{FACE}?gender=true"):
            items = send(client, url, auth, small, large, PICTURE).get_json()
            alone = [
                client.post(url, headers=auth, data=one, content_type="image/jpeg").get_json()
                for one in (small, large, PICTURE)
            ]
            assert [one["result"] for one in items] == alone
            assert [one["file"] for one in items] == ["1.jpg", "2.jpg", "3.jpg"]

    def test_full_reports(self, client: FlaskClient, auth: Headers) -> None:
        items = send(client, MANY, auth, picture(40, 40), picture(400, 200)).get_json()
        assert [one["result"]["image"]["width"] for one in items] == [40, 400]
        for one in items:
            assert {found["detector"] for found in one["result"]["detections"]} == {
                "face",
                "object",
            }
            assert one["picture_id"] == one["result"]["retained"]["id"]

    def test_one_is_a_list_too(self, client: FlaskClient, auth: Headers) -> None:
        (one,) = send(client, FACE, auth, PICTURE).get_json()
        assert one["result"][0]["label"] == "face"

    def test_in_json(self, client: FlaskClient, auth: Headers) -> None:
        sent = {"images": [BASE64, "###", f"data:image/png;base64,{BASE64}", 7, ""], "delete": True}
        answer = client.post(FACE, headers=auth, json=sent)
        assert answer.status_code == 200
        items = answer.get_json()
        invalid = "base64_invalid"
        assert problems(items) == [None, invalid, None, invalid, "picture_empty"]
        assert {one["file"] for one in items} == {None}
        assert items[0]["result"] == items[2]["result"] != []

    def test_options_hold_for_all_of_them(
        self, client: FlaskClient, auth: Headers, services: Services
    ) -> None:
        answer = send(client, FACE, auth, PICTURE, PICTURE, min_confidence="0.95", delete="true")
        items = answer.get_json()
        assert [(one["result"], one["picture_id"]) for one in items] == [([], None)] * 2
        assert services.pictures is not None
        assert services.pictures.list() == []

    def test_each_is_kept_by_itself(
        self, client: FlaskClient, auth: Headers, services: Services
    ) -> None:
        answer = send(client, FACE, auth, PICTURE, b"no picture", picture(40, 40))
        ids = [one["picture_id"] for one in answer.get_json()]
        assert ids[1] is None
        assert services.pictures is not None
        assert {one.id for one in services.pictures.list("anna")} == {ids[0], ids[2]}
        assert services.pictures.read(ids[0])[0] == PICTURE
        assert PICTURE_HEADER not in answer.headers


class TestProblems:
    def test_a_bad_one_spoils_no_other(self, client: FlaskClient, auth: Headers) -> None:
        answer = send(client, FACE, auth, b"%PDF-1.7", PICTURE, b"", PICTURE[:300], PICTURE)
        assert answer.status_code == 200
        items = answer.get_json()
        found = problems(items)
        assert found == ["format_unsupported", None, "picture_empty", "picture_corrupt", None]
        problem = items[0]["problem"]
        assert problem["status"] == 415
        assert problem["type"] == "urn:visiongate:error:format_unsupported"
        assert problem["request_id"] == answer.headers["X-Request-ID"]
        assert "PDF" in problem["detail"] == problem["msg"]

    def test_a_bug_stays_with_its_picture_and_its_words_in_the_log(
        self,
        client: FlaskClient,
        auth: Headers,
        services: Services,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        run, calls = services.pipeline.run, iter([True, False])

        def sometimes(*args: Any) -> Any:
            if next(calls):
                raise LookupError("secret")
            return run(*args)

        monkeypatch.setattr(services.pipeline, "run", sometimes)
        answer = send(client, FACE, auth, PICTURE, PICTURE)
        assert problems(answer.get_json()) == ["internal_error", None]
        assert "secret" not in answer.text
        assert "secret" in capsys.readouterr().err

    def test_a_full_line_says_when_to_come_back(
        self, client: FlaskClient, auth: Headers, detectors: Detectors
    ) -> None:
        send(client, FACE, auth, PICTURE)  # loads it
        detectors["face"].fails = Overloaded("full", retry_after=2.5)
        (one,) = send(client, FACE, auth, PICTURE).get_json()
        assert (one["problem"]["code"], one["problem"]["retry_after"]) == ("overloaded", 3)

    def test_one_deadline_is_for_all_of_them(
        self, client: FlaskClient, auth: Headers, services: Services, detectors: Detectors
    ) -> None:
        deadlines: list[float] = []
        admit = services.engine.admit
        services.engine.admit = lambda until: (deadlines.append(until), admit(until))[1]  # type: ignore[method-assign]
        before = time.monotonic()
        assert send(client, FACE, auth, PICTURE, PICTURE, PICTURE).status_code == 200
        assert len(deadlines) == 3
        assert len(set(deadlines)) == 1
        longest = services.settings.deadline_ms / 1000
        assert before + longest <= deadlines[0] <= time.monotonic() + longest

    def test_each_takes_its_own_turn(
        self, client: FlaskClient, auth: Headers, services: Services, detectors: Detectors
    ) -> None:
        running: list[int] = []
        predict = detectors["face"].predict

        def counted(*args: Any) -> Any:
            running.append(services.engine.running)  # type: ignore[attr-defined]
            return predict(*args)

        detectors["face"].predict = counted  # type: ignore[method-assign]
        send(client, FACE, auth, PICTURE, PICTURE, PICTURE, delete="true")
        assert running[-3:] == [1, 1, 1]
        assert services.engine.running == 0  # type: ignore[attr-defined]

    def test_what_is_wrong_with_the_request_is_its_answer(
        self,
        client: FlaskClient,
        make_user: Callable[..., User],
        login: Callable[..., dict[str, Any]],
    ) -> None:
        make_user("eva", detectors=("object",))
        headers = bearer(login("eva")["access_token"])
        problem_of(send(client, FACE, headers, PICTURE), 403, "detector_forbidden")
        wrong = send(client, "/api/v1/detect/object?labels=cow", headers, PICTURE)
        problem_of(wrong, 400, "option_invalid")
        problem_of(send(client, "/api/v1/detect", headers, PICTURE), 400, "field_missing")

    @pytest.mark.parametrize("how", ["option", "header"])
    def test_they_are_not_drawn_into(self, client: FlaskClient, auth: Headers, how: str) -> None:
        if how == "option":
            answer = send(client, FACE, auth, PICTURE, PICTURE, annotate="true")
        else:
            answer = send(client, FACE, {**auth, "Accept": "image/png"}, PICTURE, PICTURE)
        assert "'file'" in problem_of(answer, 400, "option_invalid")["detail"]


class TestHowMany:
    def test_as_many_as_the_operator_allows(self, make_app: MakeApp) -> None:
        client, headers = entered(make_app(max_pictures=3))
        assert len(send(client, FACE, headers, *[PICTURE] * 3).get_json()) == 3
        for answer in (
            send(client, FACE, headers, *[PICTURE] * 4),
            client.post(FACE, headers=headers, json={"images": [BASE64] * 4}),
        ):
            problem = problem_of(answer, 413, "pictures_too_many")
            assert problem["max_pictures"] == 3
            assert "VISIONGATE_MAX_PICTURES" in problem["detail"]

    def test_as_many_as_that_with_every_option_beside_them(self, make_app: MakeApp) -> None:
        client, headers = entered(make_app(max_pictures=200))
        form = {"min_confidence": "0.5", "labels": "face", "delete": "true", "annotate": "false"}
        assert form.keys() <= OPTIONS.keys()
        items = send(client, FACE, headers, *[b"x" * 20] * 200, **form).get_json()
        assert len(items) == 200

    def test_all_together_no_more_bytes_than_one_may_have(self, make_app: MakeApp) -> None:
        client, headers = entered(make_app(max_upload_bytes=1000))
        assert problems(send(client, FACE, headers, PICTURE, b"x" * 1001).get_json()) == [
            None,
            "picture_too_large",
        ]
        part = b'--b\r\nContent-Disposition: form-data; name="files"; filename="1.jpg"\r\n\r\n'
        body = (part + b"x" * 1000 + b"\r\n") * 1001 + b"--b--"
        kind = "multipart/form-data; boundary=b"
        answer = client.post(FACE, headers=headers, data=body, content_type=kind)
        problem_of(answer, 413, "picture_too_large")

    def test_none(self, client: FlaskClient, auth: Headers) -> None:
        problem_of(client.post(FACE, headers=auth, json={"images": []}), 400, "picture_missing")
        form = {"data": {"files": "1.jpg"}, "content_type": "multipart/form-data"}
        text = client.post(FACE, headers=auth, **form)
        assert "no file name" in problem_of(text, 400, "picture_missing")["detail"]
        for wrong in (BASE64, {"a": BASE64}, None, 7):
            answer = client.post(FACE, headers=auth, json={"images": wrong})
            problem_of(answer, 400, "base64_invalid")

    def test_not_beside_one_that_stands_alone(self, client: FlaskClient, auth: Headers) -> None:
        for name in ("file", "image"):
            form = {name: (io.BytesIO(PICTURE), "1.jpg")}
            answer = send(client, FACE, auth, PICTURE, **form)
            said = problem_of(answer, 400, "picture_ambiguous")["detail"]
            assert "Call each 'files'" in said
            answer = send(client, FACE, auth, PICTURE, **{name: "text"})
            problem_of(answer, 400, "picture_ambiguous")
        both = {"image": BASE64, "images": [BASE64]}
        problem_of(client.post(FACE, headers=auth, json=both), 400, "picture_ambiguous")
        twice = {"file": [(io.BytesIO(PICTURE), "1.jpg"), (io.BytesIO(PICTURE), "2.jpg")]}
        answer = client.post(FACE, headers=auth, data=twice)
        said = problem_of(answer, 400, "picture_ambiguous")["detail"]
        assert "several may come as parts 'files'" in said
        stray = {"mask": (io.BytesIO(PICTURE), "1.jpg")}
        problem_of(send(client, FACE, auth, PICTURE, **stray), 400, "option_unknown")
        images = {"image": BASE64, "min_confidance": 1}
        problem_of(client.post(FACE, headers=auth, json=images), 400, "option_unknown")

    def test_compatibility_routes_know_one(self, client: FlaskClient, auth: Headers) -> None:
        assert send(client, "/upload", auth, PICTURE).status_code == 400
        answer = client.post("/classify", headers=auth, json={"images": [BASE64]})
        assert answer.status_code == 400


class TestNames:
    @pytest.mark.parametrize(
        ("name", "shown"),
        [
            ("été 1.jpg", "été 1.jpg"),
            ("../../etc/passwd", "../../etc/passwd"),
            ("<img src=x>.jpg", "<img src=x>.jpg"),
            ("gpj.\u202eexe", "gpj.\ufffdexe"),
            ("a\x1b[31mb", "a\ufffd[31mb"),
            ("x" * 300, "x" * 255),
        ],
    )
    def test_are_echoed_as_what_can_be_shown(
        self, client: FlaskClient, auth: Headers, name: str, shown: str
    ) -> None:
        (one,) = send(client, FACE, auth, (PICTURE, name)).get_json()
        assert one["file"] == shown


class TestWhatIsCounted:
    def test_every_picture_and_every_problem(
        self, client: FlaskClient, auth: Headers, capsys: pytest.CaptureFixture[str]
    ) -> None:
        capsys.readouterr()
        send(client, f"{FACE}?gender=true", auth, PICTURE, b"no picture", PICTURE)
        assert value(client, "visiongate_detector_seconds_count", detector="face") == 2
        assert value(client, "visiongate_sensitive_uses_total", detector="gender") == 2
        assert value(client, "visiongate_errors_total", code="format_unsupported") == 1
        line = next(one for one in capsys.readouterr().err.splitlines() if "detect" in one)
        assert '"pictures": 3, "problems": 1' in line
        assert "1.jpg" not in line


def entered(app: Any) -> tuple[FlaskClient, Headers]:
    """Return a client of ``app`` and the header of a user of its own."""
    client = app.test_client()
    services: Services = app.extensions["visiongate.services"]
    services.users.create("anna", "correct horse battery")
    sent = {"username": "anna", "password": "correct horse battery"}
    return client, bearer(client.post("/api/v1/login", json=sent).get_json()["access_token"])
