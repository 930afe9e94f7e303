"""Checkpoints in the official layout, with random weights of a fraction of the real size."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import SegformerConfig, SegformerForSemanticSegmentation, WhisperConfig
from transformers.models.whisper.modeling_whisper import WhisperEncoder

LEGACY = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
UNET = {
    "in_channels": 8,
    "out_channels": 4,
    "block_out_channels": [8, 8, 8, 8],
    "layers_per_block": 1,
    "norm_num_groups": 4,
    "cross_attention_dim": 16,
    "attention_head_dim": 2,
    "sample_size": 64,
}
VAE = {
    "block_out_channels": [4, 4, 4, 4],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "layers_per_block": 1,
    "latent_channels": 4,
    "norm_num_groups": 2,
}
TINY = {
    "encoder_block_out_channels": [4] * 4,
    "decoder_block_out_channels": [4] * 4,
    "latent_channels": 4,
    "scaling_factor": 1.0,
}
WHISPER = {
    "d_model": 16,
    "encoder_layers": 2,
    "encoder_attention_heads": 2,
    "encoder_ffn_dim": 16,
    "decoder_layers": 1,
    "vocab_size": 8,
    "pad_token_id": 1,
    "bos_token_id": 1,
    "eos_token_id": 1,
    "decoder_start_token_id": 2,
}
PREPROCESSING = {"feature_extractor_type": "WhisperFeatureExtractor", "feature_size": 80}


def write_weights(models: Path) -> Path:
    """Write all three models to `models`; the autoencoder has its old layer names."""
    torch.manual_seed(7)
    folders = {name: models / name for name in ("musetalkV15", "sd-vae", "whisper")}
    for folder in folders.values():
        folder.mkdir(parents=True)
    unet = UNet2DConditionModel.from_config(UNET)
    torch.save(unet.state_dict(), folders["musetalkV15"] / "unet.pth")
    write_json(folders["musetalkV15"] / "musetalk.json", UNET)
    vae = AutoencoderKL.from_config(VAE).state_dict()
    torch.save(old_names(vae), folders["sd-vae"] / "diffusion_pytorch_model.bin")
    write_json(folders["sd-vae"] / "config.json", VAE)
    encoder = WhisperEncoder(WhisperConfig(**WHISPER)).state_dict()
    kept = {f"model.encoder.{name}": tensor for name, tensor in encoder.items()}
    torch.save(
        {**kept, "proj_out.weight": torch.zeros(2)}, folders["whisper"] / "pytorch_model.bin"
    )
    write_json(folders["whisper"] / "config.json", WHISPER)
    write_json(folders["whisper"] / "preprocessor_config.json", PREPROCESSING)
    return models


def old_names(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Give attention layers their names in diffusers at the time the autoencoder was published."""
    return {old_name(name): tensor for name, tensor in tensors.items()}


def old_name(name: str) -> str:
    for new, old in LEGACY.items():
        if ".attentions." in name:
            name = name.replace(f".{new}.", f".{old}.")
    return name


def write_parser(models: Path, labels: Sequence[str], answer: str) -> None:
    """Write a face parser that finds `answer` everywhere."""
    folder = models / "face-parsing"
    folder.mkdir()
    config = {
        "depths": [1] * 4,
        "hidden_sizes": [4] * 4,
        "decoder_hidden_size": 4,
        "num_attention_heads": [1] * 4,
        "id2label": dict(enumerate(labels)),
    }
    network = SegformerForSemanticSegmentation(SegformerConfig(**config))
    tensors = network.state_dict()
    tensors["decode_head.classifier.bias"][labels.index(answer)] += 1000
    save_file(tensors, folder / "model.safetensors")
    write_json(folder / "config.json", config)
    write_json(folder / "preprocessor_config.json", {})


def write_tiny(models: Path, **fields: object) -> Path:
    """Write a tiny autoencoder as on the hub, with these fields in its JSON."""
    folder = models / "taesd"
    folder.mkdir()
    torch.manual_seed(8)
    config = {**TINY, **fields}
    save_file(
        AutoencoderTiny.from_config(config).state_dict(),
        folder / "diffusion_pytorch_model.safetensors",
    )
    write_json(folder / "config.json", config)
    return folder


def write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content))
