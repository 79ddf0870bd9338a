"""Refuse what the asked detectors cannot find: it would silently find nothing."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator

from visiongate.errors import OptionInvalid
from visiongate.pipeline import FACE
from visiongate.regions import ANY
from visiongate.registry import Registry
from visiongate.types import DetectorInfo
from visiongate.web.options import DetectOptions

__all__ = ["check_findable"]


def check_findable(registry: Registry, names: Collection[str], options: DetectOptions) -> None:
    """Check labels against what these detectors know, and places against what they can tell.

    Options choose what is found, so for a detector that judges faces they choose faces.

    Raises:
        OptionInvalid: names the near labels, or the option that says nothing here.
        DetectorUnknown: lists the detectors that exist.
    """
    infos = [registry.get(name).info for name in names]
    judged = {
        label
        for info in infos
        if info is not None and info.needs == "faces"
        for label in info.labels
    }
    if any(info is not None and info.needs == "faces" for info in infos):
        infos = [info for info in infos if info is None or info.needs != "faces"]
        infos.append(registry.get(FACE).info)
    known = [info for info in infos if info is not None]
    if len(known) < len(infos):  # out of order: nobody can tell
        return
    if options.selection.by_place and all(info.task == "classification" for info in known):
        raise OptionInvalid(
            f"Options 'regions', 'min_box' and 'max_box' choose boxes, and {', '.join(names)} "
            "finds none: it judges the picture as a whole."
        )
    named = tuple(_named(options))
    if named and all(info.labels for info in known):  # classifiers have a thousand
        _check_labels(known, names, named, judged)


def _check_labels(
    infos: Collection[DetectorInfo],
    names: Collection[str],
    named: Collection[tuple[str, str]],
    judged: Collection[str],
) -> None:
    known = {label for info in infos for label in info.labels}
    for option, label in named:
        if label in judged and label not in known:
            raise OptionInvalid(
                f"Option {option!r} chooses what is found, here faces: {label!r} is what a face "
                "is judged to be, and every face that is found is judged. Choose in the answer."
            )
        if label not in known:
            near = difflib.get_close_matches(label[:64], known, n=3) or sorted(known)[:10]
            raise OptionInvalid(
                f"Option {option!r}: {', '.join(names)} cannot find {label[:64]!r}. "
                f"Try one of: {', '.join(near)}. All are in GET /api/v1/detectors."
            )


def _named(options: DetectOptions) -> Iterator[tuple[str, str]]:
    """Yield each label that is named, after the option that names it."""
    selection = options.selection
    named = {
        "labels": options.predict.labels or (),
        "min_confidence": selection.confidences,
        "regions": {label for region in selection.regions for label in region.detect or ()},
    }
    for option, labels in named.items():
        yield from (
            (option, label) for label in sorted(labels) if label != ANY or option == "labels"
        )
