"""The detect routes: read the request, run the pipeline, answer in the shape of the route.

``/detect/NAME`` answers mlapi's list, ``/detect`` the full report; both answer the picture with
its boxes drawn where ``annotate=true`` or the Accept header asks for it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from itertools import chain
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, g, request
from flask_restful import Resource

from visiongate import annotate
from visiongate.errors import FieldMissing, NotBuilt, OptionInvalid
from visiongate.pipeline import FACE, DetectRequest, Outcome
from visiongate.types import Report
from visiongate.web.answers import detection_list, json_response, report_answer
from visiongate.web.api import API_PREFIX, api_of, current_services
from visiongate.web.auth import login_required
from visiongate.web.findable import check_findable
from visiongate.web.metrics import observe_report
from visiongate.web.option_table import BY_DETECTOR, COMMON, MANY
from visiongate.web.options import (
    DetectOptions,
    picture_type,
    read_deadline,
    read_options,
)
from visiongate.web.serving.patient_socket import came_whole_at, raise_failure
from visiongate.web.several import answer_each
from visiongate.web.sources import Sources, read_sources

if TYPE_CHECKING:
    from visiongate.services import Services

__all__ = ["PICTURE_HEADER", "init_app"]

PICTURE_HEADER = "X-Picture-Id"
"""Header with the id of the picture that was kept; mlapi's list has no place for it."""

_GENDER = "gender"
_ENCODERS: dict[str, Callable[[Any], bytes]] = {
    "image/jpeg": annotate.encode_jpeg,
    "image/png": annotate.encode_png,
}


def init_app(app: Flask, services: Services) -> None:  # noqa: ARG001 - the modules' common shape
    """Add the detect routes to ``app``."""
    api = api_of(app)
    api.add_resource(DetectOne, f"{API_PREFIX}/detect/<string:name>")
    api.add_resource(DetectMany, f"{API_PREFIX}/detect")


class _Detect(Resource):  # type: ignore[misc]
    """What both detect routes do."""

    def _read(self, allowed: Collection[str]) -> tuple[Sources, DetectOptions, float | None]:
        services = current_services()
        came_at = came_whole_at(request.environ)
        deadline = read_deadline(request, services.settings.deadline_ms, came_at)
        sources = read_sources(services, deadline)
        in_query = (one for one in request.args.items(multi=True) if one[0] != "url")
        return sources, read_options(chain(in_query, sources.members), allowed), deadline

    def _run(
        self,
        sources: Sources,
        names: tuple[str, ...],
        options: DetectOptions,
        deadline: float | None,
        write: Callable[[Report], object],
    ) -> Response:
        services = current_services()
        check_findable(services.registry, names, options)
        services.pipeline.check(g.user, names)
        wanted = picture_type(request, options.annotate)
        if sources.several:
            if wanted is not None:
                raise OptionInvalid(
                    "Several pictures are answered in JSON. To have one with its boxes drawn, "
                    "send it alone, as 'file'; else ask without annotate=true, and with a header "
                    "Accept that takes application/json."
                )
            if deadline is None:  # one for all of them
                deadline = time.monotonic() + services.settings.deadline_ms / 1000
        asked = DetectRequest(
            names,
            options.predict,
            options.selection,
            delete=options.delete,
            annotate=wanted is not None,
            deadline=deadline,
            # With one detector there is no other answer beside which to report its failure.
            partial=len(names) > 1,
        )

        raise_failure(request.environ)  # asked for on the short way, which writes no errors

        def look(picture: bytes) -> Outcome:
            outcome = services.pipeline.run(picture, g.user, asked)
            observe_report(outcome.report)
            return outcome

        if sources.several:
            each = answer_each(sources.pictures, lambda one: look(one).report, write)
            return _varying(json_response(each))
        outcome = look(sources.pictures[0].read())
        response = _drawn(outcome, wanted) if wanted else json_response(write(outcome.report))
        if outcome.report.retained is not None:
            response.headers[PICTURE_HEADER] = outcome.report.retained.id
        return _varying(response)


class DetectOne(_Detect):
    """One detector, answered as the original mlapi did."""

    @login_required
    def post(self, name: str) -> Response:
        registry = current_services().registry
        registry.get(name)  # 404 before a picture is read
        own = BY_DETECTOR.get(name, ())
        sources, options, deadline = self._read((*COMMON, *own))
        chosen = options.type or name
        names: tuple[str, ...] = (chosen,)
        if options.gender:
            if _GENDER not in registry:
                raise NotBuilt(
                    "There is no detector 'gender' in this installation yet. Ask without "
                    "gender=true, or have the operator name a model under [detectors.gender] "
                    "(docs/models.md)."
                )
            # As in mlapi, gender says nothing of objects that are no faces.
            names = (FACE, _GENDER) if chosen == FACE else names
        info = registry.get(chosen).info
        judged_by = chosen if info is not None and info.needs == "faces" else None
        return self._run(
            sources, names, options, deadline, lambda report: detection_list(report, judged_by)
        )


class DetectMany(_Detect):
    """Several detectors, one decoding, one full report."""

    @login_required
    def post(self) -> Response:
        sources, options, deadline = self._read((*COMMON, *MANY))
        registry = current_services().registry
        if not options.detectors:
            raise FieldMissing(
                "Name the detectors, as in ?detectors=face,object. "
                f"There are: {', '.join(registry.names())}."
            )
        return self._run(sources, options.detectors, options, deadline, report_answer)


def _varying(response: Response) -> Response:
    response.headers.add("Vary", "Accept")
    return response


def _drawn(outcome: Outcome, media_type: str) -> Response:
    assert outcome.annotated is not None  # DetectRequest.annotate asked for it
    body = _ENCODERS[media_type](outcome.annotated)
    response = Response(body, mimetype=media_type)
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Content-Disposition"] = (
        f'inline; filename="annotated.{media_type.rpartition("/")[2]}"'
    )
    return response
