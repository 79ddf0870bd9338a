"""Every error that a caller can meet, in one tree.

    VisiongateError
    |-- BadRequest (400)                 what was asked cannot be understood
    |   |-- PictureMissing               no picture in the request
    |   |-- PictureAmbiguous             more than one, and no way to choose
    |   |-- PictureEmpty                 zero bytes
    |   |-- PictureCorrupt               its format is known, its content is broken
    |   |-- Base64Invalid                JSON picture that does not decode
    |   |-- OptionUnknown, OptionInvalid an option, named in the detail
    |   |-- FieldMissing                 a JSON field, named in the detail
    |   |-- UrlInvalid                   not plainly an address of http or https
    |   |-- PasswordInvalid              under 8 characters, or over bcrypt's 72 bytes
    |   `-- UsernameInvalid
    |-- AuthenticationError (401)
    |   |-- TokenMissing, TokenInvalid, TokenExpired, TokenRevoked
    |   `-- CredentialsWrong
    |-- Forbidden (403)
    |   |-- DetectorForbidden, DetectorDisabled
    |   `-- UrlFetchingOff, UrlNotAllowed  the operator's lists of hosts
    |-- NotFound (404)
    |   `-- DetectorUnknown, PictureUnknown, UserNotFound
    |-- MethodNotAllowed (405)
    |-- RequestTimeout (408)             it came too slowly
    |-- UserExists, LastAdmin (409)
    |-- RequestTooLarge (413)            the whole body
    |   |-- PictureTooLarge              bytes, pixels or frames over the limit
    |   |   `-- UrlTooLarge              what lies at an address
    |   `-- PicturesTooMany              in one request
    |-- FormatUnsupported (415)
    |   `-- UrlNotPicture                what lies at an address
    |-- TooManyRequests (429)
    |   `-- QuotaExceeded                a day's requests or megapixels are used up
    |-- NotBuilt (501)                   known, and not there yet
    |-- UrlUnreachable (502)             the server at an address gave no picture
    |   `-- UrlTimeout (504)             nor will it in the time that there is
    |-- Unavailable (503)                try again, or mend what the detail names
    |   |-- Overloaded, DeadlineExceeded
    |   |-- DetectorUnavailable, ModelUnavailable
    |   `-- StoreUnavailable, AuditUnavailable
    `-- ConfigurationError               at start: what is wrong, and what would be right

Each class has a stable ``code`` (clients may depend on it) and an HTTP ``status``; ``title`` is
the same for each instance of a class, ``detail`` tells what happened this time and what to do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

__all__ = [
    "AuditUnavailable",
    "AuthenticationError",
    "BadRequest",
    "Base64Invalid",
    "ConfigurationError",
    "CredentialsWrong",
    "DeadlineExceeded",
    "DetectorDisabled",
    "DetectorForbidden",
    "DetectorUnavailable",
    "DetectorUnknown",
    "FieldMissing",
    "Forbidden",
    "FormatUnsupported",
    "LastAdmin",
    "MethodNotAllowed",
    "ModelUnavailable",
    "NotBuilt",
    "NotFound",
    "OptionInvalid",
    "OptionUnknown",
    "Overloaded",
    "PasswordInvalid",
    "PictureAmbiguous",
    "PictureCorrupt",
    "PictureEmpty",
    "PictureMissing",
    "PictureTooLarge",
    "PictureUnknown",
    "PicturesTooMany",
    "QuotaExceeded",
    "RequestTimeout",
    "RequestTooLarge",
    "StoreUnavailable",
    "TokenExpired",
    "TokenInvalid",
    "TokenMissing",
    "TokenRevoked",
    "TooManyRequests",
    "Unavailable",
    "UrlFetchingOff",
    "UrlInvalid",
    "UrlNotAllowed",
    "UrlNotPicture",
    "UrlTimeout",
    "UrlTooLarge",
    "UrlUnreachable",
    "UserExists",
    "UserNotFound",
    "UsernameInvalid",
    "VisiongateError",
    "all_errors",
]


class VisiongateError(Exception):
    """Base of all: caught once, in ``web/errors.py``, and answered as a problem document.

    ``retry_after`` (seconds) becomes the header of that name. ``extra`` goes into the problem
    document beside the standard members, for example the list of detectors that do exist.
    """

    code = "internal_error"
    status = 500
    title = "Something went wrong inside the gateway"

    def __init__(
        self,
        detail: str = "",
        *,
        retry_after: float | None = None,
        extra: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.retry_after = retry_after
        self.extra: Mapping[str, object] = dict(extra or {})


class BadRequest(VisiongateError):
    code = "bad_request"
    status = 400
    title = "The request cannot be understood"


class PictureMissing(BadRequest):
    code = "picture_missing"
    title = "No picture in the request"


class PictureAmbiguous(BadRequest):
    code = "picture_ambiguous"
    title = "More than one picture in the request"


class PictureEmpty(BadRequest):
    code = "picture_empty"
    title = "The picture is empty"


class PictureCorrupt(BadRequest):
    code = "picture_corrupt"
    title = "The picture is damaged"


class Base64Invalid(BadRequest):
    code = "base64_invalid"
    title = "The base64 picture does not decode"


class OptionUnknown(BadRequest):
    code = "option_unknown"
    title = "Unknown option"


class OptionInvalid(BadRequest):
    code = "option_invalid"
    title = "Malformed option"


class FieldMissing(BadRequest):
    code = "field_missing"
    title = "A required field is missing"


class PasswordInvalid(BadRequest):
    code = "password_invalid"
    title = "The password cannot be used"


class UsernameInvalid(BadRequest):
    code = "username_invalid"
    title = "The user name cannot be used"


class UrlInvalid(BadRequest):
    code = "url_invalid"
    title = "The address cannot be fetched from"


class AuthenticationError(VisiongateError):
    code = "unauthenticated"
    status = 401
    title = "Not logged in"


class TokenMissing(AuthenticationError):
    code = "token_missing"
    title = "No token in the request"


class TokenInvalid(AuthenticationError):
    code = "token_invalid"
    title = "The token is not one of ours"


class TokenExpired(AuthenticationError):
    code = "token_expired"
    title = "The token has expired"


class TokenRevoked(AuthenticationError):
    code = "token_revoked"
    title = "The token has been revoked"


class CredentialsWrong(AuthenticationError):
    code = "credentials_wrong"
    title = "Wrong user name or password"


class Forbidden(VisiongateError):
    code = "forbidden"
    status = 403
    title = "Not allowed"


class DetectorForbidden(Forbidden):
    code = "detector_forbidden"
    title = "This user may not call this detector"


class DetectorDisabled(Forbidden):
    code = "detector_disabled"
    title = "The operator has switched this detector off"


class UrlFetchingOff(Forbidden):
    code = "url_fetching_off"
    title = "This gateway fetches no pictures"


class UrlNotAllowed(Forbidden):
    code = "url_not_allowed"
    title = "Pictures are not fetched from there"


class NotFound(VisiongateError):
    code = "not_found"
    status = 404
    title = "There is nothing here"


class DetectorUnknown(NotFound):
    code = "detector_unknown"
    title = "No detector of that name"


class PictureUnknown(NotFound):
    code = "picture_unknown"
    title = "No kept picture of that id"


class UserNotFound(NotFound):
    code = "user_not_found"
    title = "No user of that name"


class MethodNotAllowed(VisiongateError):
    code = "method_not_allowed"
    status = 405
    title = "This route does not take that method"


class RequestTimeout(VisiongateError):
    code = "request_timeout"
    status = 408
    title = "The request came too slowly"


class UserExists(VisiongateError):
    code = "user_exists"
    status = 409
    title = "A user of that name exists already"


class LastAdmin(VisiongateError):
    code = "last_admin"
    status = 409
    title = "Nobody would be left to administer the gateway"


class RequestTooLarge(VisiongateError):
    code = "request_too_large"
    status = 413
    title = "The request is too large"


class PictureTooLarge(RequestTooLarge):
    code = "picture_too_large"
    title = "The picture is too large"


class UrlTooLarge(PictureTooLarge):
    code = "url_too_large"
    title = "The picture at the address is too large"


class PicturesTooMany(RequestTooLarge):
    code = "pictures_too_many"
    title = "Too many pictures in the request"


class FormatUnsupported(VisiongateError):
    code = "format_unsupported"
    status = 415
    title = "That format is not read"


class UrlNotPicture(FormatUnsupported):
    code = "url_not_a_picture"
    title = "No picture lies at the address"


class TooManyRequests(VisiongateError):
    code = "too_many_requests"
    status = 429
    title = "Too many requests"


class QuotaExceeded(TooManyRequests):
    code = "quota_exceeded"
    title = "The day's quota is used up"


class NotBuilt(VisiongateError):
    code = "not_built"
    status = 501
    title = "Not there yet"


class UrlUnreachable(VisiongateError):
    code = "url_unreachable"
    status = 502
    title = "The address gave no picture"


class UrlTimeout(UrlUnreachable):
    code = "url_timeout"
    status = 504
    title = "The address was too slow"


class Unavailable(VisiongateError):
    code = "unavailable"
    status = 503
    title = "Not available right now"


class Overloaded(Unavailable):
    code = "overloaded"
    title = "Too many requests are waiting already"


class DeadlineExceeded(Unavailable):
    code = "deadline_exceeded"
    title = "The deadline passed before the work could begin"


class DetectorUnavailable(Unavailable):
    code = "detector_unavailable"
    title = "This detector is out of order"


class ModelUnavailable(Unavailable):
    code = "model_unavailable"
    title = "The model's weights are not on this machine"


class StoreUnavailable(Unavailable):
    code = "store_unavailable"
    title = "The data folder cannot be used"


class AuditUnavailable(Unavailable):
    code = "audit_unavailable"
    title = "What must be recorded cannot be recorded"


class ConfigurationError(VisiongateError):
    code = "configuration_error"
    status = 500
    title = "The configuration cannot be used"


def all_errors() -> Iterator[type[VisiongateError]]:
    """Yield every error class of this tree, the root first, each once."""
    pending: list[type[VisiongateError]] = [VisiongateError]
    while pending:
        cls = pending.pop(0)
        yield cls
        pending.extend(cls.__subclasses__())
