"""Measure a detector's mean average precision on a folder in COCO's format.

The arithmetic is COCO's own, by pycocotools, which is needed for this alone.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visiongate.contracts import Detector
from visiongate.errors import ConfigurationError
from visiongate.models.console import open_store, show_table
from visiongate.types import Detection, PredictOptions

__all__ = ["Scores", "add_command", "evaluate"]

# As COCO's own evaluation: many uncertain boxes, up to 100 a picture, cost no precision.
_OPTIONS = PredictOptions(min_confidence=0.01, max_detections=100)
_MAX_BYTES = 100_000_000
_MAX_PIXELS = 200_000_000


@dataclass(frozen=True, slots=True)
class Scores:
    """Average precision over IoU 0.50 to 0.95, and its parts, each in [0, 1].

    A part of which the folder has no example is None; ``classes`` holds the average precision of
    each label that the folder has examples of.
    """

    ap: float | None
    ap50: float | None
    ap75: float | None
    ap_small: float | None
    ap_medium: float | None
    ap_large: float | None
    ar100: float | None
    classes: Mapping[str, float]
    pictures: int
    missing: int
    milliseconds: float


def evaluate(
    detector: Detector,
    annotations: Path,
    images: Path,
    *,
    limit: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Scores:
    """Run a loaded detector over the pictures of ``annotations`` that are in ``images``.

    Categories and labels meet by name; categories that the detector does not know are left out, as
    are pictures that are not in the folder (counted in ``missing``).

    Raises:
        ConfigurationError: pycocotools is not installed, or the folder is not in COCO's format, has
            none of the pictures, or no category that the detector knows.
        VisiongateError: a picture cannot be read.
    """
    from visiongate.imaging import Limits, decode

    truth = _read(annotations)
    known = set(detector.info.labels)
    categories = {c["name"]: c["id"] for c in truth.dataset["categories"] if c["name"] in known}
    if not categories:
        raise ConfigurationError(
            f"{annotations} has none of the labels that detector {detector.info.name!r} knows."
        )
    listed = sorted(truth.dataset["images"], key=lambda image: image["id"])
    present = [image for image in listed if (images / image["file_name"]).is_file()][:limit]
    if not present:
        raise ConfigurationError(f"{images} has none of the pictures that {annotations} lists.")
    found: list[dict[str, Any]] = []
    seconds = 0.0
    for done, image in enumerate(present, start=1):
        data = (images / image["file_name"]).read_bytes()
        pixels = decode(data, Limits(_MAX_BYTES, _MAX_PIXELS)).pixels
        begun = time.perf_counter()
        (detections,) = detector.predict([pixels], _OPTIONS)
        seconds += time.perf_counter() - begun
        found += [_row(d, image["id"], categories) for d in detections if d.label in categories]
        if progress is not None:
            progress(done, len(present))
    ids = [image["id"] for image in present]
    return _score(
        truth, found, ids, categories, len(listed) - len(present), 1000 * seconds / len(ids)
    )


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``evaluate`` to the command line."""
    parser = commands.add_parser("evaluate", help="measure mAP on a folder in COCO's format")
    parser.add_argument("annotations", type=Path, help="instances_….json")
    parser.add_argument("images", type=Path, help="the folder of its pictures")
    parser.add_argument("--detector", default="object", metavar="NAME", help="default: object")
    parser.add_argument("--model", metavar="NAME", help="default: as in the settings")
    parser.add_argument("--limit", type=_count, metavar="N", help="the first N pictures alone")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from visiongate.registry import Registry
    from visiongate.settings import load_settings
    from visiongate.types import Device

    settings = load_settings()
    chosen = {name: dict(given) for name, given in settings.detectors.items()}
    if options.model:
        # What the settings say of a model of one's own does not hold for another.
        chosen[options.detector] = {"model": options.model}
    entry = Registry.discover(chosen).get(options.detector)
    if entry.detector is None:
        raise ConfigurationError(f"Detector {entry.name!r} {entry.reason}")
    entry.detector.load(open_store(), Device(settings.device))
    scores = evaluate(
        entry.detector,
        options.annotations,
        options.images,
        limit=options.limit,
        progress=_note,
    )
    model = entry.detector.model
    sys.stderr.write(
        f"{scores.pictures} pictures, {scores.missing} more not in the folder or beyond the "
        f"limit; {scores.milliseconds:.1f} ms a picture.\n"
    )
    rows = [
        ("AP", scores.ap),
        ("AP50", scores.ap50),
        ("AP75", scores.ap75),
        ("AP small", scores.ap_small),
        ("AP medium", scores.ap_medium),
        ("AP large", scores.ap_large),
        ("AR100", scores.ar100),
        *((f"AP {label}", value) for label, value in scores.classes.items()),
    ]
    title = model.name if model is not None else entry.name
    show_table(title, ("measure", "value"), [(name, _text(value)) for name, value in rows])
    return 0


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def _text(value: float | None) -> str:
    return "no example" if value is None else f"{value:.3f}"


def _note(done: int, total: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{done} of {total} pictures" + ("\n" if done == total else ""))
        sys.stderr.flush()


def _read(annotations: Path) -> Any:
    """Return pycocotools' reading of a file."""
    try:
        from pycocotools.coco import COCO
    except ImportError:
        raise ConfigurationError(
            "Measuring needs pycocotools: pip install pycocotools, then try again."
        ) from None
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            truth = COCO(str(annotations))
        if not all(truth.dataset[part] for part in ("images", "annotations", "categories")):
            raise ValueError("a list is empty")
        for part, key in (("images", "file_name"), ("categories", "name")):
            if not all({"id", key} <= set(entry) for entry in truth.dataset[part]):
                raise ValueError(f"each of {part} needs id and {key}")
        return truth
    except (OSError, ValueError, KeyError, TypeError, AssertionError) as error:
        raise ConfigurationError(
            f"{annotations} is not in COCO's format (images, annotations, categories): {error}"
        ) from error


def _row(detection: Detection, image: int, categories: Mapping[str, int]) -> dict[str, Any]:
    box = detection.box
    return {
        "image_id": image,
        "category_id": categories[detection.label],
        "bbox": [box.x1, box.y1, box.width, box.height],
        "score": detection.confidence,
    }


def _score(
    truth: Any,
    found: list[dict[str, Any]],
    ids: list[int],
    categories: Mapping[str, int],
    missing: int,
    milliseconds: float,
) -> Scores:
    from pycocotools.cocoeval import COCOeval

    names = sorted(categories)
    with contextlib.redirect_stdout(io.StringIO()):
        # loadRes refuses an empty list; a result that matches no picture counts for nothing.
        nothing = {"image_id": ids[0], "category_id": 0, "bbox": [0, 0, 1, 1], "score": 0.0}
        run = COCOeval(truth, truth.loadRes(found or [nothing]), "bbox")
        run.params.imgIds = ids
        run.params.catIds = [categories[name] for name in names]
        run.evaluate()
        run.accumulate()
        run.summarize()
    stats = [None if value < 0 else float(value) for value in run.stats]
    # precision: IoU x recall x class x area x detections; -1 where there is no example.
    precision = run.eval["precision"][:, :, :, 0, -1]
    classes = {
        name: float(precision[:, :, index].mean())
        for index, name in enumerate(names)
        if (precision[:, :, index] > -1).all()
    }
    ap, ap50, ap75, small, medium, large = stats[:6]
    return Scores(
        ap,
        ap50,
        ap75,
        small,
        medium,
        large,
        stats[8],
        classes,
        len(ids),
        missing,
        milliseconds,
    )
