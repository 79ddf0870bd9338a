"""What is left of a user's quota, in answers and in their headers.

The headers are those of draft-ietf-httpapi-ratelimit-headers, which, unlike ``X-RateLimit-…``,
can tell of two quotas at once.
"""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING

from flask import Flask, Response, g

from visiongate.errors import StoreUnavailable
from visiongate.quotas import DAY_SECONDS, Standing
from visiongate.web.answers import moment

if TYPE_CHECKING:
    from visiongate.services import Services
    from visiongate.web.user_types import QuotaAnswer

__all__ = ["HEADERS", "init_app", "quota_answer"]

HEADERS = ("RateLimit-Policy", "RateLimit")
_log = logging.getLogger(__name__)


def init_app(app: Flask, services: Services) -> None:
    """Tell every user who has a quota what is left of it, with every answer."""
    quotas = services.quotas

    def tell(response: Response) -> Response:
        user = g.get("user")
        if user is None or not any(quotas.limits(user)):
            return response
        try:
            standing = quotas.standing(user)
        except StoreUnavailable as error:
            _log.warning("what is left of a quota cannot be told: %s", error.detail)
            return response
        left = max(0, math.ceil(standing.resets_in))
        named = {"requests": standing.requests, "megapixels": standing.megapixels}
        given = {name: one for name, one in named.items() if one is not None}
        policy = (f'"{name}";q={one.limit};w={DAY_SECONDS}' for name, one in given.items())
        state = (f'"{name}";r={int(one.left)};t={left}' for name, one in given.items())
        response.headers["RateLimit-Policy"] = ", ".join(policy)
        response.headers["RateLimit"] = ", ".join(state)
        return response

    app.after_request(tell)


def quota_answer(standing: Standing) -> QuotaAnswer:
    """Return how a user stands."""
    pictures, megapixels = standing.requests, standing.megapixels
    return {
        "requests": None
        if pictures is None
        else {"limit": pictures.limit, "used": int(pictures.used), "left": int(pictures.left)},
        "megapixels": None
        if megapixels is None
        else {
            "limit": megapixels.limit,
            "used": round(megapixels.used, 3),
            "left": round(megapixels.left, 3),
        },
        "resets": moment(standing.resets),
    }
