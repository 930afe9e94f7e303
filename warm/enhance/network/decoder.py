"""Decoder: draws a face from latents; the encoder's features scale and shift its own."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from warm.enhance.network.config import SMALLEST_PX, NetworkConfig
from warm.enhance.network.layers import SLOPE
from warm.enhance.network.modulation import RgbLayer, StyleConv

EPSILON = 1e-8

Steering = Sequence[tuple[Tensor, Tensor]]
"""Scale and shift of each level, from 8 px on."""


class NormalizeStyle(nn.Module):
    """Divides a style code by its root mean square."""

    def forward(self, code: Tensor) -> Tensor:
        """(b, style) to the same shape; with one code per layer, the mean is over the layers."""
        return code * torch.rsqrt(code.square().mean(dim=1, keepdim=True) + EPSILON)


class ConstantInput(nn.Module):
    """Learnt features from which the decoder starts."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(1, channels, SMALLEST_PX, SMALLEST_PX))

    def forward(self, count: int) -> Tensor:
        """Return (count, channels, 4, 4)."""
        return self.weight.expand(count, -1, -1, -1)


class StyleDecoder(nn.Module):
    """The generator of StyleGAN2 without blurring, steered by the encoder."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        style = config.style_size
        sizes = config.level_sizes
        self.input_is_latent = config.input_is_latent
        self.latents = config.latents
        self.style_mlp = style_mlp(style, config.mlp_layers)
        channels = config.decoder_channels(SMALLEST_PX)
        self.constant_input = ConstantInput(channels)
        self.style_conv1 = StyleConv(channels, channels, style, enlarges=False)
        self.to_rgb1 = RgbLayer(channels, style)
        self.style_convs = nn.ModuleList()
        self.to_rgbs = nn.ModuleList()
        for size in sizes[1:]:
            outputs = config.decoder_channels(size)
            self.style_convs.append(StyleConv(channels, outputs, style, enlarges=True))
            self.style_convs.append(StyleConv(outputs, outputs, style, enlarges=False))
            self.to_rgbs.append(RgbLayer(outputs, style))
            channels = outputs
        self.noises = noise_planes(sizes)

    def forward(self, code: Tensor, steering: Steering) -> Tensor:
        """(b, latents, style) or (b, style) to (b, 3, size, size) RGB, unbounded."""
        latents = self.latents_of(code)
        x = self.style_conv1(self.constant_input(len(code)), latents[:, 0], self.noise(0))
        picture: Tensor = self.to_rgb1(x, latents[:, 1], None)
        for level, (scale, shift) in enumerate(steering):
            first = 2 * level + 1
            enlarge, refine = self.style_convs[2 * level], self.style_convs[2 * level + 1]
            x = steer(enlarge(x, latents[:, first], self.noise(first)), scale, shift)
            x = refine(x, latents[:, first + 1], self.noise(first + 1))
            picture = self.to_rgbs[level](x, latents[:, first + 2], picture)
        return picture

    def latents_of(self, code: Tensor) -> Tensor:
        """Return (b, latents, style) for a style code."""
        latent: Tensor = code if self.input_is_latent else self.style_mlp(code)
        return latent if latent.ndim == 3 else latent[:, None].expand(-1, self.latents, -1)

    def noise(self, number: int) -> Tensor:
        """Return a stored noise plane; noise drawn for each frame would make a film flicker."""
        return self.noises.get_buffer(f"noise{number}")


def steer(x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Scale and shift the last channels in place; any preceding channels stay as they are."""
    x[:, -scale.shape[1] :].mul_(scale).add_(shift)
    return x


def style_mlp(style_size: int, layers: int) -> nn.Sequential:
    """Return the layers that map a style code to a latent; linear layers have odd indices."""
    mlp = nn.Sequential(NormalizeStyle())
    for _ in range(layers):
        mlp.append(nn.Linear(style_size, style_size))
        mlp.append(nn.LeakyReLU(SLOPE))
    return mlp


def noise_planes(sizes: Sequence[int]) -> nn.Module:
    """Return buffers for one plane of the smallest level and two of every other."""
    planes = nn.Module()
    of_layers = [sizes[0], *(size for size in sizes[1:] for _ in range(2))]
    for number, size in enumerate(of_layers):
        planes.register_buffer(f"noise{number}", torch.empty(1, 1, size, size))
    return planes
