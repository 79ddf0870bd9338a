"""The operations on accounts, for admins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from visiongate import errors
from visiongate.web.spec import errors as may
from visiongate.web.spec import examples
from visiongate.web.spec.errors import problem_responses
from visiongate.web.spec.operation import Operation, answer, in_path, json_answer
from visiongate.web.user_fields import CHANGEABLE, CREATABLE, field_schemas
from visiongate.web.users_api import DEFAULT_LIMIT, MAX_LIMIT

__all__ = ["TAGS", "operations"]

_USERS = "Users"
TAGS = {_USERS: "Accounts, for admins; the same as with `adduser.py`."}

_ADMIN: may.Errors = (*may.ACCOUNT, errors.Forbidden)
_FIELDS: may.Errors = (*may.BODY, *may.OPTIONS, errors.FieldMissing, errors.PasswordInvalid)
_ONE = json_answer("UserAnswer", examples.USER)


def operations(detectors: Sequence[str]) -> Iterator[Operation]:
    """Yield every operation on accounts, for a gateway that has these detectors."""
    yield Operation(
        "get",
        "/api/v1/users",
        "users",
        _USERS,
        "Accounts, by name",
        {
            "200": answer("Some of them.", json_answer("UsersAnswer", examples.USERS)),
            **problem_responses((*may.OPTIONS, *_ADMIN)),
        },
        parameters=_PAGING,
    )
    yield Operation(
        "post",
        "/api/v1/users",
        "create_user",
        _USERS,
        "Add an account",
        {
            "201": answer("It is added.", _ONE, headers=("Location",)),
            **problem_responses(
                (
                    *_FIELDS,
                    errors.UsernameInvalid,
                    errors.UserExists,
                    errors.Overloaded,
                    *_ADMIN,
                )
            ),
        },
        body=_body(
            field_schemas(CREATABLE, detectors),
            {"username": "bob", "password": "correct horse battery", "detectors": detectors[:1]},
            required=("username", "password"),
        ),
    )
    name = in_path("name", {"type": "string", "minLength": 1, "pattern": "^[^/]+$"}, "Whose.")
    which = name | {"example": "bob"}
    gone: may.Errors = (errors.UserNotFound, errors.NotFound, *_ADMIN)
    yield Operation(
        "get",
        "/api/v1/users/{name}",
        "user",
        _USERS,
        "One account",
        {"200": answer("It.", _ONE), **problem_responses(gone)},
        parameters=(which,),
    )
    yield Operation(
        "patch",
        "/api/v1/users/{name}",
        "change_user",
        _USERS,
        "Change an account",
        {
            "200": answer("As it is now.", _ONE),
            **problem_responses((*_FIELDS, errors.LastAdmin, errors.Overloaded, *gone)),
        },
        description="What is not named stays. A new password, and a change of `disabled`, end "
        "the account's tokens at once. The last admin who is not disabled stays one.",
        parameters=(which,),
        body=_body(
            field_schemas(CHANGEABLE, detectors),
            {"requests_per_day": 1000, "megapixels_per_day": None},
            at_least=1,
        ),
    )
    yield Operation(
        "delete",
        "/api/v1/users/{name}",
        "remove_user",
        _USERS,
        "Remove an account, and its kept pictures",
        {
            "204": answer("They are gone."),
            **problem_responses((errors.LastAdmin, *gone)),
        },
        description="Its tokens end at once. The last admin who is not disabled stays.",
        parameters=(which,),
    )


_PAGING: tuple[Mapping[str, Any], ...] = (
    {
        "name": "limit",
        "in": "query",
        "description": "How many at most.",
        "schema": {
            "type": "integer",
            "minimum": 1,
            "maximum": MAX_LIMIT,
            "default": DEFAULT_LIMIT,
            "examples": [DEFAULT_LIMIT],
        },
    },
    {
        "name": "after",
        "in": "query",
        "description": "Only names that come after this one: the `next` of the answer before.",
        "schema": {"type": "string", "examples": ["ann"]},
    },
)


def _body(
    properties: Mapping[str, Any],
    example: object,
    *,
    required: Sequence[str] = (),
    at_least: int = 0,
) -> dict[str, Any]:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }
    if required:
        schema["required"] = list(required)
    if at_least:
        schema["minProperties"] = at_least
    return {
        "required": True,
        "content": {"application/json": {"schema": schema, "example": example}},
    }
