"""Convolutions whose weights depend on a latent, as in StyleGAN2 (Karras et al., 2020)."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from warm.enhance.network.layers import activate, double

EPSILON = 1e-8
"""Keeps the normalization of weights finite."""
GAIN = 2**0.5
"""Factor of the weights of style convolutions."""


class ModulatedConv(nn.Module):
    """A convolution whose input channels are scaled by a latent."""

    def __init__(self, inputs: int, outputs: int, kernel: int, style_size: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(1, outputs, inputs, kernel, kernel))
        self.modulation = nn.Linear(style_size, inputs)

    def modulated(self, latent: Tensor) -> Tensor:
        """(b, style) to the weights of each picture: (b, outputs, inputs, kernel, kernel)."""
        scale: Tensor = self.modulation(latent)
        return self.weight * scale[:, None, :, None, None]


def demodulated(weight: Tensor, gain: float = 1.0) -> Tensor:
    """Scale (b, outputs, inputs, k, k) weights so that every output has the norm `gain`."""
    norm = torch.rsqrt(weight.square().sum(dim=(2, 3, 4), keepdim=True) + EPSILON)
    return weight * (norm * gain)


def convolve_each(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Convolve (b, inputs, h, w) pictures, each with its own weights; the size is kept.

    weight: (b, outputs, inputs, k, k); bias: (outputs,). Grouped convolutions are slow on the CPU.
    """
    padding = weight.shape[-1] // 2
    each = [
        functional.conv2d(x[i : i + 1], weight[i], bias, padding=padding) for i in range(len(x))
    ]
    return each[0] if len(each) == 1 else torch.cat(each)


class StyleConv(nn.Module):
    """A modulated 3x3 convolution with noise, bias and activation."""

    def __init__(self, inputs: int, outputs: int, style_size: int, *, enlarges: bool) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(1))
        """Strength of the noise."""
        self.bias = nn.Parameter(torch.empty(1, outputs, 1, 1))
        self.modulated_conv = ModulatedConv(inputs, outputs, 3, style_size)
        self.enlarges = enlarges

    def forward(self, x: Tensor, latent: Tensor, noise: Tensor) -> Tensor:
        """(b, inputs, h, w), (b, style), (1, 1, h', w') to (b, outputs, h', w')."""
        weight = demodulated(self.modulated_conv.modulated(latent), GAIN)
        features = double(x) if self.enlarges else x
        out = convolve_each(features, weight, self.bias.flatten())
        return activate(out.add_(self.weight * noise))


class RgbLayer(nn.Module):
    """Turns features into a picture, and adds the enlarged picture of the level before."""

    def __init__(self, inputs: int, style_size: int) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.empty(1, 3, 1, 1))
        self.modulated_conv = ModulatedConv(inputs, 3, 1, style_size)

    def forward(self, x: Tensor, latent: Tensor, before: Tensor | None) -> Tensor:
        """(b, inputs, h, w), (b, style), (b, 3, h/2, w/2) to (b, 3, h, w)."""
        picture = convolve_each(x, self.modulated_conv.modulated(latent), self.bias.flatten())
        return picture if before is None else picture.add_(double(before))
