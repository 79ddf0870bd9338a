"""Logging in, staying logged in, logging out; and the decorators that guard other routes."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from flask import Flask, g, request
from flask_restful import Resource

from visiongate.audit import EventName
from visiongate.errors import (
    CredentialsWrong,
    Forbidden,
    TooManyRequests,
    UserNotFound,
    VisiongateError,
)
from visiongate.types import User
from visiongate.web import limits, tokens
from visiongate.web.answer_types import LoginAnswer, LogoutAnswer
from visiongate.web.api import API_PREFIX, api_of, current_services, json_object, text
from visiongate.web.metrics import count_login
from visiongate.web.quotas import quota_answer
from visiongate.web.user_types import MeAnswer

if TYPE_CHECKING:
    from visiongate.services import Services

__all__ = ["ANONYMOUS", "admin_required", "init_app", "login_required", "optional_login"]

P = ParamSpec("P")
R = TypeVar("R")

ANONYMOUS = User(username="(anonymous)", password_hash="")
"""Who calls a route that the operator has opened; no account can have this name's like."""

_MAX_LOGIN_BYTES = 16_384


def login_required(view: Callable[P, R]) -> Callable[P, R]:
    """Let only holders of a good access token in; ``flask.g.user`` is theirs."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        tokens.authenticate()
        return view(*args, **kwargs)

    return guarded


def admin_required(view: Callable[P, R]) -> Callable[P, R]:
    """Let only admins in."""

    @wraps(view)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        if tokens.authenticate().role != "admin":
            raise Forbidden("Only an admin may do this.")
        return view(*args, **kwargs)

    return guarded


def optional_login(route: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let everybody in where the operator has opened ``route`` (setting ``open_routes``).

    Whoever sends an Authorization header is asked for a good token all the same; whoever sends
    none is ANONYMOUS.
    """

    def decorate(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            opened = route in current_services().settings.open_routes
            if opened and "Authorization" not in request.headers:
                g.user = ANONYMOUS
            else:
                tokens.authenticate()
            return view(*args, **kwargs)

        return guarded

    return decorate


def init_app(app: Flask, services: Services) -> None:
    """Add the routes of a login's life."""
    tokens.init_app(app, services)
    api = api_of(app)
    api.add_resource(Login, f"{API_PREFIX}/login")
    api.add_resource(Refresh, f"{API_PREFIX}/refresh")
    api.add_resource(Logout, f"{API_PREFIX}/logout")
    api.add_resource(Me, f"{API_PREFIX}/me")


class Login(Resource):  # type: ignore[misc]  # flask_restful carries no types
    """Exchange a user name and a password for tokens."""

    def post(self) -> LoginAnswer:
        try:
            answer = self._enter()
        except CredentialsWrong:
            count_login("wrong")
            raise
        except TooManyRequests as error:
            count_login("limited")
            current_services().audit.record_refusal(EventName.LOGIN_LIMITED, error.code)
            raise
        except VisiongateError as error:
            count_login("malformed" if error.status < 500 else "failed")
            raise
        count_login("ok")
        return answer

    def _enter(self) -> LoginAnswer:
        limits.login_limits().count_address()
        body = json_object(_MAX_LOGIN_BYTES)
        username, password = text(body, "username"), text(body, "password")
        limits.login_limits().count_user(username)
        services = current_services()
        try:
            g.user = services.users.authenticate(username, password)
        except CredentialsWrong as error:
            _record_failure(username, error)
            raise
        answer = tokens.issue(g.user)
        services.audit.record(EventName.LOGIN_OK, user=g.user.username)
        return answer


class Refresh(Resource):  # type: ignore[misc]
    """Exchange a refresh token, sent as the bearer, for new tokens; each works once."""

    def post(self) -> LoginAnswer:
        user = tokens.authenticate("refresh")
        return tokens.rotate(user, g.claims)


class Logout(Resource):  # type: ignore[misc]
    """End the access token and every token that descends from the same login."""

    @login_required
    def post(self) -> LogoutAnswer:
        tokens.end_family(g.claims)
        current_services().audit.record(EventName.LOGOUT, user=g.user.username)
        return {"msg": "Logged out: this login's tokens work no more."}


class Me(Resource):  # type: ignore[misc]
    """Tell who the caller is, and what they may do."""

    @login_required
    def get(self) -> MeAnswer:
        user: User = g.user
        registry = current_services().registry
        return {
            "username": user.username,
            "role": user.role,
            "detectors": [name for name in registry.names() if user.may_use(name)],
            "quota": quota_answer(current_services().quotas.standing(user)),
            "expires": g.claims.expires,
        }


def _record_failure(username: str, error: CredentialsWrong) -> None:
    """Record a failed login, under its name only if there is such an account.

    What is no account's name may be a password that was typed into the wrong field.
    """
    services = current_services()
    name, account = None, "unknown"
    try:
        user = services.users.get(username)
    except UserNotFound:
        pass
    else:
        name, account = user.username, "disabled" if user.disabled else "enabled"
    services.audit.record(
        EventName.LOGIN_FAILED,
        user=name,
        outcome="failed",
        reason=error.code,
        detail={"account": account},
    )
