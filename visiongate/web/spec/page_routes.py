"""The operations for people: the specification, and the pages that the gateway serves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from visiongate import errors
from visiongate.web.spec import errors as may
from visiongate.web.spec.errors import problem_responses
from visiongate.web.spec.operation import NO_TOKEN, Operation, answer, in_path

__all__ = ["TAGS", "operations"]

_SELF = "Documentation"
TAGS = {_SELF: "How to use all this, and a page to try it."}

_PAGE = {"text/html": {"schema": {"type": "string"}, "example": "<!doctype html>…"}}
_STYLE = {"schema": {"type": "string"}, "example": "body { margin: 0; }"}
_SCRIPT = {"schema": {"type": "string"}, "example": "SwaggerUIBundle({});"}
_ICON = {"schema": {"type": "string"}, "example": "<svg/>"}
_BINARY = {"schema": {"type": "string", "format": "binary"}}


def operations(assets: Sequence[str], playground: Sequence[str]) -> Iterator[Operation]:
    """Yield every operation; ``assets`` are the files of /docs, ``playground`` those of /."""
    yield Operation(
        "get",
        "/openapi.json",
        "openapi",
        _SELF,
        "This specification",
        _cached(
            "The document.",
            {
                "application/json": {
                    "schema": {"type": "object", "required": ["openapi", "info", "paths"]},
                    "example": {"openapi": "3.1.0", "info": {"title": "Visiongate"}, "paths": {}},
                }
            },
            may.FAULT,
        ),
        security=NO_TOKEN,
        parameters=(_IF_NONE_MATCH,),
    )
    yield _page("/docs", "docs", "This specification as a page to read and try", "Swagger UI.")
    yield _file(
        "/docs/{name}",
        "docs_file",
        assets,
        {"text/css": _STYLE, "text/javascript": _SCRIPT, "image/png": _BINARY},
    )
    yield _page("/", "playground", "The playground: try the gateway in a browser", "The page.")
    yield _file(
        "/playground/{name}",
        "playground_file",
        playground,
        {"text/css": _STYLE, "text/javascript": _SCRIPT, "image/svg+xml": _ICON},
    )


def _page(path: str, name: str, summary: str, description: str) -> Operation:
    responses = {"200": answer(description, _PAGE), **problem_responses(may.FAULT)}
    return Operation("get", path, name, _SELF, summary, responses, security=NO_TOKEN)


def _file(path: str, name: str, files: Sequence[str], content: Mapping[str, Any]) -> Operation:
    return Operation(
        "get",
        path,
        name,
        _SELF,
        "A file of that page",
        _cached("The file.", content, (errors.NotFound, *may.FAULT)),
        security=NO_TOKEN,
        parameters=(
            in_path("name", {"type": "string", "enum": list(files)}, "The file's name."),
            _IF_NONE_MATCH,
        ),
    )


_IF_NONE_MATCH: dict[str, Any] = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The `ETag` of what the caller has already.",
    "schema": {"type": "string"},
    "example": '"9e107d9d372bb682"',
}


def _cached(description: str, content: Mapping[str, Any], possible: may.Errors) -> dict[str, Any]:
    return {
        "200": answer(description, content, headers=("ETag",)),
        "304": answer("What the caller has is the newest.", headers=("ETag",)),
        **problem_responses(possible),
    }
