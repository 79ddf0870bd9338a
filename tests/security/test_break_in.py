"""Every route, tried with every false key: nobody gets in who should not."""

from __future__ import annotations

import base64
import hmac
import json
import re
import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from werkzeug.test import TestResponse

from tests.security.conftest import House, Tokens
from tests.security.doors import NOBODY_JUDGED, Door, picture_form
from tests.web.checks import problem_of
from tests.web.fakes import bearer

Key = Callable[["Locksmith", str], dict[str, str]]

_KNOWN = b"what the attacker knows is in this file, and long enough to sign with"
_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
_EC = ec.generate_private_key(ec.SECP256R1())
_PUBLIC = _RSA.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)


class Locksmith:
    """Makes false tokens out of a good one; knows the gateway's secret only where that is said."""

    def __init__(self, house: House, tokens: Tokens) -> None:
        self.house = house
        self.tokens = tokens
        self.kid = house.services.keys.signing().kid
        (house.folder / "known").write_bytes(_KNOWN)
        (house.folder / "data" / "known").write_bytes(_KNOWN)

    def good(self, kind: str) -> str:
        return str(self.tokens[f"{kind}_token"])

    def claims(self, kind: str, **changes: object) -> dict[str, Any]:
        claims: dict[str, Any] = jwt.decode(self.good(kind), options={"verify_signature": False})
        return claims | changes

    def raw(self, header: object, claims: object, secret: bytes | None) -> str:
        """Return a token with any header, signed with HMAC-SHA256, or not at all."""
        signed = ".".join(_b64(json.dumps(part).encode()) for part in (header, claims))
        digest = b"" if secret is None else hmac.digest(secret, signed.encode(), "sha256")
        return f"{signed}.{_b64(digest)}"

    def forged(self, kind: str, secret: bytes | None, **header: object) -> str:
        return self.raw({"alg": "HS256", "kid": self.kid, **header}, self.claims(kind), secret)

    def with_secret(self, kind: str, **changes: object) -> str:
        """Return what only the gateway could have signed."""
        secret = self.house.services.keys.signing().secret
        return jwt.encode(self.claims(kind, **changes), secret, headers={"kid": self.kid})


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _traversal(kid: str, secret: bytes = _KNOWN) -> Key:
    return lambda smith, kind: bearer(smith.forged(kind, secret, kid=kid))


def _alg(name: str, signed: bool) -> Key:
    secret = b"anything" if signed else None
    return lambda smith, kind: bearer(smith.forged(kind, secret, alg=name))


def _asymmetric(algorithm: str, key: Any) -> Key:
    def sign(smith: Locksmith, kind: str) -> dict[str, str]:
        header = {
            "kid": smith.kid,
            "jwk": {"kty": "RSA", "n": "AQAB", "e": "AQAB"},
            "jku": "http://127.0.0.1:9/keys",
            "x5u": "http://127.0.0.1:9/certificate",
        }
        return bearer(jwt.encode(smith.claims(kind), key, algorithm, headers=header))

    return sign


FALSE_KEYS: dict[str, Key] = {
    "no token": lambda smith, kind: {},
    "empty token": lambda smith, kind: bearer(""),
    "token as a password": lambda smith, kind: {
        "Authorization": "Basic "
        + base64.b64encode(b"victim:" + smith.good(kind).encode()).decode()
    },
    "token in a cookie": lambda smith, kind: {"Cookie": f"{kind}_token_cookie={smith.good(kind)}"},
    "expired": lambda smith, kind: bearer(smith.with_secret(kind, exp=int(time.time()) - 1)),
    "made in the future": lambda smith, kind: bearer(
        smith.with_secret(kind, iat=int(time.time()) + 600)
    ),
    "wrong key": lambda smith, kind: bearer(smith.forged(kind, b"the key of another gateway")),
    "empty key": lambda smith, kind: bearer(smith.forged(kind, b"")),
    "key id as the key": lambda smith, kind: bearer(smith.forged(kind, smith.kid.encode())),
    "signature of other claims": lambda smith, kind: bearer(
        smith.raw({"alg": "HS256", "kid": smith.kid}, smith.claims(kind, sub="root"), None)
        + smith.good(kind).rpartition(".")[2]
    ),
    **{f"alg {name}": _alg(name, False) for name in ("none", "None", "NONE", "nOnE", "", "HS256 ")},
    **{f"alg {name}, signed": _alg(name, True) for name in ("none", "HS1", "HS384", "HS512")},
    "alg is no text": lambda smith, kind: bearer(smith.forged(kind, None, alg=["none"])),
    "RS256": _asymmetric("RS256", _RSA),
    "PS256": _asymmetric("PS256", _RSA),
    "ES256": _asymmetric("ES256", _EC),
    "public key as the secret": lambda smith, kind: bearer(smith.forged(kind, _PUBLIC)),
    **{
        f"kid {kid!r}": _traversal(kid)
        for kid in (
            "../known",
            "../../known",
            "known",
            "data/known",
            "./known",
            "..\\known",
            "known\0",
            "%2e%2e%2fknown",
            "file:///proc/self/environ",
            "keys.json",
            "|cat known",
            "' UNION SELECT 'x",
        )
    },
    "kid of an empty file": _traversal("../../../../../../dev/null", b""),
    "kid of an absolute path": lambda smith, kind: bearer(
        smith.forged(kind, _KNOWN, kid=str(smith.house.folder / "known"))
    ),
    "kid is a number": _traversal(0),  # type: ignore[arg-type]
    "kid is null": _traversal(None),  # type: ignore[arg-type]
    "kid is a list": _traversal(["known"]),  # type: ignore[arg-type]
    "the other kind of token": lambda smith, kind: bearer(
        smith.good("access" if kind == "refresh" else "refresh")
    ),
    "a kind that there is not": lambda smith, kind: bearer(smith.with_secret(kind, type="admin")),
    "of nobody": lambda smith, kind: bearer(smith.with_secret(kind, sub="nobody")),
    "of an earlier state of the account": lambda smith, kind: bearer(
        smith.with_secret(kind, epoch=0)
    ),
    "without an end": lambda smith, kind: bearer(
        jwt.encode(
            {k: v for k, v in smith.claims(kind).items() if k != "exp"},
            smith.house.services.keys.signing().secret,
            headers={"kid": smith.kid},
        )
    ),
}
ENDED: dict[str, Callable[[House, Tokens], object]] = {
    "logged out": lambda house, tokens: house.client.post(
        "/api/v1/logout", headers=bearer(tokens["access_token"])
    ),
    "disabled": lambda house, tokens: house.services.users.set_disabled("root", True),
    "removed": lambda house, tokens: house.services.users.remove("root"),
    "another password": lambda house, tokens: house.services.users.set_password(
        "root", "another password"
    ),
    "key leaked and ended": lambda house, tokens: house.services.keys.rotate(0),
    "refresh token used twice": lambda house, tokens: [
        house.client.post("/api/v1/refresh", headers=bearer(tokens["refresh_token"]))
        for _ in range(2)
    ],
}
_CODES = {"token_missing", "token_invalid", "token_expired", "token_revoked"}


@pytest.fixture
def smith(house: House) -> Locksmith:
    """One who holds an admin's tokens, and so would get in everywhere if a false one counted."""
    return Locksmith(house, house.login("root"))


def ask(house: House, door: Door, headers: dict[str, str], **knock: str) -> TestResponse:
    return house.client.open(**door.knock(**knock), headers=headers)


def assert_refused(answer: TestResponse, door: Door) -> None:
    """Check that it says 401 in its own form, and nothing else."""
    assert answer.status_code == 401, f"{door}: {answer.status}"
    assert answer.headers["WWW-Authenticate"].startswith('Bearer realm="visiongate"')
    if door.method == "HEAD":
        return
    if door.own_shape:
        assert set(answer.get_json()) <= {"error", "success"}
    else:
        assert problem_of(answer, 401)["code"] in _CODES


def test_every_route_has_been_judged(house: House) -> None:
    unknown = sorted({door.rule for door in house.doors if door.who == NOBODY_JUDGED})
    assert not unknown, f"say in tests/security/doors.py who may use {unknown}"


def test_the_specification_asks_for_the_same_tokens(house: House) -> None:
    paths = house.client.get("/openapi.json").get_json()["paths"]
    for door in house.doors:
        path = door.rule.replace("<string:", "{").replace(">", "}")
        if door.method == "HEAD" or path not in paths:
            continue  # the house's own test holds the specification to the routes
        said = paths[path][door.method.lower()]["security"]
        if door.who == "anyone":
            assert said == [], door
        else:
            assert said == [{f"{door.kind}Token": []}], door


def test_the_good_token_opens_every_door(house: House, smith: Locksmith) -> None:
    """Or else the other tests would prove nothing."""
    kept = house.keep("victim")
    # What ends tokens and what deletes comes last.
    order = {"/api/v1/logout": 3, "/api/v1/refresh": 2}
    doors = sorted(house.doors, key=lambda d: (order.get(d.rule, 0), d.method == "DELETE", d.rule))
    for door in doors:
        answer = ask(house, door, bearer(smith.good(door.kind)), picture_id=kept)
        if door.rule == "/api/v1/login":
            assert answer.status_code == 401  # a wrong password, by intention
        elif "<string:name>" in door.rule and (door.who == "anyone" or "card" in door.rule):
            assert answer.status_code == 404  # no such file; stand-ins have no card
        else:
            assert answer.status_code in (200, 201, 204, 503), f"{door}: {answer.text}"
            # 503: health, before the detectors have been loaded
            assert answer.status_code != 503 or "health" in door.rule, f"{door}: {answer.text}"


@pytest.mark.parametrize("key", FALSE_KEYS)
def test_no_door_opens_to_a_false_key(key: str, house: House, smith: Locksmith) -> None:
    kept = house.keep("victim")
    before = house.state()
    for door in house.doors:
        if door.who != "anyone":
            headers = FALSE_KEYS[key](smith, door.kind)
            assert_refused(ask(house, door, headers, picture_id=kept), door)
    assert house.state() == before


@pytest.mark.parametrize("how", ENDED)
def test_no_door_opens_to_a_token_that_was_ended(how: str, house: House, smith: Locksmith) -> None:
    kept = house.keep("victim")
    ENDED[how](house, smith.tokens)
    before = house.state()
    for door in house.doors:
        if door.who != "anyone":
            headers = bearer(smith.good(door.kind))
            assert_refused(ask(house, door, headers, picture_id=kept), door)
    assert house.state() == before


def test_another_users_picture_is_as_good_as_none(house: House) -> None:
    kept = house.keep("victim")
    headers = bearer(house.login("intruder")["access_token"])
    before = house.state()
    for door in house.doors:
        if door.who != "owner":
            continue
        theirs = ask(house, door, headers, picture_id=kept)
        none = ask(house, door, headers, picture_id=f"{kept[:17]}{'0' * 32}")
        assert theirs.status_code == none.status_code == 404
        if door.method != "HEAD":
            said = (problem_of(answer, 404, "picture_unknown") for answer in (theirs, none))
            a, b = (re.sub(r"'[0-9a-f-]+'", "ID", document["detail"]) for document in said)
            assert a == b
    listed = house.client.get("/api/v1/images", headers=headers).get_json()["images"]
    assert listed == []
    assert house.state() == before


@pytest.mark.parametrize(
    "name",
    [
        "../../data/keys.json",
        "..%2f..%2fdata%2fkeys.json",
        "%2e%2e/keys.json",
        "....//keys.json",
        "a\0b",
    ],
)
def test_a_picture_is_no_path(name: str, house: House) -> None:
    headers = bearer(house.login("root")["access_token"])
    for method in ("GET", "DELETE"):
        answer = house.client.open(f"/api/v1/images/{name}", method=method, headers=headers)
        assert answer.status_code == 404
        assert "secret" not in answer.text
    assert (house.folder / "data" / "keys.json").is_file()


@pytest.mark.parametrize("allowed", [[], ["classify"]], ids=["none", "another"])
def test_a_detector_that_the_user_may_not_use(allowed: list[str], house: House) -> None:
    house.add("limited", detectors=allowed)
    headers = bearer(house.login("limited")["access_token"])
    before = house.state()
    for door in house.doors:
        if door.who != "detector" or (door.rule == "/upload" and allowed):
            continue
        answer = ask(house, door, headers)
        assert answer.status_code == 403, f"{door}: {answer.text}"
        if not door.own_shape:
            problem_of(answer, 403, "detector_forbidden")
    assert house.state() == before


@pytest.mark.parametrize("wanted", ["face,classify", "classify,face", "gender", "face,face"])
def test_a_detector_cannot_be_had_along_with_an_allowed_one(wanted: str, house: House) -> None:
    house.add("limited", detectors=["classify"])
    headers = bearer(house.login("limited")["access_token"])
    before = house.state()
    door = next(door for door in house.doors if door.rule == "/api/v1/detect")
    knock = door.knock() | {"query_string": {"detectors": wanted}}
    problem_of(house.client.open(**knock, headers=headers), 403, "detector_forbidden")
    assert house.state() == before


def test_gender_cannot_be_had_by_way_of_faces(house: House) -> None:
    house.add("limited", detectors=["face", "object"])
    headers = bearer(house.login("limited")["access_token"])
    before = house.state()
    for path, asked in (("face", {}), ("object", {"type": "face"})):
        answer = house.client.post(
            f"/api/v1/detect/{path}",
            query_string={**asked, "gender": "true"},
            data=picture_form(),
            headers=headers,
        )
        assert answer.status_code in (400, 403), answer.text
    assert house.state() == before


@pytest.mark.parametrize("claim", [{}, {"role": "admin"}, {"detectors": None}], ids=str)
def test_what_is_for_admins_is_for_nobody_else(claim: dict[str, Any], house: House) -> None:
    smith = Locksmith(house, house.login("intruder"))
    headers = bearer(smith.with_secret("access", **claim))
    before = house.state()
    for door in house.doors:
        if door.who == "admin":
            answer = ask(house, door, headers)
            assert answer.status_code == 403, f"{door}: {answer.text}"
            if door.method != "HEAD":
                problem_of(answer, 403, "forbidden")
    assert house.state() == before


def test_an_admin_who_is_one_no_more(house: House, smith: Locksmith) -> None:
    headers = bearer(smith.good("access"))
    house.services.users.change("root", {"role": "user"})
    for door in house.doors:
        if door.who == "admin":
            assert ask(house, door, headers).status_code == 403, door


@pytest.mark.parametrize(
    "header",
    ["X-HTTP-Method-Override", "X-Method-Override", "X-Original-URL", "X-Rewrite-URL", "X-User"],
)
def test_no_header_goes_round_a_door(header: str, house: House) -> None:
    for door in house.doors:
        if door.who != "anyone":
            value = "/health" if "URL" in header else "OPTIONS" if "Method" in header else "root"
            assert_refused(ask(house, door, {header: value}), door)
