"""Draw what a model card shows: confusion, calibration, and how the training went."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.labels import GENDERS, GROUPS

__all__ = ["draw"]

_INK, _ACCENT, _SECOND = "#1f2937", "#0f766e", "#b45309"


def draw(
    folder: Path,
    figures: dict[str, Any],
    history: list[dict[str, float]],
    probabilities: dict[str, tuple[NDArray[Any], NDArray[np.int64]]],
) -> list[str]:
    """Write three PNG pictures to `folder` and return their names.

    `probabilities` has, for each head, what was answered, (N, classes), and the truth, (N,).
    """
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    with pyplot.rc_context({"font.size": 9, "axes.edgecolor": _INK, "figure.dpi": 100}):
        names = ["confusion.png", "calibration.png", "training.png"]
        figure, axes = pyplot.subplots(1, 2, figsize=(8.4, 3.9), layout="constrained")
        for axis, head, labels in zip(axes, ("gender", "group"), (GENDERS, GROUPS), strict=True):
            _confusion(axis, np.array(figures[head]["confusion"]), labels, head)
        _save(figure, folder / names[0])

        figure, axes = pyplot.subplots(1, 2, figsize=(8.4, 3.9), layout="constrained")
        for axis, head in zip(axes, ("gender", "group"), strict=True):
            _reliability(axis, *probabilities[head], head, figures[head]["ece_after"])
        _save(figure, folder / names[1])

        figure, axes = pyplot.subplots(1, 2, figsize=(8.4, 3.4), layout="constrained")
        _curves(axes, history)
        _save(figure, folder / names[2])
    return names


def _save(figure: Any, path: Path) -> None:
    from matplotlib import pyplot

    figure.savefig(path, metadata={"Software": None})
    pyplot.close(figure)


def _confusion(axis: Any, counts: NDArray[np.int64], labels: tuple[str, ...], head: str) -> None:
    shares = counts / np.maximum(1, counts.sum(axis=1, keepdims=True))
    axis.imshow(shares, cmap="BuGn", vmin=0, vmax=1)
    for row in range(len(labels)):
        for column in range(len(labels)):
            colour = "white" if shares[row, column] > 0.6 else _INK
            text = f"{shares[row, column]:.0%}\n{counts[row, column]}"
            axis.text(column, row, text, ha="center", va="center", color=colour)
    axis.set_xticks(range(len(labels)), labels)
    axis.set_yticks(range(len(labels)), labels)
    axis.set_xlabel("answered")
    axis.set_ylabel("labelled")
    axis.set_title(f"{head}: share of the labelled class, faces")


def _reliability(
    axis: Any, answer: NDArray[Any], truth: NDArray[np.int64], head: str, error: float
) -> None:
    confidence, right = answer.max(axis=1), answer.argmax(axis=1) == truth
    edges = np.linspace(0, 1, 16)
    for low, high in pairwise(edges):
        inside = (confidence > low) & (confidence <= high)
        if inside.sum() >= 5:
            axis.bar((low + high) / 2, right[inside].mean(), 0.058, color=_ACCENT)
    axis.plot([0, 1], [0, 1], color=_SECOND, linestyle="--")
    axis.set_xlim(1 / answer.shape[1], 1)
    axis.set_ylim(0, 1)
    axis.set_xlabel("confidence")
    axis.set_ylabel("share that is right")
    axis.set_title(f"{head}: calibration error {error:.3f}")


def _curves(axes: Any, history: list[dict[str, float]]) -> None:
    minutes = [entry["seconds"] / 60 for entry in history]
    axes[0].plot(minutes, [entry["loss"] for entry in history], color=_INK)
    axes[0].set_ylabel("training loss")
    for key, colour in (("gender", _ACCENT), ("group_balanced", _SECOND)):
        name = "gender" if key == "gender" else "five groups, balanced"
        axes[1].plot(minutes, [100 * entry[key] for entry in history], color=colour, label=name)
    axes[1].set_ylabel("validation accuracy, %")
    axes[1].legend(frameon=False)
    for axis in axes:
        axis.set_xlabel("minutes")
        axis.grid(alpha=0.25)
        sizes = [entry["size"] for entry in history]
        for index in range(1, len(sizes)):
            if sizes[index] != sizes[index - 1]:
                axis.axvline(minutes[index - 1], color=_INK, linewidth=0.6, linestyle=":")
