"""The network: read from dlib's file, trained, exported and served, it stays the same."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.timeout(600),
]


import keras  # noqa: E402
import torch  # noqa: E402

from tests.training import dlib_file  # noqa: E402
from training import model, pretrained  # noqa: E402
from training.data import Faces  # noqa: E402
from training.export import export  # noqa: E402
from training.metrics import groups_of, softmax  # noqa: E402
from training.objective import Labels, loss  # noqa: E402
from training.parallel import Pieces  # noqa: E402
from training.served import Served  # noqa: E402
from training.train import main  # noqa: E402
from training.trainer import Plan, Trainer  # noqa: E402
from training.twin import Twin  # noqa: E402
from training.weights import DETECTOR  # noqa: E402


@pytest.fixture(scope="module")
def network() -> Any:
    """A body with random weights, and heads that answer something."""
    made = model.build()
    rng = np.random.default_rng(0)
    for head, width in (("gender", 2), ("race", 7), ("age", 9)):
        kernel = rng.normal(0, 0.5, (256, width)).astype(np.float32)
        made.get_layer(head).set_weights([kernel, rng.normal(0, 1, width).astype(np.float32)])
    return made


def _pictures(count: int, size: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    rng = np.random.default_rng(5)
    small = rng.integers(0, 256, (count, 6, 6, 3)).astype(np.uint8)
    large = [cv2.resize(one, (size, size), interpolation=cv2.INTER_CUBIC) for one in small]
    return np.stack(large).astype(np.uint8)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file in dlib's format, with weights that could be the published ones."""
    path = tmp_path_factory.mktemp("dlib") / "network.dat"
    path.write_bytes(dlib_file.network(seed=3))
    return path


def test_dlibs_file_becomes_the_arithmetic_that_dlib_does(published: Path) -> None:
    made = model.build()
    pretrained.load_body(made, published)
    pictures = _pictures(2, 150)
    expected = torch.from_numpy(dlib_file.answer(published, pictures))
    body = keras.Model(made.input, made.get_layer("pool").output)
    with torch.no_grad():
        ours = body(pictures.astype(np.float32))
    assert expected.shape == (2, 256)
    assert torch.allclose(ours, expected, atol=1e-3 * float(expected.abs().max()))


@pytest.mark.parametrize("damage", ["cut", "another"])
def test_a_file_that_is_something_else_is_refused(
    published: Path, tmp_path: Path, damage: str
) -> None:
    data = published.read_bytes()
    (tmp_path / "x.dat").write_bytes(data[: len(data) // 2] if damage == "cut" else b"PK" * 99)
    with pytest.raises(ValueError, match=r"cut off|expected"):
        pretrained.load_body(model.build(), tmp_path / "x.dat")


@pytest.mark.parametrize("size", [131, 150])
def test_the_twin_answers_as_the_keras_model(network: Any, size: int) -> None:
    pictures = torch.from_numpy(_pictures(3, size).astype(np.float32))
    with torch.no_grad():
        ours, keras = Twin(network)(pictures), network(pictures)
    for head, logits in keras.items():
        assert torch.allclose(ours[head], logits, atol=1e-3)


def test_pieces_of_a_batch_have_the_gradient_of_the_batch(network: Any) -> None:
    pictures = torch.from_numpy(_pictures(12, 131))
    twin = Twin(network, frozen=2)
    faces = _faces(12)
    labels, index = Labels(faces), torch.arange(12)
    parameters = list(twin.trained.values())

    def objective(images: Any, chosen: Any) -> Any:
        return loss(twin(images), labels, chosen, 0.1)

    whole = objective(pictures, index)
    expected = torch.autograd.grad(whole, parameters)
    value = Pieces(2, piece=5).gradient(objective, parameters, pictures, index)
    assert value == pytest.approx(float(whole.detach()), rel=1e-4)
    for parameter, gradient in zip(parameters, expected, strict=True):
        assert parameter.grad is not None
        assert torch.allclose(parameter.grad, gradient, rtol=1e-2, atol=1e-4)


def test_unknown_labels_do_not_count_and_a_group_stands_for_its_races() -> None:
    logits = {"gender": torch.zeros(2, 2), "race": torch.zeros(2, 7), "age": torch.zeros(2, 9)}
    faces = _faces(2, gender=[-1, -1], race=[-1, -1], group=[-1, 2], age=[-1, -1])
    value = loss(logits, Labels(faces), torch.arange(2), 0.0)
    assert float(value) == pytest.approx(-np.log(2 / 7) / 2, rel=1e-4)


def test_the_exported_graph_is_the_model_with_everything_after_it(
    network: Any, tmp_path: Path
) -> None:
    pictures = _pictures(3, 150)
    temperatures = {"gender": 1.7, "race": 0.8}
    export(network, tmp_path / "faces.onnx", 150, temperatures)
    with torch.no_grad():
        one = network(pictures.astype(np.float32))
        mirrored = network(np.ascontiguousarray(pictures[:, :, ::-1]).astype(np.float32))
    mean = {head: ((one[head] + mirrored[head]) / 2).numpy() for head in one}
    served = Served(tmp_path / "faces.onnx", precision="f32")
    answer = served(pictures)
    assert served.size == 150
    assert answer["gender"] == pytest.approx(softmax(mean["gender"], 1.7), abs=2e-2)
    assert answer["group"] == pytest.approx(groups_of(mean["race"], 0.8), abs=2e-2)
    assert (tmp_path / "faces.onnx").stat().st_size < 8_000_000


def _faces(count: int, **labels: list[int]) -> Faces:
    rng = np.random.default_rng(1)
    known = {
        "gender": rng.integers(0, 2, count),
        "race": rng.integers(0, 7, count),
        "group": rng.integers(0, 5, count),
        "age": rng.integers(0, 9, count),
    } | {name: np.array(values) for name, values in labels.items()}
    return Faces(
        images=_pictures(count, 160),
        squares=np.tile(np.array([0, 0, 160, 160], np.float32), (count, 1)),
        landmarks=np.full((count, 5, 2), np.nan, np.float32),
        side=np.arange(count) % 3,
        source=np.array([str(index) for index in range(count)]),
        **known,
    )


def test_a_run_that_was_stopped_goes_on_where_it_was(tmp_path: Path) -> None:
    faces = _faces(36)
    plan = Plan(epochs=4, batch=4, piece=4, sizes=(131,), changes=(), evaluations=2, workers=0)
    first = Trainer(faces, plan, tmp_path)
    first.run()
    assert [line["epoch"] for line in first.history] == [2.0, 4.0]
    assert first.seen == 48
    assert (tmp_path / "best.pt").exists()
    second = Trainer(faces, plan, tmp_path)
    second.resume()
    assert (second.seen, second.history) == (first.seen, first.history)
    for name, value in first.twin.values.items():
        assert torch.equal(value, second.twin.values[name])
    longer = Trainer(faces, Plan(**{**vars(plan), "epochs": 6}), tmp_path)
    longer.resume()
    longer.run()
    assert longer.seen == 72
    assert len(longer.history) == 3


def test_one_command_makes_weights_and_card(
    weights: Path, photos: Path, published: Path, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    bgr = cv2.imread(str(photos / "astronaut.png"))
    assert bgr is not None
    rng = np.random.default_rng(0)
    for index in range(60):
        left, top = (int(value) for value in rng.integers(0, 120, 2))
        noisy = bgr[top : top + 380, left : left + 380].astype(int)
        noisy = noisy + rng.integers(-90, 90, (4, 4, 3)).repeat(95, 0).repeat(95, 1)
        name = f"{rng.integers(1, 90)}_{index % 2}_{index % 5}_{index}.jpg"
        cv2.imwrite(str(data / name), np.clip(noisy, 0, 255).astype(np.uint8))
    main(
        f"{data} --detector {weights / DETECTOR} --start {published} --epochs 1 --batch 8 "
        f"--sizes 131 --changes= --workers 0 --out {tmp_path / 'out'} "
        f"--release {tmp_path / 'release'} --machine test".split()
    )
    card = json.loads((tmp_path / "release" / "card.json").read_text())
    assert card["input"]["shape"] == ["N", 131, 131, 3]
    assert card["test"]["faces"] > 0
    command = 'make train-faces DATA=folder TRAIN_ARGS="--epochs 1 --batch 8 --sizes 131"'
    assert card["training"]["command"] == command
    assert (tmp_path / "out" / "best.keras").exists()
    for name in ("card.md", "confusion.png", "calibration.png", "training.png", card["file"]):
        assert (tmp_path / "release" / name).stat().st_size > 1000
    read = cv2.imread(str(tmp_path / "release" / "confusion.png"))
    assert read is not None
