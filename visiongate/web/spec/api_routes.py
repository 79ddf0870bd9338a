"""The operations under ``/api/v1``; a test holds them to the app's routes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from visiongate import errors
from visiongate.web.card import CARD_FORMATS
from visiongate.web.option_table import ANNOTATED
from visiongate.web.spec import detect_routes, examples, user_routes
from visiongate.web.spec import errors as may
from visiongate.web.spec.errors import problem_responses
from visiongate.web.spec.operation import (
    NO_TOKEN,
    REFRESH,
    Operation,
    answer,
    in_path,
    json_answer,
    parameter,
    pictures,
)

__all__ = ["TAGS", "operations"]

_LOGIN, _DETECTORS, _IMAGES = "Logging in", "Detectors", "Kept pictures"
TAGS = {
    _LOGIN: "A token's life.",
    **detect_routes.TAGS,
    _DETECTORS: "What there is to ask.",
    _IMAGES: "Pictures that the gateway keeps, for their owner and admins.",
    **user_routes.TAGS,
}


def operations(detectors: Sequence[str], max_pictures: int) -> Iterator[Operation]:
    """Yield every operation of the API, for a gateway that has these detectors."""
    yield from _logins()
    yield from detect_routes.operations(detectors, max_pictures)
    yield from _describing(detectors)
    yield from _kept()
    yield from user_routes.operations(detectors)


def _logins() -> Iterator[Operation]:
    tokens = {"200": answer("New tokens.", json_answer("LoginAnswer", examples.LOGIN))}
    name = {"type": "string", "minLength": 1}
    yield Operation(
        "post",
        "/api/v1/login",
        "login",
        _LOGIN,
        "Exchange a user name and a password for tokens",
        {
            **tokens,
            **problem_responses(
                (
                    *may.BODY,
                    errors.FieldMissing,
                    errors.CredentialsWrong,
                    errors.TooManyRequests,
                    errors.Overloaded,
                    *may.STORE,
                    *may.FAULT,
                )
            ),
        },
        description="An unknown user and a wrong password get the same answer, in the same time.",
        security=NO_TOKEN,
        body={
            "required": True,
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "properties": {"username": name, "password": name},
                        "required": ["username", "password"],
                    },
                    "example": {"username": "ann", "password": "correct horse battery"},
                }
            },
        },
    )
    yield Operation(
        "post",
        "/api/v1/refresh",
        "refresh",
        _LOGIN,
        "Exchange the refresh token, sent as the bearer, for new tokens",
        {**tokens, **problem_responses(may.ACCOUNT)},
        description="It works once. When it comes a second time, all tokens of that login end.",
        security=REFRESH,
    )
    yield Operation(
        "post",
        "/api/v1/logout",
        "logout",
        _LOGIN,
        "End every token of this login",
        {
            "200": answer("They are ended.", json_answer("LogoutAnswer", examples.LOGOUT)),
            **problem_responses(may.ACCOUNT),
        },
    )
    yield Operation(
        "get",
        "/api/v1/me",
        "me",
        _LOGIN,
        "Who am I, and what may I do",
        {
            "200": answer("The caller.", json_answer("MeAnswer", examples.ME)),
            **problem_responses(may.ACCOUNT),
        },
    )


def _describing(detectors: Sequence[str]) -> Iterator[Operation]:
    yield Operation(
        "get",
        "/api/v1/detectors",
        "detectors",
        _DETECTORS,
        "Every detector: labels, model, state, whether the caller may use it",
        {
            "200": answer("All.", json_answer("DetectorsAnswer", examples.DETECTORS)),
            **problem_responses(may.ACCOUNT),
        },
    )
    unknown = (*may.ACCOUNT, errors.DetectorUnknown, errors.NotFound)
    name = in_path("name", {"type": "string", "enum": list(detectors)}, "A detector.")
    yield Operation(
        "get",
        "/api/v1/detectors/{name}",
        "detector",
        _DETECTORS,
        "One detector",
        {
            "200": answer("It.", json_answer("DetectorDescription", examples.DETECTOR)),
            **problem_responses(unknown),
        },
        parameters=(name,),
    )
    text = {"text/markdown": {"schema": {"type": "string"}, "example": examples.CARD_TEXT}}
    yield Operation(
        "get",
        "/api/v1/detectors/{name}/card",
        "card",
        _DETECTORS,
        "What a detector's model is meant for, and where it fails",
        {
            "200": answer("Its card.", {**json_answer("CardAnswer", examples.CARD), **text}),
            **problem_responses((*may.OPTIONS, *unknown, errors.DetectorUnavailable)),
        },
        description="A detector of another package may offer none; that is answered with 404.",
        parameters=(
            name,
            {
                "name": "format",
                "in": "query",
                "description": "Without it, `Accept` chooses.",
                "schema": {"type": "string", "enum": list(CARD_FORMATS)},
                "example": "markdown",
            },
        ),
    )


def _kept() -> Iterator[Operation]:
    yield Operation(
        "get",
        "/api/v1/images",
        "images",
        _IMAGES,
        "The caller's kept pictures, an admin's everyone's",
        {
            "200": answer("Newest first.", json_answer("ImagesAnswer", examples.IMAGES)),
            **problem_responses(may.ACCOUNT),
        },
    )
    schema = {"type": "string", "pattern": "^[0-9a-f]{16}-[0-9a-f]{32}$"}
    which = in_path("picture_id", schema, "As in `X-Picture-Id`.") | {"example": examples.KEPT_ID}
    gone = (*may.ACCOUNT, errors.PictureUnknown, errors.NotFound)
    yield Operation(
        "get",
        "/api/v1/images/{picture_id}",
        "get_image",
        _IMAGES,
        "A kept picture, as it came or with its boxes drawn",
        {
            "200": answer("The picture.", pictures()),
            **problem_responses((*may.OPTIONS, *gone)),
        },
        parameters=(which, parameter("annotated", ANNOTATED)),
    )
    yield Operation(
        "delete",
        "/api/v1/images/{picture_id}",
        "delete_image",
        _IMAGES,
        "Delete a kept picture, and its copy",
        {"204": answer("It is gone."), **problem_responses(gone)},
        parameters=(which,),
    )
