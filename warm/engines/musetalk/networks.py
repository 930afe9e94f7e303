"""The networks of MuseTalk v1.5, built from their JSON and filled from their files."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DConditionModel
from torch import Tensor, nn
from transformers import WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from warm.engines.musetalk.acceleration.partial_decoder import PartialDecoder
from warm.engines.musetalk.checkpoint import (
    MEND,
    fill,
    first_line,
    modern_names,
    read_tensors,
    under,
)
from warm.engines.musetalk.decoders import FIRST_ROW, DecoderKind
from warm.engines.musetalk.device import Compute
from warm.engines.musetalk.errors import UnfitConfig
from warm.engines.musetalk.precision import set_numbers
from warm.engines.weights.file_headers import read_json
from warm.engines.weights.layout import Layout

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
    return by_pixel(ready(made, modern_names(read_tensors(path)), path, config, compute))


def load_decoder(layout: Layout, compute: Compute, kind: DecoderKind) -> Network:
    """An autoencoder of which `decode` is what `kind` says; raises WeightsError."""
    if kind == "tiny":
        return load_tiny(layout, compute)
    vae = load_vae(layout, compute)
    if kind == "half":
        try:
            vae.decoder = PartialDecoder(vae.decoder, first_row=FIRST_ROW)
        except ValueError as error:
            raise UnfitConfig(
                f"{layout.vae / CONFIG}: {error}, of which decoder = 'half' can draw no part. "
                "Choose decoder = 'full'."
            ) from error
    return vae


def load_tiny(layout: Layout, compute: Compute) -> Network:
    """The tiny autoencoder, which takes the same latents and gives the same range of colours."""
    assert layout.tiny is not None and layout.tiny_weights is not None
    path, config = layout.tiny_weights, layout.tiny / CONFIG
    made = build(config, AutoencoderTiny.from_config)
    check_tiny(made, config, build(layout.vae / CONFIG, AutoencoderKL.from_config))
    nn.Module.to(made, compute.dtype)
    tiny = ready(made, read_tensors(path), path, config, compute)
    del tiny.encoder  # faces are encoded by the full one
    return tiny


def check_tiny(tiny: Network, config: Path, vae: Network) -> None:
    """Raise UnfitConfig unless a tiny autoencoder takes and gives what the full one does."""
    times = tiny.config["upsampling_scaling_factor"] ** (len(tiny.config["num_decoder_blocks"]) - 1)
    pairs = (
        ("latent_channels", tiny.config["latent_channels"], vae.config["latent_channels"]),
        ("out_channels", tiny.config["out_channels"], vae.config["out_channels"]),
        (
            "the enlargement by upsampling_scaling_factor and num_decoder_blocks",
            times,
            enlarged(vae),
        ),
    )
    for field, found, expected in pairs:
        if found != expected:
            raise UnfitConfig(
                f"{config}: {field} is {found}, expected {expected}, the full autoencoder's. {MEND}"
            )


def enlarged(vae: Network) -> int:
    """How many times as large as its latents the pictures of an autoencoder are."""
    return int(2 ** (len(vae.config["block_out_channels"]) - 1))


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

    Channels last is for GPUs: in fp32 PyTorch's group norm on the CPU loses four digits by it.
    """
    network = network.to_empty(device=compute.device)
    fill(network, tensors, path=path, config=config)
    network.requires_grad_(requires_grad=False)
    if compute.is_gpu:
        nn.Module.to(network, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network.eval()


def by_pixel(vae: Network) -> Network:
    """An autoencoder of bf16 with its channels last: an eighth faster on a CPU, and as exact."""
    if vae.dtype == torch.bfloat16:
        nn.Module.to(vae, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return vae


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
