"""The whole network: encoder, style code, steering, decoder."""

from itertools import pairwise

import torch
from torch import Tensor, nn

from warm.enhance.network.config import SMALLEST_PX, NetworkConfig
from warm.enhance.network.decoder import StyleDecoder
from warm.enhance.network.layers import SLOPE, activate, conv3x3
from warm.enhance.network.residual import DownBlock, UpBlock


class GfpganNetwork(nn.Module):
    """Restores a face: (b, 3, size, size) RGB, -1…1, to the same shape, unbounded."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        channels = [config.encoder_channels(size) for size in config.level_sizes]
        rising = list(pairwise(channels))
        self.config = config
        self.conv_body_first = nn.Conv2d(3, channels[-1], 1)
        self.conv_body_down = nn.ModuleList(
            DownBlock(outer, inner) for inner, outer in reversed(rising)
        )
        self.final_conv = conv3x3(channels[0], channels[0])
        self.conv_body_up = nn.ModuleList(UpBlock(inner, outer) for inner, outer in rising)
        self.toRGB = nn.ModuleList(nn.Conv2d(outer, 3, 1) for outer in channels[1:])
        self.final_linear = nn.Linear(channels[0] * SMALLEST_PX**2, config.style_code_size)
        self.stylegan_decoder = StyleDecoder(config)
        self.condition_scale = steering_convs(config)
        self.condition_shift = steering_convs(config)

    def use_channels_last(self) -> None:
        """Store the weights with the channels innermost, which is a fifth faster on a CPU."""
        for parameter in self.parameters():
            value = parameter.data
            if value.ndim == 4:
                parameter.data = value.contiguous(memory_format=torch.channels_last)
            elif value.ndim == 5:  # weights of one modulated convolution
                parameter.data = value[0].contiguous(memory_format=torch.channels_last)[None]

    def forward(self, picture: Tensor, *, with_heads: bool = False) -> tuple[Tensor, list[Tensor]]:
        """Return the restored picture and, `with_heads`, the RGB picture of each encoder level."""
        down = self.encode(picture)
        deepest = activate(self.final_conv(down[-1]))
        code = self.style_code(deepest)
        steering, heads = [], []
        features = deepest
        for level, up in enumerate(self.conv_body_up):
            features = up(features.add_(down.pop()))
            steering.append(
                (self.condition_scale[level](features), self.condition_shift[level](features))
            )
            if with_heads:
                heads.append(self.toRGB[level](features))
        return self.stylegan_decoder(code, steering), heads

    def encode(self, picture: Tensor) -> list[Tensor]:
        """Return the features of every size below the picture's, the largest first."""
        features = activate(self.conv_body_first(picture))
        down: list[Tensor] = []
        for block in self.conv_body_down:
            features = block(features)
            down.append(features)
        return down

    def style_code(self, deepest: Tensor) -> Tensor:
        """(b, c, 4, 4) to (b, latents, style), or (b, style) if all layers share a latent."""
        code: Tensor = self.final_linear(deepest.flatten(1))
        if not self.config.different_w:
            return code
        return code.reshape(len(code), -1, self.config.style_size)


def steering_convs(config: NetworkConfig) -> nn.ModuleList:
    """Return the convolutions that compute the scale, or the shift, of each level."""
    return nn.ModuleList(
        nn.Sequential(
            conv3x3(config.encoder_channels(size), config.encoder_channels(size)),
            nn.LeakyReLU(SLOPE, inplace=True),
            conv3x3(config.encoder_channels(size), config.steering_channels(size)),
        )
        for size in config.level_sizes[1:]
    )
