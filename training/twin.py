"""Run a Keras model's layers as plain PyTorch functions: the same arithmetic, twice as fast.

Keras keeps pictures as (N, H, W, C) and asks for kernels in its own order at every call; here they
stay in PyTorch's `channels_last` memory and convolutions run under bfloat16 autocast. Parameters
are copied from the Keras model and, by `write_back`, into it again; a test shows that both answer
alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

__all__ = ["Block", "Twin", "Values"]

#: Parameters by name, `LAYER.weight` and `LAYER.bias`.
Values = dict[str, Tensor]


@dataclass(frozen=True)
class Block:
    """One residual block; its convolutions are called NAME_first, _second and _shortcut."""

    name: str
    stride: int

    @property
    def convolutions(self) -> tuple[str, ...]:
        """Return the names of its convolutions."""
        parts = ("first", "second") if self.stride == 1 else ("first", "second", "shortcut")
        return tuple(f"{self.name}_{part}" for part in parts)


class Twin:
    """The PyTorch twin of a model made by `training.model.build`."""

    def __init__(self, network: Any, frozen: int = 0) -> None:
        """Copy the parameters of `network`; the stem and `frozen - 1` blocks are not trained."""
        self.network = network
        self.heads = tuple(network.output)
        self.dropout = float(network.get_layer("dropout").rate)
        self.blocks = _blocks(network)
        names = ["stem", *(name for block in self.blocks for name in block.convolutions)]
        still = {"stem"} if frozen else set()
        still |= {
            name for block in self.blocks[: max(0, frozen - 1)] for name in block.convolutions
        }
        self.layers = (*names, *self.heads)
        self.values: Values = {}
        for name in self.layers:
            kernel, bias = (np.asarray(value) for value in network.get_layer(name).get_weights())
            weight = torch.from_numpy(kernel.transpose(_to_torch(kernel)).copy())
            if weight.ndim == 4:
                weight = weight.contiguous(memory_format=torch.channels_last)
            self.values[f"{name}.weight"] = weight.requires_grad_(name not in still)
            self.values[f"{name}.bias"] = torch.from_numpy(bias.copy()).requires_grad_(
                name not in still
            )

    @property
    def trained(self) -> Values:
        """Return the parameters that are to be trained."""
        return {name: value for name, value in self.values.items() if value.requires_grad}

    def load(self, values: Values) -> None:
        """Take over parameters, in place."""
        with torch.no_grad():
            for name, value in self.values.items():
                value.copy_(values[name])

    def write_back(self, values: Values | None = None) -> Any:
        """Copy the parameters (or `values`, an average of them) to the Keras model; return it."""
        source = self.values if values is None else values
        for name in self.layers:
            weight = source[f"{name}.weight"].detach().float().contiguous().numpy()
            bias = source[f"{name}.bias"].detach().numpy()
            self.network.get_layer(name).set_weights([weight.transpose(_to_keras(weight)), bias])
        return self.network

    def __call__(
        self, images: Tensor, training: bool = False, values: Values | None = None
    ) -> Values:
        """Answer the logits of every head for (N, H, W, 3) pictures, RGB, 0 to 255."""
        source = self.values if values is None else values
        x = images.permute(0, 3, 1, 2).float() / 127.5 - 1.0
        x = x.contiguous(memory_format=torch.channels_last)
        x = functional.conv2d(x, source["stem.weight"], source["stem.bias"], 2)
        x = functional.max_pool2d(functional.relu(x, inplace=True), 3, 2)
        for block in self.blocks:
            shortcut = x
            if block.stride > 1:
                shortcut = functional.avg_pool2d(x, block.stride)
                shortcut = _convolve(shortcut, f"{block.name}_shortcut", source)
            x = functional.relu(
                _convolve(x, f"{block.name}_first", source, block.stride), inplace=True
            )
            x = _convolve(x, f"{block.name}_second", source)
            x = functional.relu(x + shortcut, inplace=True)
        with torch.autocast("cpu", enabled=False):
            pooled = functional.dropout(x.float().mean((2, 3)), self.dropout, training)
            return {
                head: functional.linear(pooled, source[f"{head}.weight"], source[f"{head}.bias"])
                for head in self.heads
            }


def _convolve(x: Tensor, name: str, values: Values, stride: int = 1) -> Tensor:
    weight, bias = values[f"{name}.weight"], values[f"{name}.bias"]
    if stride == 1:
        return functional.conv2d(x, weight, bias, 1, weight.shape[-1] // 2)
    return functional.conv2d(functional.pad(x, (0, 1, 0, 1)), weight, bias, stride)


def _to_torch(kernel: NDArray[Any]) -> tuple[int, ...]:
    """Return the axes that turn a Keras kernel into PyTorch's (out, in, height, width)."""
    return (1, 0) if kernel.ndim == 2 else (3, 2, 0, 1)


def _to_keras(kernel: NDArray[Any]) -> tuple[int, ...]:
    return (1, 0) if kernel.ndim == 2 else (2, 3, 1, 0)


def _blocks(network: Any) -> list[Block]:
    names = [layer.name for layer in network.layers if layer.name.endswith("_first")]
    return [
        Block(name.removesuffix("_first"), int(network.get_layer(name).strides[0]))
        for name in names
    ]
