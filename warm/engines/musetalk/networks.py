"""The networks of MuseTalk v1.5, built from their JSON configurations, and their weights loaded."""

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
    ADVICE,
    first_line,
    load_tensors,
    read_tensors,
    rename_legacy_keys,
    strip_prefix,
)
from warm.engines.musetalk.decoders import FIRST_DECODED_ROW, DecoderKind
from warm.engines.musetalk.device import ComputeDevice
from warm.engines.musetalk.errors import IncompatibleConfig
from warm.engines.musetalk.precision import set_dtype
from warm.engines.weights.file_headers import read_json
from warm.engines.weights.layout import WeightsLayout

ENCODER_PREFIX = "model.encoder."
CONFIG = "config.json"

Network = Any
"""A torch module of diffusers or transformers, whose classes do not declare their attributes."""


def load_unet(layout: WeightsLayout, compute: ComputeDevice) -> Network:
    """Load the network that predicts latents; raises WeightsError."""
    path, config = layout.unet_weights, layout.unet_config
    unet = build_network(config, UNet2DConditionModel.from_config)
    set_dtype(unet, compute.dtype)
    return load_network(unet, read_tensors(path), path, config, compute)


def load_vae(layout: WeightsLayout, compute: ComputeDevice) -> Network:
    """Load the autoencoder between pictures and latents; raises WeightsError."""
    path, config = layout.vae_weights, layout.vae / CONFIG
    vae = build_network(config, AutoencoderKL.from_config)
    nn.Module.to(vae, compute.dtype)
    tensors = rename_legacy_keys(read_tensors(path))
    return channels_last_in_bf16(load_network(vae, tensors, path, config, compute))


def load_decoder(layout: WeightsLayout, compute: ComputeDevice, kind: DecoderKind) -> Network:
    """Load an autoencoder whose `decode` is the decoder `kind`; raises WeightsError."""
    if kind == "tiny":
        return load_tiny(layout, compute)
    vae = load_vae(layout, compute)
    if kind == "half":
        try:
            vae.decoder = PartialDecoder(vae.decoder, first_row=FIRST_DECODED_ROW)
        except ValueError as error:
            raise IncompatibleConfig(
                f"{layout.vae / CONFIG}: {error}, which decoder = 'half' cannot decode in part. "
                "Choose decoder = 'full'."
            ) from error
    return vae


def load_tiny(layout: WeightsLayout, compute: ComputeDevice) -> Network:
    """Load the tiny autoencoder, with the same latents and the same range of colours."""
    assert layout.tiny is not None and layout.tiny_weights is not None
    path, config = layout.tiny_weights, layout.tiny / CONFIG
    tiny = build_network(config, AutoencoderTiny.from_config)
    check_tiny(tiny, config, build_network(layout.vae / CONFIG, AutoencoderKL.from_config))
    nn.Module.to(tiny, compute.dtype)
    loaded = load_network(tiny, read_tensors(path), path, config, compute)
    del loaded.encoder  # the full autoencoder encodes faces
    return loaded


def check_tiny(tiny: Network, config: Path, vae: Network) -> None:
    """Raise IncompatibleConfig unless a tiny autoencoder has the full one's input and output."""
    fields = tiny.config
    scale = fields["upsampling_scaling_factor"] ** (len(fields["num_decoder_blocks"]) - 1)
    pairs = (
        ("latent_channels", fields["latent_channels"], vae.config["latent_channels"]),
        ("out_channels", fields["out_channels"], vae.config["out_channels"]),
        (
            "the upsampling by upsampling_scaling_factor and num_decoder_blocks",
            scale,
            upsampling_factor(vae),
        ),
    )
    for field, found, expected in pairs:
        if found != expected:
            raise IncompatibleConfig(
                f"{config}: {field} is {found}, expected {expected} as in the full autoencoder. "
                f"{ADVICE}"
            )


def upsampling_factor(vae: Network) -> int:
    """Size of an autoencoder's pictures, relative to the size of its latents."""
    return int(2 ** (len(vae.config["block_out_channels"]) - 1))


def load_audio_encoder(layout: WeightsLayout, compute: ComputeDevice) -> Network:
    """Load Whisper's encoder; raises WeightsError."""
    path, config = layout.whisper_weights, layout.whisper / CONFIG
    encoder = build_network(config, lambda fields: WhisperEncoder(WhisperConfig(**fields)))
    nn.Module.to(encoder, compute.dtype)
    tensors = strip_prefix(read_tensors(path), ENCODER_PREFIX)
    return load_network(encoder, tensors, path, config, compute)


def build_network(config: Path, make: Callable[[dict[str, Any]], nn.Module]) -> nn.Module:
    """Build a network on the meta device, without weights; raises IncompatibleConfig."""
    fields = read_json(config)
    try:
        with torch.device("meta"):
            return make(fields)
    except Exception as error:  # the libraries raise any class for a wrong field
        raise IncompatibleConfig(
            f"{config} describes no valid network ({first_line(error)}). {ADVICE}"
        ) from error


def load_network(
    network: nn.Module,
    tensors: dict[str, Tensor],
    path: Path,
    config: Path,
    compute: ComputeDevice,
) -> Network:
    """Move a network to its device, load its weights, and switch it to inference.

    Channels last is for GPUs: in fp32 PyTorch's group norm on the CPU loses four digits with it.
    """
    network = network.to_empty(device=compute.device)
    load_tensors(network, tensors, path=path, config=config)
    network.requires_grad_(requires_grad=False)
    if compute.is_gpu:
        nn.Module.to(network, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network.eval()


def channels_last_in_bf16(vae: Network) -> Network:
    """Use channels last in a bf16 autoencoder: an eighth faster on a CPU, and as exact."""
    if vae.dtype == torch.bfloat16:
        nn.Module.to(vae, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return vae


def check_compatibility(
    layout: WeightsLayout, unet: Network, vae: Network, encoder: Network
) -> None:
    """Raise IncompatibleConfig unless the output of each network fits the input of the next."""
    latent = vae.config["latent_channels"]
    pairs = (
        ("in_channels", 2 * latent, "twice the autoencoder's latent_channels"),
        ("out_channels", latent, "the autoencoder's latent_channels"),
        ("cross_attention_dim", encoder.config.d_model, "Whisper's d_model"),
    )
    for field, expected, meaning in pairs:
        if unet.config[field] != expected:
            raise IncompatibleConfig(
                f"{layout.unet_config}: {field} is {unet.config[field]}, expected {expected}, "
                f"{meaning}. {ADVICE}"
            )
