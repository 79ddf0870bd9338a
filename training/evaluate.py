"""Measure the exported model on the test side: everything that the model card says of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from training import metrics
from training.crops import plain_batches
from training.data import Faces
from training.labels import AGES, GENDERS, GROUPS
from training.served import Served

__all__ = ["Answers", "answers", "evaluate"]

Answers = dict[str, NDArray[np.float32]]


def answers(model: Served, faces: Faces, indices: NDArray[np.int64]) -> Answers:
    """Return the probabilities of both heads for faces cut by their landmarks."""
    crops = [crops for crops, _ in plain_batches(faces, indices, model.size)]
    return model(np.concatenate(crops))


def evaluate(
    calibrated: Answers, uncalibrated: Answers, faces: Faces, indices: NDArray[np.int64]
) -> dict[str, Any]:
    """Return the card's figures for one side; `uncalibrated` are the answers at temperature 1."""
    return {
        "faces": len(indices),
        "gender": _head("gender", GENDERS, calibrated, uncalibrated, faces, indices),
        "group": _head("group", GROUPS, calibrated, uncalibrated, faces, indices),
        "gender_by_group": _gender_by_group(calibrated, faces, indices),
        "by_age": _by_age(calibrated, faces, indices),
        "abstaining": _abstaining(calibrated, faces, indices),
    }


def _known(head: str, faces: Faces, indices: NDArray[np.int64]) -> tuple[Any, Any]:
    truth = np.asarray(getattr(faces, head)[indices])
    return truth[truth >= 0], truth >= 0


def _head(
    head: str,
    names: tuple[str, ...],
    calibrated: Answers,
    uncalibrated: Answers,
    faces: Faces,
    indices: NDArray[np.int64],
) -> dict[str, Any]:
    truth, known = _known(head, faces, indices)
    counts = metrics.confusion(truth, calibrated[head][known].argmax(axis=1), len(names))
    accuracy = float(np.diag(counts).sum() / max(1, counts.sum()))
    return {
        "accuracy": accuracy,
        "standard_error": float(np.sqrt(accuracy * (1 - accuracy) / max(1, len(truth)))),
        "balanced_accuracy": metrics.balanced(counts),
        "ece_before": metrics.calibration_error(uncalibrated[head][known], truth),
        "ece_after": metrics.calibration_error(calibrated[head][known], truth),
        "classes": metrics.by_class(counts, names),
        "confusion": counts.tolist(),
    }


def _gender_by_group(
    calibrated: Answers, faces: Faces, indices: NDArray[np.int64]
) -> dict[str, Any]:
    """Return the gender head's accuracy for each group, and for each gender in it."""
    right = calibrated["gender"].argmax(axis=1) == faces.gender[indices]
    known = faces.gender[indices] >= 0
    table: dict[str, Any] = {}
    for index, group in enumerate(GROUPS):
        inside = known & (faces.group[indices] == index)
        if not inside.any():
            continue
        table[group] = {"accuracy": float(right[inside].mean()), "faces": int(inside.sum())}
        for which, gender in enumerate(GENDERS):
            part = inside & (faces.gender[indices] == which)
            if part.any():
                table[group][gender] = {
                    "accuracy": float(right[part].mean()),
                    "faces": int(part.sum()),
                }
    best = max((row["accuracy"] for row in table.values()), default=0.0)
    worst = min((row["accuracy"] for row in table.values()), default=0.0)
    return {"groups": table, "gap": best - worst}


def _by_age(calibrated: Answers, faces: Faces, indices: NDArray[np.int64]) -> dict[str, Any]:
    """Return both heads' accuracy for each age class: children are the hard ones."""
    table: dict[str, Any] = {}
    for index, age in enumerate(AGES):
        inside = faces.age[indices] == index
        if inside.any():
            table[age] = {"faces": int(inside.sum())}
            for head in ("gender", "group"):
                truth = np.asarray(getattr(faces, head)[indices])
                known = inside & (truth >= 0)
                right = calibrated[head].argmax(axis=1) == truth
                table[age][head] = float(right[known].mean()) if known.any() else None
    return table


def _abstaining(calibrated: Answers, faces: Faces, indices: NDArray[np.int64]) -> dict[str, Any]:
    """Return, for some least confidences, the share of faces answered and how many are right."""
    table: dict[str, Any] = {}
    for head in ("gender", "group"):
        truth, known = _known(head, faces, indices)
        probabilities = calibrated[head][known]
        right = probabilities.argmax(axis=1) == truth
        rows = []
        for least in (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95):
            sure = probabilities.max(axis=1) >= least
            accuracy = float(right[sure].mean()) if sure.any() else None
            rows.append({"least": least, "answered": float(sure.mean()), "accuracy": accuracy})
        table[head] = rows
    return table
