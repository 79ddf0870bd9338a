"""One gateway per test: a real web layer, pipeline and engine; fake stores, keys, detectors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient

from db.usage import SQLiteUsageStore
from tests.contract.memory_stores import MemoryAttemptStore, MemoryRevocationStore
from tests.web.fakes import (
    PASSWORD,
    FakeDetector,
    FakeKeys,
    FakeModels,
    FakeUserStore,
    bearer,
    fake_detectors,
)
from visiongate.audit import open_audit
from visiongate.engines.local import LocalEngine
from visiongate.imaging import Limits
from visiongate.pipeline import Pipeline
from visiongate.quotas import Quotas
from visiongate.registry import Entry, Registry
from visiongate.retention import FilePictureStore
from visiongate.services import Services, build_fetcher
from visiongate.settings import Settings
from visiongate.types import Device, User
from visiongate.users import Users
from visiongate.web.app import create_app

MakeApp = Callable[..., Flask]
Headers = dict[str, str]


@pytest.fixture
def make_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Settings]:
    """Return a function that makes settings in temporary folders, untouched by the environment."""
    monkeypatch.chdir(tmp_path)

    def make(**changes: Any) -> Settings:
        values: dict[str, Any] = {
            "data_dir": tmp_path / "data",
            "images_dir": tmp_path / "images",
            "bcrypt_rounds": 4,
            "login_rate_per_user": "1000 per minute",
            "login_rate_per_address": "1000 per minute",
        }
        return Settings(**(values | changes))

    return make


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    return make_settings()


@pytest.fixture
def detectors() -> dict[str, FakeDetector]:
    """The fake detectors by name; set ``fails`` on one, or read what it has ``seen``."""
    return {detector.info.name: detector for detector in fake_detectors()}


@pytest.fixture
def make_services(detectors: dict[str, FakeDetector]) -> Iterator[Callable[[Settings], Services]]:
    """Return a function that wires services for given settings; all are closed at the end."""
    made: list[Services] = []

    def make(settings: Settings) -> Services:
        made.append(fake_services(settings, detectors))
        return made[-1]

    yield make
    for services in made:
        services.close()
        services.users.close()


@pytest.fixture
def services(settings: Settings, make_services: Callable[[Settings], Services]) -> Services:
    return make_services(settings)


@pytest.fixture
def make_app(
    make_settings: Callable[..., Settings], make_services: Callable[[Settings], Services]
) -> MakeApp:
    """Return a function that makes an app with changed settings: ``make_app(cors_origins=…)``."""

    def make(**changes: Any) -> Flask:
        settings = make_settings(**changes)
        return create_app(settings, make_services(settings))

    return make


@pytest.fixture
def app(settings: Settings, services: Services) -> Flask:
    return create_app(settings, services)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def make_user(services: Services) -> Callable[..., User]:
    """Return a function that adds a user: ``make_user("eva", role="admin")``."""

    def make(username: str = "anna", password: str = PASSWORD, **more: Any) -> User:
        return services.users.create(username, password, **more)

    return make


@pytest.fixture
def login(client: FlaskClient) -> Callable[..., dict[str, Any]]:
    """Return a function that logs in by HTTP and gives the whole answer."""

    def enter(username: str = "anna", password: str = PASSWORD) -> dict[str, Any]:
        answer = client.post("/api/v1/login", json={"username": username, "password": password})
        assert answer.status_code == 200, answer.text
        tokens: dict[str, Any] = answer.get_json()
        return tokens

    return enter


@pytest.fixture
def auth(make_user: Callable[..., User], login: Callable[..., dict[str, Any]]) -> Headers:
    """The Authorization header of a plain user called anna."""
    make_user("anna")
    return bearer(login("anna")["access_token"])


@pytest.fixture
def admin(make_user: Callable[..., User], login: Callable[..., dict[str, Any]]) -> Headers:
    """The Authorization header of an admin called root."""
    make_user("root", role="admin")
    return bearer(login("root")["access_token"])


def _same(detector: FakeDetector) -> FakeDetector:
    return detector


def fake_services(settings: Settings, detectors: dict[str, FakeDetector]) -> Services:
    """Wire services around fakes; the caller closes them."""
    store = FakeUserStore()
    models: Any = FakeModels()
    device = Device()
    probe = np.zeros((64, 64, 3), np.uint8)
    registry = Registry([Entry(name, "tests", partial(_same, d)) for name, d in detectors.items()])
    for name in settings.detectors_disabled:
        registry.get(name).disable()
    pictures = None
    if settings.retention == "on":
        pictures = FilePictureStore(
            settings.images_dir,
            max_age_seconds=settings.retention_days * 86_400,
            max_bytes=settings.retention_max_bytes,
        )
    audit = open_audit(settings)
    quotas = Quotas(
        SQLiteUsageStore(settings.data_dir / "usage.db"),
        requests_per_day=settings.requests_per_day,
        megapixels_per_day=settings.megapixels_per_day,
        audit=audit,
    )
    engine = LocalEngine(settings.concurrency or 2, settings.max_waiting)
    fakes: dict[str, Any] = {
        "user_store": store,
        "revocations": MemoryRevocationStore(),
        "attempts": MemoryAttemptStore(),
        "keys": FakeKeys(),
    }
    users = Users(
        store,
        bcrypt_rounds=settings.bcrypt_rounds,
        audit=audit,
        forget=(lambda _: 0) if pictures is None else pictures.forget,
    )
    return Services(
        settings=settings,
        users=users,
        quotas=quotas,
        audit=audit,
        pictures=pictures,
        models=models,
        registry=registry,
        engine=engine,
        pipeline=Pipeline(
            registry,
            engine,
            Limits(settings.max_upload_bytes, settings.max_pixels),
            ready=lambda entry: entry.ready(models, device, probe),
            pictures=pictures,
            is_current=users.is_current,
            deadline_seconds=settings.deadline_ms / 1000,
            device=device.name,
            quotas=quotas,
            audit=audit,
        ),
        device=device,
        probe=probe,
        fetcher=build_fetcher(settings),
        **fakes,
    )
