"""Errors in the specification: which there are, an example of each, and their responses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from visiongate import errors
from visiongate.errors import FormatUnsupported, VisiongateError, all_errors
from visiongate.web.answer_types import Problem
from visiongate.web.errors import PROBLEM_TYPE

__all__ = [
    "ACCOUNT",
    "BODY",
    "DETECTING",
    "FAULT",
    "OPTIONS",
    "PICTURE",
    "SOURCES",
    "STORE",
    "TOKEN",
    "Errors",
    "compat_responses",
    "error_examples",
    "problem_responses",
]

Errors = tuple[type[VisiongateError], ...]

FAULT: Errors = (VisiongateError,)
STORE: Errors = (errors.StoreUnavailable,)
TOKEN: Errors = (
    errors.TokenMissing,
    errors.TokenInvalid,
    errors.TokenExpired,
    errors.TokenRevoked,
)
ACCOUNT: Errors = (*TOKEN, *STORE, *FAULT)
"""What any route may answer that asks for a token."""
BODY: Errors = (
    errors.BadRequest,
    errors.RequestTimeout,
    errors.RequestTooLarge,
    errors.FormatUnsupported,
)
PICTURE: Errors = (
    *BODY,
    errors.PictureMissing,
    errors.PictureAmbiguous,
    errors.PictureEmpty,
    errors.PictureCorrupt,
    errors.PictureTooLarge,
    errors.Base64Invalid,
    errors.OptionUnknown,
)
SOURCES: Errors = (
    errors.PicturesTooMany,
    errors.UrlInvalid,
    errors.UrlFetchingOff,
    errors.UrlNotAllowed,
    errors.UrlTooLarge,
    errors.UrlNotPicture,
    errors.UrlUnreachable,
    errors.UrlTimeout,
)
"""Of several pictures, and of addresses."""
OPTIONS: Errors = (errors.OptionUnknown, errors.OptionInvalid)
DETECTING: Errors = (
    errors.DetectorForbidden,
    errors.DetectorDisabled,
    errors.NotBuilt,
    errors.QuotaExceeded,
    errors.Overloaded,
    errors.DeadlineExceeded,
    errors.DetectorUnavailable,
    errors.ModelUnavailable,
    errors.AuditUnavailable,
    errors.Unavailable,
)

_DETAILS: Mapping[type[VisiongateError], str] = {
    VisiongateError: "Something went wrong inside the gateway; its log tells more under request "
    "id 5f0c7d5e9a3b4e1c8d2f6a7b9c0d1e2f.",
    errors.BadRequest: "The JSON cannot be parsed: Expecting value: line 1 column 1 (char 0).",
    errors.PictureMissing: "The form has no picture. Send one as multipart part 'file' or 'image'.",
    errors.PictureAmbiguous: "The form has 2 pictures under 'file' and 'image'; send one "
    "a request.",
    errors.PictureEmpty: "The picture has zero bytes. Was the file written to the end?",
    errors.PictureCorrupt: "The JPEG picture is cut off or damaged. Send it again, whole.",
    errors.Base64Invalid: "A data URI must begin like 'data:image/jpeg;base64,'.",
    errors.OptionUnknown: "Unknown option 'min_confidance'. Did you mean 'min_confidence'?",
    errors.OptionInvalid: "Option 'min_confidence' must be a number from 0 to 1 (0.6 for 60 %), "
    "got '60'.",
    errors.FieldMissing: "The field 'password' is missing.",
    errors.PasswordInvalid: "The password is 80 bytes long in UTF-8; bcrypt takes at most 72.",
    errors.UsernameInvalid: "A user name neither begins nor ends with a space.",
    errors.UrlInvalid: "Only addresses that begin with http:// or https:// are fetched.",
    errors.AuthenticationError: "Log in first.",
    errors.TokenMissing: "Send the header Authorization: Bearer TOKEN, with a token from POST "
    "/api/v1/login.",
    errors.TokenInvalid: "The token is malformed or not signed by this gateway.",
    errors.TokenExpired: "The token has expired. Refresh it, or log in again.",
    errors.TokenRevoked: "This token was ended. Log in again.",
    errors.CredentialsWrong: "Wrong user name or password.",
    errors.Forbidden: "Only an admin may do this.",
    errors.DetectorForbidden: "User 'ann' may not call 'gender'; allowed: face, object. An admin "
    "can change that with adduser.py --detectors.",
    errors.DetectorDisabled: "The operator has switched detector 'ethnicity' off "
    "(detectors_disabled).",
    errors.UrlFetchingOff: "This gateway fetches no pictures from addresses; send the picture "
    "itself. The operator can list hosts in VISIONGATE_URL_HOSTS.",
    errors.UrlNotAllowed: "Pictures are not fetched from 'example.org', port 80. The operator "
    "lists hosts in VISIONGATE_URL_HOSTS.",
    errors.NotFound: "There is no such route. All of them are in /openapi.json, and readable in "
    "/docs.",
    errors.DetectorUnknown: "There is no detector 'faces'. There are: classify, face, object.",
    errors.PictureUnknown: "No picture '5d41402abc4b2a76' of yours is kept; it may have been "
    "deleted or swept.",
    errors.UserNotFound: "No user is called 'bob'.",
    errors.MethodNotAllowed: "This route takes OPTIONS, POST.",
    errors.UserExists: "A user called 'ann' exists already.",
    errors.LastAdmin: "'ann' is the last admin who is not disabled. Make somebody else an admin "
    "first.",
    errors.RequestTimeout: "2100 bytes came in 25 s; the gateway waits 20 s, and a second more for "
    "each 500 bytes.",
    errors.RequestTooLarge: "The body of this request may have at most 16384 bytes.",
    errors.PictureTooLarge: "A picture may have at most 5000000 bytes; 7340032 bytes came. The "
    "operator's setting is VISIONGATE_MAX_UPLOAD_BYTES.",
    errors.UrlTooLarge: "The picture at the address has more than 5000000 bytes. The operator's "
    "setting is VISIONGATE_MAX_UPLOAD_BYTES.",
    errors.PicturesTooMany: "The request has 20 pictures, and may have 16. The operator's setting "
    "is VISIONGATE_MAX_PICTURES.",
    errors.UrlNotPicture: "What lies at the address is no picture that can be read.",
    errors.FormatUnsupported: "This is a PDF document. Send JPEG, PNG, WEBP, BMP, TIFF or GIF.",
    errors.TooManyRequests: "Too many login attempts for this user (10 per 1 minute). Try again "
    "in 42 s.",
    errors.QuotaExceeded: "You may send 1000 pictures a day; 1000 are used. The count begins anew "
    "at midnight UTC, in 5 h 12 min. An admin can raise it.",
    errors.NotBuilt: "There is no detector 'gender' in this installation yet; ask without "
    "gender=true.",
    errors.UrlUnreachable: "The server at the address cannot be connected to.",
    errors.UrlTimeout: "The server at the address was silent for too long.",
    errors.Unavailable: "The gateway is shutting down. Try again in a moment.",
    errors.Overloaded: "64 requests are waiting already, the most allowed. Try again shortly, or "
    "send fewer at once.",
    errors.DeadlineExceeded: "The deadline passed before detector 'face' could begin. Send fewer "
    "requests at once, or allow more time with X-Deadline-Ms.",
    errors.DetectorUnavailable: "Detector 'object' cannot be loaded: RuntimeError: no such device.",
    errors.ModelUnavailable: "The weights of 'yunet' are not on this machine. Fetch them with: "
    "python -m visiongate.models pull yunet",
    errors.AuditUnavailable: "The use of a sensitive detector could not be recorded, so it is not "
    "answered.",
    errors.StoreUnavailable: "The data folder cannot be written: No space left on device.",
    errors.ConfigurationError: "VISIONGATE_PORT must be a number from 0 to 65535.",
}
_WHEN: Mapping[int, str] = {
    400: "The request cannot be understood.",
    401: "No token that is good.",
    403: "Logged in, but not allowed.",
    404: "There is no such thing.",
    409: "It does not go together with what there is.",
    408: "It came too slowly.",
    413: "Too large.",
    415: "A format, content type or encoding that is not read.",
    429: "Too many attempts, or a day's quota is used up; `Retry-After` tells when to come back.",
    500: "A fault of the gateway; its log says more under the request's id.",
    501: "Known, and not in this installation.",
    502: "The server at the address that was sent gave no picture.",
    504: "The server at the address that was sent was too slow.",
    503: "Not available right now; the detail says what to do.",
}
_HEADERS: Mapping[int, tuple[str, ...]] = {
    401: ("WWW-Authenticate",),
    429: ("Retry-After",),
    503: ("Retry-After",),
}


def error_examples() -> dict[str, Any]:
    """Return an example of each error, by its code: ``components/examples`` of the document."""
    examples = {}
    for cls in all_errors():
        if cls not in _DETAILS:
            continue  # a plugin's own; a test holds that none of ours is missing
        document: Problem = {
            "type": f"urn:visiongate:error:{cls.code}",
            "title": cls.title,
            "status": cls.status,
            "detail": _DETAILS[cls],
            "code": cls.code,
            "request_id": "5f0c7d5e9a3b4e1c8d2f6a7b9c0d1e2f",
            "msg": _DETAILS[cls],
        }
        examples[cls.code] = {"summary": cls.title, "value": document}
    return examples


def problem_responses(possible: Iterable[type[VisiongateError]]) -> dict[str, Any]:
    """Return the responses for these errors by status, each naming the codes it can have."""
    responses = {}
    for status, classes in _by_status(possible, lambda cls: cls.status).items():
        codes = [cls.code for cls in classes]
        schema = {
            "allOf": [
                {"$ref": "#/components/schemas/Problem"},
                {"properties": {"status": {"const": status}, "code": {"enum": codes}}},
            ]
        }
        examples = {code: {"$ref": f"#/components/examples/{code}"} for code in codes}
        responses[str(status)] = _response(status, PROBLEM_TYPE, schema, examples)
    return responses


def compat_responses(possible: Iterable[type[VisiongateError]], success: bool) -> dict[str, Any]:
    """Return the responses of a compatibility route, whose errors have another service's shape.

    ``success`` tells whether they say ``"success": false`` too.
    """

    def status_of(cls: type[VisiongateError]) -> int:
        return 400 if issubclass(cls, FormatUnsupported) else cls.status

    schema = {"$ref": f"#/components/schemas/{'CompatFailure' if success else 'CompatError'}"}
    head = {"success": False} if success else {}
    responses = {}
    for status, classes in _by_status(possible, status_of).items():
        examples = {
            cls.code: {"summary": cls.title, "value": {**head, "error": _DETAILS[cls]}}
            for cls in classes
        }
        responses[str(status)] = _response(status, "application/json", schema, examples)
    return responses


def _by_status(
    possible: Iterable[type[VisiongateError]], status_of: Callable[[type[VisiongateError]], int]
) -> dict[int, list[type[VisiongateError]]]:
    grouped: dict[int, list[type[VisiongateError]]] = {}
    for cls in dict.fromkeys(possible):
        grouped.setdefault(status_of(cls), []).append(cls)
    return dict(sorted(grouped.items()))


def _response(
    status: int, media_type: str, schema: Mapping[str, Any], examples: Mapping[str, Any]
) -> dict[str, Any]:
    names = ("X-Request-ID", *_HEADERS.get(status, ()))
    return {
        "description": _WHEN[status],
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in names},
        "content": {media_type: {"schema": schema, "examples": examples}},
    }
