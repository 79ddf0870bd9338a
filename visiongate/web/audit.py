"""Tell the audit log who is asking, and record what is refused to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Flask, Response, g, has_request_context, request

from visiongate.audit import EventName, Origin
from visiongate.errors import QuotaExceeded
from visiongate.web import logging as web_logging
from visiongate.web.api import API_PREFIX
from visiongate.web.metrics import metrics_of

if TYPE_CHECKING:
    from visiongate.services import Services

__all__ = ["init_app"]

_REFUSALS = frozenset({401, 403, 429})
_LOGIN = f"{API_PREFIX}/login"


def init_app(app: Flask, services: Services) -> None:
    """Record refusals, and let every event know its request."""
    services.audit.origin = _origin
    services.audit.on_failure = metrics_of(app).audit_failures.inc

    def record(response: Response) -> Response:
        code = g.get("problem_code")
        if (
            code is not None
            and response.status_code in _REFUSALS
            and code != QuotaExceeded.code  # recorded for each picture, where it is refused
            and web_logging.route() != _LOGIN  # so are logins
        ):
            detail = {"method": request.method[:10], "route": web_logging.route()}
            services.audit.record_refusal(EventName.REQUEST_REFUSED, code, detail)
        return response

    app.after_request(record)


def _origin() -> Origin:
    """Return who asks now: the request's user, once that is known."""
    if not has_request_context():
        return Origin("http")
    user = g.get("user")
    return Origin(
        "http",
        actor=None if user is None else user.username,
        address=request.remote_addr,
        request_id=g.get("request_id"),
    )
