"""What every resource shares: the API object, the services at hand, and reading JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from flask import Flask, current_app, request
from flask_restful import Api

from visiongate.errors import BadRequest, FieldMissing, FormatUnsupported, RequestTooLarge
from visiongate.web.gateway_request import GatewayRequest

if TYPE_CHECKING:
    from visiongate.services import Services

__all__ = [
    "API_PREFIX",
    "GatewayApi",
    "api_of",
    "current_services",
    "init_app",
    "json_object",
    "text",
]

API_PREFIX = "/api/v1"
_API = "visiongate.api"
_SERVICES = "visiongate.services"


class GatewayApi(Api):  # type: ignore[misc]  # flask_restful carries no types
    """Flask-RESTful's API, with errors left to Flask's handlers (``visiongate.web.errors``).

    Left to itself, Flask-RESTful answers 500 to exceptions for which Flask has a handler.
    """

    def error_router(self, original_handler: Callable[[Exception], Any], e: Exception) -> Any:
        return original_handler(e)

    def handle_error(self, e: Exception) -> Any:
        raise e


def init_app(app: Flask, services: Services) -> None:
    """Make the one API object that all resources register with."""
    app.extensions[_SERVICES] = services
    app.extensions[_API] = GatewayApi(app)


def api_of(app: Flask) -> GatewayApi:
    """Return the app's API object, to add resources to."""
    return cast(GatewayApi, app.extensions[_API])


def current_services() -> Services:
    """Return the services of the app that handles this request."""
    return cast("Services", current_app.extensions[_SERVICES])


def json_object(max_bytes: int) -> dict[str, Any]:
    """Return the JSON object in the request's body, reading at most ``max_bytes``.

    Raises:
        FormatUnsupported: it was not sent as JSON.
        BadRequest: it is not JSON, or not an object.
        RequestTooLarge: it is longer.
    """
    if not request.is_json:
        raise FormatUnsupported(
            "Send a JSON object with the header Content-Type: application/json, "
            f"not {request.mimetype[:100] or 'a body without a type'}."
        )
    try:
        body = json.loads(_read(max_bytes))
    except ValueError as error:
        raise BadRequest(f"The JSON cannot be parsed: {error}.") from None
    except RecursionError:
        raise BadRequest("The JSON is nested too deeply.") from None
    if not isinstance(body, dict):
        raise BadRequest('The JSON must be an object: {"name": "value"}.')
    return body


def _read(max_bytes: int) -> bytes:
    sent = cast(GatewayRequest, request)
    sent.max_content_length = max_bytes
    too_large = RequestTooLarge(f"The body of this request may have at most {max_bytes} bytes.")
    if (sent.content_length or 0) > max_bytes:
        raise too_large
    try:
        body: bytes = sent.get_data(cache=False)
    except RequestTooLarge:
        raise too_large from None
    if sent.went_on:
        raise too_large
    return body


def text(body: dict[str, Any], name: str) -> str:
    """Return the non-empty text that ``body`` has under ``name``.

    Raises:
        FieldMissing: it is absent, null or empty.
        BadRequest: it is no text, or text that no encoding can carry (lone surrogates).
    """
    value = body.get(name)
    if value is None or value == "":
        raise FieldMissing(f"The field {name!r} is missing.", extra={"field": name})
    if not isinstance(value, str):
        raise BadRequest(f"The field {name!r} must be text.", extra={"field": name})
    try:
        value.encode()
    except UnicodeEncodeError:
        raise BadRequest(
            f"The field {name!r} is not valid Unicode.", extra={"field": name}
        ) from None
    return value
