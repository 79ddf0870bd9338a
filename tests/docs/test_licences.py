"""``docs/licences.md`` against what is pinned."""

from __future__ import annotations

import re

from tests.docs.pages import DOCS, ROOT, table

PAGE = (DOCS / "licences.md").read_text(encoding="utf-8")
PINNED = re.findall(r"^([A-Za-z0-9._-]+)==", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
# Whoever passes the gateway on would have to open their own code.
STRONG = re.compile(r"\b(A?GPL|SSPL|EUPL|OSL)")
WEAK = re.compile(r"LGPL|MPL|Lesser")


def test_every_package_is_listed_with_its_licence() -> None:
    rows = table(PAGE)
    assert {row[0] for row in rows} == {re.sub(r"[-_.]+", "-", name).lower() for name in PINNED}
    assert all(licence and licence != "UNKNOWN" for _, licence, _ in rows)


def test_none_asks_for_more_than_its_own_text() -> None:
    strong = [
        (name, licence)
        for name, licence, _ in table(PAGE)
        if STRONG.search(licence) and not WEAK.search(licence)
    ]
    assert strong == []
