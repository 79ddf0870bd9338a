"""Each proof in short: the same code as ``python -m proofs NAME``, for seconds instead of hours."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from proofs.__main__ import NAMES
from proofs.report import Report
from proofs.scale import Scale

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc"),
    pytest.mark.timeout(1800),  # each starts gateways: minutes on a busy machine
]


@pytest.mark.parametrize("name", NAMES)
def test_every_claim_holds(name: str, tmp_path: Path) -> None:
    report = Report(name)
    importlib.import_module(f"proofs.{name}").prove(report, tmp_path, Scale.short())
    assert report.claims
    assert report.broken == []
