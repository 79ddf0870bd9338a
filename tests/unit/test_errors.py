"""The tree of errors: stable codes, fitting statuses, a docstring that draws it as it is."""

from __future__ import annotations

import http
import re

import pytest

from visiongate import errors
from visiongate.errors import VisiongateError, all_errors

CLASSES = [cls for cls in all_errors() if cls.__module__.startswith("visiongate")]


def names(cls: type[VisiongateError]) -> str:
    return cls.__name__


def test_the_root_comes_first_and_each_class_once() -> None:
    assert CLASSES[0] is VisiongateError
    assert len(CLASSES) == len(set(CLASSES))


def test_codes_are_unique() -> None:
    codes = [cls.code for cls in CLASSES]
    assert sorted(codes) == sorted(set(codes))


@pytest.mark.parametrize("cls", CLASSES, ids=names)
def test_every_class_says_what_it_is(cls: type[VisiongateError]) -> None:
    assert re.fullmatch("[a-z][a-z0-9_]+", cls.code)
    assert http.HTTPStatus(cls.status) >= http.HTTPStatus.BAD_REQUEST
    assert cls.title
    assert not cls.title.endswith(".")


@pytest.mark.parametrize("cls", CLASSES[1:], ids=names)
def test_a_class_has_code_and_title_of_its_own(cls: type[VisiongateError]) -> None:
    assert {"code", "title"} <= vars(cls).keys()


@pytest.mark.parametrize("cls", CLASSES, ids=names)
def test_the_docstring_draws_the_tree(cls: type[VisiongateError]) -> None:
    assert errors.__doc__ is not None
    assert re.search(rf"\b{cls.__name__}\b", errors.__doc__)


def test_the_docstring_draws_no_more_than_there_is() -> None:
    assert errors.__doc__ is not None
    drawn = re.findall(r"\b[A-Z][a-z0-9]+(?:[A-Z][a-z0-9]+)+\b", errors.__doc__)
    assert set(drawn) <= {cls.__name__ for cls in CLASSES}


def test_the_public_names_are_the_tree() -> None:
    assert set(errors.__all__) == {cls.__name__ for cls in CLASSES} | {"all_errors"}


def test_the_title_stands_in_for_a_missing_detail() -> None:
    error = errors.PictureMissing()
    assert error.detail == str(error) == errors.PictureMissing.title


def test_an_error_carries_what_happened() -> None:
    error = errors.Overloaded("64 wait", retry_after=2.5, extra={"waiting": 64})
    assert (error.detail, error.retry_after, error.extra) == ("64 wait", 2.5, {"waiting": 64})


def test_nothing_shared_between_two_errors() -> None:
    extra: dict[str, object] = {"a": 1}
    error = errors.NotFound(extra=extra)
    extra["a"] = 2
    assert error.extra == {"a": 1}
