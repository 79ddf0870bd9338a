"""``docs/security.md`` names tests; they are there."""

from __future__ import annotations

import ast
import re

import pytest

from tests.docs.pages import DOCS, ROOT, in_code, section, table

PAGE = (DOCS / "security.md").read_text(encoding="utf-8")
NAMED = sorted({name for name in in_code(PAGE) if name.startswith("tests/")})


def functions(source: str) -> set[str]:
    """Return the tests of a file, those of classes as ``Class::test``."""
    found = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found |= {
                f"{node.name}::{one.name}" for one in node.body if isinstance(one, ast.FunctionDef)
            }
    return found


@pytest.mark.parametrize("name", NAMED)
def test_every_test_that_is_named_is_there(name: str) -> None:
    path, _, function = name.partition("::")
    assert (ROOT / path).exists()
    if function:
        assert function in functions((ROOT / path).read_text(encoding="utf-8"))


def test_all_ten_risks_have_their_proof() -> None:
    rows = table(section(PAGE, "## OWASP API Security Top 10 (2023), point by point"))
    risks = [row for row in rows if re.match(r"API\d+ ", row[0])]
    assert [row[0].split()[0] for row in risks] == [f"API{number}" for number in range(1, 11)]
    assert all("tests/" in row[2] for row in risks)
