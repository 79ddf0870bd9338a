"""What the cards of the built-in detectors are made of."""

from __future__ import annotations

import json
from pathlib import Path

from visiongate.models.manifest import load_manifest
from visiongate.types import ModelCard

__all__ = ["SENSITIVE", "manifest_card", "own_card", "shipped_card"]

_WEIGHTS = Path(__file__).with_name("weights")

SENSITIVE = (
    "It judges how a face looks, not who the person is: apparent, not actual.",
    "Its categories are a social construct; many people fit none of them, or several.",
    "Not for hiring, policing, surveillance, or any decision about a person.",
)
"""Limits of every model that judges people by their faces, whoever made it."""


def manifest_card(
    name: str, intended_use: str, limits: tuple[str, ...], elsewhere: str = ""
) -> ModelCard:
    """Return the card of the model ``name``, which comes from ``elsewhere`` if not the manifest."""
    model = load_manifest().get(name)
    if model is None:
        return ModelCard(intended_use, limits, (elsewhere,))
    details = {"summary": model.summary, "input": model.input, "bytes": model.bytes}
    return ModelCard(intended_use, limits, model.addresses, details)


def own_card(file: str, *, sensitive: bool = False) -> ModelCard:
    """Return the card of a model that the operator brought: little is known of it here."""
    unknown = "How well it does, and for whom it does worse, is known to its makers alone."
    return ModelCard(
        "What the operator of this gateway brought it for.",
        (unknown, *(SENSITIVE if sensitive else ())),
        (f"{Path(file).name}, a file of the operator's own",),
    )


def shipped_card(intended_use: str) -> ModelCard:
    """Return the card of the weights that the project ships, as its training wrote it."""
    try:
        details = json.loads((_WEIGHTS / "card.json").read_text(encoding="utf-8"))
        markdown = (_WEIGHTS / "card.md").read_text(encoding="utf-8")
    except (OSError, ValueError):
        # The intended use and the limits hold also where the figures were lost.
        details, markdown = {}, ""
    source = ("shipped with Visiongate, detectors/weights; made by its training/",)
    return ModelCard(intended_use, SENSITIVE, source, details, markdown)
