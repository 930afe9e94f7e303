"""The networks that draw: latents and tokens to pictures, and pictures to latents."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from warm.engines.musetalk.acceleration.partial_decoder import (
    PartialDecoder,
    packed,
    planes_of,
    unpacked,
)
from warm.engines.musetalk.crop import CROP
from warm.engines.musetalk.networks import Network

SAMPLES = 3
"""Frames of an avatar that are decoded for what `half` must know of its upper face."""


class Generator:
    """Draws mouths in one pass of UNet and decoder. Nothing in it waits for a GPU."""

    def __init__(self, unet: Network, vae: Network) -> None:
        self._unet = unet
        self._vae = vae
        self._timestep = torch.zeros((), dtype=torch.long, device=unet.device)

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """Of an avatar's latents, one frame: (2 * c, h, w)."""
        side = CROP >> (len(self._vae.config["block_out_channels"]) - 1)
        return self._unet.config["in_channels"], side, side

    @property
    def kept_shape(self) -> tuple[int, int, int]:
        """Of what `paint` takes for one picture, as `keep` makes it: (2 * c or more, h, w)."""
        channels, height, side = self.latent_shape
        more = planes_of(self._half.width, side) if self._half else 0
        return channels + more, height, side

    @property
    def dtype(self) -> torch.dtype:
        """Of the latents that `paint` takes: of the UNet's entrance."""
        dtype: torch.dtype = self._unet.conv_in.weight.dtype
        return dtype

    def compile(self) -> None:
        """Have PyTorch write kernels of its own at the first pass, which takes minutes."""
        self._unet.compile()
        self._vae.decoder.compile()

    def interpret(self) -> None:
        """Take back `compile`."""
        for network in (self._unet, self._vae.decoder):
            network._compiled_call_impl = None

    @torch.inference_mode()
    def keep(self, latents: Tensor) -> Tensor:
        """(n, 2 * c, h, w) latents of an avatar's frames to what `paint` takes of each.

        That is more where `half` decodes: what the avatar's own face is like above its middle.
        """
        if self._half is None or not len(latents):
            return latents
        samples = latents[:: -(-len(latents) // SAMPLES)]
        faces = [self._unscaled(one[None, latents.shape[1] // 2 :]) for one in samples]
        above = torch.cat([self._half.above(self._entered(face)) for face in faces])
        planes = packed(above.mean(dim=0, keepdim=True), latents.shape[-1])
        return torch.cat(
            [latents, planes.to(latents.dtype).expand(len(latents), -1, -1, -1)], dim=1
        )

    @torch.inference_mode()
    def paint(self, kept: Tensor, tokens: Tensor) -> Tensor:
        """(n, …) of `keep` and (n, k, d) tokens to (n, CROP, CROP, 3) uint8 BGR.

        Both on the networks' device; so is the answer.
        """
        return self.decode(self.predict(kept, tokens), kept)

    @torch.inference_mode()
    def predict(self, kept: Tensor, tokens: Tensor) -> Tensor:
        """The (n, c, h, w) latents of the drawn faces: one pass, no noise, timestep 0."""
        drawn = self._unet(
            kept[:, : self.latent_shape[0]].to(self.dtype),
            self._timestep,
            encoder_hidden_states=tokens.to(self.dtype),
            return_dict=False,
        )
        return torch.as_tensor(drawn[0])

    @torch.inference_mode()
    def decode(self, latents: Tensor, kept: Tensor | None = None) -> Tensor:
        """(n, c, h, w) latents to (n, CROP, CROP, 3) uint8 BGR, rounded half to even.

        `half` must be given what `keep` made of the frames that they were drawn on.
        """
        given = self._unscaled(latents)
        if self._half is None:
            rgb = torch.as_tensor(self._vae.decode(given, return_dict=False)[0])
        else:
            assert kept is not None, "nothing is known of the upper rows"
            above = unpacked(kept[:, self.latent_shape[0] :], self._half.width)
            rgb = self._half(self._entered(given), above)
        bright = (rgb.float() / 2 + 0.5).clamp(0, 1).mul(255).round().to(torch.uint8)
        return bright.permute(0, 2, 3, 1).flip(-1).contiguous()

    @property
    def _half(self) -> PartialDecoder | None:
        """The decoder, where it is that of the lower half."""
        decoder = self._vae.decoder
        return decoder if isinstance(decoder, PartialDecoder) else None

    def _unscaled(self, latents: Tensor) -> Tensor:
        scaled = (1 / self._vae.config["scaling_factor"]) * latents
        return torch.as_tensor(scaled.to(self._vae.dtype))

    def _entered(self, latents: Tensor) -> Tensor:
        """Latents as the decoder itself takes them."""
        entrance = self._vae.post_quant_conv
        return latents if entrance is None else torch.as_tensor(entrance(latents))


class Encoder:
    """Turns face crops into what the UNet sees of an avatar. Used at preparation."""

    BATCH = 8

    def __init__(self, vae: Network) -> None:
        self._vae = vae

    @torch.inference_mode()
    def posterior(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """(n, 3, CROP, CROP) RGB in -1…1 to mean and deviation, (n, c, h, w) each, not scaled."""
        pictures = pictures.to(self._vae.device, self._vae.dtype)
        found = self._vae.encode(pictures, return_dict=False)[0]
        return found.mean, found.std

    def latents(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, 2, 3, CROP, CROP) `network_inputs` to (n, 2 * c, h, w): the posterior's mode."""
        pictures = inputs.reshape(-1, 3, CROP, CROP)
        scale = self._vae.config["scaling_factor"]
        made = [scale * self.posterior(part)[0].float() for part in self._parts(pictures)]
        kept = torch.cat(made).cpu()
        return np.asarray(kept.reshape(len(inputs), -1, *kept.shape[2:]))

    def _parts(self, pictures: NDArray[np.float32]) -> Iterator[Tensor]:
        for start in range(0, len(pictures), self.BATCH):
            yield torch.from_numpy(pictures[start : start + self.BATCH])
