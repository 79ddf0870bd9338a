"""Documents read one after another are those that JSON's own reader finds at once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.json_documents import each_document

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
TABLES = st.dictionaries(
    st.text(),
    st.dictionaries(
        st.integers(0).map(str), st.dictionaries(st.text(), VALUES, max_size=3), max_size=3
    ),
    max_size=3,
)


def flat(tables: dict[str, dict[str, Any]]) -> list[tuple[str, str, Any]]:
    return [(name, key, doc) for name, table in tables.items() for key, doc in table.items()]


@given(tables=TABLES, indent=st.sampled_from([None, 2]), ascii_only=st.booleans())
def test_documents_are_those_of_the_whole(
    tables: dict[str, dict[str, Any]], indent: int | None, ascii_only: bool
) -> None:
    text = json.dumps(tables, indent=indent, ensure_ascii=ascii_only)
    assert list(each_document(text.encode("utf-8", "surrogatepass"))) == flat(tables)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32-le"])
def test_any_encoding_that_json_knows(encoding: str) -> None:
    tables = {"users": {"1": {"username": "ζωή"}}}
    content = json.dumps(tables, ensure_ascii=False).encode(encoding)
    assert list(each_document(content)) == flat(tables)


WHOLE = b' { "users" : { "1" : {"a": [1, {}]} , "2":{} }, "other": {} } \n'


def test_a_file_that_breaks_off_anywhere_is_refused() -> None:
    assert len(list(each_document(WHOLE))) == 2
    for length in range(len(WHOLE.rstrip())):
        with pytest.raises(ValueError, match=r"."):
            list(each_document(WHOLE[:length]))


@pytest.mark.parametrize(
    "content",
    [
        b"[]",
        b"5",
        b'{"users": []}',
        b'{"users": {"1": 5}}',
        b'{"users": {"one": {}}}',
        b'{"users": {1: {}}}',
        b'{"users": {"1": {},}}',
        b'{"users": {"1" {}}}',
        b'{"users": {"1": {}} "other": {}}',
        b'{"users": {}} {}',
        b'{"users": {}}}',
    ],
)
def test_what_is_no_table_of_documents_is_refused(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        list(each_document(content))
