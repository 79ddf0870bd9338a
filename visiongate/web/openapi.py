"""The gateway describes itself: the specification, and Swagger UI to read and try it.

Neither needs a token; both come from the gateway alone, no other host is asked.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Flask, Response, request

from visiongate.errors import NotFound
from visiongate.web import playground
from visiongate.web.cached import cached_answer
from visiongate.web.spec.document import build

if TYPE_CHECKING:
    from visiongate.services import Services

__all__ = ["ASSETS", "init_app"]

_OURS = Path(__file__).parent / "swagger"
_DIST = Path(str(files("flask_swagger_ui"))) / "dist"
ASSETS: Mapping[str, tuple[Path, str]] = {
    "swagger-ui.css": (_DIST, "text/css"),
    "swagger-ui-bundle.js": (_DIST, "text/javascript"),
    "favicon-32x32.png": (_DIST, "image/png"),
    "page.css": (_OURS, "text/css"),
    "start.js": (_OURS, "text/javascript"),
}
"""The files of the page, where they lie and what they are; nothing else is served from there."""

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""Icons come from data: addresses, and pictures that were answered from blob: ones."""
_BASES = 8
"""Paths under which one gateway is reached, through different proxies."""


def init_app(app: Flask, services: Services) -> None:
    """Add the specification and its page to ``app``."""

    @functools.lru_cache(maxsize=_BASES)
    def written(base: str) -> bytes:
        document = build(
            base=base,
            detectors=services.registry.names(),
            max_pictures=services.settings.max_pictures,
            open_routes=services.settings.open_routes,
            assets=tuple(ASSETS),
            playground=tuple(playground.ASSETS),
        )
        return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()

    @functools.cache
    def read(path: Path) -> bytes:
        return path.read_bytes()

    def specification() -> Response:
        """Return the OpenAPI document."""
        return cached_answer(written(request.script_root), "application/json")

    def page() -> Response:
        """Return Swagger UI's page."""
        response = Response(read(_OURS / "page.html"), mimetype="text/html")
        response.headers["Content-Security-Policy"] = _POLICY
        return response

    def asset(name: str) -> Response:
        """Return one file of the page."""
        if name not in ASSETS:
            raise NotFound("There is no such file.")
        folder, media_type = ASSETS[name]
        return cached_answer(read(folder / name), media_type)

    app.add_url_rule("/openapi.json", "openapi", specification)
    app.add_url_rule("/docs", "docs", page)
    app.add_url_rule("/docs/<string:name>", "docs_file", asset)
