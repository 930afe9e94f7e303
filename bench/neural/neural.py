"""The neural engine's numbers at full size, with random weights, on the CPU: each against fp32.

bf16 as it is used, with the engine's savings; fp32 plainly. Takes 10 GB of memory and some minutes.
"""

import math
import statistics
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
from warm.engines.musetalk.acceleration.polyphase import use_polyphase_upsampling
from warm.engines.musetalk.acceleration.timestep import fold_timestep
from warm.engines.musetalk.crop import Picture
from warm.engines.musetalk.generator import Generator
from warm.engines.musetalk.networks import Network, channels_last_in_bf16
from warm.engines.musetalk.precision import set_dtype

SEED = 20
FRAMES = 2
"""Drawn at once: as many as the first fragment of a clip has."""
ROUNDS = 3
"""Of other latents and tokens each; the first one also chooses kernels and is not timed."""
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
TINY: Mapping[str, Any] = {"latent_channels": 4, "scaling_factor": 1.0}
"""The tiny autoencoder as published, but for what diffusers takes for granted."""


def measure(out: Path) -> list[Figure]:  # noqa: ARG001  no plot says more than the numbers
    """How much faster bf16 draws, and how near the pictures of bf16 and fp16 are."""
    return figures(UNET, VAE)


def figures(unet: Mapping[str, Any], vae: Mapping[str, Any]) -> list[Figure]:
    """As `measure`, with networks of these sizes."""
    exact, fast = networks(unet, vae, torch.float32), saving(networks(unet, vae, torch.bfloat16))
    width = unet["cross_attention_dim"]
    exact_s, fast_s, pairs = [], [], []
    for number in range(ROUNDS):  # side by side, so that both meet the same hindrances
        seconds, known = drawn(exact, number, width)
        exact_s.append(seconds)
        seconds, made = drawn(fast, number, width)
        fast_s.append(seconds)
        pairs.append((known, made))
    del fast
    round_as_half(exact)
    halves = [(known, drawn(exact, number, width)[1]) for number, (known, _) in enumerate(pairs)]
    return [
        Figure(
            name="neural engine, CPU, full size: bf16 as it is used against plain eager fp32",
            value=statistics.median(exact_s[1:]) / statistics.median(fast_s[1:]),
            unit="times",
            goal=2,
            better="higher",
            n=FRAMES * (ROUNDS - 1),
        ),
        likeness("bf16", pairs),
        likeness("fp16, rounded as a GPU rounds,", halves),
    ]


def networks(
    unet: Mapping[str, Any], vae: Mapping[str, Any], dtype: torch.dtype
) -> list[nn.Module]:
    """UNet and autoencoder in these numbers, as the engine has them."""
    with torch.random.fork_rng():
        torch.manual_seed(SEED)  # biases begin at random
        drawing = random_network(UNet2DConditionModel.from_config(dict(unet)))  # type: ignore[no-untyped-call]
        seeing = random_network(AutoencoderKL.from_config(dict(vae)))  # type: ignore[no-untyped-call]
    set_dtype(drawing, dtype)
    nn.Module.to(seeing, dtype)
    return [drawing, channels_last_in_bf16(seeing)]


def saving(networks: list[nn.Module]) -> list[nn.Module]:
    """The same networks with what the engine saves exactly."""
    drawing, seeing = networks
    fold_timestep(drawing)
    use_polyphase_upsampling(drawing)
    use_polyphase_upsampling(seeing.get_submodule("decoder"))
    return networks


def likeness(numbers: str, pairs: list[tuple[Picture, Picture]]) -> Figure:
    """How near pictures are to those of fp32."""
    known, made = (np.concatenate(part) for part in zip(*pairs, strict=True))
    return Figure(
        name=f"neural engine, full size: pictures in {numbers} against fp32, PSNR",
        value=float(cv2.PSNR(made, known)),
        unit="dB",
        goal=45,
        better="higher",
        n=FRAMES * len(pairs),
    )


def drawn(networks: list[nn.Module], number: int, width: int) -> tuple[float, Picture]:
    """(seconds, pictures one below the other) of a pass over the noise of this number."""
    generator = Generator(*networks)
    noise = torch.Generator().manual_seed(SEED + number)
    latents = 0.45 * torch.randn(FRAMES, *generator.latent_shape, generator=noise)
    tokens = torch.randn(FRAMES, TOKENS, width, generator=noise)
    started = time.perf_counter()
    pictures = generator.generate(latents, tokens)
    taken_s = time.perf_counter() - started
    return taken_s, np.asarray(pictures).reshape(-1, pictures.shape[2], 3)


def round_as_half(networks: list[nn.Module]) -> None:
    """Let fp32 networks round as fp16 on a GPU: weights, and all that layers take and give.

    Sums within a layer stay fp32, as they do there. PyTorch computes fp16 on a CPU two hundred
    times slower than this.
    """
    for network in networks:
        with torch.no_grad():
            for tensor in network.parameters():
                tensor.copy_(tensor.half())
        for layer in network.modules():
            if not any(layer.children()):
                layer.register_forward_pre_hook(lambda _, given: tuple(map(half, given)))
            layer.register_forward_hook(lambda _layer, _given, made: half(made))


def half(value: object) -> object:
    """A tensor of fp32 with the digits of fp16; anything else as it is."""
    if isinstance(value, Tensor) and value.dtype == torch.float32:
        return value.half().float()
    return value


def random_network(network: nn.Module) -> Network:
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
