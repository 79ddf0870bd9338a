"""How the gateway stands, for load balancers and the people who watch it; no token needed.

Detectors are named with their state alone: reasons may tell paths, and are in
``GET /api/v1/detectors`` for those who log in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Flask, Response

from visiongate import __version__
from visiongate.errors import Unavailable
from visiongate.types import DetectorState
from visiongate.web.answer_types import HealthAnswer, LiveAnswer, ReadyAnswer
from visiongate.web.answers import json_response

if TYPE_CHECKING:
    from visiongate.services import Services

__all__ = ["init_app"]

_RETRY_SECONDS = 2.0


def init_app(app: Flask, services: Services) -> None:
    """Add the health routes to ``app``."""

    def health() -> Response:
        """Tell whether any detector can answer; the shape that older clients know."""
        states = {
            entry.name: entry.state.value
            for entry in services.registry
            if entry.state is not DetectorState.DISABLED
        }
        usable = any(state != DetectorState.UNAVAILABLE.value for state in states.values())
        answer: HealthAnswer = {
            "status": "healthy" if usable else "unhealthy",
            "ml_libs_available": usable,
            "version": __version__,
            "audit": services.audit.state,
            "detectors": states,
        }
        return json_response(answer, 200 if usable else 503)

    def live() -> Response:
        """Tell that the process answers."""
        answer: LiveAnswer = {"status": "live"}
        return json_response(answer)

    def ready() -> Response:
        """Tell that every enabled detector has answered a picture of known content.

        One whose weights are not on this machine is named, and holds nobody up.
        """
        readiness = services.readiness()
        waiting = [name for name, reason in readiness.detectors.items() if reason is not None]
        waiting = waiting or list(readiness.without_model)
        if not readiness.ready:
            raise Unavailable(
                f"Not ready: {', '.join(waiting)}. GET /api/v1/detectors tells why.",
                retry_after=_RETRY_SECONDS,
                extra={"detectors": waiting},
            )
        answer: ReadyAnswer = {
            "status": "ready",
            "detectors": list(readiness.detectors),
            "without_model": list(readiness.without_model),
        }
        return json_response(answer)

    for prefix, version in (("", ""), ("/api/v1", "_v1")):
        app.add_url_rule(f"{prefix}/health", f"health{version}", health)
        app.add_url_rule(f"{prefix}/health/live", f"live{version}", live)
        app.add_url_rule(f"{prefix}/health/ready", f"ready{version}", ready)
