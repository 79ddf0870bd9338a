"""Access and refresh tokens: JWTs signed with HS256 by the key ring, checked at every request.

A token says who (``sub``), of which login (``fam``, shared by all tokens that descend from it)
and under which state of the account (``epoch``). What the user may do is never in a token: it
is read from the store, so that a change holds from the next request on.
"""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, cast

from flask import Flask, current_app, g, request
from flask_jwt_extended import (
    JWTManager,
    create_access_token,
    create_refresh_token,
    decode_token,
)
from flask_jwt_extended.exceptions import JWTExtendedException
from jwt import get_unverified_header
from jwt.exceptions import ExpiredSignatureError, PyJWTError

from visiongate.errors import (
    TokenExpired,
    TokenInvalid,
    TokenMissing,
    TokenRevoked,
    UserNotFound,
    VisiongateError,
)
from visiongate.types import User
from visiongate.web.answer_types import LoginAnswer
from visiongate.web.api import current_services

if TYPE_CHECKING:
    from visiongate.keys import Key, KeyRing
    from visiongate.services import Services

__all__ = ["Claims", "authenticate", "end_family", "init_app", "issue", "known_holder", "rotate"]

_ALGORITHM = "HS256"
_HOW = "Send the header Authorization: Bearer TOKEN, with a token from POST /api/v1/login."
_MAX_TOKEN = 4096
_KNOWN = "visiongate.known_tokens"
Kind: TypeAlias = Literal["access", "refresh"]


@dataclass(frozen=True, slots=True)
class Claims:
    """What a checked token says."""

    kind: Kind
    username: str
    id: str
    family: str
    epoch: int
    expires: int


@dataclass(frozen=True, slots=True)
class _Grant:
    """Whom a token is made for; one key for both its header and its signature."""

    user: User
    family: str
    key: Key


class _Known:
    """Tokens whose signatures were found good lately, since finding out costs 0.3 ms.

    A token is known while its key is; its time and its user are looked at, and its revocation
    asked of the store, in every request, as any token's are.
    """

    def __init__(self, keys: KeyRing, size: int = 1024) -> None:
        self._keys = keys
        self._size = size
        self._tokens: dict[str, tuple[Key, Claims]] = {}

    def get(self, token: str) -> Claims | None:
        key, claims = self._tokens.get(token, (None, None))
        if key is None:
            return None
        current = self._keys.get(key.kid)
        return claims if current is not None and current.secret == key.secret else None

    def add(self, token: str, claims: Claims) -> None:
        key = self._keys.get(get_unverified_header(token)["kid"])
        if key is not None:
            if len(self._tokens) >= self._size:
                self._tokens.clear()
            self._tokens[token] = (key, claims)


def init_app(app: Flask, services: Services) -> None:
    """Set up flask-jwt-extended with our keys and our claims."""
    settings = services.settings
    app.extensions[_KNOWN] = _Known(services.keys)
    app.config.update(
        JWT_ALGORITHM=_ALGORITHM,
        JWT_DECODE_ALGORITHMS=[_ALGORITHM],
        JWT_ACCESS_TOKEN_EXPIRES=timedelta(seconds=settings.access_token_seconds),
        JWT_REFRESH_TOKEN_EXPIRES=timedelta(seconds=settings.refresh_token_seconds),
        # It would repeat iat, and it cannot be checked apart from it.
        JWT_ENCODE_NBF=False,
    )
    manager = JWTManager(app)
    manager.user_identity_loader(lambda grant: grant.user.username)
    manager.encode_key_loader(lambda grant: grant.key.secret)
    manager.additional_headers_loader(lambda grant: {"kid": grant.key.kid})
    manager.additional_claims_loader(
        lambda grant: {"fam": grant.family, "epoch": grant.user.token_epoch}
    )

    def decode_key(header: dict[str, Any], _claims: dict[str, Any]) -> str | bytes:
        kid = header.get("kid")
        key = services.keys.get(kid) if isinstance(kid, str) else None
        if key is None:
            raise TokenInvalid("The token was signed with a key that is not ours. Log in again.")
        return key.secret

    manager.decode_key_loader(decode_key)


def issue(user: User, family: str | None = None) -> LoginAnswer:
    """Return the answer to a login: both tokens, of a new family unless one is given."""
    services = current_services()
    grant = _Grant(user, family or secrets.token_urlsafe(16), services.keys.signing())
    return {
        "access_token": create_access_token(grant),
        "refresh_token": create_refresh_token(grant),
        "token_type": "Bearer",
        "expires": services.settings.access_token_seconds,
    }


def authenticate(kind: Kind = "access") -> User:
    """Check the request's token, and set ``g.user`` and ``g.claims`` from it.

    Raises:
        TokenMissing, TokenExpired: no token, or one whose time is over.
        TokenInvalid: malformed, of another kind, or not signed by us.
        TokenRevoked: ended by logout, rotation, or a change of the account.
    """
    claims = _verified(kind)
    g.user = user = _holder(claims, current_services())
    g.claims = claims
    return user


def known_holder(header: str, app: Flask) -> User | None:
    """Return whose good access token this ``Authorization`` header holds, if it is known already.

    None leaves everything else to ``authenticate``, which says what is wrong. Needs no request.
    """
    try:
        claims = cast(_Known, app.extensions[_KNOWN]).get(_bearer(header))
        if claims is None or claims.kind != "access" or claims.expires <= time.time():
            return None
        return _holder(claims, app.extensions["visiongate.services"])
    except VisiongateError:
        return None


def _holder(claims: Claims, services: Services) -> User:
    """Return whose token it is. Raises: TokenRevoked, StoreUnavailable."""
    if services.revocations.is_revoked(claims.id, claims.family):
        if claims.kind == "refresh" and not services.revocations.is_revoked(claims.family):
            # A used refresh token has come again: whoever holds its successors may be a thief.
            end_family(claims)
        raise TokenRevoked("This token was ended. Log in again.")
    try:
        user = services.users.get(claims.username)
    except UserNotFound:
        raise TokenRevoked("This token's user is no more.") from None
    if user.disabled or user.token_epoch != claims.epoch:
        raise TokenRevoked("The account has changed since this token was made. Log in again.")
    return user


def rotate(user: User, claims: Claims) -> LoginAnswer:
    """Use up a refresh token for a new pair of the same family.

    Raises:
        TokenRevoked: it was used before, or is being used at this moment; ends the family.
    """
    if not current_services().revocations.revoke([claims.id], claims.expires):
        end_family(claims)
        raise TokenRevoked("This refresh token was used before. Log in again.")
    return issue(user, claims.family)


def end_family(claims: Claims) -> None:
    """Revoke every token that descends from the same login, made or still to be made."""
    services = current_services()
    settings = services.settings
    longest = max(settings.access_token_seconds, settings.refresh_token_seconds)
    # A second more than any token of the family can have left, whole seconds being cut off.
    services.revocations.revoke([claims.family], time.time() + longest + 1)


def _verified(kind: Kind) -> Claims:
    """Return the claims of the request's token, its signature and its time checked."""
    token = _bearer(request.headers.get("Authorization", ""))
    known = cast(_Known, current_app.extensions[_KNOWN])
    claims = known.get(token)
    if claims is None:
        claims = _claims(_decoded(token, kind))
        if claims.kind == "access":
            known.add(token, claims)
    if claims.kind != kind:
        raise TokenInvalid(f"This route takes the {kind} token, not the other one.")
    if claims.expires <= time.time():
        raise _expired(kind)
    return claims


def _decoded(token: str, kind: Kind) -> dict[str, Any]:
    try:
        return cast("dict[str, Any]", decode_token(token))
    except ExpiredSignatureError:
        raise _expired(kind) from None
    except (JWTExtendedException, PyJWTError, RecursionError):
        raise TokenInvalid("The token is malformed or not signed by this gateway.") from None


def _expired(kind: Kind) -> TokenExpired:
    what = "Log in again." if kind == "refresh" else "Refresh it, or log in again."
    return TokenExpired(f"The token has expired. {what}")


def _bearer(header: str) -> str:
    """Return the token in an Authorization header.

    flask-jwt-extended's own reading of that header fails on some that are malformed.
    """
    scheme, _, token = header.strip().partition(" ")
    if not header or scheme.lower() != "bearer":
        raise TokenMissing(_HOW)
    token = token.strip()
    if not 0 < len(token) <= _MAX_TOKEN:
        raise TokenInvalid(f"The token is empty or over {_MAX_TOKEN} characters. {_HOW}")
    return token


def _claims(data: dict[str, Any]) -> Claims:
    kind, username = data.get("type"), data.get("sub")
    id_, family = data.get("jti"), data.get("fam")
    epoch, expires = data.get("epoch"), data.get("exp")
    if (
        kind in ("access", "refresh")
        and isinstance(username, str)
        and isinstance(id_, str)
        and isinstance(family, str)
        and isinstance(epoch, int)
        and isinstance(expires, int)
    ):
        return Claims(kind, username, id_, family, epoch, expires)
    raise TokenInvalid("The token lacks what this gateway's tokens have. Log in again.")
