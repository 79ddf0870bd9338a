"""Every route of the gateway, who may go in, and how to knock so that it would open.

A route that stands here nowhere fails ``test_every_route_has_been_judged``, so that a new one
cannot be forgotten. Whoever adds one says here for whom it is.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from flask import Flask
from PIL import Image

from visiongate.web.compat import ROUTES as COMPAT

__all__ = ["NOBODY_JUDGED", "WHO", "Door", "Who", "doors_of", "picture", "picture_form"]

Who: TypeAlias = Literal["anyone", "user", "refresh", "detector", "owner", "admin"]
"""Anyone at all; any user; whoever has a refresh token; users of that detector; the picture's
owner; admins."""

_V1 = "/api/v1"
WHO: Mapping[str, Who] = {
    "/": "anyone",
    "/playground/<string:name>": "anyone",
    "/docs": "anyone",
    "/docs/<string:name>": "anyone",
    "/openapi.json": "anyone",
    "/metrics": "anyone",
    **{
        f"{prefix}/health{end}": "anyone" for prefix in ("", _V1) for end in ("", "/live", "/ready")
    },
    f"{_V1}/login": "anyone",
    f"{_V1}/refresh": "refresh",
    f"{_V1}/logout": "user",
    f"{_V1}/me": "user",
    f"{_V1}/detectors": "user",
    f"{_V1}/detectors/<string:name>": "user",
    f"{_V1}/detectors/<string:name>/card": "user",
    f"{_V1}/detect": "detector",
    f"{_V1}/detect/<string:name>": "detector",
    **dict.fromkeys(COMPAT, "detector"),
    f"{_V1}/images": "user",
    f"{_V1}/images/<string:picture_id>": "owner",
    f"{_V1}/users": "admin",
    f"{_V1}/users/<string:name>": "admin",
}
NOBODY_JUDGED = "nobody"

_BODIES: Mapping[tuple[str, str], Any] = {
    ("POST", f"{_V1}/login"): {"username": "victim", "password": "not this one"},
    ("POST", f"{_V1}/users"): {"username": "new", "password": "a new password", "role": "admin"},
    ("PATCH", f"{_V1}/users/<string:name>"): {"role": "admin"},
}
"""What to send so that a door that is not locked does its work; others take a picture."""


@dataclass(frozen=True)
class Door:
    """One method of one route."""

    method: str
    rule: str
    who: str

    @property
    def kind(self) -> Literal["access", "refresh"]:
        """The kind of token that it takes."""
        return "refresh" if self.who == "refresh" else "access"

    @property
    def own_shape(self) -> bool:
        """Whether its errors are in the shape of the service that it replaces."""
        return self.rule in COMPAT

    def knock(self, picture_id: str = f"{'0' * 16}-{'0' * 32}") -> dict[str, Any]:
        """Return the arguments of a request that lacks nothing but the token."""
        name = "victim" if "/users/" in self.rule else "face"
        path = self.rule.replace("<string:picture_id>", picture_id).replace("<string:name>", name)
        asked: dict[str, Any] = {"path": path, "method": self.method}
        if (self.method, self.rule) in _BODIES:
            asked["json"] = _BODIES[self.method, self.rule]
        elif self.method == "POST" and self.who == "detector":
            asked["data"] = picture_form("JPEG" if self.rule == "/predict" else "PNG")
            if self.rule == f"{_V1}/detect":
                asked["query_string"] = {"detectors": "face"}
        return asked


def doors_of(app: Flask) -> list[Door]:
    """Return every method of every route that the app has."""
    return [
        Door(method, rule.rule, WHO.get(rule.rule, NOBODY_JUDGED))
        for rule in app.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"OPTIONS"})
    ]


def picture_form(kind: str = "PNG") -> dict[str, Any]:
    """Return a form with a small picture in it."""
    return {"image": (io.BytesIO(picture(kind)), f"a.{kind.lower()}")}


def picture(kind: str = "PNG") -> bytes:
    """Return a small picture."""
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 30, 90)).save(buffer, kind)
    return buffer.getvalue()
