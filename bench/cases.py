"""The built-in detectors as they are measured: what each is called, and with which options."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

__all__ = ["CASES", "CVLIB", "Case", "names", "settings"]


@dataclass(frozen=True)
class Case:
    """One detector with one of its networks."""

    title: str
    detector: str
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> str:
        return f"/api/v1/detect/{self.detector}?delete=true"

    @property
    def settings(self) -> dict[str, str]:
        """Return a gateway's settings with this detector alone, and ``face`` if it needs faces."""
        needed = {self.detector, "face"} if self.title in _OF_FACES else {self.detector}
        return settings(*needed, options=self.options)


_OF_FACES = ("gender", "ethnicity")

CASES = (
    Case("face, cvlib's network", "face", {"face": {"model": "cvlib"}}),
    Case("face, YuNet", "face", {"face": {"model": "yunet"}}),
    Case("object, PicoDet", "object"),
    Case("classify, MobileNetV2", "classify"),
    Case("gender", "gender"),
    Case("ethnicity", "ethnicity"),
)

CVLIB = CASES[0]


def names() -> list[str]:
    """Return the detectors that a gateway offers without further configuration."""
    from visiongate.registry import Registry

    return list(Registry.discover().names())


def settings(*enabled: str, options: dict[str, Any] | None = None) -> dict[str, str]:
    """Return settings that leave only these detectors on."""
    off = [name for name in names() if name not in enabled]
    return {"detectors": json.dumps(options or {}), "detectors_disabled": json.dumps(off)}
