"""The import rules that import-linter does not see: programs outside the packages."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    "program", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.name
)
def test_examples_speak_http_only(program: Path) -> None:
    imported = {
        name.partition(".")[0]
        for node in ast.walk(ast.parse(program.read_text(encoding="utf-8")))
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert not imported & {"visiongate", "detectors", "db", "adduser", "api"}
