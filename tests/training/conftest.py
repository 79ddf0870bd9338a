"""Tests of training; what needs PyTorch runs by ``make test-training``, where it is installed."""

from __future__ import annotations

from importlib.util import find_spec

_COMPLETE = all(find_spec(name) for name in ("torch", "keras"))

_NEED_PYTORCH = ["test_network.py", "test_torchscript.py"]
collect_ignore = [] if _COMPLETE else _NEED_PYTORCH


def pytest_report_header() -> str:
    """Say aloud what is left to the other command."""
    if _COMPLETE:
        return "training: with PyTorch"
    left = ", ".join(_NEED_PYTORCH)
    return f"training: {left} in tests/training need PyTorch; make test-training runs them"
