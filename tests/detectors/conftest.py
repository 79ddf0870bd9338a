"""Small networks of a user's own, in every file form, made once for all tests that use them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.detectors.networks import save_brightest_channel

# Made in a process of its own: TensorFlow's warnings and memory stay there. The network says which
# channel is the brightest, on the scale of 0 to 1.
_MAKE = """
import sys, numpy as np, keras, tensorflow as tf
folder = sys.argv[1]
colours = np.random.default_rng(0).random((50, 3))
net = keras.Sequential([
    keras.layers.Input((16, 20, 3)),
    keras.layers.GlobalAveragePooling2D(),
    keras.layers.Dense(3, activation="softmax", kernel_initializer="identity"),
])
net.layers[-1].set_weights([np.eye(3) * 8.0, np.zeros(3)])
net.save(folder + "/net.h5")
net.save(folder + "/net.keras")

def save(name, kind=None):
    converter = tf.lite.TFLiteConverter.from_keras_model(net)
    if kind is not None:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.representative_dataset = lambda: (
            [np.full((1, 16, 20, 3), colour, "float32")] for colour in colours
        )
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
        converter.inference_input_type = converter.inference_output_type = kind
    open(f"{folder}/{name}.tflite", "wb").write(converter.convert())

save("net")
save("net_int8", tf.int8)
save("net_uint8", tf.uint8)
"""


@pytest.fixture(scope="session")
def nets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one network as ``net.h5``, ``.keras``, ``.tflite`` and ``.onnx``.

    And as ``net_int8.tflite`` and ``net_uint8.tflite``, quantised from the input to the output.

    It takes 20 x 16 pixels, red, green and blue from 0 to 1, and gives the softmax of eight times
    each channel's mean.
    """
    folder = tmp_path_factory.mktemp("nets")
    done = subprocess.run(
        [sys.executable, "-c", _MAKE, str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    save_brightest_channel(folder / "net.onnx")
    return folder


@pytest.fixture(scope="session")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for what is converted, so that each file is converted once in a test run."""
    return tmp_path_factory.mktemp("converted")
