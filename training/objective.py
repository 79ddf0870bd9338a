"""What the network is asked to do: the loss of the three heads; and the average of its weights."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from training.data import Faces
from training.labels import fold_matrix
from training.twin import Values

__all__ = ["Average", "Labels", "loss"]

_AGE_WEIGHT = 0.4


class Labels:
    """The labels of a data set as tensors, -1 where unknown."""

    def __init__(self, faces: Faces) -> None:
        self.gender = torch.from_numpy(np.asarray(faces.gender))
        self.race = torch.from_numpy(np.asarray(faces.race))
        self.group = torch.from_numpy(np.asarray(faces.group))
        self.age = torch.from_numpy(np.asarray(faces.age))
        self.fold = torch.from_numpy(fold_matrix())


def loss(logits: Values, labels: Labels, index: Tensor, smoothing: float) -> Tensor:
    """Return the mean loss of a batch; a face counts for the heads whose label it has.

    Where the group is known but not the race, the loss is that of the sum of the group's races.
    """
    race, group = labels.race[index], labels.group[index]
    total = _entropy(logits["gender"], labels.gender[index], smoothing)
    total = total + _entropy(logits["race"], race, smoothing)
    total = total + _AGE_WEIGHT * _entropy(logits["age"], labels.age[index], smoothing)
    coarse = (race < 0) & (group >= 0)
    if bool(coarse.any()):
        probabilities = logits["race"][coarse].softmax(1) @ labels.fold
        picked = probabilities.gather(1, group[coarse][:, None]).clamp_min(1e-6)
        total = total - picked.log().sum() / len(index)
    return total


def _entropy(logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    known = functional.cross_entropy(
        logits, labels, ignore_index=-1, label_smoothing=smoothing, reduction="sum"
    )
    return known / len(labels)


class Average:
    """A running average of parameters (Polyak and Juditsky, 1992): better than the last step's."""

    def __init__(self, values: Values, decay: float) -> None:
        self.decay, self.steps = decay, 0
        self.values = {name: value.detach().clone() for name, value in values.items()}

    def update(self, values: Values) -> None:
        """Take one step towards `values`; the first steps are longer."""
        self.steps += 1
        weight = 1 - min(self.decay, (1 + self.steps) / (10 + self.steps))
        with torch.no_grad():
            ours, theirs = list(self.values.values()), [v.detach() for v in values.values()]
            torch._foreach_lerp_(ours, theirs, weight)
