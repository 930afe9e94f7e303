"""The networks that draw: latents and tokens to pictures, and pictures to latents."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from warm.musetalk.crop import CROP
from warm.musetalk.networks import Network


class Painter:
    """Draws mouths in one pass of UNet and decoder. Nothing in it waits for a GPU."""

    def __init__(self, unet: Network, vae: Network) -> None:
        self._unet = unet
        self._vae = vae
        self._timestep = torch.zeros((), dtype=torch.long, device=unet.device)

    @property
    def latent_shape(self) -> tuple[int, int, int]:
        """Of what `paint` takes for one picture: (2 * c, h, w)."""
        side = CROP >> (len(self._vae.config["block_out_channels"]) - 1)
        return self._unet.config["in_channels"], side, side

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
    def paint(self, latents: Tensor, tokens: Tensor) -> Tensor:
        """(n, 2 * c, h, w) avatar latents and (n, k, d) tokens to (n, CROP, CROP, 3) uint8 BGR.

        Both on the networks' device; so is the answer.
        """
        return self.decode(self.predict(latents, tokens))

    @torch.inference_mode()
    def predict(self, latents: Tensor, tokens: Tensor) -> Tensor:
        """The (n, c, h, w) latents of the drawn faces: one pass, no noise, timestep 0."""
        drawn = self._unet(
            latents.to(self.dtype),
            self._timestep,
            encoder_hidden_states=tokens.to(self.dtype),
            return_dict=False,
        )
        return torch.as_tensor(drawn[0])

    @torch.inference_mode()
    def decode(self, latents: Tensor) -> Tensor:
        """(n, c, h, w) latents to (n, CROP, CROP, 3) uint8 BGR, rounded half to even."""
        scaled = (1 / self._vae.config["scaling_factor"]) * latents
        given = scaled.to(self._vae.dtype)
        rgb = torch.as_tensor(self._vae.decode(given, return_dict=False)[0])
        bright = (rgb.float() / 2 + 0.5).clamp(0, 1).mul(255).round().to(torch.uint8)
        return bright.permute(0, 2, 3, 1).flip(-1).contiguous()


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
