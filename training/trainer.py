"""Train the network: one run that can be stopped, resumed, and annealed by the clock."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import Progress
from torch import Tensor

from training import metrics, model, pretrained
from training.augment import Strength
from training.crops import plain_batches
from training.data import Faces
from training.loader import Batches, EpochSampler, training_batches
from training.objective import Average, Labels, loss
from training.parallel import Pieces
from training.schedule import Budget, learning_rate, picture_size
from training.twin import Twin, Values

__all__ = ["Plan", "Trainer", "logits_of"]


@dataclass(frozen=True)
class Plan:
    """Everything that decides how a run goes; it is written into the model card."""

    hours: float | None = None
    epochs: float | None = None
    rate: float = 3e-4  # the highest of AdamW; 1e-3 kills a network without batch norm
    head_rate: float = 3.0  # times `rate`, for the heads, which start from nothing
    decay: float = 0.05
    warmup: float = 0.015
    batch: int = 128
    piece: int = 64  # of a batch, for one core at a time
    frozen: int = 1  # the stem keeps its weights: edges are edges
    sizes: tuple[int, ...] = (150,)  # what the published weights were made for
    changes: tuple[float, ...] = ()
    smoothing: float = 0.05
    dropout: float = 0.2
    average: float = 0.998
    evaluations: int = 20
    patience: int = 8  # evaluations without a better score, after which a run stops early
    seed: int = 20
    threads: int = 2
    workers: int = 1
    strength: Strength = field(default_factory=Strength)


class Trainer:
    """One run, which can be stopped after any evaluation and resumed."""

    def __init__(self, faces: Faces, plan: Plan, out: Path, start: Path | None = None) -> None:
        torch.manual_seed(plan.seed)
        self.faces, self.plan, self.out = faces, plan, out
        self.labels = Labels(faces)
        network = model.build(dropout=plan.dropout)
        if start is not None:
            pretrained.load_body(network, start)
        self.twin = Twin(network, plan.frozen)
        self.average = Average(self.twin.values, plan.average)
        self.parameters = list(self.twin.trained.values())
        self.optimizer = torch.optim.AdamW(list(self._groups()), lr=plan.rate, fused=True)
        self.pieces = Pieces(plan.threads, plan.piece)
        self.seen, self.seconds = 0, 0.0  # faces, with repetition
        self.history: list[dict[str, float]] = []

    def _groups(self) -> Iterator[dict[str, Any]]:
        """Yield the optimizer's groups: decay for kernels only, a higher rate for the heads."""
        for name, value in self.twin.trained.items():
            head = name.partition(".")[0] in self.twin.heads
            yield {
                "params": [value],
                "weight_decay": self.plan.decay if value.ndim > 1 else 0.0,
                "times": self.plan.head_rate if head else 1.0,
            }

    def run(self) -> Path:
        """Train to the end of the budget, or until nothing improves; return the best checkpoint."""
        plan, train = self.plan, self.faces.of("train")
        budget = Budget(plan.hours, plan.epochs, self.seconds)
        size, smooth = 0, 0.0
        batches: Batches = iter(())
        done = budget.progress(self.seen / len(train))
        due = (int(done * plan.evaluations + 1e-6) + 1) / plan.evaluations
        with Progress() as bar:
            task = bar.add_task("training", total=1000, completed=int(1000 * done))
            while done < 1:
                if size != picture_size(done, plan.sizes, plan.changes):
                    size = picture_size(done, plan.sizes, plan.changes)
                    sampler = EpochSampler(train, plan.batch, plan.seed, self.seen // plan.batch)
                    batches = training_batches(
                        self.faces, sampler, size, plan.strength, plan.workers
                    )
                images, index = next(batches)
                value = self._step(images, index, done)
                smooth = value if smooth == 0 else 0.98 * smooth + 0.02 * value
                epoch = self.seen / len(train)
                done = budget.progress(epoch)
                bar.update(
                    task, completed=1000 * done, description=f"epoch {epoch:.2f}, loss {smooth:.3f}"
                )
                if done >= min(due, 1.0):
                    due += 1 / plan.evaluations
                    self.seconds = budget.seconds
                    self._evaluate(size, smooth, epoch, done)
                    bar.console.print(json.dumps(self.history[-1]))
                    if self._stale():
                        bar.console.print("nothing improves any more: stopping early")
                        break
        return self.out / "best.pt"

    def _step(self, images: Tensor, index: Tensor, done: float) -> float:
        rate = learning_rate(done, self.plan.rate, self.plan.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["times"]
        value = self.pieces.gradient(self._objective, self.parameters, images, index)
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.average.update(self.twin.values)
        self.seen += len(index)
        return value

    def _objective(self, images: Tensor, index: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            logits = self.twin(images, training=True)
        return loss(logits, self.labels, index, self.plan.smoothing)

    def _evaluate(self, size: int, value: float, epoch: float, done: float) -> None:
        """Measure the averaged weights on the validation side and write the checkpoints."""
        side = self.faces.of("val")
        logits = logits_of(self.twin, self.average.values, self.faces, side, size)
        scores = metrics.summary(logits, self.faces, side)
        score = scores["gender"] + scores["group_balanced"]
        line = {"progress": done, "epoch": epoch, "seconds": self.seconds, "size": size}
        line |= {"loss": value, "score": score} | scores
        best = max((entry["score"] for entry in self.history), default=0.0)
        self.history.append({key: round(number, 4) for key, number in line.items()})
        self.out.mkdir(parents=True, exist_ok=True)
        self._save("last.pt")
        if self.history[-1]["score"] >= best:
            self._save("best.pt")
        (self.out / "history.json").write_text(json.dumps(self.history, indent=1))

    def _stale(self) -> bool:
        scores = [entry["score"] for entry in self.history]
        return len(scores) - 1 - int(np.argmax(scores)) >= self.plan.patience

    def _save(self, name: str) -> None:
        state = {
            "values": self.twin.values,
            "average": self.average.values,
            "optimizer": self.optimizer.state_dict(),
            "seen": self.seen,
            "steps": self.average.steps,
            "seconds": self.seconds,
            "history": self.history,
            "plan": asdict(self.plan),
        }
        partial = self.out / f"{name}.partial"
        torch.save(state, partial)
        partial.replace(self.out / name)

    def resume(self) -> None:
        """Go on from the last checkpoint: same weights, optimizer, place in the data and clock."""
        state = torch.load(self.out / "last.pt", weights_only=True)
        self.twin.load(state["values"])
        self.average.values, self.average.steps = state["average"], state["steps"]
        self.optimizer.load_state_dict(state["optimizer"])
        self.seen, self.seconds = state["seen"], state["seconds"]
        self.history = state["history"]


def logits_of(
    twin: Twin,
    values: Values,
    faces: Faces,
    indices: NDArray[np.int64],
    size: int,
    aligned: bool = True,
) -> dict[str, NDArray[np.float32]]:
    """Return the logits of every head, (N, classes), for faces cut as serving cuts them."""
    found: dict[str, list[NDArray[np.float32]]] = {head: [] for head in twin.heads}
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        for crops, _ in plain_batches(faces, indices, size, aligned):
            for head, logits in twin(torch.from_numpy(crops), values=values).items():
                found[head].append(logits.float().numpy())
    return {head: np.concatenate(parts) for head, parts in found.items()}
