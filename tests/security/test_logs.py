"""A whole round of the gateway, logged as loudly as it goes: no secret and no picture in it.

In a process of its own, so that whatever anybody in it writes, the server too, is looked at.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
import requests

from proofs.gateway import PASSWORD, USER, Gateway, running
from proofs.marked_pictures import Marker

WRONG = "almost correct horse battery staple"
_LEAST = 8


def round_of(gateway: Gateway, marker: Marker) -> list[str]:
    """Use the gateway in every way, rightly and wrongly; return the tokens that were seen."""
    tokens = dict(gateway.tokens)
    session = requests.Session()
    jpeg, png = marker.jpeg(60_000), marker.png(60_000)

    def post(path: str, token: str = "", **asked: object) -> requests.Response:
        headers = {"Authorization": f"Bearer {token or tokens['access_token']}"}
        return session.post(gateway.address + path, headers=headers, timeout=60, **asked)  # type: ignore[arg-type]

    login = f"{gateway.address}/api/v1/login"
    for username, password in ((USER, WRONG), (WRONG, PASSWORD), ("nobody", WRONG)):
        session.post(login, json={"username": username, "password": password}, timeout=60)
    session.post(login, data=json.dumps({"username": USER, "password": PASSWORD})[:-2], timeout=60)
    session.post(f"{login}?password={PASSWORD}", json={"password": PASSWORD}, timeout=60)
    session.get(f"{gateway.address}/api/v1/me?jwt={tokens['access_token']}", timeout=60)
    session.get(f"{gateway.address}/{tokens['refresh_token']}", timeout=60)

    statuses = [
        post("/api/v1/detect/face", files={"file": (f"{marker.text}.jpg", jpeg)}),
        post("/api/v1/detect/face", data=png),
        post("/api/v1/detect?detectors=face&annotate=true", files={"image": ("a.png", png)}),
        post("/api/v1/detect/face", json={"image": base64.b64encode(jpeg).decode()}),
        post("/classify", json={"image": base64.b64encode(jpeg).decode()}),
        post("/predict", files={"image": ("a.jpg", jpeg)}),
    ]
    assert [answer.status_code for answer in statuses] == [200] * len(statuses)
    kept = statuses[0].headers["X-Picture-Id"]
    wrong = [
        post("/api/v1/detect/face", data=jpeg[: len(jpeg) // 2]),
        post("/api/v1/detect/face", data=png[:1000]),
        post("/api/v1/detect/face", data=marker.text.encode() * 100),
        post("/api/v1/detect/face", json={"image": marker.text * 100}),
        post("/api/v1/detect/face", json={marker.text: base64.b64encode(jpeg).decode()}),
        post("/api/v1/detect/face", files={marker.text: ("a.jpg", jpeg)}),
        post(f"/api/v1/detect/face?{marker.text}={marker.text}", data=jpeg),
        post("/api/v1/detect/nothing", data=jpeg),
        post("/api/v1/detect/face", token=tokens["refresh_token"], data=jpeg),
        post("/api/v1/detect/face", token=tokens["access_token"][:-3], data=jpeg),
        post("/api/v1/users", json={"username": "new", "password": WRONG}),
        session.post(gateway.address + "/api/v1/detect/face", auth=(USER, PASSWORD), timeout=60),
    ]
    assert all(answer.status_code >= 400 for answer in wrong), wrong
    assert all(answer.status_code != 500 for answer in wrong), wrong
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    session.get(f"{gateway.address}/api/v1/images/{kept}", headers=headers, timeout=60)
    session.delete(f"{gateway.address}/api/v1/images/{kept}", headers=headers, timeout=60)
    new = post("/api/v1/refresh", token=tokens["refresh_token"]).json()
    post("/api/v1/refresh", token=tokens["refresh_token"])  # a second time, as a thief would
    post("/api/v1/logout", token=new["access_token"])
    return [
        *(str(both[f"{kind}_token"]) for both in (tokens, new) for kind in ("access", "refresh"))
    ]


@pytest.fixture(scope="module", params=["debug", "info", "error"])
def used(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Gateway, Marker, list[str]]:
    """A gateway that has been through a round, stopped; its marker, and its tokens."""
    folder = tmp_path_factory.mktemp("logs")
    marker = Marker()
    with running(folder, LOG_LEVEL=request.param) as gateway:
        tokens = round_of(gateway, marker)
    return gateway, marker, tokens


Used = tuple[Gateway, Marker, list[str]]


def secrets_of(folder: Path, tokens: list[str]) -> dict[str, str]:
    """Return what must be in no log, by what it is."""
    keys = json.loads((folder / "data" / "keys.json").read_text())["keys"]
    users = json.loads((folder / "data" / "users.json").read_text())["users"]
    parts = {
        f"part {place} of token {number}": part
        for number, token in enumerate(tokens)
        for place, part in enumerate(token.split("."))
    }
    return {
        "the password": PASSWORD,
        "a wrong password": WRONG,
        "the password in base64": base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode(),
        **{f"key {key['kid']}": key["secret"] for key in keys},
        **{f"hash of {user['username']}": user["password_hash"] for user in users.values()},
        **parts,
    }


def test_no_secret_is_in_the_log(used: Used) -> None:
    gateway, _, tokens = used
    log = gateway.log.read_text()
    for what, secret in secrets_of(gateway.folder, tokens).items():
        assert len(secret) > _LEAST
        assert secret not in log, f"{what} is in the log"
        assert secret[: len(secret) * 2 // 3] not in log, f"most of {what} is in the log"


def test_no_picture_is_in_the_log(used: Used) -> None:
    gateway, marker, _ = used
    log = gateway.log.read_bytes()
    assert not marker.found_in(log)
    # As Python shows bytes, and as hexadecimal digits.
    for written in (b"\\xff\\xd8", b"\\x89PNG", marker.text.encode().hex().encode()):
        assert written not in log
    longest = max((len(line) for line in log.splitlines()), default=0)
    assert longest < 4000


def test_no_secret_is_in_any_other_file(used: Used) -> None:
    gateway, _, tokens = used
    own = {"keys.json": "key ", "users.json": "hash of "}
    files = [path for path in gateway.folder.rglob("*") if path.is_file()]
    assert len(files) > 3
    for path in files:
        content = path.read_bytes()
        for what, secret in secrets_of(gateway.folder, tokens).items():
            if not what.startswith(own.get(path.name, "nothing")):
                assert secret.encode() not in content, f"{what} is in {path}"


def test_the_log_has_something_in_it(used: Used) -> None:
    gateway, *_ = used
    lines = [json.loads(line) for line in gateway.log.read_text().splitlines() if "{" in line]
    levels = {line["level"] for line in lines}
    if "info" in levels:
        assert {line["status"] for line in lines if line["event"] == "request"} >= {200, 400, 401}
    else:
        assert levels <= {"error", "critical"}


def test_a_secret_would_be_found(tmp_path: Path) -> None:
    marker = Marker()
    body = marker.jpeg(30_000)
    assert marker.found_in(body)
    assert marker.found_in(base64.b64encode(body))
    assert marker.found_in(base64.b64encode(b"x" + body))
    assert marker.found_in(b"y" + body[8000:9000])
