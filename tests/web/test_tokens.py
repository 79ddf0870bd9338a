"""Every door, tried with every bad key."""

from __future__ import annotations

import base64
import hmac
import json
import re
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import jwt
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.web.checks import problem_of
from tests.web.fakes import PASSWORD, FakeKeys, bearer
from visiongate.services import Services
from visiongate.types import User
from visiongate.users import Users
from visiongate.web import tokens as web_tokens
from visiongate.web.compat import ROUTES

MakeUser = Callable[..., User]
Login = Callable[..., dict[str, Any]]
Claims = dict[str, Any]

OPEN = {
    "/",
    "/api/v1/health",
    "/api/v1/health/live",
    "/api/v1/health/ready",
    "/api/v1/login",
    "/docs",
    "/health",
    "/health/live",
    "/health/ready",
    "/metrics",
    "/openapi.json",
}
"""Routes that need no token. A new route is either listed here or locked."""

RSA_PUBLIC = b"""-----BEGIN PUBLIC KEY-----
MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAKj34GkxFhD90vcNLYLInFEX6Ppy1tPf
9Cnzj4p4WGeKLs1Pt8QuKUpRKfFLfRYC9AIKjbJTWit+CqvjWYzvQwECAwEAAQ==
-----END PUBLIC KEY-----"""


def doors(app: Flask) -> Iterator[tuple[str, str]]:
    """Yield method and path of every route that must be locked."""
    for rule in app.url_map.iter_rules():
        path = re.sub(r"<[^>]+>", "1", rule.rule)
        for method in sorted((rule.methods or set()) - {"OPTIONS", "HEAD"}):
            if path not in OPEN and not path.startswith(("/docs/", "/playground/")):
                yield method, path


def remove_and_make_again(users: Users) -> None:
    users.remove("anna")
    users.create("anna", PASSWORD)


def refusal(answer: TestResponse, path: str) -> str:
    """Return the code with which the answer refuses, its shape checked."""
    assert answer.status_code == 401, path
    assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="visiongate"')
    if path in ROUTES:  # these keep the shape of the services that they replace
        assert answer.get_json()["error"]
        return "in its own shape"
    return str(problem_of(answer, 401)["code"])


def kind_of(path: str) -> str:
    return "refresh" if path.endswith("/refresh") else "access"


class Forger:
    """Makes tokens from the claims of good ones."""

    def __init__(self, services: Services, tokens: dict[str, Any]) -> None:
        self.key = services.keys.signing()
        self.tokens = tokens

    def good(self, kind: str) -> str:
        return str(self.tokens[f"{kind}_token"])

    def claims(self, kind: str, **changes: object) -> Claims:
        claims: Claims = jwt.decode(self.good(kind), options={"verify_signature": False})
        claims = claims | changes
        return {name: value for name, value in claims.items() if value is not None}

    def sign(
        self, claims: Claims, secret: str | None = None, algorithm: str = "HS256", **header: object
    ) -> str:
        return jwt.encode(
            claims, secret or self.key.secret, algorithm, headers={"kid": self.key.kid, **header}
        )

    def raw(self, header: object, claims: object, secret: bytes = b"") -> str:
        """Return a token of any header, signed with HMAC-SHA256."""
        signed = b".".join(_b64(json.dumps(part).encode()) for part in (header, claims))
        digest = hmac.digest(secret, signed, "sha256") if secret else b""
        return (signed + b"." + _b64(digest)).decode()


def _b64(data: bytes) -> bytes:
    return base64.urlsafe_b64encode(data).rstrip(b"=")


BAD: dict[str, Callable[[Forger, str], str]] = {
    "empty": lambda f, kind: "",
    "no token": lambda f, kind: "x",
    "text": lambda f, kind: "a.b.c",
    "not ASCII": lambda f, kind: f.good(kind)[:-1] + "\xe9",
    "too long": lambda f, kind: f.sign(f.claims(kind, more="x" * 5000)),
    "two tokens": lambda f, kind: f"{f.good(kind)} {f.good(kind)}",
    "cut": lambda f, kind: f.good(kind)[:-2],
    "no signature": lambda f, kind: f.good(kind).rsplit(".", 1)[0] + ".",
    "other payload": lambda f, kind: ".".join(
        (
            f.good(kind).split(".")[0],
            f.raw({}, f.claims(kind, sub="root")).split(".")[1],
            f.good(kind).split(".")[2],
        )
    ),
    "expired": lambda f, kind: f.sign(f.claims(kind, exp=int(time.time()) - 1)),
    "of the future": lambda f, kind: f.sign(f.claims(kind, iat=int(time.time()) + 600)),
    "other key": lambda f, kind: f.sign(f.claims(kind), "another secret, long enough to sign"),
    "empty key": lambda f, kind: f.raw({"alg": "HS256", "kid": f.key.kid}, f.claims(kind), b"\0"),
    "alg none": lambda f, kind: f.raw({"alg": "none", "kid": f.key.kid}, f.claims(kind)),
    "alg NoNe": lambda f, kind: f.raw({"alg": "NoNe", "kid": f.key.kid}, f.claims(kind)),
    "no alg": lambda f, kind: f.raw({"kid": f.key.kid}, f.claims(kind), f.key.secret.encode()),
    "alg HS512": lambda f, kind: f.sign(f.claims(kind), algorithm="HS512"),
    "alg RS256": lambda f, kind: f.raw(
        {"alg": "RS256", "kid": f.key.kid}, f.claims(kind), f.key.secret.encode()
    ),
    "public key as secret": lambda f, kind: f.raw(
        {"alg": "HS256", "kid": f.key.kid}, f.claims(kind), RSA_PUBLIC
    ),
    "key in the header": lambda f, kind: f.sign(
        f.claims(kind), "x" * 40, jwk={"kty": "oct", "k": "eHh4"}, jku="http://127.0.0.1:9/k"
    ),
    "unknown kid": lambda f, kind: f.sign(f.claims(kind), kid="nobody"),
    "kid is a path": lambda f, kind: f.sign(f.claims(kind), kid="../../../dev/null"),
    "kid is SQL": lambda f, kind: f.sign(f.claims(kind), kid="x' UNION SELECT 'k';--"),
    "kid is NUL": lambda f, kind: f.sign(f.claims(kind), kid="\0"),
    "kid is a list": lambda f, kind: f.raw(
        {"alg": "HS256", "kid": [f.key.kid]}, f.claims(kind), f.key.secret.encode()
    ),
    "no kid": lambda f, kind: f.raw({"alg": "HS256"}, f.claims(kind), f.key.secret.encode()),
    "header is a list": lambda f, kind: f.raw([], f.claims(kind), f.key.secret.encode()),
    "claims are a list": lambda f, kind: f.raw({"alg": "HS256", "kid": f.key.kid}, [1]),
    "deep claims": lambda f, kind: ".".join(
        [f.good(kind).split(".")[0], _b64(b"[" * 4000).decode(), "AAAA"]
    ),
    "deep header": lambda f, kind: ".".join([_b64(b"[" * 4000).decode(), "e30", "AAAA"]),
    "the other kind": lambda f, kind: f.good("access" if kind == "refresh" else "refresh"),
    "strange kind": lambda f, kind: f.sign(f.claims(kind, type="admin")),
    "no sub": lambda f, kind: f.sign(f.claims(kind, sub=None)),
    "no jti": lambda f, kind: f.sign(f.claims(kind, jti=None)),
    "no family": lambda f, kind: f.sign(f.claims(kind, fam=None)),
    "no epoch": lambda f, kind: f.sign(f.claims(kind, epoch=None)),
    "no end": lambda f, kind: f.sign(f.claims(kind, exp=None)),
    "epoch is text": lambda f, kind: f.sign(f.claims(kind, epoch="0")),
    "old epoch": lambda f, kind: f.sign(f.claims(kind, epoch=0)),
    "other user": lambda f, kind: f.sign(f.claims(kind, sub="nobody")),
}


@pytest.fixture
def forger(services: Services, make_user: MakeUser, login: Login) -> Forger:
    make_user()
    make_user("root", role="admin")
    return Forger(services, login())


def test_there_are_doors(app: Flask) -> None:
    found = set(doors(app))
    assert ("GET", "/api/v1/me") in found
    assert ("POST", "/api/v1/refresh") in found
    assert ("POST", "/api/v1/detect/1") in found
    assert len(found) >= 6


@pytest.mark.parametrize("bad", BAD)
def test_no_door_opens_to_a_bad_token(
    bad: str, app: Flask, client: FlaskClient, forger: Forger
) -> None:
    for method, path in doors(app):
        token = BAD[bad](forger, kind_of(path))
        answer = client.open(path, method=method, headers=bearer(token))
        codes = {"token_invalid", "token_expired", "token_revoked", "in its own shape"}
        assert refusal(answer, path) in codes
        assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_expired_says_so(client: FlaskClient, forger: Forger) -> None:
    token = forger.sign(forger.claims("access", exp=int(time.time())))
    problem_of(client.get("/api/v1/me", headers=bearer(token)), 401, "token_expired")


def test_head_is_locked_as_get_is(client: FlaskClient, auth: dict[str, str]) -> None:
    assert client.head("/api/v1/me").status_code == 401
    assert client.head("/api/v1/me", headers=auth).status_code == 200


def test_a_token_that_was_good_a_moment_ago_expires_all_the_same(
    client: FlaskClient, forger: Forger, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = bearer(forger.good("access"))
    assert client.get("/api/v1/me", headers=headers).status_code == 200
    end = forger.claims("access")["exp"]
    monkeypatch.setattr(web_tokens, "time", SimpleNamespace(time=lambda: end - 0.1))
    assert client.get("/api/v1/me", headers=headers).status_code == 200
    monkeypatch.setattr(web_tokens, "time", SimpleNamespace(time=lambda: end))
    problem_of(client.get("/api/v1/me", headers=headers), 401, "token_expired")


@pytest.mark.parametrize(
    "header",
    [None, "", "Basic YW5uYTp4", "bearer", "Token abc", ",", ", ,", ", , Bearer x", "Bearer"],
    ids=repr,
)
def test_no_door_opens_without_a_token(
    header: str | None, app: Flask, client: FlaskClient, forger: Forger
) -> None:
    headers = {} if header is None else {"Authorization": header}
    for method, path in doors(app):
        refusal(client.open(path, method=method, headers=headers), path)


def test_a_token_counts_in_the_authorization_header_alone(
    app: Flask, client: FlaskClient, forger: Forger
) -> None:
    token = forger.good("access")
    for name in ("access_token_cookie", "access_token", "refresh_token_cookie", "token"):
        client.set_cookie(name, token)
    for method, path in doors(app):
        answer = client.open(
            path,
            method=method,
            query_string={"jwt": token, "access_token": token, "token": token},
            json={"access_token": token, "refresh_token": token} if method != "GET" else None,
        )
        assert refusal(answer, path) in {"token_missing", "in its own shape"}


ENDED: dict[str, Callable[[Services, FlaskClient, Forger], object]] = {
    "logged out": lambda s, c, f: c.post("/api/v1/logout", headers=bearer(f.good("access"))),
    "disabled": lambda s, c, f: s.users.set_disabled("anna", True),
    "disabled and enabled": lambda s, c, f: (
        s.users.set_disabled("anna", True),
        s.users.set_disabled("anna", False),
    ),
    "other password": lambda s, c, f: s.users.set_password("anna", "another one"),
    "same password again": lambda s, c, f: s.users.set_password("anna", PASSWORD),
    "removed": lambda s, c, f: s.users.remove("anna"),
    "removed and made again": lambda s, c, f: remove_and_make_again(s.users),
    "key leaked": lambda s, c, f: s.keys.rotate(0),
    "id revoked": lambda s, c, f: s.revocations.revoke(
        [f.claims("access")["jti"], f.claims("refresh")["jti"]], time.time() + 60
    ),
    "family revoked": lambda s, c, f: s.revocations.revoke(
        [f.claims("access")["fam"]], time.time() + 60
    ),
}


@pytest.mark.parametrize("how", ENDED)
def test_no_door_opens_to_a_token_that_was_ended(
    how: str, app: Flask, services: Services, client: FlaskClient, forger: Forger
) -> None:
    assert client.get("/api/v1/me", headers=bearer(forger.good("access"))).status_code == 200
    ENDED[how](services, client, forger)
    for method, path in doors(app):
        answer = client.open(path, method=method, headers=bearer(forger.good(kind_of(path))))
        code = "token_invalid" if how == "key leaked" else "token_revoked"
        assert refusal(answer, path) in {code, "in its own shape"}


def test_tokens_outlive_the_rotation_of_their_key(
    services: Services, client: FlaskClient, forger: Forger, login: Login
) -> None:
    services.keys.rotate(3600)
    assert client.get("/api/v1/me", headers=bearer(forger.good("access"))).status_code == 200
    new = login()["access_token"]
    assert jwt.get_unverified_header(new)["kid"] != forger.key.kid
    assert client.get("/api/v1/me", headers=bearer(new)).status_code == 200


def test_header_and_signature_are_of_one_key_while_keys_rotate(
    monkeypatch: pytest.MonkeyPatch,
    services: Services,
    make_user: MakeUser,
    login: Login,
    client: FlaskClient,
) -> None:
    make_user()
    signing = FakeKeys.signing

    def rotate_after_each_look(ring: FakeKeys) -> Any:
        key = signing(ring)
        ring.rotate(3600)
        return key

    monkeypatch.setattr(FakeKeys, "signing", rotate_after_each_look)
    tokens = login()
    assert client.get("/api/v1/me", headers=bearer(tokens["access_token"])).status_code == 200
    again = client.post("/api/v1/refresh", headers=bearer(tokens["refresh_token"]))
    assert again.status_code == 200


def test_what_a_token_says(forger: Forger) -> None:
    access, refresh = forger.claims("access"), forger.claims("refresh")
    assert access["sub"] == refresh["sub"] == "anna"
    assert access["fam"] == refresh["fam"]
    assert access["jti"] != refresh["jti"]
    assert (access["type"], refresh["type"]) == ("access", "refresh")
    assert access["exp"] - access["iat"] == 3600
    assert refresh["exp"] - refresh["iat"] == 30 * 86_400
    assert "role" not in access
    header = jwt.get_unverified_header(forger.good("access"))
    assert header == {"alg": "HS256", "typ": "JWT", "kid": forger.key.kid}


def test_lives_are_configurable(make_app: Callable[..., Flask]) -> None:
    app = make_app(access_token_seconds=60, refresh_token_seconds=120)
    app.extensions["visiongate.services"].users.create("anna", PASSWORD)
    body = {"username": "anna", "password": PASSWORD}
    answer = app.test_client().post("/api/v1/login", json=body).get_json()
    assert answer["expires"] == 60
    for name, life in (("access_token", 60), ("refresh_token", 120)):
        claims = jwt.decode(answer[name], options={"verify_signature": False})
        assert claims["exp"] - claims["iat"] == life


def test_a_role_in_a_token_means_nothing(client: FlaskClient, forger: Forger) -> None:
    token = forger.sign(forger.claims("access", role="admin"))
    assert client.get("/api/v1/me", headers=bearer(token)).get_json()["role"] == "user"
