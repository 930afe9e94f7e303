"""Checkpoints in the official layout with random weights, of full size or tiny."""

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DConditionModel
from torch import Tensor, nn
from transformers import WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperEncoder

from bench.neural.neural import TINY, UNET, VAE

SEED = 41
WHISPER: Mapping[str, Any] = {
    "d_model": 384,
    "encoder_layers": 4,
    "encoder_attention_heads": 6,
    "encoder_ffn_dim": 1536,
    "decoder_layers": 4,
    "vocab_size": 51865,
}
"""Fields of whisper-tiny's encoder, as published."""
PREPROCESSING = {"feature_extractor_type": "WhisperFeatureExtractor", "feature_size": 80}
SPREAD = 0.05
"""Standard deviation of scales around 1 and of biases around 0."""


def write_models(models: Path, *, tiny: bool) -> Path:
    """Write UNet, both autoencoders and Whisper's encoder; at full size they take 4 GB."""
    unet, vae, small_vae, whisper = configs(tiny=tiny)
    with torch.device("meta"):
        networks: dict[str, nn.Module] = {
            "unet": UNet2DConditionModel.from_config(dict(unet)),  # type: ignore[no-untyped-call]
            "vae": AutoencoderKL.from_config(dict(vae)),  # type: ignore[no-untyped-call]
            "tiny": AutoencoderTiny.from_config(dict(small_vae)),  # type: ignore[no-untyped-call]
            "whisper": WhisperEncoder(WhisperConfig(**whisper)),
        }
    write_tensors(models / "musetalkV15", "unet.pth", random_tensors(networks["unet"]))
    write_json(models / "musetalkV15" / "musetalk.json", unet)
    write_tensors(models / "sd-vae", "diffusion_pytorch_model.bin", random_tensors(networks["vae"]))
    write_json(models / "sd-vae" / "config.json", vae)
    write_tensors(models / "taesd", "diffusion_pytorch_model.bin", random_tensors(networks["tiny"]))
    write_json(models / "taesd" / "config.json", small_vae)
    encoder = {
        f"model.encoder.{name}": x for name, x in random_tensors(networks["whisper"]).items()
    }
    write_tensors(models / "whisper", "pytorch_model.bin", encoder)
    write_json(models / "whisper" / "config.json", whisper)
    write_json(models / "whisper" / "preprocessor_config.json", PREPROCESSING)
    return models


def configs(*, tiny: bool) -> tuple[Mapping[str, Any], ...]:
    """Configurations of UNet, both autoencoders and Whisper."""
    if not tiny:
        return UNET, VAE, TINY, WHISPER
    narrow = {"block_out_channels": [8] * 4, "layers_per_block": 1}
    return (
        {**UNET, **narrow, "cross_attention_dim": 16, "norm_num_groups": 4},
        {**VAE, **narrow, "block_out_channels": [4] * 4, "norm_num_groups": 2},
        {**TINY, "encoder_block_out_channels": [8] * 4, "decoder_block_out_channels": [8] * 4},
        {
            **WHISPER,
            "d_model": 16,
            "encoder_layers": 2,
            "encoder_attention_heads": 2,
            "encoder_ffn_dim": 16,
        },
    )


def random_tensors(network: nn.Module) -> dict[str, Tensor]:
    """Random tensors, for a network on the meta device, that preserve activation magnitudes."""
    noise = torch.Generator().manual_seed(SEED)
    return {name: random_tensor(name, x, noise) for name, x in network.state_dict().items()}


def random_tensor(name: str, like: Tensor, noise: torch.Generator) -> Tensor:
    """A random tensor: unit gain for weights, nearly 1 for scales, nearly 0 for biases."""
    tensor = torch.empty(like.shape)
    if tensor.dim() > 1:
        return tensor.normal_(0, 1 / math.sqrt(tensor[0].numel()), generator=noise)
    return tensor.normal_(0, SPREAD, generator=noise).add_(float(name.endswith("weight")))


def write_tensors(folder: Path, name: str, tensors: dict[str, Tensor]) -> None:
    """Save tensors in PyTorch's format."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(tensors, folder / name)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Save a network's configuration."""
    path.write_text(json.dumps(dict(content)), encoding="utf-8")
