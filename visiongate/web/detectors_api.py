"""What detectors there are, how each one stands, and whether the caller may use it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, g
from flask_restful import Resource
from typing_extensions import TypedDict

from visiongate.types import DetectorState
from visiongate.web.answer_types import Confidence, ModelAnswer, StateName
from visiongate.web.answers import json_response, model_answer
from visiongate.web.api import API_PREFIX, api_of, current_services
from visiongate.web.auth import login_required
from visiongate.web.card import Card

if TYPE_CHECKING:
    from visiongate.registry import Entry
    from visiongate.services import Services
    from visiongate.types import User

__all__ = ["DetectorDescription", "DetectorsAnswer", "describe", "init_app"]


class DetectorDescription(TypedDict):
    """One detector; ``allowed`` tells whether the caller may use it.

    ``state`` is registered (not loaded yet), ready, unavailable (see ``reason``) or disabled;
    ``model`` is null until it is ready, ``task`` null for a plugin that cannot be made.
    """

    name: str
    task: str | None
    description: str
    labels: list[str]
    needs: str | None
    sensitive: bool
    default_confidence: Confidence | None
    state: StateName
    reason: str | None
    model: ModelAnswer | None
    device: str
    options: dict[str, Any]
    source: str
    allowed: bool


class DetectorsAnswer(TypedDict):
    """All detectors."""

    detectors: list[DetectorDescription]


def init_app(app: Flask, services: Services) -> None:  # noqa: ARG001 - the modules' common shape
    """Add the routes that describe detectors to ``app``."""
    api = api_of(app)
    api.add_resource(Detectors, f"{API_PREFIX}/detectors")
    api.add_resource(OneDetector, f"{API_PREFIX}/detectors/<string:name>")
    api.add_resource(Card, f"{API_PREFIX}/detectors/<string:name>/card")


class Detectors(Resource):  # type: ignore[misc]
    """All detectors."""

    method_decorators = (login_required,)

    def get(self) -> Response:
        device = current_services().device.name
        registry = current_services().registry
        answer: DetectorsAnswer = {
            "detectors": [describe(entry, device, g.user) for entry in registry]
        }
        return json_response(answer)


class OneDetector(Resource):  # type: ignore[misc]
    """One detector by its name."""

    method_decorators = (login_required,)

    def get(self, name: str) -> Response:
        entry = current_services().registry.get(name)
        return json_response(describe(entry, current_services().device.name, g.user))


def describe(entry: Entry, device: str, user: User) -> DetectorDescription:
    """Return how ``entry`` stands, for ``user``."""
    info, ready = entry.info, entry.state is DetectorState.READY
    detector = entry.detector if ready else None
    return {
        "name": entry.name,
        "task": info.task if info else None,
        "description": info.description if info else "",
        "labels": list(info.labels) if info else [],
        "needs": info.needs if info else None,
        "sensitive": info.sensitive if info else False,
        "default_confidence": info.default_confidence if info else None,
        "state": entry.state.value,
        "reason": entry.reason,
        "model": model_answer(detector.model) if detector else None,
        "device": device,
        "options": _plain(entry.options),
        "source": entry.source,
        "allowed": user.may_use(entry.name),
    }


def _plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return options as JSON can carry them; TOML also has dates, and defaults may be paths."""
    simple = (str, int, float, bool, list, dict, type(None))
    return {name: v if isinstance(v, simple) else str(v) for name, v in options.items()}
