"""The neural engine on the CPU at full size, with random weights: bf16 against plain fp32.

Takes 6 GB of memory and a minute or two.
"""

import gc
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor, nn

from bench.figure import Figure
from warm.musetalk.crop import Picture
from warm.musetalk.painter import Painter

SEED = 20
FRAMES = 2
"""Drawn at once: as many as the first fragment of a clip has."""
ROUNDS = 2
"""The faster one counts: the first one also chooses kernels."""
TOKENS = 50
UNET: Mapping[str, Any] = {
    "in_channels": 8,
    "out_channels": 4,
    "block_out_channels": [320, 640, 1280, 1280],
    "layers_per_block": 2,
    "cross_attention_dim": 384,
    "attention_head_dim": 8,
    "sample_size": 64,
}
"""MuseTalk v1.5 as published; the rest is what diffusers takes for granted."""
VAE: Mapping[str, Any] = {
    "block_out_channels": [128, 256, 512, 512],
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "layers_per_block": 2,
    "latent_channels": 4,
    "norm_num_groups": 32,
    "sample_size": 256,
}


def measure(out: Path) -> list[Figure]:  # noqa: ARG001  no plot says more than the numbers
    """How much faster bf16 draws, and how near its pictures are."""
    return figures(UNET, VAE)


def figures(unet: Mapping[str, Any], vae: Mapping[str, Any]) -> list[Figure]:
    """As `measure`, with networks of these sizes."""
    networks = [
        random_network(UNet2DConditionModel.from_config(dict(unet))),  # type: ignore[no-untyped-call]
        random_network(AutoencoderKL.from_config(dict(vae))),  # type: ignore[no-untyped-call]
    ]
    exact_s, exact = drawn(networks, unet["cross_attention_dim"])
    for network in networks:
        nn.Module.to(network, torch.bfloat16)
    gc.collect()
    fast_s, fast = drawn(networks, unet["cross_attention_dim"])
    count = FRAMES * ROUNDS
    return [
        Figure(
            name="neural engine, CPU, full size: bf16 against eager fp32",
            value=exact_s / fast_s,
            unit="times",
            goal=2,
            better="higher",
            n=count,
        ),
        Figure(
            name="neural engine, full size: pictures in bf16 against fp32, PSNR",
            value=float(cv2.PSNR(fast, exact)),
            unit="dB",
            goal=45,
            better="higher",
            n=FRAMES,
        ),
    ]


def drawn(networks: list[nn.Module], width: int) -> tuple[float, Picture]:
    """(seconds, pictures) of one pass over noise."""
    painter = Painter(*networks)
    noise = torch.Generator().manual_seed(SEED)
    latents = 0.45 * torch.randn(FRAMES, *painter.latent_shape, generator=noise)
    tokens = torch.randn(FRAMES, TOKENS, width, generator=noise)
    taken_s = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        pictures = painter.paint(latents, tokens)
        taken_s.append(time.perf_counter() - started)
    return min(taken_s), np.asarray(pictures).reshape(-1, pictures.shape[2], 3)


def random_network(network: nn.Module) -> nn.Module:
    """Weights that keep the size of what goes through them, as trained ones do by and large."""
    noise = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for tensor in network.parameters():
            fill(tensor, noise)
    return network.eval()


def fill(tensor: Tensor, noise: torch.Generator) -> None:
    """Unit gain for weights, nearly 1 for scales, nearly 0 for the rest."""
    if tensor.dim() > 1:
        tensor.normal_(0, 1 / math.sqrt(tensor[0].numel()), generator=noise)
    else:
        tensor.add_(torch.randn(tensor.shape, generator=noise), alpha=0.05)
