"""The model card of a detector, as JSON and as Markdown: what it is for, and where it fails."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from flask import Response, request
from flask_restful import Resource

from visiongate.errors import DetectorUnavailable, NotFound
from visiongate.types import ModelCard
from visiongate.web.answer_types import CardAnswer
from visiongate.web.answers import json_response, model_answer
from visiongate.web.api import current_services
from visiongate.web.auth import login_required
from visiongate.web.options import read_choice

if TYPE_CHECKING:
    from visiongate.registry import Entry

__all__ = ["CARD_FORMATS", "Card"]

CARD_FORMATS = ("json", "markdown")
"""What the option ``format`` may be; without it, the Accept header chooses."""

_MARKDOWN = "text/markdown"


class Card(Resource):  # type: ignore[misc]  # flask_restful carries no types
    """The card of one detector's model."""

    method_decorators = (login_required,)

    def get(self, name: str) -> Response:
        chosen = read_choice(request, "format", CARD_FORMATS)
        entry = current_services().registry.get(name)
        card = _card(entry)
        answer = card_answer(entry, card)
        if (chosen or _accepted()) == "markdown":
            text = card.markdown or _written(answer)
            response = Response(text, content_type=f"{_MARKDOWN}; charset=utf-8")
        else:
            response = json_response(answer)
        response.vary.add("Accept")
        return response


def card_answer(entry: Entry, card: ModelCard) -> CardAnswer:
    """Return the card together with what the gateway itself knows of the detector."""
    detector, info = entry.detector, entry.info
    return {
        "detector": entry.name,
        "description": info.description if info else "",
        "labels": list(info.labels) if info else [],
        "sensitive": info.sensitive if info else False,
        "model": model_answer(detector.model) if detector else None,
        "source": list(card.source),
        "intended_use": card.intended_use,
        "limits": list(card.limits),
        "details": dict(card.details),
    }


def _card(entry: Entry) -> ModelCard:
    if entry.detector is None:
        raise DetectorUnavailable(f"Detector {entry.name!r} {entry.reason}")
    card = getattr(entry.detector, "card", None)
    if not isinstance(card, ModelCard):
        raise NotFound(
            f"Detector {entry.name!r} ({entry.source}) offers no model card. Ask those who made "
            "it what it is meant for."
        )
    return card


def _accepted() -> str:
    best = request.accept_mimetypes.best_match(("application/json", _MARKDOWN))
    return "markdown" if best == _MARKDOWN else "json"


def _written(answer: CardAnswer) -> str:
    """Return the card in Markdown, for those that were not written by hand."""
    model = answer["model"]
    facts = [f"- Detector: `{answer['detector']}`. {answer['description']}"]
    if model is not None:
        facts.append(f"- Model: `{model['name']}`, {model['runtime']}")
        facts.append(f"- SHA-256: `{model['sha256']}`" if model["sha256"] else "- No weights file")
        facts.append(f"- Licence: {model['licence'] or 'not stated'}")
    if answer["labels"]:
        facts.append(f"- Labels: {len(answer['labels'])}")
    parts = [
        f"# Model card: {answer['detector']}",
        "\n".join(facts),
        f"## Intended use\n\n{answer['intended_use']}",
        f"## Limits\n\n{_listed(answer['limits'])}",
    ]
    if answer["source"]:
        parts.append(f"## Source\n\n{_listed(answer['source'])}")
    if answer["details"]:
        written = json.dumps(answer["details"], indent=2, ensure_ascii=False)
        parts.append(f"## Details\n\n```json\n{written}\n```")
    return "\n\n".join(parts) + "\n"


def _listed(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)
