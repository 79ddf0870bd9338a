"""What the configuration must say of a model of the user's own, because its file does not."""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from visiongate.errors import ConfigurationError

__all__ = ["OPTIONS", "CustomModel"]

Colour = Literal["rgb", "bgr", "gray"]
Activation = Literal["none", "softmax", "sigmoid"]

OPTIONS = ("labels", "input_size", "colour", "scaling", "activation")
"""What can be said of a model, besides its file."""

_SIDES = range(8, 4097)

# (mean, scale) for pixels of 0 to 255, in the order red, green, blue.
_SCALINGS: Mapping[str, tuple[tuple[float, ...], tuple[float, ...]]] = {
    "0..255": ((0.0,), (1.0,)),
    "0..1": ((0.0,), (255.0,)),
    "-1..1": ((127.5,), (127.5,)),
    # torchvision's documented normalisation.
    "imagenet": ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    # keras.applications' "caffe" mode (VGG16, ResNet50): means only, there with colour = "bgr".
    "caffe": ((123.68, 116.779, 103.939), (1.0, 1.0, 1.0)),
}


@dataclass(frozen=True, slots=True)
class CustomModel:
    """A model file, and how pictures are fed to it.

    ``input_size`` is (width, height); None reads it from the file. ``mean`` and ``scale`` give
    (pixel - mean) / scale, pixels 0 to 255, one number or one for each channel in the order of
    ``colour``. ``labels`` stand in the order of the outputs. ``activation`` is what the file
    leaves to the caller.
    """

    path: Path
    labels: tuple[str, ...]
    input_size: tuple[int, int] | None = None
    colour: Colour = "rgb"
    mean: tuple[float, ...] = (0.0,)
    scale: tuple[float, ...] = (1.0,)
    activation: Activation = "none"

    @property
    def channels(self) -> int:
        return 1 if self.colour == "gray" else 3

    @classmethod
    def read(
        cls,
        where: str,
        *,
        model: Any,
        takes: Collection[str] = OPTIONS,
        least_labels: int = 2,
        **given: Any,
    ) -> CustomModel:
        """Check what stands in the section ``where`` of the configuration.

        ``labels`` is a list, or the name of a file with one a line. ``input_size`` is the side in
        pixels, or [width, height]. ``scaling`` is a name, whose means follow ``colour``, or
        ``{"mean": …, "scale": …}``.

        Raises:
            ConfigurationError: an option that is not among ``takes``, or a value that does not
                fit; says what would.
        """
        for name in given:
            if name not in takes:
                near = difflib.get_close_matches(name, takes, n=1)
                hint = f" Did you mean {near[0]}?" if near else ""
                raise ConfigurationError(
                    f"{where} {name} means nothing for this model.{hint} "
                    f"What can be said of it: {', '.join(takes) or 'nothing but its file'}."
                )
        if not isinstance(model, str) or not model:
            raise ConfigurationError(f"{where} model must name a file, got {model!r}.")
        colour = _choice(where, "colour", given.get("colour", "rgb"), get_args(Colour))
        activation = given.get("activation", "none")
        mean, scale = _scaling(where, given.get("scaling", "0..255"), colour)
        return cls(
            path=Path(model).expanduser(),
            labels=_labels(where, given.get("labels", ()), least_labels),
            input_size=_size(where, given.get("input_size")),
            colour=colour,
            mean=mean,
            scale=scale,
            activation=_choice(where, "activation", activation, get_args(Activation)),
        )


def _choice(where: str, name: str, value: Any, choices: tuple[str, ...]) -> Any:
    if value not in choices:
        raise ConfigurationError(f"{where} {name} must be {_either(choices)}, got {value!r}.")
    return value


def _either(choices: tuple[str, ...]) -> str:
    return f"{', '.join(choices[:-1])} or {choices[-1]}"


def _labels(where: str, labels: Any, least: int) -> tuple[str, ...]:
    if isinstance(labels, str):
        try:
            lines = Path(labels).expanduser().read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                f"{where} labels must be a list, or a file with one a line; {labels!r} cannot be "
                f"read: {error}"
            ) from None
        labels = [line.strip() for line in lines if line.strip()]
    if not isinstance(labels, (list, tuple)) or not all(isinstance(v, str) and v for v in labels):
        raise ConfigurationError(f"{where} labels must be a list of names, got {labels!r}.")
    if len(labels) < least:
        wanted = "two names or more" if least == 2 else "one name or more"
        raise ConfigurationError(
            f"{where} labels must list {wanted}, in the order of the model's outputs, "
            f"got {list(labels)!r}."
        )
    twice = sorted({name for name in labels if labels.count(name) > 1})
    if twice:
        raise ConfigurationError(f"{where} labels name something twice: {', '.join(twice[:8])}.")
    return tuple(labels)


def _size(where: str, size: Any) -> tuple[int, int] | None:
    if size is None:
        return None
    sides = list(size) if isinstance(size, (list, tuple)) else [size, size]
    if len(sides) != 2 or not all(type(side) is int and side in _SIDES for side in sides):
        raise ConfigurationError(
            f"{where} input_size must be a side or [width, height], 8 to 4096, got {size!r}."
        )
    return (sides[0], sides[1])


def _scaling(where: str, scaling: Any, colour: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    if isinstance(scaling, Mapping):
        mean, scale = _numbers(scaling.get("mean", 0.0)), _numbers(scaling.get("scale", 1.0))
        if not mean or not scale or 0.0 in scale or set(scaling) - {"mean", "scale"}:
            raise ConfigurationError(
                f"{where} scaling takes mean and scale, each one number or three, scale not 0, "
                f"got {dict(scaling)!r}."
            )
    elif isinstance(scaling, str) and scaling in _SCALINGS:
        mean, scale = _SCALINGS[scaling]
        if colour == "bgr":
            mean, scale = mean[::-1], scale[::-1]
    else:
        raise ConfigurationError(
            f"{where} scaling must be one of {', '.join(_SCALINGS)}, or a table with mean and "
            f"scale, got {scaling!r}."
        )
    if colour == "gray" and max(len(mean), len(scale)) > 1:
        raise ConfigurationError(
            f"{where} scaling {scaling!r} has three numbers, but a gray picture has one channel."
        )
    return mean, scale


def _numbers(value: Any) -> tuple[float, ...]:
    """Return one number or three as floats; nothing for anything else."""
    values = value if isinstance(value, (list, tuple)) else [value]
    fits = len(values) in (1, 3) and all(
        type(v) in (int, float) and math.isfinite(v) for v in values
    )
    return tuple(float(v) for v in values) if fits else ()
