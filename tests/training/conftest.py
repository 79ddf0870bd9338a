"""Tests of training: what needs PyTorch is collected where training's requirements are there."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore = (
    [] if find_spec("torch") and find_spec("tflite") and find_spec("keras") else ["test_network.py"]
)
