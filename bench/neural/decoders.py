"""The neural engine's other decoders at full size, with random weights, on the CPU.

`half` is compared with `full` where its pictures are pasted. The avatar's face and the generated
one are noise: equal above the middle except for a tenth of their deviation, with another mouth
below. The upper part differs from the lower one, as foreheads differ from chins. Random weights of
`tiny` are not trained to resemble `full`: only its time is meaningful.
"""

import statistics
import time
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from diffusers import AutoencoderKL, AutoencoderTiny, UNet2DConditionModel
from torch import Tensor

from bench.figure import Figure
from bench.neural.neural import SEED, TINY, VAE, random_network
from bench.neural.random_models import configs
from warm.engines.musetalk.acceleration.partial_decoder import PartialDecoder
from warm.engines.musetalk.acceleration.polyphase import use_polyphase_upsampling
from warm.engines.musetalk.crop import Picture
from warm.engines.musetalk.decoders import FIRST_DECODED_ROW
from warm.engines.musetalk.generator import Generator

ROUNDS = 4
"""Rounds of one picture each; the first one also chooses kernels and is not timed."""
CHANGE = 0.1
"""Standard deviation of the difference between the avatar's latents and the generated ones."""
UPPER, MOUTH = np.s_[:, :, :14], np.s_[:, :, 18:28, 10:22]


def measure(out: Path) -> list[Figure]:  # noqa: ARG001  there is no plot
    """Measure the CPU time of the decoders, and the similarity of `half` and `full`."""
    return figures(VAE, TINY)


def figures(vae: Mapping[str, Any], tiny: Mapping[str, Any]) -> list[Figure]:
    """Same as `measure`, with networks of these sizes."""
    full, half, tiny_generator = build_generators(vae, tiny)
    seconds: dict[str, list[float]] = {"full": [], "half": [], "tiny": []}
    pairs = []
    for number in range(ROUNDS):  # interleaved, so that other load affects all decoders alike
        face, generated = random_faces(number)
        latents = half.prepare_latents(face)
        expected = decode(full, generated, latents, seconds["full"])
        pairs.append((expected, decode(half, generated, latents, seconds["half"])))
        decode(tiny_generator, generated, latents, seconds["tiny"])
    expected, pictures = (np.concatenate(part) for part in zip(*pairs, strict=True))
    return [
        time_share("half", seconds, 0.75),
        time_share("tiny", seconds, 0.15),
        Figure(
            name="neural engine, full size: pictures of decoder = half against full, PSNR",
            value=float(cv2.PSNR(pictures, expected)),
            unit="dB",
            goal=45,
            better="higher",
            n=ROUNDS,
        ),
    ]


def build_generators(vae: Mapping[str, Any], tiny: Mapping[str, Any]) -> list[Generator]:
    """Full, half and tiny, with polyphase upsampling; their UNet is not used."""
    with torch.random.fork_rng():
        torch.manual_seed(SEED)  # biases are initialized at random
        unet = UNet2DConditionModel.from_config(dict(configs(tiny=True)[0]))  # type: ignore[no-untyped-call]
        whole = random_network(AutoencoderKL.from_config(dict(vae)))  # type: ignore[no-untyped-call]
        tiny_vae = random_network(AutoencoderTiny.from_config(dict(tiny)))  # type: ignore[no-untyped-call]
    use_polyphase_upsampling(whole.decoder)
    lower = deepcopy(whole)
    lower.decoder = PartialDecoder(lower.decoder, first_row=FIRST_DECODED_ROW)
    return [Generator(unet, network) for network in (whole, lower, tiny_vae)]


def random_faces(number: int) -> tuple[Tensor, Tensor]:
    """(1, 8, 32, 32) latents of an avatar's frame, and the (1, 4, 32, 32) generated from it."""
    noise = torch.Generator().manual_seed(SEED + number)
    face = torch.randn(1, 8, 32, 32, generator=noise)
    face[UPPER] = 0.5 * face[UPPER] + torch.tensor([1, -1, 0.5, -0.5] * 2)[None, :, None, None]
    generated = face[:, 4:] + CHANGE * torch.randn(1, 4, 32, 32, generator=noise)
    generated[MOUTH] = torch.randn(generated[MOUTH].shape, generator=noise)
    return face, generated


def decode(
    generator: Generator, generated: Tensor, latents: Tensor, seconds: list[float]
) -> Picture:
    """Return the rows that `half` decodes, and append the CPU time to `seconds`."""
    started_s = time.process_time()
    pictures = generator.decode(generated, latents)
    seconds.append(time.process_time() - started_s)
    return np.asarray(pictures[0, FIRST_DECODED_ROW:])


def time_share(kind: str, seconds: Mapping[str, list[float]], goal: float) -> Figure:
    """CPU time of a decoder as a share of the full one's."""
    taken_s, full_s = (statistics.median(seconds[name][1:]) for name in (kind, "full"))
    return Figure(
        name=f"neural engine, CPU, full size: processor time of decoder = {kind} against full",
        value=taken_s / full_s,
        unit="times",
        goal=goal,
        better="lower",
        n=ROUNDS - 1,
    )
