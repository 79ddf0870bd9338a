"""The accounts, for admins: list, add, change, remove, by the same rules as ``adduser.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from flask import Flask, Response, request
from flask_restful import Resource

from visiongate.errors import OptionInvalid, OptionUnknown
from visiongate.types import User
from visiongate.web.answers import json_response, moment
from visiongate.web.api import API_PREFIX, api_of, current_services, json_object, text
from visiongate.web.auth import admin_required
from visiongate.web.quotas import quota_answer
from visiongate.web.user_fields import CHANGEABLE, CREATABLE, read_changes
from visiongate.web.user_types import UserAnswer, UsersAnswer

if TYPE_CHECKING:
    from visiongate.services import Services

__all__ = ["DEFAULT_LIMIT", "MAX_LIMIT", "init_app"]

DEFAULT_LIMIT = 100
MAX_LIMIT = 1000
"""Accounts in one answer."""
_MAX_BODY = 65_536
_PAGING = ("limit", "after")


def init_app(app: Flask, services: Services) -> None:  # noqa: ARG001 - the modules' common shape
    """Add the routes of users to ``app``."""
    api = api_of(app)
    api.add_resource(AllUsers, f"{API_PREFIX}/users")
    api.add_resource(OneUser, f"{API_PREFIX}/users/<string:name>")


class AllUsers(Resource):  # type: ignore[misc]  # flask_restful carries no types
    """The accounts, by name, some at a time."""

    method_decorators = (admin_required,)

    def get(self) -> Response:
        limit, after = _page()
        users = current_services().users.page(after, limit + 1)
        more = len(users) > limit
        answer: UsersAnswer = {
            "users": [_answer(user) for user in users[:limit]],
            "next": users[limit - 1].username if more else None,
        }
        return json_response(answer)

    def post(self) -> Response:
        services = current_services()
        body = json_object(_MAX_BODY)
        changes = read_changes(body, CREATABLE, services.registry.names())
        user = services.users.create(
            text(body, "username"),
            text(body, "password"),
            changes.get("role", "user"),
            changes.get("detectors"),
            requests_per_day=changes.get("requests_per_day"),
            megapixels_per_day=changes.get("megapixels_per_day"),
        )
        response = json_response(_answer(user), 201)
        response.headers["Location"] = f"{API_PREFIX}/users/{quote(user.username, safe='')}"
        return response


class OneUser(Resource):  # type: ignore[misc]
    """One account."""

    method_decorators = (admin_required,)

    def get(self, name: str) -> Response:
        return json_response(_answer(current_services().users.get(name)))

    def patch(self, name: str) -> Response:
        services = current_services()
        services.users.get(name)  # 404 before the body is read
        changes = read_changes(json_object(_MAX_BODY), CHANGEABLE, services.registry.names())
        return json_response(_answer(services.users.change(name, changes)))

    def delete(self, name: str) -> Response:
        current_services().users.remove(name)
        return Response(status=204)


def _page() -> tuple[int, str]:
    given: dict[str, str] = {}
    for name, value in request.args.items(multi=True):
        if name not in _PAGING:
            raise OptionUnknown(
                f"Unknown option {name[:64]!r}. This route takes: {', '.join(_PAGING)}.",
                extra={"options": list(_PAGING)},
            )
        if given.setdefault(name, value) != value:
            raise OptionInvalid(f"Option {name!r} is given twice, with different values.")
    limit = given.get("limit", str(DEFAULT_LIMIT))
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit[:9]) <= MAX_LIMIT):
        raise OptionInvalid(
            f"Option 'limit' must be a whole number from 1 to {MAX_LIMIT}, got {limit[:32]!r}."
        )
    return int(limit[:9]), given.get("after", "")


def _answer(user: User) -> UserAnswer:
    return {
        "username": user.username,
        "role": user.role,
        "disabled": user.disabled,
        "detectors": None if user.detectors is None else sorted(user.detectors),
        "requests_per_day": user.requests_per_day,
        "megapixels_per_day": user.megapixels_per_day,
        "quota": quota_answer(current_services().quotas.standing(user)),
        "created": moment(user.created),
    }
