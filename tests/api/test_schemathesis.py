"""schemathesis against the running gateway: every operation, with all of its checks.

Its check of object-level authorization compares JSON, and what belongs to somebody here are
pictures: ``tests/web/test_images.py`` asks for those as somebody else.

``VG_SCHEMATHESIS_EXAMPLES=500`` looks longer, and elsewhere each time; the default looks at the
same few examples every time.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from PIL import Image
from requests.structures import CaseInsensitiveDict

from tests.api.conftest import USER, Gateway
from tests.api.mending import account, sensible
from tests.web.fakes import fake_detectors
from visiongate.imaging import FORMATS, media_type
from visiongate.web import playground
from visiongate.web.openapi import ASSETS
from visiongate.web.spec.document import build

_EXAMPLES = int(os.environ.get("VG_SCHEMATHESIS_EXAMPLES", "0"))
_DETECTORS = tuple(one.info.name for one in fake_detectors())


def _picture(name: str) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (24, 18), (90, 120, 150)).save(buffer, name)
    return buffer.getvalue()


_PICTURES = {media_type(name): _picture(name) for name in FORMATS}

# What "a picture" means no schema can say, so pictures are given to choose from.
for _kind, _data in _PICTURES.items():
    schemathesis.openapi.media_type(_kind, st.just(_data))
schemathesis.openapi.media_type(
    "application/octet-stream", st.sampled_from(list(_PICTURES.values()))
)
schemathesis.openapi.format(
    "byte", st.sampled_from([base64.b64encode(data).decode() for data in _PICTURES.values()])
)

_DOCUMENT: dict[str, Any] = json.loads(
    json.dumps(
        build(
            base="",
            detectors=_DETECTORS,
            max_pictures=16,
            open_routes=(),
            assets=tuple(ASSETS),
            playground=tuple(playground.ASSETS),
        )
    )
)


def _closed(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document with answers that may have no member beside those described.

    Clients must be ready for new ones, so the document does not say so; these tests may.
    """
    schemas = {
        name: {"additionalProperties": False, **one}
        for name, one in document["components"]["schemas"].items()
    }
    return {**document, "components": {**document["components"], "schemas": schemas}}


schema = schemathesis.openapi.from_dict(_closed(_DOCUMENT))
schema.config.generation.update(max_examples=_EXAMPLES or 8)
# More pictures than may come are refused as too large (413), which it does not expect of itself.
_rejection = schema.config.checks.negative_data_rejection
_rejection.expected_statuses = [*_rejection.expected_statuses, "413"]
_RUN = settings(
    deadline=None,
    derandomize=not _EXAMPLES,
    max_examples=_EXAMPLES or 8,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.generate] + ([Phase.shrink] if _EXAMPLES else []),
    database=None,
)


def test_what_is_tested_is_what_is_served(gateway: Gateway) -> None:
    assert requests.get(f"{gateway.url}/openapi.json", timeout=60).json() == _DOCUMENT


@schema.auth(refresh_interval=None)
class _Placeholder:
    """What stands for a token until the request is sent: some cases are made before the gateway."""

    def get(self, case: schemathesis.Case, context: schemathesis.AuthContext) -> str:
        return "refresh_token" if context.operation.path.endswith("/refresh") else "access_token"

    def set(self, case: schemathesis.Case, data: str, context: schemathesis.AuthContext) -> None:
        case.headers["Authorization"] = f"Bearer {data}"


@pytest.fixture(scope="session")
def session(gateway: Gateway) -> Iterator[requests.Session]:
    """A session that puts a token where a placeholder is; of a new login, as some log out."""

    def log_in(request: requests.PreparedRequest) -> requests.PreparedRequest:
        kind = str(request.headers.get("Authorization", "")).removeprefix("Bearer ")
        if kind in ("access_token", "refresh_token"):
            request.headers["Authorization"] = f"Bearer {gateway.tokens()[kind]}"
        return request

    with requests.Session() as session:
        session.auth = log_in
        yield session


def _is_positive(case: schemathesis.Case) -> bool:
    mode = schemathesis.GenerationMode.POSITIVE
    return case.meta is not None and case.meta.generation.mode is mode


def _make_sense(case: schemathesis.Case) -> None:
    """Mend what no schema can say, in a case that is meant to be accepted.

    Options must go together, several pictures are not drawn into, the JPEG that /predict asks for
    is one in base64 too, and an answer within a few milliseconds may rightly come too late.
    """
    # Cases share their parts, so these are replaced and never changed.
    query, path = case.query or {}, case.path_parameters or {}
    if case.path.startswith("/api/v1/users") and path.get("name") == USER:
        case.path_parameters = {**path, "name": "bob"}  # a new password would end our own tokens
    if not _is_positive(case):
        return
    if case.path.startswith("/api/v1/users") and isinstance(case.body, dict):
        case.body = account(case.body)
    if case.query:
        case.query = sensible(query, path.get("name", case.path.rpartition("/")[2]))
    if isinstance(case.body, dict) and not {"files", "images"}.isdisjoint(case.body):
        one = case.query or {}
        case.query = {name: value for name, value in one.items() if name != "annotate"}
    if int(case.headers.get("X-Deadline-Ms", "60000")) < 60_000:
        case.headers = CaseInsensitiveDict({**case.headers, "X-Deadline-Ms": "60000"})
    if case.path == "/predict" and case.media_type == "application/json":
        case.body = {**case.body, "image": base64.b64encode(_PICTURES["image/jpeg"]).decode()}


@schema.parametrize()
@_RUN
def test_operation(case: schemathesis.Case, gateway: Gateway, session: requests.Session) -> None:
    _make_sense(case)
    case.call_and_validate(base_url=gateway.url, session=session, timeout=60)


def test_one_after_the_other(gateway: Gateway, session: requests.Session) -> None:
    class Machine(schema.as_state_machine()):  # type: ignore[misc]
        def before_call(self, case: schemathesis.Case) -> None:
            _make_sense(case)

        def get_call_kwargs(self, case: schemathesis.Case) -> dict[str, Any]:
            return {"base_url": gateway.url, "session": session, "timeout": 60}

    Machine.run(settings=settings(_RUN, stateful_step_count=6))
