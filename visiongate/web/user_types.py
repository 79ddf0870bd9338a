"""What the gateway answers about users, as types; see ``answer_types``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from typing_extensions import TypedDict

from visiongate.types import Role

__all__ = ["MeAnswer", "PicturesQuota", "QuotaAnswer", "UserAnswer", "UsersAnswer"]

Count = Annotated[int, Field(ge=0)]
Amount = Annotated[float, Field(ge=0)]
Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]


class PicturesQuota(TypedDict):
    """Pictures a day: how many may be sent, have been, and are left."""

    limit: Count
    used: Count
    left: Count


class MegapixelsQuota(TypedDict):
    """Megapixels a day: how many may be sent, have been, and are left."""

    limit: Count
    used: Amount
    left: Amount


class QuotaAnswer(TypedDict):
    """How a user stands today, in UTC; null where there is no limit.

    ``resets`` is when the counts begin anew.
    """

    requests: PicturesQuota | None
    megapixels: MegapixelsQuota | None
    resets: Moment


class MeAnswer(TypedDict):
    """Who the caller is; ``expires`` is when the token does, in Unix seconds."""

    username: str
    role: Role
    detectors: list[str]
    quota: QuotaAnswer
    expires: int


class UserAnswer(TypedDict):
    """An account. ``detectors`` null means all.

    ``requests_per_day`` and ``megapixels_per_day`` null mean the operator's setting, 0 no limit.
    """

    username: str
    role: Role
    disabled: bool
    detectors: list[str] | None
    requests_per_day: Count | None
    megapixels_per_day: Count | None
    quota: QuotaAnswer
    created: Moment


class UsersAnswer(TypedDict):
    """Accounts by name; ``next`` is what to send as ``after`` for those that follow."""

    users: list[UserAnswer]
    next: str | None
