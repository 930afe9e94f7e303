"""Generator of mouths (latents and tokens to pictures), and encoder of faces."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from warm.engines.musetalk.acceleration.partial_decoder import (
    PartialDecoder,
    pack_statistics,
    plane_count,
    unpack_statistics,
)
from warm.engines.musetalk.crop import CROP
from warm.engines.musetalk.networks import Network

SAMPLES = 3
"""Frames of an avatar whose upper rows are measured for the partial decoder."""


class Generator:
    """Generates mouths in one pass of UNet and decoder. Nothing in it waits for a GPU."""

    def __init__(self, unet: Network, vae: Network) -> None:
        self.unet = unet
        self.vae = vae
        self._timestep = torch.zeros((), dtype=torch.long, device=unet.device)

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """Shape of an avatar's latents of one frame: (2 * c, h, w)."""
        side = CROP >> (len(self.vae.config["block_out_channels"]) - 1)
        return self.unet.config["in_channels"], side, side

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """Shape of one frame as `prepare_latents` returns it: (2 * c or more, h, w)."""
        channels, height, side = self.latent_shape
        partial = self._partial_decoder
        extra = plane_count(partial.statistics_width, side) if partial else 0
        return channels + extra, height, side

    @property
    def dtype(self) -> torch.dtype:
        """Type of the latents that `generate` takes: that of the UNet's input layer."""
        dtype: torch.dtype = self.unet.conv_in.weight.dtype
        return dtype

    def compile(self) -> None:
        """Let PyTorch compile the networks at the first batch, which takes minutes."""
        self.unet.compile()
        self.vae.decoder.compile()

    def undo_compile(self) -> None:
        """Run the networks eagerly again."""
        for network in (self.unet, self.vae.decoder):
            network._compiled_call_impl = None

    @torch.inference_mode()
    def prepare_latents(self, latents: Tensor) -> Tensor:
        """(n, 2 * c, h, w) latents of an avatar's frames to the input of `generate`.

        The partial decoder needs additional planes: statistics of the upper rows of the avatar's
        own face.
        """
        partial = self._partial_decoder
        if partial is None or not len(latents):
            return latents
        samples = latents[:: -(-len(latents) // SAMPLES)]
        faces = [self._unscaled(one[None, latents.shape[1] // 2 :]) for one in samples]
        statistics = torch.cat(
            [partial.upper_statistics(self._decoder_input(face)) for face in faces]
        )
        planes = pack_statistics(statistics.mean(dim=0, keepdim=True), latents.shape[-1])
        return torch.cat(
            [latents, planes.to(latents.dtype).expand(len(latents), -1, -1, -1)], dim=1
        )

    @torch.inference_mode()
    def generate(self, latents: Tensor, tokens: Tensor) -> Tensor:
        """(n, …) of `prepare_latents` and (n, k, d) tokens to (n, CROP, CROP, 3) uint8 BGR.

        Input and output are on the networks' device.
        """
        return self.decode(self.predict(latents, tokens), latents)

    @torch.inference_mode()
    def predict(self, latents: Tensor, tokens: Tensor) -> Tensor:
        """(n, c, h, w) latents of the generated faces: one pass, no noise, timestep 0."""
        predicted = self.unet(
            latents[:, : self.latent_shape[0]].to(self.dtype),
            self._timestep,
            encoder_hidden_states=tokens.to(self.dtype),
            return_dict=False,
        )
        return torch.as_tensor(predicted[0])

    @torch.inference_mode()
    def decode(self, predicted: Tensor, latents: Tensor | None = None) -> Tensor:
        """(n, c, h, w) latents to (n, CROP, CROP, 3) uint8 BGR, rounded half to even.

        The partial decoder also needs `latents`, the input from which they were predicted.
        """
        scaled = self._unscaled(predicted)
        partial = self._partial_decoder
        if partial is None:
            rgb = torch.as_tensor(self.vae.decode(scaled, return_dict=False)[0])
        else:
            assert latents is not None, "the partial decoder needs the statistics of upper rows"
            planes = latents[:, self.latent_shape[0] :]
            statistics = unpack_statistics(planes, partial.statistics_width)
            rgb = partial(self._decoder_input(scaled), statistics)
        levels = (rgb.float() / 2 + 0.5).clamp(0, 1).mul(255).round().to(torch.uint8)
        return levels.permute(0, 2, 3, 1).flip(-1).contiguous()

    @property
    def _partial_decoder(self) -> PartialDecoder | None:
        """The decoder, if it is a partial one."""
        decoder = self.vae.decoder
        return decoder if isinstance(decoder, PartialDecoder) else None

    def _unscaled(self, latents: Tensor) -> Tensor:
        # Multiplying by the reciprocal, as the reference does, is not the same as dividing.
        scaled = (1 / self.vae.config["scaling_factor"]) * latents
        return torch.as_tensor(scaled.to(self.vae.dtype))

    def _decoder_input(self, latents: Tensor) -> Tensor:
        """Latents after the convolution that precedes the decoder, if there is one."""
        convolution = self.vae.post_quant_conv
        return latents if convolution is None else torch.as_tensor(convolution(latents))


class FaceEncoder:
    """Encodes face crops to an avatar's latents. Used at preparation."""

    BATCH = 8

    def __init__(self, vae: Network) -> None:
        self._vae = vae

    @torch.inference_mode()
    def posterior(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """(n, 3, CROP, CROP) RGB in -1…1 to unscaled mean and deviation, (n, c, h, w) each."""
        pictures = pictures.to(self._vae.device, self._vae.dtype)
        distribution = self._vae.encode(pictures, return_dict=False)[0]
        return distribution.mean, distribution.std

    def latents(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, 2, 3, CROP, CROP) `network_inputs` to (n, 2 * c, h, w): the posterior's mode."""
        pictures = inputs.reshape(-1, 3, CROP, CROP)
        scale = self._vae.config["scaling_factor"]
        modes = [scale * self.posterior(batch)[0].float() for batch in self._batches(pictures)]
        latents = torch.cat(modes).cpu()
        return np.asarray(latents.reshape(len(inputs), -1, *latents.shape[2:]))

    def _batches(self, pictures: NDArray[np.float32]) -> Iterator[Tensor]:
        for start in range(0, len(pictures), self.BATCH):
            yield torch.from_numpy(pictures[start : start + self.BATCH])
