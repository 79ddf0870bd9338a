"""Kept pictures: list, fetch and delete, for their owner and admins.

Anyone else is told that there is no such picture, so that ids cannot be tried out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Flask, Response, g, request
from flask_restful import Resource

from visiongate.errors import PictureUnknown
from visiongate.web.answer_types import ImagesAnswer
from visiongate.web.answers import json_response, retained_answer
from visiongate.web.api import API_PREFIX, api_of, current_services
from visiongate.web.auth import login_required
from visiongate.web.options import read_switch

if TYPE_CHECKING:
    from visiongate.contracts import PictureStore
    from visiongate.services import Services
    from visiongate.types import Retained

__all__ = ["init_app"]


def init_app(app: Flask, services: Services) -> None:  # noqa: ARG001 - the modules' common shape
    """Add the routes of kept pictures to ``app``."""
    api = api_of(app)
    api.add_resource(Images, f"{API_PREFIX}/images")
    api.add_resource(OneImage, f"{API_PREFIX}/images/<string:picture_id>")


class Images(Resource):  # type: ignore[misc]
    """The caller's kept pictures, newest first; an admin sees everyone's."""

    method_decorators = (login_required,)

    def get(self) -> Response:
        store = current_services().pictures
        owner = None if g.user.role == "admin" else g.user.username
        kept = store.list(owner) if store is not None else []
        answer: ImagesAnswer = {
            "retention": current_services().settings.retention,
            "images": [{**retained_answer(one), "owner": one.owner} for one in kept],
        }
        return json_response(answer)


class OneImage(Resource):  # type: ignore[misc]
    """One kept picture: as it came, or with its boxes drawn (``?annotated=true``)."""

    method_decorators = (login_required,)

    def get(self, picture_id: str) -> Response:
        annotated = read_switch(request, "annotated")
        store, kept = self._find(picture_id)
        body, media_type = store.read(kept.id, annotated=annotated)
        response = Response(body, mimetype=media_type)
        name = f"{kept.id}-annotated" if annotated else kept.id
        extension = media_type.rpartition("/")[2]
        # The bytes came from a stranger: nothing may take them for a page, run or frame them.
        response.headers.update(
            {
                "Content-Disposition": f'inline; filename="{name}.{extension}"',
                "Content-Security-Policy": "default-src 'none'; sandbox",
                "X-Content-Type-Options": "nosniff",
                "Cache-Control": "private, no-store",
            }
        )
        return response

    def delete(self, picture_id: str) -> Response:
        store, kept = self._find(picture_id)
        store.delete(kept.id)
        return Response(status=204)

    def _find(self, picture_id: str) -> tuple[PictureStore, Retained]:
        store = current_services().pictures
        if store is None:
            raise PictureUnknown("This gateway keeps no pictures (VISIONGATE_RETENTION=off).")
        unknown = PictureUnknown(
            f"No picture {picture_id[:64]!r} of yours is kept; it may have been deleted or swept."
        )
        try:
            kept = store.get(picture_id)
        except PictureUnknown:
            raise unknown from None
        if kept.owner != g.user.username and g.user.role != "admin":
            raise unknown
        return store, kept
