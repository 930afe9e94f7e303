"""Operations shared by the encoder and the decoder."""

from torch import Tensor, nn
from torch.nn import functional

SLOPE = 0.2
"""Slope of all activations below zero."""


def activate(x: Tensor) -> Tensor:
    """Leaky activation, in place."""
    return functional.leaky_relu_(x, SLOPE)


def double(x: Tensor) -> Tensor:
    """(b, c, h, w) to (b, c, 2h, 2w), bilinear, without aligned corners."""
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def halve(x: Tensor) -> Tensor:
    """(b, c, h, w) to (b, c, h/2, w/2): bilinear halving is the mean of four pixels."""
    return functional.avg_pool2d(x, 2)


def conv3x3(inputs: int, outputs: int) -> nn.Conv2d:
    """Return a 3x3 convolution that keeps the size."""
    return nn.Conv2d(inputs, outputs, 3, padding=1)
