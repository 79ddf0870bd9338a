"""What the proofs ask a gateway that something happens to."""

from __future__ import annotations

from typing import Any

import requests

from proofs.gateway import PASSWORD, USER, Gateway
from proofs.pictures import twenty

__all__ = ["OFTEN", "detect", "fresh", "log_in", "log_out"]

OFTEN = {"LOGIN_RATE_PER_USER": "1000 per minute", "LOGIN_RATE_PER_ADDRESS": "1000 per minute"}
"""Settings with which as many may log in as a proof has do so."""
_BITMAP = 3
"""Of the twenty, one of some hundred kilobytes."""


def detect(
    gateway: Gateway, *, keep: bool = False, headers: dict[str, str] | None = None
) -> tuple[int, Any]:
    """Return the status and the answer for a picture with one face."""
    answer = requests.post(
        f"{gateway.address}/api/v1/detect?detectors=face&delete={str(not keep).lower()}",
        data=twenty()[_BITMAP],
        headers={**(headers or gateway.headers), "Content-Type": "image/bmp"},
        timeout=60,
    )
    return answer.status_code, answer.json()


def log_in(gateway: Gateway) -> tuple[int, Any]:
    body = {"username": USER, "password": PASSWORD}
    answer = requests.post(f"{gateway.address}/api/v1/login", json=body, timeout=60)
    return answer.status_code, answer.json()


def fresh(gateway: Gateway) -> dict[str, str]:
    """Return the headers of a token that is new."""
    return {"Authorization": f"Bearer {log_in(gateway)[1]['access_token']}"}


def log_out(gateway: Gateway, headers: dict[str, str]) -> tuple[int, Any]:
    answer = requests.post(f"{gateway.address}/api/v1/logout", headers=headers, timeout=60)
    return answer.status_code, answer.json() if answer.content else {}
