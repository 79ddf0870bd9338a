"""``python -m visiongate.models check``: try a detector as the gateway would, say what is wrong.

It goes by the settings in force, so that a model of one's own can be tried before it is served.
Exit status: 0 it answers (what looks doubtful is said on standard error), 1 it does not, 2 wrong
usage or settings.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from visiongate.errors import ConfigurationError, ModelUnavailable, VisiongateError
from visiongate.models.console import show_table
from visiongate.types import Detection, PredictOptions, User

if TYPE_CHECKING:
    from visiongate.contracts import Detector
    from visiongate.registry import Entry
    from visiongate.runtimes.openvino import Port
    from visiongate.services import Services
    from visiongate.types import Image, Report

__all__ = ["add_command"]

_PROBE = Path(__file__).parents[1] / "probe.jpg"
_OPERATOR = User(username="(operator)", password_hash="", role="admin")
_EVERYTHING = PredictOptions(min_confidence=0.0, max_detections=1000, abstain_below=0.0)
_ROWS = 10
_CHANCES = 5
_SIDE = 256
# Pictures that have nothing in common are judged alike to this by what does not look at them, and
# with a confidence above that by what was fed numbers far larger than those it learnt from.
_ALIKE = 0.005
_CERTAIN = 0.999


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add ``check`` to the command line."""
    parser = commands.add_parser("check", help="try a detector, and say in words what is wrong")
    parser.add_argument("name", metavar="NAME", help="a detector, such as object")
    parser.add_argument(
        "--picture", type=Path, default=_PROBE, metavar="FILE", help="default: a portrait"
    )
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from visiongate.imaging import Limits, decode
    from visiongate.services import build_services
    from visiongate.settings import load_settings

    settings = load_settings()
    try:
        data = options.picture.read_bytes()
        decode(data, Limits(settings.max_upload_bytes, settings.max_pixels))
    except (OSError, VisiongateError) as error:
        raise ConfigurationError(f"The picture {options.picture} cannot be read: {error}") from None
    if options.name in settings.detectors_disabled:
        _note(f"{options.name} is switched off (detectors_disabled); it is tried all the same.")
        others = tuple(name for name in settings.detectors_disabled if name != options.name)
        settings = settings.model_copy(update={"detectors_disabled": others})
    services = build_services(settings)
    try:
        return _check(services, services.registry.get(options.name), data, str(options.picture))
    finally:
        services.close()


def _check(services: Services, entry: Entry, data: bytes, shown: str) -> int:
    from visiongate.pipeline import DetectRequest

    facts = [("detector", f"{entry.name} ({entry.source})")]
    facts += [(name, str(value)) for name, value in entry.options.items()]
    facts += _of_the_file(services, entry)
    asked = DetectRequest((entry.name,), delete=True, whole_picture_as_face=True)
    try:
        detector = services.detector(entry)
        report = services.pipeline.run(data, _OPERATOR, asked).report
    except VisiongateError as error:
        show_table("What was tried", ("", ""), facts)
        _note(f"{entry.name} does not work: {error.detail}")
        return 1
    show_table("What was tried", ("", ""), [*facts, *_of_the_model(detector, report, shown)])
    show_table("What it answered", ("label", "confidence", "box", "more"), _answers(report))
    for warning in report.warnings:
        _note(warning)
    for doubt in _doubts(detector, report, own=_file(entry) is not None):
        _note(f"Doubtful: {doubt}")
    _note(f"{entry.name} works.")
    return 0


def _of_the_file(services: Services, entry: Entry) -> Iterator[tuple[str, str]]:
    """Yield what a file of the operator's own takes and gives, whether or not that fits."""
    from visiongate.runtimes.convert import readable
    from visiongate.runtimes.openvino import OpenVinoModel

    path = _file(entry)
    if path is None:
        return
    try:
        net = OpenVinoModel(readable(path, services.models.cache_dir()), services.device)
    except ModelUnavailable:
        return  # loading the detector says so, with what the configuration adds
    yield "the file takes", "; ".join(map(_port, net.inputs))
    yield "the file gives", "; ".join(map(_port, net.outputs))


def _file(entry: Entry) -> Path | None:
    """Return the file of the operator's own that takes the place of the detector's model."""
    from visiongate.runtimes.convert import FORMATS

    path = Path(str(entry.options.get("model", ""))).expanduser()
    return path if path.suffix.lower() in FORMATS else None


def _port(port: Port) -> str:
    sides = ", ".join("any" if side < 0 else str(side) for side in port.shape)
    return f"{port.name or 'unnamed'} ({sides}) {port.dtype}"


def _of_the_model(detector: Detector, report: Report, shown: str) -> Iterator[tuple[str, str]]:
    model, info, picture = detector.model, detector.info, report.picture
    if model is not None:
        yield "model", model.name
        yield "SHA-256", model.sha256 or "no weights file"
        yield "runs on", model.runtime
        yield "licence", model.licence or "not stated"
    first = ", ".join(info.labels[:_ROWS]) + (", …" if len(info.labels) > _ROWS else "")
    yield "labels", f"{len(info.labels)}: {first}"
    yield "picture", f"{shown}, {picture.width}x{picture.height} {picture.format}"
    for part in report.detectors:
        yield f"{part.name} took", f"{part.milliseconds:.1f} ms"


def _answers(report: Report) -> Iterator[tuple[str, str, str, str]]:
    found = sorted(report.detections, key=lambda one: -one.confidence)
    for one in found[:_ROWS]:
        box = "{}, {}, {}, {}".format(*one.box.as_pixels())
        said = [
            f"{name}: {attribute.label} {attribute.confidence:.3f}{_in_words(attribute)}"
            for name, attribute in one.attributes.items()
        ]
        more = [*said, *(["landmarks"] if one.landmarks else [])]
        yield one.label, f"{one.confidence:.3f}", box, "; ".join(more) + _in_words(one)
    if not found:
        yield "nothing", "", "", ""
    elif len(found) > _ROWS:
        yield f"and {len(found) - _ROWS} more", "", "", ""


def _in_words(said: Any) -> str:
    """Return the likeliest labels of a ``Detection`` or ``Attribute`` that has probabilities."""
    chances: Mapping[str, float] = said.probabilities
    best = sorted(chances.items(), key=lambda item: -item[1])[:_CHANCES]
    return f" ({', '.join(f'{label} {value:.3f}' for label, value in best)})" if best else ""


def _doubts(detector: Detector, report: Report, *, own: bool) -> Iterator[str]:
    """Yield what makes an answer look as if the model were fed otherwise than in its training."""
    info = detector.info
    if info.task == "detection":
        if not report.detections:
            least = f"{info.default_confidence:g}"
            advice = (
                " look at colour and scaling, or lower default_confidence."
                if own
                else (" another model may find it; docs/models.md has the choice.")
            )
            yield (
                f"it found nothing with a confidence of {least} or more. If the picture shows "
                f"what it knows,{advice}"
            )
        return
    judged = [_judged(detector, picture) for picture in _unlike(report.picture.pixels)]
    tops = [max(chances.values(), default=0.0) for chances in judged]
    labels = {label for chances in judged for label in chances}
    spread = max(
        (float(np.ptp([chances.get(label, 0.0) for chances in judged])) for label in labels),
        default=0.0,
    )
    if spread < _ALIKE:
        yield (
            "it judges this picture, its negative, noise and a gray one alike, so it does not see "
            "what they show. Most often, scaling is another than in training: 0..1 in place of "
            "0..255, or the other way round."
        )
    elif min(tops) > _CERTAIN:
        yield (
            "it is certain of everything, of noise and of a gray picture too. Most often, scaling "
            "is another than in training: 0..255 in place of 0..1, say."
        )


def _unlike(image: Image) -> list[Image]:
    """Return four pictures that have nothing in common, the first the given one."""
    noise = np.random.default_rng(0).integers(0, 256, (_SIDE, _SIDE, 3)).astype(np.uint8)
    return [image, np.asarray(255 - image, np.uint8), noise, np.full_like(noise, 128)]


def _judged(detector: Detector, picture: Image) -> Mapping[str, float]:
    found: tuple[Detection, ...] = detector.predict([picture], _EVERYTHING)[0]
    if len(found) == 1 and found[0].probabilities:
        return found[0].probabilities
    return {one.label: one.confidence for one in found}


def _note(message: str) -> None:
    sys.stderr.write(f"{message}\n")
