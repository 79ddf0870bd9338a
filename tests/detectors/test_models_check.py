"""``python -m visiongate.models check``, as somebody meets it who brings a model."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from tests.detectors.networks import (
    one_yolox_thing,
    save_brightest_channel,
    save_constant,
    yolox_rows,
)
from visiongate.models import cli

CLASSIFY = """
[detectors.classify]
model = "net.onnx"
labels = ["red", "green", "blue"]
scaling = "{scaling}"
"""
OBJECT = """
[detectors.object]
model = "tools.onnx"
format = "yolox"
labels = ["hammer", "saw"]
"""
YOLOX_S = '[detectors.object]\nmodel = "yolox_s"\n'
Output = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project's folder, to stand in, whose gateway fetches nothing."""
    for name in list(os.environ):
        if name.startswith("VISIONGATE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("VISIONGATE_OFFLINE", "true")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def configure(text: str) -> None:
    Path("visiongate.toml").write_text(text)


def table(text: str) -> list[list[str]]:
    return [line.split("\t") for line in text.splitlines()]


def test_what_works_is_shown_with_its_answer(project: Path, capsys: Output) -> None:
    configure(CLASSIFY.format(scaling="0..1"))
    save_brightest_channel(project / "net.onnx")
    Pillow.new("RGB", (50, 40), (10, 20, 240)).save("blue.png")
    assert cli.main(["check", "classify", "--picture", "blue.png"]) == 0
    out, err = capsys.readouterr()
    rows = table(out)
    facts = dict(row for row in rows if len(row) == 2)
    assert facts["detector"] == "classify (built in)"
    assert facts["the file takes"] == "x (any, 3, 16, 20) float32"
    assert facts["the file gives"] == "y (any, 3) float32"
    assert facts["labels"] == "3: red, green, blue"
    assert facts["picture"] == "blue.png, 50x40 PNG"
    assert len(facts["SHA-256"]) == 64
    assert [row[0] for row in rows if len(row) == 4] == ["blue", "green", "red"]
    assert rows[-3][2] == "0, 0, 50, 40"
    assert err == "classify works.\n"


def test_a_scaling_that_is_certain_of_everything_is_doubted(project: Path, capsys: Output) -> None:
    configure(CLASSIFY.format(scaling="0..255"))
    save_brightest_channel(project / "net.onnx")
    assert cli.main(["check", "classify"]) == 0
    assert "alike" not in capsys.readouterr().err
    # Sure of gray as well: nothing is left of what the channels have in common.
    save_constant(project / "net.onnx", (20, 16), np.array([[0.0, 0.0, 1.0]]))
    assert cli.main(["check", "classify"]) == 0
    assert "Doubtful: it judges this picture, its negative, noise" in capsys.readouterr().err


def test_labels_that_do_not_fit_are_told_beside_the_files_shape(
    project: Path, capsys: Output
) -> None:
    configure(OBJECT)
    save_constant(project / "tools.onnx", (64, 64), yolox_rows(3))
    assert cli.main(["check", "object"]) == 1
    out, err = capsys.readouterr()
    assert "the file gives\ty0 (1, 84, 8) float32" in out
    assert err.startswith("object does not work: tools.onnx is not of the format named. It tells 3")
    assert "names 2 labels: hammer, saw" in err


def test_boxes_are_shown_in_pixels(project: Path, capsys: Output) -> None:
    configure(OBJECT)
    save_constant(project / "tools.onnx", (64, 64), one_yolox_thing(2, 1))
    Pillow.new("RGB", (128, 128)).save("black.png")
    assert cli.main(["check", "object", "--picture", "black.png"]) == 0
    out, err = capsys.readouterr()
    assert "saw\t0.900\t32, 32, 96, 96\t" in out
    assert err == "object works.\n"


def test_finding_nothing_is_doubted(project: Path, capsys: Output) -> None:
    configure(OBJECT)
    save_constant(project / "tools.onnx", (64, 64), yolox_rows(2))
    assert cli.main(["check", "object"]) == 0
    out, err = capsys.readouterr()
    assert "nothing\t\t\t" in out
    assert "Doubtful: it found nothing with a confidence of 0.4 or more" in err


def test_one_that_is_switched_off_is_tried_all_the_same(project: Path, capsys: Output) -> None:
    configure('detectors_disabled = ["object"]\n' + OBJECT)
    save_constant(project / "tools.onnx", (64, 64), one_yolox_thing(2, 1))
    assert cli.main(["check", "object"]) == 0
    assert "object is switched off" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_named(project: Path, capsys: Output) -> None:
    configure(OBJECT)
    assert cli.main(["check", "object"]) == 1
    assert f"no model file {project / 'tools.onnx'}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("config", "arguments", "status", "said"),
    [
        ("", ["tools"], 1, "No detector is called 'tools'"),
        ("", ["object", "--picture", "gone.jpg"], 2, "gone.jpg cannot be read"),
        (OBJECT.replace("yolox", "yolo"), ["object"], 2, "got 'yolo'"),
        (YOLOX_S, ["object"], 1, "object does not work: The weights of yolox_s"),
        ("", ["object", "--picture", "visiongate.toml"], 2, "visiongate.toml cannot be read"),
    ],
)
def test_what_cannot_be_tried_says_why(
    project: Path, capsys: Output, config: str, arguments: list[str], status: int, said: str
) -> None:
    configure(config)
    assert cli.main(["check", *arguments]) == status
    assert said in capsys.readouterr().err
