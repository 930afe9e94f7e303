"""Precision and speed of the neural engine at full size, with random weights, on the CPU.

bf16 is measured as the engine uses it, with its exact savings; fp32 without them. Takes 10 GB of
memory and some minutes.
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
"""Batch size: that of the first fragment of a clip."""
ROUNDS = 3
"""Rounds with different inputs; the first one also chooses kernels and is not timed."""
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
"""MuseTalk v1.5 as published; other fields have diffusers' default values."""
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
"""The tiny autoencoder as published; other fields have diffusers' default values."""


def measure(out: Path) -> list[Figure]:  # noqa: ARG001  there is no plot
    """Measure the speed of bf16, and the pictures of bf16 and fp16 against fp32."""
    return figures(UNET, VAE)


def figures(unet: Mapping[str, Any], vae: Mapping[str, Any]) -> list[Figure]:
    """Same as `measure`, with networks of these sizes."""
    exact = build_networks(unet, vae, torch.float32)
    fast = add_savings(build_networks(unet, vae, torch.bfloat16))
    width = unet["cross_attention_dim"]
    exact_s, fast_s, pairs = [], [], []
    for number in range(ROUNDS):  # interleaved, so that other load affects both alike
        seconds, expected = generate(exact, number, width)
        exact_s.append(seconds)
        seconds, pictures = generate(fast, number, width)
        fast_s.append(seconds)
        pairs.append((expected, pictures))
    del fast
    emulate_fp16(exact)
    halves = [
        (expected, generate(exact, number, width)[1]) for number, (expected, _) in enumerate(pairs)
    ]
    return [
        Figure(
            name="neural engine, CPU, full size: bf16 as it is used against plain eager fp32",
            value=statistics.median(exact_s[1:]) / statistics.median(fast_s[1:]),
            unit="times",
            goal=2,
            better="higher",
            n=FRAMES * (ROUNDS - 1),
        ),
        similarity("bf16", pairs),
        similarity("fp16, rounded as a GPU rounds,", halves),
    ]


def build_networks(
    unet: Mapping[str, Any], vae: Mapping[str, Any], dtype: torch.dtype
) -> list[nn.Module]:
    """UNet and autoencoder of this data type, as the engine has them."""
    with torch.random.fork_rng():
        torch.manual_seed(SEED)  # biases are initialized at random
        unet_network = random_network(UNet2DConditionModel.from_config(dict(unet)))  # type: ignore[no-untyped-call]
        vae_network = random_network(AutoencoderKL.from_config(dict(vae)))  # type: ignore[no-untyped-call]
    set_dtype(unet_network, dtype)
    nn.Module.to(vae_network, dtype)
    return [unet_network, channels_last_in_bf16(vae_network)]


def add_savings(networks: list[nn.Module]) -> list[nn.Module]:
    """Apply the engine's exact savings to networks, and return them."""
    unet_network, vae_network = networks
    fold_timestep(unet_network)
    use_polyphase_upsampling(unet_network)
    use_polyphase_upsampling(vae_network.get_submodule("decoder"))
    return networks


def similarity(precision: str, pairs: list[tuple[Picture, Picture]]) -> Figure:
    """PSNR of pictures against those of fp32."""
    expected, pictures = (np.concatenate(part) for part in zip(*pairs, strict=True))
    return Figure(
        name=f"neural engine, full size: pictures in {precision} against fp32, PSNR",
        value=float(cv2.PSNR(pictures, expected)),
        unit="dB",
        goal=45,
        better="higher",
        n=FRAMES * len(pairs),
    )


def generate(networks: list[nn.Module], number: int, width: int) -> tuple[float, Picture]:
    """(seconds, vertically stacked pictures) of a batch from the noise of this number."""
    generator = Generator(*networks)
    noise = torch.Generator().manual_seed(SEED + number)
    latents = 0.45 * torch.randn(FRAMES, *generator.latent_shape, generator=noise)
    tokens = torch.randn(FRAMES, TOKENS, width, generator=noise)
    started = time.perf_counter()
    pictures = generator.generate(latents, tokens)
    taken_s = time.perf_counter() - started
    return taken_s, np.asarray(pictures).reshape(-1, pictures.shape[2], 3)


def emulate_fp16(networks: list[nn.Module]) -> None:
    """Make fp32 networks round like fp16 on a GPU: weights, and inputs and outputs of layers.

    Sums within a layer stay fp32, as on a GPU. Native fp16 on a CPU takes PyTorch two hundred times
    as long.
    """
    for network in networks:
        with torch.no_grad():
            for tensor in network.parameters():
                tensor.copy_(tensor.half())
        for layer in network.modules():
            if not any(layer.children()):
                layer.register_forward_pre_hook(lambda _, given: tuple(map(round_to_fp16, given)))
            layer.register_forward_hook(lambda _layer, _given, output: round_to_fp16(output))


def round_to_fp16(value: object) -> object:
    """Round an fp32 tensor to fp16 precision; return anything else unchanged."""
    if isinstance(value, Tensor) and value.dtype == torch.float32:
        return value.half().float()
    return value


def random_network(network: nn.Module) -> Network:
    """Fill a network with random weights that preserve the magnitude of activations."""
    noise = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for tensor in network.parameters():
            fill_random(tensor, noise)
    return network.eval()


def fill_random(tensor: Tensor, noise: torch.Generator) -> None:
    """Fill a tensor: unit gain for weights, nearly 1 for scales, nearly 0 for the rest."""
    if tensor.dim() > 1:
        tensor.normal_(0, 1 / math.sqrt(tensor[0].numel()), generator=noise)
    else:
        tensor.add_(torch.randn(tensor.shape, generator=noise), alpha=0.05)
