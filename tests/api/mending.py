"""Options that fit their schema, made to mean something: what no schema can say."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from typing import Any

__all__ = ["account", "sensible"]

_LABEL = {"object": "dog", "classify": "cat"}
"""What a detector finds that finds no faces, and judges none."""
_WITHOUT_PLACES = "classify"
_SIDES = (("left", "right"), ("top", "bottom"))


def sensible(query: Mapping[str, Any], detector: str) -> dict[str, Any]:
    """Return options that are accepted where ``detector`` is asked, or those that they name.

    A label must be one that the asked detectors find, a rectangle's left side left of its right
    one, a polygon simple, and the largest box larger than the smallest.
    """
    mended = dict(query)
    asked = query.get("detectors", detector).split(",")
    if query.get("type") == "face":
        asked = ["face"]
    label = min((_LABEL.get(name, "face") for name in asked), key=("face", "dog", "cat").index)
    if set(asked) == {_WITHOUT_PLACES}:
        for name in ("regions", "min_box", "max_box"):
            mended.pop(name, None)
    if "labels" in mended:
        mended["labels"] = label
    if ":" in str(mended.get("min_confidence", "")):
        value = mended["min_confidence"].rpartition(":")[2]
        mended["min_confidence"] = f"{label}:{value},*:{value}"
    if "min_box" in mended and "max_box" in mended:
        sides = [float(side) for name in ("min_box", "max_box") for side in mended[name].split(",")]
        mended |= {"min_box": str(min(sides)), "max_box": f"{max(sides)},1"}
    if "regions" in mended:
        regions = [_sensible(one, label) for one in json.loads(mended["regions"])]
        mended["regions"] = json.dumps(regions)
    return mended


_numbers = itertools.count()


def account(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an account with a name that is free, and a password that can be kept."""
    mended = dict(body)
    if "username" in mended:
        mended["username"] = f"user {next(_numbers)}"
    if "password" in mended:
        mended["password"] = "correct horse battery"
    return mended


def _sensible(region: Mapping[str, Any], label: str) -> dict[str, Any]:
    mended = dict(region)
    if "polygon" in mended:
        mended["polygon"] = [[0.1, 0.1], [0.9, 0.2], [0.5, 0.9]]
        for pair in _SIDES:
            for side in pair:
                mended.pop(side, None)
    for low, high in _SIDES:
        if low in mended or high in mended:
            ends = sorted((mended.get(low, 0), mended.get(high, 1)))
            mended |= {low: ends[0] / 2, high: ends[1] / 2 + 0.5}
    if "detect" in mended:
        mended["detect"] = {label: next(iter(mended["detect"].values()))}
        mended.pop("labels", None)
    if "labels" in mended:
        mended["labels"] = [label]
    return mended
