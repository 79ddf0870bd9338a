"""What gunicorn cannot read, or what fails past the application, as an error of ours."""

from __future__ import annotations

from gunicorn.http import errors as gunicorn

from visiongate.errors import BadRequest, NotBuilt, RequestTooLarge, VisiongateError

__all__ = ["unreadable"]

_MOST_WORDS = 200
_OUR_FAULT = (
    gunicorn.ConfigurationProblem,
    gunicorn.InvalidResponseHeader,
    gunicorn.InvalidResponseHeaderName,
)
"""What gunicorn finds wrong with the configuration, or with the application's answer."""
_TOO_LARGE = gunicorn.LimitRequestLine, gunicorn.LimitRequestHeaders


def unreadable(error: Exception) -> VisiongateError:
    """Return the error to answer with; of status 500 where it is no fault of the client's."""
    if not isinstance(error, gunicorn.ParseException) or isinstance(error, _OUR_FAULT):
        return VisiongateError("Something went wrong inside the gateway; its log tells more.")
    words = "".join(char if char.isprintable() else "\ufffd" for char in str(error))
    detail = f"The request cannot be read: {words[:_MOST_WORDS].rstrip('.')}."
    if isinstance(error, _TOO_LARGE):
        return RequestTooLarge(detail)
    if isinstance(error, gunicorn.UnsupportedTransferCoding):
        return NotBuilt(detail)
    return BadRequest(detail)
