"""The playground at ``/``: a page that shows in a minute what the gateway does.

The page and its files need no token and tell nothing; what it shows, it asks the API for, with
its user's. The gateway serves all of it itself: no build step, no other host.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from flask import Flask, Response

from visiongate.errors import NotFound
from visiongate.web.cached import cached_answer

if TYPE_CHECKING:
    from visiongate.services import Services

__all__ = ["ASSETS", "init_app"]

_FOLDER = Path(__file__).parent / "playground"
_TYPES: Mapping[str, str] = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
ASSETS: Mapping[str, str] = {
    path.name: _TYPES[path.suffix] for path in sorted(_FOLDER.iterdir()) if path.suffix in _TYPES
}
"""The files of the page and what they are; nothing else is served from there."""

_HEADERS: Mapping[str, str] = {
    # Pictures that the user chose are shown from blob: addresses. Text can never become HTML:
    # the browser itself refuses every way to it (trusted types).
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
        "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}


def init_app(app: Flask, services: Services) -> None:
    """Add the page and its files to ``app``."""
    template = string.Template((_FOLDER / "page.html").read_text(encoding="utf-8"))
    written = template.substitute(max_upload_bytes=services.settings.max_upload_bytes)
    files = {name: (_FOLDER / name).read_bytes() for name in ASSETS}

    def playground() -> Response:
        """Return the page."""
        response = Response(written, mimetype="text/html")
        response.headers.update(_HEADERS)
        return response

    def asset(name: str) -> Response:
        """Return one file of the page."""
        if name not in files:
            raise NotFound("There is no such file.")
        return cached_answer(files[name], ASSETS[name])

    app.add_url_rule("/", "playground", playground)
    app.add_url_rule("/playground/<string:name>", "playground_file", asset)
