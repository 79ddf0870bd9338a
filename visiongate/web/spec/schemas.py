"""Schemas in the specification: of answers, made from the types that write them, and of bodies."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter

from visiongate.imaging import FORMATS, media_type
from visiongate.web import answer_types, compat_types, detectors_api, several, user_types

__all__ = ["PICTURE_TYPES", "answer_schemas", "compat_body", "picture_body"]

PICTURE_TYPES = tuple(media_type(name) for name in FORMATS)
_TINY_PICTURE = (
    "data:image/jpeg;base64,/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAP/////////////////////////////////"
    "/////////////////////////////////////////////////////wAALCAAQABABAREA/8QAFAABAAAAAAAAAAAAA"
    "AAAAAAAAP/EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAIAQEAAD8AAP/Z"
)
"""A gray square; in examples, which ought to work as they stand."""

_BINARY = {"type": "string", "format": "binary"}
_PART = {**_BINARY, "description": "The picture."}
_JSON_PICTURE = {
    "type": "string",
    "format": "byte",
    "contentEncoding": "base64",
    "minLength": 1,
    "description": "The picture in standard base64, with or without `data:image/jpeg;base64,`.",
}
_URL = {
    "type": "string",
    "pattern": r"^https?://[a-z0-9]+(\.[a-z0-9]+)*/[A-Za-z0-9/._-]*$",
    "maxLength": 2048,
    "description": "The address of a picture, on a host that the operator has listed.",
}
_ANSWERS = (
    answer_types.CardAnswer,
    answer_types.HealthAnswer,
    answer_types.ImagesAnswer,
    answer_types.ListItem,
    answer_types.LiveAnswer,
    answer_types.LoginAnswer,
    answer_types.LogoutAnswer,
    answer_types.Problem,
    answer_types.ReadyAnswer,
    answer_types.ReportAnswer,
    compat_types.ClassifyAnswer,
    compat_types.CompatError,
    compat_types.CompatFailure,
    compat_types.GenderAnswer,
    compat_types.PredictAnswer,
    compat_types.UploadAnswer,
    several.ListOfOne,
    several.ReportOfOne,
    detectors_api.DetectorsAnswer,
    user_types.MeAnswer,
    user_types.UserAnswer,
    user_types.UsersAnswer,
)


def answer_schemas() -> dict[str, Any]:
    """Return the JSON Schema of every answer by its type's name."""
    adapters: list[tuple[str, Any, TypeAdapter[Any]]] = [
        (answer.__name__, "serialization", TypeAdapter(answer)) for answer in _ANSWERS
    ]
    _, document = TypeAdapter.json_schemas(adapters, ref_template="#/components/schemas/{model}")
    schemas: dict[str, Any] = _in_plain_markdown(document["$defs"])
    return dict(sorted(schemas.items()))


def picture_body(max_pictures: int) -> dict[str, Any]:
    """Return the request body of a detect route, in each way that is read."""

    def several(picture: dict[str, Any]) -> dict[str, Any]:
        return {
            "type": "array",
            "items": picture,
            "minItems": 1,
            "maxItems": max_pictures,
            "description": "Several pictures, each answered with its own result or problem.",
        }

    one = {**_PART, "description": "The picture; `image` is read too."}
    form = _one_of({"file": one, "files": several(_BINARY), "url": _URL})
    # Text that is no picture is one among several that is answered with its problem.
    among_others = {name: said for name, said in _JSON_PICTURE.items() if name != "minLength"}
    document = _one_of({"image": _JSON_PICTURE, "images": several(among_others), "url": _URL})
    note = (
        " Or several pictures, or the address of one. Options may also come beside them, as form "
        "fields or members of the JSON."
    )
    return _body(form, document, (*PICTURE_TYPES, "application/octet-stream"), note)


def compat_body(kinds: Sequence[str] = PICTURE_TYPES) -> dict[str, Any]:
    """Return the request body of a compatibility route, which reads these kinds of pictures.

    Those services knew the part ``image``, and overlooked whatever came beside it.
    """
    form = {"type": "object", "properties": {"image": _PART}, "required": ["image"]}
    document = {"type": "object", "properties": {"image": _JSON_PICTURE}, "required": ["image"]}
    return _body(form, document, kinds, "")


def _body(
    form: dict[str, Any], document: dict[str, Any], kinds: Sequence[str], note: str
) -> dict[str, Any]:
    pictures = ", ".join(kind for kind in kinds if kind.startswith("image/"))
    files = (name for name in ("file", "image") if name in form["properties"])
    encoding = {name: {"contentType": pictures} for name in files}
    return {
        "description": f"One picture: multipart, raw, or JSON. Its bytes decide what it is.{note}",
        "required": True,
        "content": {
            "multipart/form-data": {"schema": form, "encoding": encoding},
            "application/json": {"schema": document, "example": {"image": _TINY_PICTURE}},
            **{kind: {"schema": _BINARY} for kind in kinds},
        },
    }


def _one_of(properties: dict[str, Any]) -> dict[str, Any]:
    """Return an object that has exactly one of these members."""
    return {
        "type": "object",
        "properties": properties,
        "minProperties": 1,
        "maxProperties": 1,
        "additionalProperties": False,
    }


def _in_plain_markdown(value: Any, *, names: bool = True) -> Any:
    """Drop pydantic's titles, and write docstrings' ``code`` and lines as Markdown does.

    ``names`` tells that the keys of ``value`` are names of ours, not JSON Schema's keywords.
    """
    if isinstance(value, list):
        return [_in_plain_markdown(one, names=False) for one in value]
    if not isinstance(value, dict):
        return value
    plain = {}
    for key, inner in value.items():
        if not names and key == "title":
            continue
        if not names and key == "description":
            plain[key] = re.sub(r"(?<!\n)\n(?!\n)", " ", inner.replace("``", "`"))
        else:
            plain[key] = _in_plain_markdown(inner, names=not names and key == "properties")
    return plain
