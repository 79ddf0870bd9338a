"""The operations that look at a picture."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from visiongate import errors
from visiongate.web import quotas
from visiongate.web.option_table import BY_DETECTOR, COMMON, MANY
from visiongate.web.spec import errors as may
from visiongate.web.spec import examples
from visiongate.web.spec.errors import problem_responses
from visiongate.web.spec.operation import (
    Operation,
    answer,
    in_path,
    json_answer,
    one_or_several,
    options,
    pictures,
)
from visiongate.web.spec.schemas import picture_body

__all__ = ["TAGS", "operations"]

_DETECT = "Detecting"
TAGS = {_DETECT: "Send a picture, get what is in it."}
_RUN = (*may.PICTURE, *may.SOURCES, *may.OPTIONS, *may.DETECTING, *may.ACCOUNT)
_DEADLINE = {
    "name": "X-Deadline-Ms",
    "in": "header",
    "description": "How many milliseconds the request may wait for its turn; it can shorten the "
    "operator's limit, not lengthen it.",
    "schema": {"type": "integer", "minimum": 1, "examples": [5000]},
}


def operations(detectors: Sequence[str], max_pictures: int) -> Iterator[Operation]:
    """Yield the operations that look at pictures, for a gateway that has these detectors."""
    body = picture_body(max_pictures)
    yield Operation(
        "post",
        "/api/v1/detect",
        "detect",
        _DETECT,
        "Ask several detectors, for one full report",
        {
            "200": _found(
                one_or_several(
                    json_answer("ReportAnswer", examples.REPORT), "ReportOfOne", examples.REPORTS
                ),
                "$response.body#/retained/id",
            ),
            **problem_responses((*_RUN, errors.FieldMissing, errors.DetectorUnknown)),
        },
        description="The picture is decoded once, however many detectors look at it. When one of "
        "several cannot answer, the others do.",
        parameters=(*options((*MANY, *COMMON), detectors), _DEADLINE),
        body=body,
    )
    # A route of its own in the document for each detector with options of its own.
    own = [name for name in detectors if name in BY_DETECTOR]
    for name in own:
        yield _detect_one(name, f"/api/v1/detect/{name}", f"detect_{name}", _RUN, (), body)
    others = [name for name in detectors if name not in own]
    unknown = (errors.DetectorUnknown, errors.NotFound)
    path = (in_path("name", {"type": "string", "enum": others}, "A detector."),)
    yield _detect_one("", "/api/v1/detect/{name}", "detect_one", (*_RUN, *unknown), path, body)


def _detect_one(
    name: str,
    path: str,
    operation: str,
    possible: may.Errors,
    parameters: tuple[dict[str, Any], ...],
    body: dict[str, Any],
) -> Operation:
    example = examples.FACES if name == "face" else examples.LIST
    labels = {"face": ("face",), "object": ("person", "dog")}.get(name, ())
    kept = "$response.header.X-Picture-Id"
    return Operation(
        "post",
        path,
        operation,
        _DETECT,
        f"Ask {f'detector {name!r}' if name else 'one detector'}, for a list as mlapi's",
        {
            "200": _found(
                one_or_several(
                    json_answer("ListItem", example, listed=True), "ListOfOne", examples.LISTS
                ),
                kept,
            ),
            **problem_responses(possible),
        },
        parameters=(
            *parameters,
            *options((*COMMON, *BY_DETECTOR.get(name, ())), labels=labels),
            _DEADLINE,
        ),
        body=body,
    )


def _found(content: dict[str, Any], kept: str) -> dict[str, Any]:
    links = {
        operation: {"operationId": operation, "parameters": {"picture_id": kept}}
        for operation in ("get_image", "delete_image")
    }
    return answer(
        "What was found; or the picture with its boxes drawn, where `annotate` or `Accept` asks. "
        "For several pictures, a list: the result or the problem of each, in their order.",
        {**content, **pictures(("image/jpeg", "image/png"))},
        headers=("X-Picture-Id", *quotas.HEADERS),
        links=links,
    )
