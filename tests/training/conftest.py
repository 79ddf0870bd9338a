"""Tests of training; what needs PyTorch runs by ``make test-training``, where it is installed."""

from __future__ import annotations

from importlib.util import find_spec

_COMPLETE = all(find_spec(name) for name in ("torch", "keras"))

collect_ignore = [] if _COMPLETE else ["test_network.py"]


def pytest_report_header() -> str:
    """Say aloud what is left to the other command."""
    if _COMPLETE:
        return "training: with PyTorch"
    return "training: tests/training/test_network.py needs PyTorch; make test-training runs it"
