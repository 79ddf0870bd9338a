"""The detect routes and the description of detectors, from the client's side."""

from __future__ import annotations

import base64
import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient
from PIL import Image as Pillow

from tests.web.checks import problem_of
from tests.web.fakes import FakeDetector, bearer
from visiongate.errors import ModelUnavailable
from visiongate.services import Services
from visiongate.types import User
from visiongate.web.detect import PICTURE_HEADER

Headers = dict[str, str]
Detectors = dict[str, FakeDetector]
MakeUser = Callable[..., User]
Login = Callable[..., dict[str, Any]]

OBJECT = "/api/v1/detect/object"
FACE = "/api/v1/detect/face"
MANY = "/api/v1/detect"


def picture(width: int = 80, height: int = 60, **more: Any) -> bytes:
    buffer = io.BytesIO()
    Pillow.new("RGB", (width, height), (200, 30, 30)).save(buffer, "JPEG", quality=95, **more)
    return buffer.getvalue()


PICTURE = picture()


def send(client: FlaskClient, url: str, headers: Headers, **form: Any) -> Any:
    """Send the picture as curl -F "file=@1.jpg" does."""
    file = (io.BytesIO(PICTURE), "1.jpg")
    return client.post(url, headers=headers, data={"file": file, **form})


class TestAsMlapi:
    def test_objects(self, client: FlaskClient, auth: Headers) -> None:
        answer = send(client, OBJECT, auth)
        assert answer.status_code == 200
        assert answer.mimetype == "application/json"
        assert answer.get_json() == [
            {"type": "person", "label": "person", "confidence": "80.00%", "box": [20, 15, 60, 45]}
        ]

    def test_faces_with_gender(self, client: FlaskClient, auth: Headers) -> None:
        answer = send(client, f"{OBJECT}?type=face&gender=true", auth)
        assert answer.get_json() == [
            {
                "type": "face",
                "label": "face",
                "confidence": "90.00%",
                "box": [20, 15, 60, 45],
                "gender": "man",
                "gender_confidence": "90.00%",
            }
        ]

    def test_faces_by_type_and_by_route_are_the_same(
        self, client: FlaskClient, auth: Headers
    ) -> None:
        by_type = send(client, f"{OBJECT}?type=face", auth).get_json()
        assert by_type == send(client, FACE, auth).get_json()
        assert "gender" not in by_type[0]
        with_gender = send(client, f"{FACE}?gender=true", auth).get_json()
        assert with_gender == send(client, f"{OBJECT}?type=face&gender=1", auth).get_json()

    def test_gender_says_nothing_of_objects(
        self, client: FlaskClient, auth: Headers, detectors: Detectors
    ) -> None:
        plain = send(client, OBJECT, auth).get_json()
        seen = len(detectors["gender"].seen)
        assert send(client, f"{OBJECT}?type=object&gender=true", auth).get_json() == plain
        assert len(detectors["gender"].seen) == seen

    def test_parameters_as_form_fields_too(self, client: FlaskClient, auth: Headers) -> None:
        answer = send(client, OBJECT, auth, type="face", gender="True", delete="true")
        assert answer.get_json()[0]["gender"] == "man"

    def test_kept_with_its_annotated_copy_unless_told_to_delete(
        self, client: FlaskClient, auth: Headers, services: Services
    ) -> None:
        store = services.pictures
        assert store is not None
        assert PICTURE_HEADER not in send(client, f"{OBJECT}?delete=true", auth).headers
        assert store.list() == []
        kept = send(client, OBJECT, auth).headers[PICTURE_HEADER]
        assert [one.id for one in store.list("anna")] == [kept]
        assert store.read(kept)[0] == PICTURE
        assert store.read(kept, annotated=True)[0] != PICTURE

    def test_types_that_mlapi_had_and_we_have_not(self, client: FlaskClient, auth: Headers) -> None:
        problem_of(send(client, f"{OBJECT}?type=face_names", auth), 400, "option_invalid")
        problem_of(send(client, f"{FACE}?type=face", auth), 400, "option_unknown")


class TestWithoutGender:
    @pytest.fixture
    def detectors(self, detectors: Detectors) -> Detectors:
        return {name: one for name, one in detectors.items() if name != "gender"}

    def test_says_so(self, client: FlaskClient, auth: Headers) -> None:
        for url in (f"{OBJECT}?type=face&gender=true", f"{FACE}?gender=true"):
            problem = problem_of(send(client, url, auth), 501, "not_built")
            assert "gender" in problem["detail"]
        assert send(client, f"{OBJECT}?type=face&gender=false", auth).status_code == 200


class TestOneDetector:
    def test_of_faces_answers_its_own_label(self, client: FlaskClient, auth: Headers) -> None:
        (item,) = send(client, "/api/v1/detect/ethnicity", auth).get_json()
        assert (item["type"], item["label"], item["confidence"]) == ("face", "White", "90.00%")
        assert item["ethnicity"] == "White"

    def test_every_way_to_send_gives_the_same(self, client: FlaskClient, auth: Headers) -> None:
        expected = send(client, OBJECT, auth).get_json()
        raw = client.post(OBJECT, headers=auth, data=PICTURE, content_type="image/jpeg")
        text = base64.b64encode(PICTURE).decode()
        document = client.post(OBJECT, headers=auth, json={"image": text})
        uri = client.post(OBJECT, headers=auth, json={"image": f"data:image/png;base64,{text}"})
        assert raw.get_json() == document.get_json() == uri.get_json() == expected

    @pytest.mark.parametrize("way", ["query", "form", "json"])
    def test_options_wherever_they_come(self, client: FlaskClient, auth: Headers, way: str) -> None:
        options: dict[str, Any] = {"min_confidence": "0.95"}
        if way == "query":
            answer = send(client, f"{OBJECT}?min_confidence=0.95", auth)
        elif way == "form":
            answer = send(client, OBJECT, auth, **options)
        else:
            document = {"image": base64.b64encode(PICTURE).decode(), "min_confidence": 0.95}
            answer = client.post(OBJECT, headers=auth, json=document)
        assert answer.get_json() == []

    def test_labels(self, client: FlaskClient, auth: Headers) -> None:
        assert send(client, f"{OBJECT}?labels=dog", auth).get_json() == []
        assert len(send(client, f"{OBJECT}?labels=dog,person", auth).get_json()) == 1
        problem = problem_of(send(client, f"{OBJECT}?labels=persom", auth), 400, "option_invalid")
        assert "'persom'" in problem["detail"]
        assert "person" in problem["detail"]

    def test_labels_of_a_detector_of_faces_choose_faces(
        self, client: FlaskClient, auth: Headers
    ) -> None:
        assert len(send(client, "/api/v1/detect/gender?labels=face", auth).get_json()) == 1
        answer = send(client, f"{MANY}?detectors=gender,object&labels=male", auth)
        assert "face" in problem_of(answer, 400, "option_invalid")["detail"]

    def test_options_that_contradict_each_other(self, client: FlaskClient, auth: Headers) -> None:
        answer = send(client, f"{OBJECT}?delete=true", auth, delete="false")
        assert "'delete'" in problem_of(answer, 400, "option_invalid")["detail"]
        assert send(client, f"{OBJECT}?delete=true", auth, delete="yes").status_code == 200

    @pytest.mark.parametrize(
        ("query", "code", "named"),
        [
            ("min_confidance=0.5", "option_unknown", "min_confidence"),
            ("detectors=face", "option_unknown", "detectors"),
            ("min_confidence=high", "option_invalid", "min_confidence"),
            ("max_detections=0", "option_invalid", "max_detections"),
            ("delete=perhaps", "option_invalid", "delete"),
        ],
    )
    def test_options_that_are_none(
        self, client: FlaskClient, auth: Headers, query: str, code: str, named: str
    ) -> None:
        assert named in problem_of(send(client, f"{OBJECT}?{query}", auth), 400, code)["detail"]

    def test_an_unknown_detector_lists_those_that_exist_even_without_a_picture(
        self, client: FlaskClient, auth: Headers, detectors: Detectors
    ) -> None:
        problem = problem_of(client.post("/api/v1/detect/nose", headers=auth), 404)
        assert problem["code"] == "detector_unknown"
        assert problem["detectors"] == list(detectors)

    def test_no_token_is_told_before_anything_is_read(self, client: FlaskClient) -> None:
        problem_of(client.post("/api/v1/detect/nose"), 401, "token_missing")
        problem_of(send(client, OBJECT, {}), 401, "token_missing")
        problem_of(client.post(MANY), 401, "token_missing")

    def test_only_detectors_that_the_user_may_call(
        self, client: FlaskClient, make_user: MakeUser, login: Login, detectors: Detectors
    ) -> None:
        make_user("eva", detectors=["face"])
        eva = bearer(login("eva")["access_token"])
        assert send(client, f"{OBJECT}?type=face", eva).status_code == 200
        for url in (OBJECT, f"{FACE}?gender=true", f"{MANY}?detectors=face,object"):
            problem_of(send(client, url, eva), 403, "detector_forbidden")
        assert len(detectors["object"].seen) == 0

    def test_a_detector_out_of_order_is_503(
        self, client: FlaskClient, auth: Headers, detectors: Detectors
    ) -> None:
        assert send(client, OBJECT, auth).status_code == 200
        detectors["object"].fails = ModelUnavailable("Pull it.")
        problem_of(send(client, OBJECT, auth), 503, "model_unavailable")
        detectors["object"].fails = RuntimeError("secret path")
        problem = problem_of(send(client, OBJECT, auth), 503, "detector_unavailable")
        assert "secret" not in problem["detail"]


class TestDeadline:
    def test_a_malformed_one(self, client: FlaskClient, auth: Headers) -> None:
        answer = send(client, OBJECT, {**auth, "X-Deadline-Ms": "soon"})
        assert "X-Deadline-Ms" in problem_of(answer, 400, "option_invalid")["detail"]

    def test_one_that_passes_while_waiting_for_a_place(
        self, client: FlaskClient, auth: Headers, services: Services, detectors: Detectors
    ) -> None:
        services.detector(services.registry.get("object"))
        detectors["object"].seen.clear()  # the probe
        far = time.monotonic() + 60
        with services.engine.admit(far), services.engine.admit(far):
            answer = send(client, OBJECT, {**auth, "X-Deadline-Ms": "20"})
        problem_of(answer, 503, "deadline_exceeded")
        assert int(answer.headers["Retry-After"]) >= 1
        assert detectors["object"].seen == []


class TestAnnotated:
    @pytest.mark.parametrize(
        ("query", "accept", "kind", "format_"),
        [
            ("?annotate=true", None, "image/jpeg", "JPEG"),
            ("?annotate=true", "image/png", "image/png", "PNG"),
            ("", "image/jpeg", "image/jpeg", "JPEG"),
            ("", "image/png", "image/png", "PNG"),
        ],
    )
    @pytest.mark.parametrize("url", [OBJECT, MANY])
    def test_the_picture_with_its_boxes(
        self,
        client: FlaskClient,
        auth: Headers,
        url: str,
        query: str,
        accept: str | None,
        kind: str,
        format_: str,
    ) -> None:
        more = {} if accept is None else {"Accept": accept}
        form = {"detectors": "object"} if url == MANY else {}
        answer = send(client, url + query, {**auth, **more}, **form)
        assert (answer.status_code, answer.mimetype) == (200, kind)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers[PICTURE_HEADER]
        drawn = Pillow.open(io.BytesIO(answer.data))
        assert drawn.format == format_
        assert drawn.size == (80, 60)
        sent = np.asarray(Pillow.open(io.BytesIO(PICTURE)), int)
        assert np.abs(np.asarray(drawn, int) - sent).max() > 50

    def test_json_where_both_will_do(self, client: FlaskClient, auth: Headers) -> None:
        for accept in ("*/*", "application/json, image/jpeg"):
            answer = send(client, OBJECT, {**auth, "Accept": accept})
            assert answer.mimetype == "application/json"
            assert "Accept" in answer.headers["Vary"]
        answer = send(client, f"{OBJECT}?annotate=false", {**auth, "Accept": "image/jpeg"})
        assert answer.mimetype == "application/json"


class TestReport:
    def test_of_several_detectors(
        self, client: FlaskClient, auth: Headers, detectors: Detectors
    ) -> None:
        turned = Pillow.Exif()
        turned[0x0112] = 6
        data = {"file": (io.BytesIO(picture(80, 60, exif=turned)), "1.jpg")}
        url = f"{MANY}?detectors=object,face,gender"
        report = client.post(url, headers=auth, data=data).get_json()
        assert report["image"] == {
            "width": 60,
            "height": 80,
            "format": "JPEG",
            "orientation_applied": 6,
            "frames": 1,
        }
        found = {one["detector"]: one for one in report["detections"]}
        assert set(found) == {"object", "face"}
        assert found["face"]["box"] == [15.0, 20.0, 45.0, 60.0]
        assert found["face"]["confidence"] == 0.9
        assert found["face"]["attributes"]["gender"]["label"] == "male"
        assert {one["name"] for one in report["detectors"]} == {"object", "face", "gender"}
        for one in report["detectors"]:
            assert one["model"]["name"] == "fake"
            assert one["model"]["sha256"] == "0" * 64
            assert one["device"] == "CPU"
            assert one["milliseconds"] >= 0
            assert one["failure"] is None
        assert report["warnings"] == []

    def test_what_was_kept_can_be_fetched(self, client: FlaskClient, auth: Headers) -> None:
        answer = send(client, f"{MANY}?detectors=face", auth)
        kept = answer.get_json()["retained"]
        assert kept["id"] == answer.headers[PICTURE_HEADER]
        assert client.get(kept["urls"]["original"], headers=auth).data == PICTURE
        annotated = client.get(kept["urls"]["annotated"], headers=auth)
        assert annotated.mimetype == "image/jpeg"
        deleted = send(client, f"{MANY}?detectors=face&delete=true", auth).get_json()
        assert deleted["retained"] is None

    def test_one_failing_leaves_the_others_answers(
        self, client: FlaskClient, auth: Headers, detectors: Detectors
    ) -> None:
        assert send(client, f"{MANY}?detectors=object", auth).status_code == 200
        detectors["object"].fails = ModelUnavailable("Run pull.")
        report = send(client, f"{MANY}?detectors=object,face", auth).get_json()
        failures = {one["name"]: one["failure"] for one in report["detectors"]}
        assert failures["object"] == {"code": "model_unavailable", "detail": "Run pull."}
        assert failures["face"] is None
        assert [one["detector"] for one in report["detections"]] == ["face"]

    def test_the_only_one_failing_is_an_error(
        self, client: FlaskClient, auth: Headers, detectors: Detectors
    ) -> None:
        assert send(client, f"{MANY}?detectors=object", auth).status_code == 200
        detectors["object"].fails = ModelUnavailable("Run pull.")
        problem_of(send(client, f"{MANY}?detectors=object", auth), 503, "model_unavailable")

    def test_detectors_by_any_way(self, client: FlaskClient, auth: Headers) -> None:
        document = {"image": base64.b64encode(PICTURE).decode(), "detectors": ["face", "object"]}
        by_json = client.post(MANY, headers=auth, json=document).get_json()
        by_form = send(client, MANY, auth, detectors="face,object").get_json()
        assert by_json["detections"] == by_form["detections"]
        assert len(by_json["detections"]) == 2

    def test_none_named(self, client: FlaskClient, auth: Headers) -> None:
        problem = problem_of(send(client, MANY, auth), 400, "field_missing")
        assert "detectors=face,object" in problem["detail"]
        problem_of(send(client, f"{MANY}?detectors=", auth), 400, "option_invalid")

    def test_an_unknown_one_lists_those_that_exist(
        self, client: FlaskClient, auth: Headers, detectors: Detectors
    ) -> None:
        answer = send(client, f"{MANY}?detectors=face,nose", auth)
        problem = problem_of(answer, 404, "detector_unknown")
        assert "'nose'" in problem["detail"]
        assert problem["detectors"] == list(detectors)

    def test_mlapis_parameters_belong_to_its_own_route(
        self, client: FlaskClient, auth: Headers
    ) -> None:
        answer = send(client, f"{MANY}?detectors=face&gender=true", auth)
        problem_of(answer, 400, "option_unknown")


class TestBadPictures:
    def test_bytes_that_are_none(self, client: FlaskClient, auth: Headers) -> None:
        answer = client.post(OBJECT, headers=auth, data=b"hello", content_type="image/jpeg")
        problem_of(answer, 415, "format_unsupported")
        problem_of(client.post(OBJECT, headers=auth), 400, "picture_missing")
        broken = client.post(OBJECT, headers=auth, data=PICTURE[:300], content_type="image/jpeg")
        problem_of(broken, 400, "picture_corrupt")

    def test_too_large(self, client: FlaskClient, auth: Headers) -> None:
        body = PICTURE + bytes(5_000_000)
        answer = client.post(OBJECT, headers=auth, data=body, content_type="image/jpeg")
        assert problem_of(answer, 413, "picture_too_large")["max_bytes"] == 5_000_000

    def test_nothing_of_them_is_kept(
        self, client: FlaskClient, auth: Headers, services: Services, detectors: Detectors
    ) -> None:
        assert services.pictures is not None
        client.post(OBJECT, headers=auth, data=PICTURE[:300], content_type="image/jpeg")
        send(client, f"{OBJECT}?delete=true", auth)
        detectors["object"].fails = RuntimeError()
        send(client, f"{OBJECT}?delete=true", auth)
        assert services.pictures.list() == []

    def test_every_photo_gives_a_result_or_says_what_is_wrong(
        self, client: FlaskClient, auth: Headers, photos: Path
    ) -> None:
        statuses = set()
        for path in sorted(photos.iterdir()):
            for kind in ("image/jpeg", "application/octet-stream"):
                answer = client.post(
                    f"{FACE}?delete=true", headers=auth, data=path.read_bytes(), content_type=kind
                )
                statuses.add(answer.status_code)
                if answer.status_code == 200:
                    # The fake finds one thing in each, but a single pixel has no middle half.
                    assert len(answer.get_json()) == (path.name != "1x1.png"), path.name
                else:
                    assert answer.status_code in (400, 413, 415), path.name
                    problem_of(answer, answer.status_code)
        assert statuses >= {200, 400, 413, 415}


class TestRetentionOff:
    def test_no_picture_is_kept(self, make_app: Callable[..., Any], tmp_path: Path) -> None:
        app = make_app(retention="off")
        app.extensions["visiongate.services"].users.create("anna", "pass word")
        client = app.test_client()
        sent = {"username": "anna", "password": "pass word"}
        auth = bearer(client.post("/api/v1/login", json=sent).get_json()["access_token"])
        answer = send(client, f"{MANY}?detectors=face", auth)
        assert answer.get_json()["retained"] is None
        assert PICTURE_HEADER not in answer.headers
        assert not (tmp_path / "images").exists()


class TestDescriptions:
    def test_of_all(self, client: FlaskClient, auth: Headers, detectors: Detectors) -> None:
        send(client, FACE, auth)
        every = client.get("/api/v1/detectors", headers=auth).get_json()["detectors"]
        assert [one["name"] for one in every] == list(detectors)
        face = every[0]
        assert face["state"] == "ready"
        assert face["labels"] == ["face"]
        assert face["model"]["sha256"] == "0" * 64
        assert face["device"] == "CPU"
        assert face["options"] == {}
        assert face["reason"] is None
        assert not face["sensitive"]
        gender = next(one for one in every if one["name"] == "gender")
        assert gender["sensitive"]
        assert gender["needs"] == "faces"
        assert gender["state"] == "registered"
        assert gender["model"] is None

    def test_of_one(self, client: FlaskClient, auth: Headers) -> None:
        every = client.get("/api/v1/detectors", headers=auth).get_json()["detectors"]
        for one in every:
            url = f"/api/v1/detectors/{one['name']}"
            assert client.get(url, headers=auth).get_json() == one
        problem_of(client.get("/api/v1/detectors/nose", headers=auth), 404, "detector_unknown")

    def test_tell_what_the_caller_may_use(
        self, client: FlaskClient, make_user: MakeUser, login: Login
    ) -> None:
        make_user("eva", detectors=["face"])
        eva = bearer(login("eva")["access_token"])
        every = client.get("/api/v1/detectors", headers=eva).get_json()["detectors"]
        assert [one["name"] for one in every if one["allowed"]] == ["face"]

    def test_of_those_out_of_order_or_switched_off(
        self, client: FlaskClient, auth: Headers, services: Services
    ) -> None:
        services.registry.get("object").disable()
        entry = services.registry.get("classify")
        entry.info, entry.options = None, {"model": Path("/x.onnx"), "size": 3}
        described = client.get("/api/v1/detectors/classify", headers=auth).get_json()
        assert described["task"] is None
        assert described["labels"] == []
        assert described["options"] == {"model": "/x.onnx", "size": 3}
        switched = client.get("/api/v1/detectors/object", headers=auth).get_json()
        assert switched["state"] == "disabled"

    def test_need_a_token(self, client: FlaskClient) -> None:
        for url in ("/api/v1/detectors", "/api/v1/detectors/face"):
            problem_of(client.get(url), 401, "token_missing")


def test_answers_are_compact_json(client: FlaskClient, auth: Headers) -> None:
    body = send(client, OBJECT, auth).get_data(as_text=True)
    assert body == json.dumps(json.loads(body), separators=(",", ":")) + "\n"
