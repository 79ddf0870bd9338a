"""Inputs guided by coverage: Atheris looks for bytes that imaging or request reading break at."""

from __future__ import annotations

from proofs.fuzz.proof import prove

__all__ = ["prove"]
