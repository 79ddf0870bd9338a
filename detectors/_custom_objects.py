"""Object networks of the user's own, read by the decoder that the configuration names."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detectors import _picodet, _yolox
from detectors._candidates import Candidates, Wish
from detectors._custom_network import CustomNetwork, shapes_in_words
from detectors._custom_spec import CustomModel
from visiongate import boxes
from visiongate.contracts import ModelStore
from visiongate.errors import ConfigurationError, ModelUnavailable
from visiongate.types import Device, Image, ModelUse

__all__ = ["FORMATS", "own_network"]

_TAKES = ("labels", "input_size", "colour", "scaling")
# Logarithm of a box's side in strides: 22,000 strides would be no box.
_LARGEST_LOG = 10.0
_ROUNDING = 1e-3


class _OwnNetwork(ABC):
    """What all formats share: one picture at a time, and outputs that are checked at loading."""

    feed: Mapping[str, Any]
    """How the format's authors feed it, where the configuration does not say otherwise."""
    default_confidence = 0.4
    nms_iou = 0.45
    # Who made it knows how it was to see large pictures; nobody here does.
    enough = None

    def __init__(self, spec: CustomModel, default_confidence: float | None) -> None:
        self._spec = spec
        self.labels = spec.labels
        if default_confidence is not None:
            self.default_confidence = default_confidence

    def load(self, models: ModelStore, device: Device) -> ModelUse:
        self._net = CustomNetwork(self._spec, models, device)
        if any(not np.issubdtype(output.dtype, np.floating) for output in self._net.blank):
            raise self._unfit("Its outputs are whole numbers; export it with outputs as floats.")
        self._check(self._net.blank)
        return self._net.use

    def find(self, image: Image, wish: Wish) -> Candidates:
        width, height = self._net.size
        picture, scale = self._fitted(image, width, height)
        found = self._decode(self._net.run([picture]), wish)
        return Candidates(
            (found.boxes * scale).astype(np.float32),
            np.clip(found.scores, 0.0, 1.0),
            found.classes,
        )

    def _fitted(self, image: Image, width: int, height: int) -> tuple[Image, Any]:
        """Return the picture as large as the network's input, and what undoes that for boxes."""
        boxed, scale = _yolox.letterboxed(image, width, height)
        return boxed, np.float32(1 / scale)

    @abstractmethod
    def _check(self, blank: Sequence[NDArray[Any]]) -> None:
        """Compare the outputs for a black picture with the format. Raises: ModelUnavailable."""

    @abstractmethod
    def _decode(self, outputs: Sequence[NDArray[Any]], wish: Wish) -> Candidates:
        """Return boxes in pixels of the network's input."""

    def _check_classes(self, count: int) -> None:
        if count != len(self.labels):
            raise self._unfit(
                f"It tells {count} classes apart, but the configuration names "
                f"{len(self.labels)} labels: {', '.join(self.labels[:8])}. List exactly one for "
                "each class, in order."
            )

    def _check_scores(self, scores: NDArray[Any]) -> None:
        low, high = float(scores.min()), float(scores.max())
        if not (low >= -_ROUNDING and high <= 1 + _ROUNDING):
            raise self._unfit(
                f"Its scores lie between {low:.3g} and {high:.3g}, which are no probabilities: "
                "export it with the sigmoid that ends it."
            )

    def _unfit(self, why: str) -> ModelUnavailable:
        return ModelUnavailable(f"{self._spec.path.name} is not of the format named. {why}")


class _OwnYolox(_OwnNetwork):
    feed: Mapping[str, Any] = {"colour": "bgr", "scaling": "0..255"}

    def _check(self, blank: Sequence[NDArray[Any]]) -> None:
        width, height = self._net.size
        self._cells, self._strides = _yolox.grid(width, height)
        count = len(self._cells)
        if len(blank) != 1 or blank[0].ndim != 3 or blank[0].shape[:2] != (1, count):
            raise self._unfit(
                f'"yolox" gives one output (1, {count}, 5 + labels) for {width}x{height} pixels '
                f"(strides 8, 16, 32); this gives {shapes_in_words(blank)}."
            )
        rows = blank[0][0]
        self._check_classes(rows.shape[1] - 5)
        if rows[:, 2:4].max() > _LARGEST_LOG:
            raise self._unfit(
                "Its boxes are in pixels already: export it without --decode_in_inference."
            )
        self._check_scores(rows[:, 4:])

    def _decode(self, outputs: Sequence[NDArray[Any]], wish: Wish) -> Candidates:
        return _yolox.decode(outputs[0][0], self._cells, self._strides, wish)


class _OwnYolov8(_OwnNetwork):
    """One row each for centre, size and every class; boxes in pixels, no objectness."""

    feed: Mapping[str, Any] = {"colour": "rgb", "scaling": "0..1"}

    def _check(self, blank: Sequence[NDArray[Any]]) -> None:
        if len(blank) != 1 or blank[0].ndim != 3 or blank[0].shape[0] != 1:
            raise self._unfit(
                '"yolov8" gives one output (1, 4 + labels, boxes); this gives '
                f"{shapes_in_words(blank)}."
            )
        rows = blank[0][0]
        if rows.shape[0] > rows.shape[1]:
            raise self._unfit(
                f"Its output {blank[0].shape} has boxes where the classes are expected, "
                "(1, 4 + labels, boxes): transposed, or exported with its own NMS."
            )
        self._check_classes(rows.shape[0] - 4)
        self._check_scores(rows[4:])

    def _decode(self, outputs: Sequence[NDArray[Any]], wish: Wish) -> Candidates:
        rows = outputs[0][0].T
        classes = rows[:, 4:].argmax(axis=1)
        best = rows[np.arange(len(rows)), 4 + classes]
        kept = wish.rows(best, classes)
        corners = boxes.from_centre(rows[kept, :2], rows[kept, 2:4])
        return Candidates(corners.astype(np.float32), best[kept], classes[kept])


class _OwnPicoDet(_OwnNetwork):
    # PaddleDetection swaps the channels and keeps their means in this order.
    feed: Mapping[str, Any] = {"colour": "bgr", "scaling": "imagenet"}
    default_confidence = 0.5
    nms_iou = 0.6

    def _fitted(self, image: Image, width: int, height: int) -> tuple[Image, Any]:
        scale = np.array([image.shape[1] / width, image.shape[0] / height] * 2, np.float32)
        return _picodet.shrunk(image, width, height), scale

    def _check(self, blank: Sequence[NDArray[Any]]) -> None:
        width, height = self._net.size
        counts = _picodet.cells(width, height)
        rows = [output.shape[1] for output in blank if output.ndim == 3]
        depths = [output.shape[2] for output in blank if output.ndim == 3]
        if len(blank) != len(rows) or sorted(rows) != sorted(2 * counts):
            raise self._unfit(
                f'"picodet" gives 8 outputs for {width}x{height} pixels, (1, N, labels) and then '
                f"(1, N, 4 x bins), each for N = {', '.join(map(str, counts))}; this gives "
                f"{shapes_in_words(blank)}. Export the network without its post-processing."
            )
        # Exporters number outputs in their own ways: what they are shows in their shapes.
        self._order = _ordered(rows, depths, len(self.labels))
        if self._order is None:
            self._check_classes(depths[0])
            raise self._unfit(f"Its outputs are {shapes_in_words(blank)}, in no order known.")
        scores = [blank[index][0] for index in self._order[: len(counts)]]
        self._check_scores(np.concatenate(scores))

    def _decode(self, outputs: Sequence[NDArray[Any]], wish: Wish) -> Candidates:
        assert self._order is not None, "checked at loading"
        maps = [outputs[index][0] for index in self._order]
        half = len(maps) // 2
        return _picodet.decode(maps[:half], maps[half:], wish, self._net.size)


def _ordered(rows: Sequence[int], depths: Sequence[int], labels: int) -> list[int] | None:
    """Return the indices of the scores, then of the distances, each from many rows to few."""
    indices = range(len(rows))
    if len(set(depths)) == 1:
        return list(indices) if depths[0] == labels else None
    scores = sorted((i for i in indices if depths[i] == labels), key=lambda i: -rows[i])
    others = sorted((i for i in indices if depths[i] != labels), key=lambda i: -rows[i])
    same = [rows[i] for i in scores] == [rows[i] for i in others]
    bins = {depths[i] for i in others}
    return [*scores, *others] if same and len(bins) == 1 and min(bins) % 4 == 0 else None


FORMATS: Mapping[str, type[_OwnNetwork]] = {
    "yolox": _OwnYolox,
    "yolov8": _OwnYolov8,
    "picodet": _OwnPicoDet,
}
"""Each decoder by the name that the ``format`` option takes."""


def own_network(
    where: str, model: Any, form: Any, default_confidence: float | None, given: Mapping[str, Any]
) -> _OwnNetwork:
    """Return the network that the section ``where`` describes, not loaded yet.

    Raises:
        ConfigurationError: no such format, or an option that does not fit it.
    """
    kind = FORMATS.get(form) if isinstance(form, str) else None
    if kind is None:
        raise ConfigurationError(
            f"{where} model = {model!r} is a file of your own, so format must say how its outputs "
            f"are read: {', '.join(FORMATS)}; got {form!r}."
        )
    spec = CustomModel.read(
        where, model=model, takes=_TAKES, least_labels=1, **{**kind.feed, **given}
    )
    return kind(spec, default_confidence)
