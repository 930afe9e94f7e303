"""The networks of MuseTalk v1.5, built from their JSON and filled from their files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor, nn
from transformers import WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from warm.musetalk.checkpoint import MEND, fill, first_line, modern_names, read_tensors, under
from warm.musetalk.device import Compute
from warm.musetalk.errors import UnfitConfig
from warm.musetalk.precision import set_numbers
from warm.weights.layout import Layout
from warm.weights.opening import read_json

ENCODER_PREFIX = "model.encoder."
CONFIG = "config.json"

Network = Any
"""A torch module of diffusers or transformers, whose classes say nothing of what they can do."""


def load_unet(layout: Layout, compute: Compute) -> Network:
    """The network that draws latents; raises WeightsError."""
    path, config = layout.unet_weights, layout.unet_config
    made = build(config, UNet2DConditionModel.from_config)
    set_numbers(made, compute.dtype)
    return ready(made, read_tensors(path), path, config, compute)


def load_vae(layout: Layout, compute: Compute) -> Network:
    """The autoencoder between pictures and latents; raises WeightsError."""
    path, config = layout.vae_weights, layout.vae / CONFIG
    made = build(config, AutoencoderKL.from_config)
    nn.Module.to(made, compute.dtype)
    return ready(made, modern_names(read_tensors(path)), path, config, compute)


def load_encoder(layout: Layout, compute: Compute) -> Network:
    """The half of Whisper that listens; raises WeightsError."""
    path, config = layout.whisper_weights, layout.whisper / CONFIG
    made = build(config, lambda known: WhisperEncoder(WhisperConfig(**known)))
    nn.Module.to(made, compute.dtype)
    return ready(made, under(read_tensors(path), ENCODER_PREFIX), path, config, compute)


def build(config: Path, make: Callable[[dict[str, Any]], nn.Module]) -> nn.Module:
    """A network without memory for its tensors; raises UnfitConfig."""
    known = read_json(config)
    try:
        with torch.device("meta"):
            return make(known)
    except Exception as error:  # the libraries raise what they like at a wrong field
        raise UnfitConfig(
            f"{config} describes no network that can be built ({first_line(error)}). {MEND}"
        ) from error


def ready(
    network: nn.Module, tensors: dict[str, Tensor], path: Path, config: Path, compute: Compute
) -> Network:
    """The network on its device, filled, and never to be trained.

    Channels last is for GPUs: PyTorch's group norm on the CPU loses four digits by it.
    """
    network = network.to_empty(device=compute.device)
    fill(network, tensors, path=path, config=config)
    network.requires_grad_(requires_grad=False)
    if compute.is_gpu:
        nn.Module.to(network, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network.eval()


def check_neighbours(layout: Layout, unet: Network, vae: Network, encoder: Network) -> None:
    """Raise UnfitConfig unless what one network gives is what the next one takes."""
    latent = vae.config["latent_channels"]
    pairs = (
        ("in_channels", 2 * latent, "twice the autoencoder's latent_channels"),
        ("out_channels", latent, "the autoencoder's latent_channels"),
        ("cross_attention_dim", encoder.config.d_model, "Whisper's d_model"),
    )
    for field, expected, what in pairs:
        if unet.config[field] != expected:
            raise UnfitConfig(
                f"{layout.unet_config}: {field} is {unet.config[field]}, expected {expected}, "
                f"{what}. {MEND}"
            )
