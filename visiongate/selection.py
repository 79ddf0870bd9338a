"""Which of the things that detectors find are answered: how sure, how large, and where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from visiongate.regions import ANY, Region
from visiongate.types import Detection, DetectorInfo, PredictOptions

__all__ = ["MOST_DETECTIONS", "Selection"]

MOST_DETECTIONS = 1000
"""As many as a caller can ask for, and as a detector is asked for where more is chosen among."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What a request answers of what is found, beside what ``PredictOptions`` say.

    ``confidences`` maps labels to the least confidence of each, where that differs from
    ``PredictOptions.min_confidence``. With ``regions``, a thing must lie in one that looks for
    it. ``min_box`` and ``max_box`` are shares of the picture's (width, height); a box may be
    neither narrower nor lower than the one, neither wider nor higher than the other.

    Raises:
        ValueError: no box could be of both sizes.
    """

    confidences: Mapping[str, float] = field(default_factory=dict)
    regions: tuple[Region, ...] = ()
    min_box: tuple[float, float] = (0.0, 0.0)
    max_box: tuple[float, float] = (1.0, 1.0)

    def __post_init__(self) -> None:
        if any(least > most for least, most in zip(self.min_box, self.max_box, strict=True)):
            raise ValueError(f"no box is both {self.min_box} or more and {self.max_box} or less")

    @property
    def by_place(self) -> bool:
        """Whether it asks where things are, or how large: nothing that a whole picture has."""
        return bool(self.regions) or (self.min_box, self.max_box) != ((0.0, 0.0), (1.0, 1.0))

    def asked(self, options: PredictOptions, info: DetectorInfo) -> PredictOptions:
        """Return the options that have a detector find all that may be chosen."""
        if not self.confidences and not self.by_place:
            return options
        regions = self.regions if _has_places(info) else ()
        named = {*self.confidences, *(name for one in regions for name in one.detect or ()), ANY}
        labels = [
            label
            for label in info.labels or sorted(named)
            if options.labels is None or label in options.labels or label == ANY
        ]
        least = min(
            (
                least
                for label in labels
                for region in regions or (None,)
                if (least := self._least(label, region, options, info)) is not None
            ),
            default=1.0,  # nothing that it can find is looked for
        )
        return replace(options, min_confidence=least, max_detections=MOST_DETECTIONS)

    def chosen(
        self,
        found: Sequence[Detection],
        size: tuple[int, int],
        options: PredictOptions,
        info: DetectorInfo,
    ) -> tuple[Detection, ...]:
        """Return the finds that are answered, boxes cut to the picture, the surest first.

        Everything that ``options`` say is applied as well, for detectors that do not.
        """
        clipped = []
        for one in found:
            box = one.box.clipped(*size)
            if box is not None and (options.labels is None or one.label in options.labels):
                clipped.append(one if box == one.box else replace(one, box=box))
        if self.by_place and _has_places(info):
            kept = self._placed(clipped, size, options, info)
        else:
            kept = [one for one in clipped if self._sure(one, None, options, info)]
        kept.sort(key=lambda d: -d.confidence)
        return tuple(kept[: options.max_detections])

    def _placed(
        self,
        found: Sequence[Detection],
        size: tuple[int, int],
        options: PredictOptions,
        info: DetectorInfo,
    ) -> list[Detection]:
        boxes = np.array([one.box.as_tuple() for one in found], np.float64).reshape(-1, 4)
        sides = (boxes[:, 2:] - boxes[:, :2]) / size
        fits = np.all((sides >= self.min_box) & (sides <= self.max_box), axis=1)
        kept = np.zeros(len(found), bool)
        for region in self.regions or (None,):
            sure = np.array([self._sure(one, region, options, info) for one in found], bool)
            here = sure if region is None else sure & region.takes(boxes / (*size, *size))
            kept |= fits & here
        return [one for one, is_kept in zip(found, kept, strict=True) if is_kept]

    def _sure(
        self, one: Detection, region: Region | None, options: PredictOptions, info: DetectorInfo
    ) -> bool:
        least = self._least(one.label, region, options, info)
        return least is not None and one.confidence >= least

    def _least(
        self, label: str, region: Region | None, options: PredictOptions, info: DetectorInfo
    ) -> float | None:
        others = options.min_confidence
        least = self.confidences.get(label, info.default_confidence if others is None else others)
        return least if region is None else region.least(label, least)


def _has_places(info: DetectorInfo) -> bool:
    """Tell whether what it finds has a place: a whole picture's class has none."""
    return info.task != "classification"
