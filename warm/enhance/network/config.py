"""Configuration of the network: sizes, and the variants that the published definition allows."""

from dataclasses import dataclass

from warm.enhance.errors import BadNetworkConfig

SMALLEST_PX = 4
"""Width of the decoder's constant input and of the deepest level of the encoder."""
MIN_SIZE_PX, MAX_SIZE_PX = 8, 1024
WIDE_CHANNELS = 512
"""Channels of the levels up to WIDE_PX, before narrowing."""
WIDE_PX = 32
CHANNEL_PIXELS = 16_384
"""Above WIDE_PX: channels times width, before narrowing and multiplication."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkConfig:
    """Shape of the network; the defaults are those of the published v1.2, v1.3 and v1.4."""

    size: int = 512
    """Width and height of the picture, pixels: a power of two."""
    style_size: int = 512
    """Number of values in a latent."""
    channel_multiplier: int = 2
    """Multiplies the channels above 32 px."""
    narrow: float = 1.0
    """Multiplies all channels of the decoder; the encoder has half as many."""
    mlp_layers: int = 8
    input_is_latent: bool = True
    """The encoder's style code is used as the latent; False: `style_mlp` maps it to one."""
    different_w: bool = True
    """Each layer of the decoder has its own latent; False: all layers share one."""
    sft_half: bool = True
    """The encoder steers half of the decoder's channels; False: all of them."""

    def __post_init__(self) -> None:
        """Raise BadNetworkConfig for a network that cannot be built."""
        self._check_size()
        for name in ("style_size", "channel_multiplier", "mlp_layers"):
            if getattr(self, name) < 1:
                raise BadNetworkConfig(f"{name} = {getattr(self, name)}, expected at least 1")
        for size in self.level_sizes:
            if self.encoder_channels(size) < 1 or self.decoder_channels(size) < 1:
                raise BadNetworkConfig(
                    f"narrow = {self.narrow} leaves no channel at {size} px; choose a larger one"
                )
            if self.decoder_channels(size) != 2 * self.encoder_channels(size):
                raise BadNetworkConfig(
                    f"narrow = {self.narrow} gives {self.decoder_channels(size)} channels at "
                    f"{size} px, expected twice the encoder's {self.encoder_channels(size)}; "
                    "choose a power of two"
                )

    def _check_size(self) -> None:
        is_power_of_two = self.size > 0 and self.size & (self.size - 1) == 0
        if not is_power_of_two or not MIN_SIZE_PX <= self.size <= MAX_SIZE_PX:
            raise BadNetworkConfig(
                f"size = {self.size}, expected a power of two, {MIN_SIZE_PX} to {MAX_SIZE_PX}"
            )

    @property
    def level_sizes(self) -> list[int]:
        """Widths of all levels, pixels: 4, 8, … size."""
        sizes = [SMALLEST_PX]
        while sizes[-1] < self.size:
            sizes.append(2 * sizes[-1])
        return sizes

    @property
    def latents(self) -> int:
        """Latents of the decoder: two per level; the last one is used only for the picture."""
        return 2 * len(self.level_sizes)

    @property
    def style_code_size(self) -> int:
        """Number of values that the encoder computes for the decoder's latents."""
        return self.style_size * (self.latents if self.different_w else 1)

    def encoder_channels(self, size: int) -> int:
        """Channels of the encoder at a width in pixels."""
        return int(self._channels(size) * self.narrow * 0.5)

    def decoder_channels(self, size: int) -> int:
        """Channels of the decoder at a width in pixels."""
        return int(self._channels(size) * self.narrow)

    def steering_channels(self, size: int) -> int:
        """Channels of the decoder that the encoder scales and shifts."""
        return self.encoder_channels(size) * (1 if self.sft_half else 2)

    def _channels(self, size: int) -> int:
        if size <= WIDE_PX:
            return WIDE_CHANNELS
        return CHANNEL_PIXELS // size * self.channel_multiplier


PUBLISHED = NetworkConfig()
"""GFPGANv1.4.pth."""
