"""The application factory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask
from flask_cors import CORS
from werkzeug.middleware.proxy_fix import ProxyFix

from visiongate.services import Services, build_services
from visiongate.settings import Settings
from visiongate.web import (
    api,
    audit,
    auth,
    compat,
    detect,
    detectors_api,
    errors,
    health,
    images,
    limits,
    logging,
    metrics,
    openapi,
    playground,
    quotas,
    reading,
    users_api,
)
from visiongate.web.careful import harden

__all__ = ["create_app"]

_MODULES = (
    logging,
    metrics,
    errors,
    api,
    reading,
    limits,
    audit,
    quotas,
    auth,
    users_api,
    detectors_api,
    detect,
    images,
    health,
    compat,
    openapi,
    playground,
)
"""Each has one ``init_app``. Hooks after a request run from the last of these to the first."""


class _Gateway(Flask):
    """Flask, that does not ask of every hook and view, at every request, if it is a coroutine."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        return func


def create_app(settings: Settings, services: Services | None = None) -> Flask:
    """Build the gateway's web application.

    Services that are given stay the caller's to start and close; without them the app makes and
    starts its own.

    Raises:
        ConfigurationError: a setting cannot be used.
    """
    app = _Gateway("visiongate", static_folder=None)
    app.debug = settings.debug
    app.json.sort_keys = False  # type: ignore[attr-defined]
    _trust_proxies(app, settings.trusted_proxies)
    started = services is not None
    services = services or build_services(settings)
    for module in _MODULES:
        module.init_app(app, services)
    _allow_origins(app, settings.cors_origins)
    app.after_request(harden)
    if not started:
        services.start()
    return app


def _trust_proxies(app: Flask, count: int) -> None:
    if count:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=count, x_proto=count, x_host=count, x_prefix=count
        )


def _allow_origins(app: Flask, origins: tuple[str, ...]) -> None:
    """Let pages of these origins call the gateway with their token (never with cookies)."""
    if origins:
        CORS(
            app,
            origins=list(origins),
            allow_headers=["Authorization", "Content-Type", "X-Deadline-Ms", "X-Request-ID"],
            expose_headers=["Retry-After", *quotas.HEADERS, "X-Picture-Id", "X-Request-ID"],
            max_age=3600,
        )
