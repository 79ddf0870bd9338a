"""A gateway with its real stores, keys and limits; only the detectors are stand-ins."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.security.doors import Door, doors_of, picture
from tests.web.fakes import FakeDetector, bearer, fake_detectors
from visiongate import registry
from visiongate.services import Services, build_services
from visiongate.settings import Settings
from visiongate.web.app import create_app

PASSWORD = "correct horse battery staple"
Tokens = Mapping[str, Any]


def _detector(name: str) -> Callable[[], FakeDetector]:
    return lambda: next(one for one in fake_detectors() if one.info.name == name)


make_face, make_object, make_gender = map(_detector, ("face", "object", "gender"))
make_ethnicity, make_classify = map(_detector, ("ethnicity", "classify"))


@dataclass
class House:
    """The gateway under attack, and who lives in it."""

    app: Flask
    services: Services
    folder: Path

    @property
    def client(self) -> FlaskClient:
        return self.app.test_client()

    @property
    def doors(self) -> list[Door]:
        return doors_of(self.app)

    def add(self, name: str, **more: Any) -> None:
        self.services.users.create(name, PASSWORD, **more)

    def login(self, name: str) -> Tokens:
        body = {"username": name, "password": PASSWORD}
        answer = self.client.post("/api/v1/login", json=body)
        assert answer.status_code == 200, answer.text
        tokens: Tokens = answer.get_json()
        return tokens

    def keep(self, name: str) -> str:
        """Have a user's picture kept; return its id."""
        headers = bearer(self.login(name)["access_token"])
        answer = self.client.post(
            "/api/v1/detect/face", data=picture(), content_type="image/png", headers=headers
        )
        assert answer.status_code == 200, answer.text
        return str(answer.headers["X-Picture-Id"])

    def state(self) -> tuple[object, ...]:
        """Return what an intruder could have changed or set to work."""
        kept = self.services.pictures
        seen = sum(len(entry.detector.seen) for entry in self.services.registry)  # type: ignore[union-attr]
        return (
            seen,
            self.services.users.list(),
            kept.list() if kept is not None else None,
            [key.kid for key in self.services.keys.list()],
        )


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., House]]:
    """Return a function that builds a house with changed settings."""
    for name in os.environ:
        if name.startswith("VISIONGATE_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    names = ("face", "object", "gender", "ethnicity", "classify")
    stand_ins = {name: f"{__name__}:make_{name}" for name in names}
    monkeypatch.setattr(registry, "BUILTIN", stand_ins)
    made: list[Services] = []

    def make(**changes: Any) -> House:
        values: dict[str, Any] = {
            "data_dir": tmp_path / "data",
            "images_dir": tmp_path / "images",
            "bcrypt_rounds": 4,
            "login_rate_per_user": "100000 per minute",
            "login_rate_per_address": "100000 per minute",
            "preload": False,
        }
        settings = Settings(**(values | changes))
        made.append(build_services(settings))
        return House(create_app(settings, made[-1]), made[-1], tmp_path)

    yield make
    for services in made:
        services.close()


@pytest.fixture
def house(build: Callable[..., House]) -> House:
    """A house with two admins, a victim, and an intruder with an account."""
    made = build()
    made.add("root", role="admin")
    made.add("boss", role="admin")  # the last one could not be removed
    made.add("victim")
    made.add("intruder")
    return made
