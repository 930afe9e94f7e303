"""The loaded networks on their device, and everything that is done with them."""

import logging
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import WhisperFeatureExtractor

from warm.musetalk.device import Compute, choose
from warm.musetalk.faults import device_faults
from warm.musetalk.hearing import Hearing
from warm.musetalk.networks import check_neighbours, load_encoder, load_unet, load_vae
from warm.musetalk.options import Options
from warm.musetalk.painter import Painter
from warm.musetalk.rendering import Copy
from warm.weights.layout import Layout

log = logging.getLogger(__name__)


class Studio:
    """Hearing and painting on one device. One thread owns it."""

    def __init__(self, compute: Compute, hearing: Hearing, painter: Painter) -> None:
        self.compute = compute
        self.hearing = hearing
        self.painter = painter

    def keep(self, latents: NDArray[np.float32]) -> Tensor:
        """An avatar's (n, 8, h, w) latents on the device, in the networks' numbers."""
        with device_faults():
            return torch.tensor(latents).to(self.compute.device, self.compute.dtype)

    def draw(self, latents: Sequence[Tensor], tokens: Sequence[NDArray[np.float32]]) -> Copy:
        """Begin to draw one picture for each (8, h, w) of `keep` and its (k, d) tokens.

        Raises DeviceFull and EngineLost. On a GPU nothing here waits for it.
        """
        with device_faults():
            return Copy(self.painter.paint(torch.stack(list(latents)), self._sent(tokens)))

    def _sent(self, tokens: Sequence[NDArray[np.float32]]) -> Tensor:
        given = torch.from_numpy(np.stack(tokens))
        if self.compute.is_gpu:
            given = given.pin_memory()
        return given.to(self.compute.device, non_blocking=True)


def open_studio(layout: Layout, options: Options) -> Studio:
    """Load all networks; raises WeightsError, NoSuchDevice, DeviceFull, EngineLost."""
    compute = choose(options.device, options.precision)
    with device_faults():
        set_exactness(compute)
        unet, vae = load_unet(layout, compute), load_vae(layout, compute)
        encoder = load_encoder(layout, Compute(compute.device, "fp32"))
    check_neighbours(layout, unet, vae, encoder)
    extractor = WhisperFeatureExtractor.from_pretrained(layout.whisper)
    for note in layout.notes:
        log.warning(note)
    return Studio(compute, Hearing(extractor, encoder), Painter(unet, vae))


def set_exactness(compute: Compute) -> None:
    """Let fp32 be fp32 on a GPU too; its convolutions round to ten bits unless told not to."""
    if compute.is_gpu:
        torch.backends.cudnn.allow_tf32 = compute.precision != "fp32"
