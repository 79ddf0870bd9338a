"""Run a Keras model's layers as plain PyTorch functions: the same arithmetic, twice as fast.

Keras keeps pictures as (N, H, W, C) and asks for kernels in its own order at every call; here they
stay in PyTorch's `channels_last` memory, convolutions run under bfloat16 autocast, and only what
is cheaper in float32 stays there. Parameters are copied from the Keras model and, by `write_back`,
into it again; a test shows that both answer alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

__all__ = ["Twin", "Values"]

#: Parameters by name, `LAYER.weight` and `LAYER.bias`.
Values = dict[str, Tensor]


_EPSILON = 1e-3  # of the batch norm, as MobileNetV2 has it
_MOMENTUM = 0.01


@dataclass(frozen=True)
class _Step:
    """One convolution and what stands around it."""

    name: str
    stride: int
    depthwise: bool
    begins_block: bool  # what comes in is kept for the shortcut
    active: bool  # ReLU6 follows
    ends_block: bool  # what was kept is added


class Twin:
    """The PyTorch twin of a model made by `training.model.build`."""

    def __init__(self, network: Any, frozen: int = 0, normalise: bool = False) -> None:
        """Copy the parameters of `network`; the first `frozen` convolutions are not trained.

        With `normalise`, a batch norm follows each convolution that is trained (it stands still
        until `calibrate` has run); `write_back` folds it into the convolution again.
        """
        self.network = network
        self.heads = tuple(network.output)
        self.dropout = float(network.get_layer("dropout").rate)
        self.plan = _plan(network)
        self.values: Values = {}
        for name in (*(step.name for step in self.plan), *self.heads):
            layer = network.get_layer(name)
            kernel, bias = (np.asarray(value) for value in layer.get_weights())
            weight = torch.from_numpy(kernel.transpose(_to_torch(layer)).copy())
            if weight.ndim == 4:
                weight = weight.contiguous(memory_format=torch.channels_last)
            self.values[f"{name}.weight"] = weight
            self.values[f"{name}.bias"] = torch.from_numpy(bias.copy())
            if normalise and weight.ndim == 4 and name not in {s.name for s in self.plan[:frozen]}:
                channels = len(bias)
                self.values[f"{name}.gamma"] = torch.ones(channels)
                self.values[f"{name}.beta"] = torch.zeros(channels)
                self.values[f"{name}.mean"] = torch.zeros(channels)
                self.values[f"{name}.variance"] = torch.ones(channels) - _EPSILON
        still = {step.name for step in self.plan[:frozen]}
        for name, value in self.values.items():
            layer_name, _, kind = name.partition(".")
            fixed = layer_name in still or kind in ("mean", "variance")
            fixed = fixed or (kind == "bias" and f"{layer_name}.beta" in self.values)
            value.requires_grad_(not fixed)

    @property
    def trained(self) -> Values:
        """Return the parameters that are to be trained."""
        return {name: value for name, value in self.values.items() if value.requires_grad}

    def load(self, values: Values) -> None:
        """Take over parameters, in place."""
        with torch.no_grad():
            for name, value in self.values.items():
                value.copy_(values[name])

    def calibrate(self, images: Tensor) -> None:
        """Set every batch norm to the statistics of these pictures, so that it changes nothing."""
        with torch.no_grad():
            self(images, calibrating=True)

    def folded(self, values: Values | None = None) -> Values:
        """Return the parameters with every batch norm folded into its convolution."""
        source = self.values if values is None else values
        plain: Values = {}
        for name in (*(step.name for step in self.plan), *self.heads):
            weight, bias = (
                source[f"{name}.{kind}"].detach().clone() for kind in ("weight", "bias")
            )
            if f"{name}.gamma" in source:
                gamma, beta, mean, variance = (
                    source[f"{name}.{kind}"].detach()
                    for kind in ("gamma", "beta", "mean", "variance")
                )
                scale = gamma / (variance + _EPSILON).sqrt()
                weight = weight * scale[:, None, None, None]
                bias = beta + (bias - mean) * scale
            plain[f"{name}.weight"], plain[f"{name}.bias"] = weight, bias
        return plain

    def write_back(self, values: Values | None = None) -> Any:
        """Copy the parameters (or `values`, an average of them) to the Keras model; return it."""
        source = self.folded(values)
        for name in (*(step.name for step in self.plan), *self.heads):
            layer = self.network.get_layer(name)
            weight = source[f"{name}.weight"].detach().float().contiguous().numpy()
            axes: NDArray[np.int64] = np.argsort(_to_torch(layer))
            layer.set_weights([weight.transpose(axes), source[f"{name}.bias"].detach().numpy()])
        return self.network

    def __call__(
        self,
        images: Tensor,
        training: bool = False,
        values: Values | None = None,
        calibrating: bool = False,
    ) -> Values:
        """Answer the logits of every head for (N, H, W, 3) pictures, RGB, 0 to 255."""
        source = self.values if values is None else values
        x = images.permute(0, 3, 1, 2).float() / 127.5 - 1.0
        x = x.contiguous(memory_format=torch.channels_last)
        shortcut = x
        for step in self.plan:
            if step.begins_block:
                shortcut = x
            x = _convolve(x, step, source)
            if f"{step.name}.gamma" in source:
                gamma, beta, mean, variance = (
                    source[f"{step.name}.{kind}"] for kind in ("gamma", "beta", "mean", "variance")
                )
                if calibrating:
                    variance.copy_(x.float().var((0, 2, 3)))
                    mean.copy_(x.float().mean((0, 2, 3)))
                    gamma.copy_((variance + _EPSILON).sqrt())
                    beta.copy_(mean)
                x = functional.batch_norm(
                    x, mean, variance, gamma, beta, training, _MOMENTUM, _EPSILON
                )
            if step.active:
                x = functional.relu6(x, inplace=True)
            if step.ends_block:
                x = x + shortcut
        with torch.autocast("cpu", enabled=False):
            pooled = functional.dropout(x.float().mean((2, 3)), self.dropout, training)
            return {
                head: functional.linear(pooled, source[f"{head}.weight"], source[f"{head}.bias"])
                for head in self.heads
            }


def _convolve(x: Tensor, step: _Step, values: Values) -> Tensor:
    weight, bias = values[f"{step.name}.weight"], values[f"{step.name}.bias"]
    kernel = weight.shape[-1]
    groups = weight.shape[0] if step.depthwise else 1
    rows = _same_padding(x.shape[2], kernel, step.stride)
    columns = _same_padding(x.shape[3], kernel, step.stride)
    padding = 0
    if rows == columns and rows[0] == rows[1]:
        padding = rows[0]
    else:
        x = functional.pad(x, (*columns, *rows))
    if step.depthwise and step.stride > 1:
        # oneDNN's bfloat16 backward pass of a strided depthwise convolution takes ten times as
        # long as its float32 one.
        with torch.autocast("cpu", enabled=False):
            y = functional.conv2d(x.float(), weight, bias, step.stride, padding, 1, groups)
            return y.to(x.dtype)
    return functional.conv2d(x, weight, bias, step.stride, padding, 1, groups)


def _same_padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return what TensorFlow's `same` adds before and after one axis."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def _to_torch(layer: Any) -> tuple[int, ...]:
    """Return the axes that turn a Keras kernel into PyTorch's (out, in, height, width)."""
    if isinstance(layer, keras.layers.Dense):
        return (1, 0)
    return (2, 3, 0, 1) if isinstance(layer, keras.layers.DepthwiseConv2D) else (3, 2, 0, 1)


def _plan(network: Any) -> list[_Step]:
    names = {layer.name for layer in network.layers}
    steps = []
    for layer in network.layers:
        depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
        if not (depthwise or isinstance(layer, keras.layers.Conv2D)):
            continue
        block, _, part = layer.name.partition("_")
        first = part == "expand" or (part == "depthwise" and f"{block}_expand" not in names)
        last = part == "project" and f"{block}_add" in names
        active = f"{layer.name}_relu" in names
        steps.append(_Step(layer.name, int(layer.strides[0]), depthwise, first, active, last))
    return steps
