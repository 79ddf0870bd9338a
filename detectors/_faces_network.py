"""The network of our own that judges faces: one body, a head for gender and one for the group.

``weights/`` carries it and its card, which tells how it was made, how well it does and for whom
it does worse. Both detectors run one copy of it, and asking for both runs it once.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from visiongate.errors import ModelUnavailable
from visiongate.runtimes.converted import sha256_of
from visiongate.runtimes.openvino import OpenVinoModel, read_ahead
from visiongate.types import Device, Image, ModelUse

__all__ = ["GENDER", "GROUP", "SIZE", "FacesNetwork", "read_network_ahead", "shared_network"]

GENDER, GROUP = "gender", "group"
SIZE = 150
"""Side of the crops in pixels; see the card."""

_FILE = Path(__file__).with_name("weights") / "faces_attributes.onnx"
_LICENCE = "MIT; trained on FairFace (CC BY 4.0), from dlib's weights (CC0-1.0)"
_Answer: TypeAlias = tuple[list["weakref.ref[Image]"], Mapping[str, NDArray[np.float32]]]
_lock = threading.Lock()


class FacesNetwork:
    """The shipped network, loaded. Thread-safe.

    Raises:
        ModelUnavailable: the file is missing or damaged.
    """

    def __init__(self, file: Path, device: Device) -> None:
        self._net = OpenVinoModel(file, device, all_cores_for_one=True)
        self._heads = {port.name: i for i, port in enumerate(self._net.outputs)}
        shape = self._net.inputs[0].shape
        if not {GENDER, GROUP} <= set(self._heads) or shape[-1] != 3:
            raise ModelUnavailable(
                f"{file} is not the faces network: it takes {shape} and gives "
                f"{', '.join(self._heads)}. Restore it from the release."
            )
        self.size = shape[1] if shape[1] > 0 else SIZE
        self.use = ModelUse("faces_attributes", sha256_of(file), self._net.runtime, _LICENCE)
        self._last = threading.local()

    def probabilities(self, crops: Sequence[Image]) -> Mapping[str, NDArray[np.float32]]:
        """Return each head's calibrated probabilities, ``(N, labels)``, for square RGB crops.

        The answer to the last crops is remembered for each thread, so that the second of two
        heads costs nothing.
        """
        remembered: _Answer | None = getattr(self._last, "answer", None)
        if remembered is not None and len(remembered[0]) == len(crops):
            same = zip(remembered[0], crops, strict=True)
            # The very same arrays: a crop that is gone cannot be taken for another.
            if all(reference() is crop for reference, crop in same):
                return remembered[1]
        batch = np.stack([self._fitted(crop) for crop in crops])
        outputs = self._net.run(batch.astype(self._net.inputs[0].dtype))
        answer = {name: outputs[i].astype(np.float32) for name, i in self._heads.items()}
        self._last.answer = ([weakref.ref(crop) for crop in crops], answer)
        return answer

    def _fitted(self, crop: Image) -> Image:
        if crop.shape[:2] == (self.size, self.size):
            return crop
        shrinks = min(crop.shape[:2]) >= self.size
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        return np.asarray(cv2.resize(crop, (self.size, self.size), interpolation=how), np.uint8)


def read_network_ahead() -> None:
    """Read the network once for all processes that are forked from this one."""
    read_ahead(_FILE)


_shared: weakref.WeakValueDictionary[Device, FacesNetwork] = weakref.WeakValueDictionary()


def shared_network(device: Device) -> FacesNetwork:
    """Return the one copy of the network on this device, loaded by whoever asks first."""
    with _lock:
        network = _shared.get(device)
        if network is None:
            network = FacesNetwork(_FILE, device)
            _shared[device] = network
        return network
