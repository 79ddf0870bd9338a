"""A TorchScript file of the user's own is served; here, since PyTorch is installed for training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from detectors.classify import ClassifyDetector
from visiongate.errors import ModelUnavailable
from visiongate.models.store import FileModelStore
from visiongate.types import Device, PredictOptions

# PyTorch would rather have torch.export used; the files that people have are TorchScript.
pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")


class Brightest(torch.nn.Module):
    """Softmax of eight times each channel's mean."""

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return torch.softmax(8 * pixels.mean((2, 3)), 1)


def detector(path: Path, **options: object) -> ClassifyDetector:
    found = ClassifyDetector(
        model=str(path), labels=["red", "green", "blue"], scaling="0..1", top=1, **options
    )
    found.load(FileModelStore(path.parent / "cache", offline=True), Device())
    return found


@pytest.mark.parametrize("ending", ["pt", "pth"])
def test_it_answers(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"net.{ending}"
    torch.jit.script(Brightest()).save(str(path))
    classify = detector(path, input_size=[20, 16])
    green = np.full((40, 50, 3), (20, 200, 20), np.uint8)
    ((best,),) = classify.predict([green], PredictOptions(min_confidence=0.0))
    assert best.label == "green"
    expected = np.exp(8 * 200 / 255) / np.exp(8 * np.array([20, 200, 20]) / 255).sum()
    assert best.confidence == pytest.approx(expected, abs=1e-4)
    assert classify.model is not None
    assert classify.model.name == path.name


def test_its_size_must_be_stated(tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    torch.jit.script(Brightest()).save(str(path))
    with pytest.raises(ModelUnavailable, match="input_size"):
        detector(path)


def test_weights_alone_are_no_network(tmp_path: Path) -> None:
    path = tmp_path / "net.pt"
    torch.save({"weight": torch.zeros(3)}, path)
    with pytest.raises(ModelUnavailable, match=r"net\.pt"):
        detector(path, input_size=[20, 16])
