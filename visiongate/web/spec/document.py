"""The OpenAPI 3.1 document of a gateway."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from visiongate import __version__
from visiongate.web.spec import api_routes, other_routes, page_routes
from visiongate.web.spec.errors import error_examples
from visiongate.web.spec.examples import KEPT_ID
from visiongate.web.spec.operation import ACCESS
from visiongate.web.spec.schemas import answer_schemas

__all__ = ["build"]

_DESCRIPTION = """\
Log in, send a picture, and detectors answer with boxes, labels and confidences.

Every error outside the compatibility routes is a problem document (RFC 9457), whose `code` is
stable. Options that a route does not know, and values that do not fit, are refused by name."""

_TEXT = {"type": "string"}
_SECONDS = {"type": "integer", "minimum": 1}
_HEADERS: dict[str, Any] = {
    "X-Request-ID": {
        "description": "The request's id, also in the log: the caller's own, if it sent one.",
        "required": True,
        "schema": _TEXT,
        "example": "5f0c7d5e9a3b4e1c8d2f6a7b9c0d1e2f",
    },
    "X-Picture-Id": {
        "description": "The id of the picture, where it was kept.",
        "schema": _TEXT,
        "example": KEPT_ID,
    },
    "Location": {
        "description": "Where it is now.",
        "required": True,
        "schema": _TEXT,
        "example": "/api/v1/users/bob",
    },
    "RateLimit-Policy": {
        "description": "The caller's quotas, with their seconds, if there are any "
        "(draft-ietf-httpapi-ratelimit-headers).",
        "schema": _TEXT,
        "example": '"requests";q=1000;w=86400',
    },
    "RateLimit": {
        "description": "What is left of them, and in how many seconds they begin anew.",
        "schema": _TEXT,
        "example": '"requests";r=988;t=3600',
    },
    "WWW-Authenticate": {
        "description": "How to log in (RFC 6750).",
        "required": True,
        "schema": _TEXT,
        "example": 'Bearer realm="visiongate"',
    },
    "Retry-After": {
        "description": "Seconds after which to try again, where waiting helps.",
        "schema": _SECONDS,
        "example": 42,
    },
    "ETag": {
        "description": "Names this version of what is answered.",
        "required": True,
        "schema": _TEXT,
        "example": '"9e107d9d372bb682"',
    },
}


def build(
    *,
    base: str,
    detectors: Sequence[str],
    max_pictures: int,
    open_routes: Sequence[str],
    assets: Sequence[str],
    playground: Sequence[str],
) -> dict[str, Any]:
    """Return the document.

    ``base`` is the path under which the gateway is reached, ``detectors`` those that exist,
    ``max_pictures`` how many a request may bring,
    ``open_routes`` the compatibility routes that need no token, ``assets`` the files of /docs,
    ``playground`` those of the page at /.
    """
    paths: dict[str, dict[str, Any]] = {}
    for operation in (
        *api_routes.operations(detectors, max_pictures),
        *other_routes.operations(open_routes),
        *page_routes.operations(assets, playground),
    ):
        paths.setdefault(operation.path, {})[operation.method] = operation.document()
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Visiongate",
            "version": __version__,
            "summary": "Computer vision on your own machine, behind one secure API",
            "description": _DESCRIPTION,
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": base or "/", "description": "This gateway"}],
        "security": ACCESS,
        "tags": [
            {"name": name, "description": description}
            for name, description in (
                api_routes.TAGS | other_routes.TAGS | page_routes.TAGS
            ).items()
        ],
        "paths": paths,
        "components": {
            "schemas": answer_schemas(),
            "examples": error_examples(),
            "headers": _HEADERS,
            "securitySchemes": {
                "accessToken": _bearer("The access token from `POST /api/v1/login`."),
                "refreshToken": _bearer("The refresh token, good for a new pair, once."),
            },
        },
    }


def _bearer(description: str) -> dict[str, Any]:
    return {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": description,
    }
