"""Answer several pictures of one request, each with its own result or problem.

They take their turns one after the other, each in the engine's line like a request of its own,
so a request with many pictures never holds more than one place.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from typing_extensions import TypedDict

from visiongate.types import Report
from visiongate.web.answer_types import ListItem, PictureId, Problem, ReportAnswer
from visiongate.web.errors import problem_of_one
from visiongate.web.logging import note
from visiongate.web.metrics import count_problem
from visiongate.web.sources import Source

__all__ = ["ListOfOne", "ReportOfOne", "answer_each"]


class ReportOfOne(TypedDict):
    """One picture of several: its report, or its problem.

    ``file`` is what the sender called it, shortened, with what cannot be printed replaced;
    ``picture_id`` is that of the kept picture.
    """

    file: str | None
    picture_id: PictureId | None
    result: ReportAnswer | None
    problem: Problem | None


class ListOfOne(TypedDict):
    """One picture of several: what was found in it, or its problem; else as ``ReportOfOne``."""

    file: str | None
    picture_id: PictureId | None
    result: list[ListItem] | None
    problem: Problem | None


def answer_each(
    pictures: Sequence[Source],
    look: Callable[[bytes], Report],
    write: Callable[[Report], object],
) -> list[dict[str, Any]]:
    """Return a ``ReportOfOne`` or ``ListOfOne`` for each picture, in order."""
    answers = [_answer(picture, look, write) for picture in pictures]
    problems = [one["problem"]["code"] for one in answers if one["problem"] is not None]
    note(pictures=len(answers), problems=len(problems))
    return answers


def _answer(
    picture: Source, look: Callable[[bytes], Report], write: Callable[[Report], object]
) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "file": picture.filename,
        "picture_id": None,
        "result": None,
        "problem": None,
    }
    try:
        report = look(picture.read())
        answer["result"] = write(report)
        answer["picture_id"] = None if report.retained is None else report.retained.id
    except Exception as exception:  # noqa: BLE001 - logged there; the other pictures are good
        problem = problem_of_one(exception)
        count_problem(problem["code"])
        answer["problem"] = problem
    return answer
