"""Read a network and fit it to what asks it; what is kept, processes forked later share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["Pixels", "keep", "read"]


@dataclass(frozen=True, slots=True)
class Pixels:
    """How a model wants its one picture, so that ``run`` can take RGB ``uint8`` ``(1, H, W, 3)``.

    The model itself, then, takes float ``(1, 3, H, W)``, channels in ``order``, less ``mean`` and
    divided by ``scale``, both in that order. The arithmetic becomes part of the network.
    """

    order: Literal["RGB", "BGR"] = "RGB"
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    scale: tuple[float, float, float] = (1.0, 1.0, 1.0)


_Key: TypeAlias = tuple[Path, tuple[tuple[int, ...], ...], Pixels | None]
_kept: dict[_Key, Any] = {}


def read(
    ov: ModuleType,
    core: Any,
    path: Path,
    *,
    shape: Sequence[int] | Mapping[str, Sequence[int]] | None = None,
    pixels: Pixels | None = None,
    int8: bool = False,
) -> Any:
    """Return the network as ``openvino.Model``, the one that is kept where its file is the same.

    The arguments are those of ``OpenVinoModel``. The caller must not change what is returned.

    Raises:
        RuntimeError: OpenVINO cannot read it, or the shape does not fit.
    """
    plain = shape is None and not int8
    if _kept and plain and (kept := _kept.get(_key(path, pixels))) is not None:
        return kept
    model = core.read_model(path)
    if shape is not None:
        model.reshape(dict(shape) if isinstance(shape, Mapping) else list(shape))
    if pixels is not None:
        model = _taking_pixels(ov, model, pixels)
    if not int8:
        _fold_constants(model)
    return model


def keep(ov: ModuleType, core: Any, path: Path, *, pixels: Pixels | None = None) -> None:
    """Read a network now and keep it, for this process and those that it will fork."""
    # Asked before it is read: what is written meanwhile does not pass for what is kept.
    key = _key(path, pixels)
    _kept[key] = read(ov, core, path, pixels=pixels)


def _key(path: Path, pixels: Pixels | None) -> _Key:
    """Tell a network from others, and from what will be written in its place."""
    parts = []
    for part in (path, path.with_suffix(".bin")):  # OpenVINO's own form is two files
        with suppress(OSError):  # whoever reads it says so better
            about = part.stat()
            parts.append((about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns))
    return (path, tuple(parts), pixels)


def _fold_constants(model: Any) -> None:
    """Turn int8 weights into the floats that they stand for, before anything is compiled.

    Left to the compilation with several streams, OpenVINO 2026.4 computes nonsense from those of
    ONNX files. It also is the faster way for networks that came quantised from TFLite.
    """
    from openvino.passes import ConstantFolding, Manager

    passes = Manager()
    passes.register_pass(ConstantFolding())
    passes.run_passes(model)


def _taking_pixels(ov: ModuleType, model: Any, pixels: Pixels) -> Any:
    steps = ov.preprocess.PrePostProcessor(model)
    source = steps.input()
    source.tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    source.model().set_layout(ov.Layout("NCHW"))
    work = source.preprocess().convert_element_type(ov.Type.f32)
    if pixels.order == "BGR":
        work.reverse_channels()
    if any(pixels.mean):
        work.mean(list(pixels.mean))
    if any(value != 1.0 for value in pixels.scale):
        work.scale(list(pixels.scale))
    return steps.build()
