"""One operation of the specification: a route and a method, and what it takes and answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from visiongate.web.option_table import OPTIONS, Option
from visiongate.web.spec.schemas import PICTURE_TYPES

__all__ = [
    "ACCESS",
    "NO_TOKEN",
    "REFRESH",
    "Operation",
    "answer",
    "in_path",
    "json_answer",
    "one_or_several",
    "options",
    "parameter",
    "pictures",
]

Security = tuple[Mapping[str, Sequence[str]], ...]
NO_TOKEN: Security = ()
ACCESS: Security = ({"accessToken": ()},)
REFRESH: Security = ({"refreshToken": ()},)

_BINARY = {"type": "string", "format": "binary"}


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path; ``responses`` by status, successes and errors."""

    method: str
    path: str
    id: str
    tag: str
    summary: str
    responses: Mapping[str, Any]
    description: str = ""
    security: Security = ACCESS
    parameters: tuple[Mapping[str, Any], ...] = ()
    body: Mapping[str, Any] | None = None

    def document(self) -> dict[str, Any]:
        """Return the Operation Object."""
        written: dict[str, Any] = {
            "operationId": self.id,
            "tags": [self.tag],
            "summary": self.summary,
            "description": self.description,
            "security": self.security,
            "parameters": self.parameters,
            "requestBody": self.body,
            "responses": self.responses,
        }
        # An empty security says that no token is needed; nothing else is said by being empty.
        return {name: value for name, value in written.items() if value or name == "security"}


def answer(
    description: str,
    content: Mapping[str, Any] | None = None,
    *,
    headers: Sequence[str] = (),
    links: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Return a Response Object; headers are named in ``components/headers``."""
    written: dict[str, Any] = {
        "description": description,
        "headers": {
            name: {"$ref": f"#/components/headers/{name}"} for name in ("X-Request-ID", *headers)
        },
    }
    if content:
        written["content"] = content
    if links:
        written["links"] = links
    return written


def json_answer(name: str, example: object, *, listed: bool = False) -> dict[str, Any]:
    """Return the content of an answer of the type called ``name``, or of a list of them."""
    schema: dict[str, Any] = {"$ref": f"#/components/schemas/{name}"}
    if listed:
        schema = {"type": "array", "items": schema}
    return {"application/json": {"schema": schema, "example": example}}


def one_or_several(one: dict[str, Any], name: str, example: object) -> dict[str, Any]:
    """Return the content of an answer as ``json_answer`` gives it, or, for several, of a list."""
    single = one["application/json"]
    listed = {"type": "array", "items": {"$ref": f"#/components/schemas/{name}"}}
    return {
        "application/json": {
            "schema": {"anyOf": [single["schema"], listed]},
            "examples": {
                "one": {"summary": "One picture", "value": single["example"]},
                "several": {"summary": "Several, as `files` or `images`", "value": example},
            },
        }
    }


def pictures(kinds: Sequence[str] = PICTURE_TYPES) -> dict[str, Any]:
    """Return the content of an answer that is a picture."""
    return {kind: {"schema": _BINARY} for kind in kinds}


def options(
    names: Sequence[str], detectors: Sequence[str] = (), labels: Sequence[str] | None = None
) -> tuple[dict[str, Any], ...]:
    """Return query parameters from the table of options.

    ``detectors`` are those that can be named; ``labels`` an example of what the route finds,
    and empty where there is none that fits each of its detectors.
    """
    found = []
    for name in names:
        written = parameter(name, OPTIONS[name])
        if name == "detectors":
            items = {"type": "string", "enum": list(detectors)}
            written["schema"] |= {"items": items, "examples": [list(detectors[:2])]}
            written["required"] = True
        if name == "labels" and labels is not None:
            written["schema"]["examples"] = [list(labels)] if labels else []
        found.append(written)
    return tuple(found)


def parameter(name: str, option: Option) -> dict[str, Any]:
    """Return one query parameter."""
    written: dict[str, Any] = {
        "name": name,
        "in": "query",
        "description": option.description,
        # Not the parameter's own example: Swagger UI would send that unless it is deleted.
        "schema": {**option.schema, "examples": [option.example]},
    }
    if option.as_json:
        written["content"] = {"application/json": {"schema": written.pop("schema")}}
    elif option.schema["type"] == "array":
        written |= {"style": "form", "explode": False}
    return written


def in_path(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    """Return one parameter of the path."""
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": schema,
    }
