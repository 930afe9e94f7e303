"""The neural engine's other decoders, of full size, with random weights, on the CPU.

`half` is held against `full` where its pictures are pasted. The avatar's face and the drawn one are
noise: alike above the middle but for a tenth of their spread, with another mouth below; and the
upper part is unlike the lower one, as foreheads are unlike chins. Random weights of `tiny` have not
been trained to resemble those of `full`: only its time means anything.
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
from bench.neural.random_models import sizes
from warm.engines.musetalk.acceleration.partial_decoder import PartialDecoder
from warm.engines.musetalk.acceleration.polyphase import use_polyphase_upsampling
from warm.engines.musetalk.crop import Picture
from warm.engines.musetalk.decoders import FIRST_DECODED_ROW
from warm.engines.musetalk.generator import Generator

ROUNDS = 4
"""Of one picture each; the first one also chooses kernels and is not timed."""
CHANGE = 0.1
"""Standard deviation of what differs between the avatar's latents and the drawn ones all over."""
UPPER, MOUTH = np.s_[:, :, :14], np.s_[:, :, 18:28, 10:22]


def measure(out: Path) -> list[Figure]:  # noqa: ARG001  no plot says more than the numbers
    """How much less processor time they take, and how near the pictures of `half` are."""
    return figures(VAE, TINY)


def figures(vae: Mapping[str, Any], tiny: Mapping[str, Any]) -> list[Figure]:
    """As `measure`, with networks of these sizes."""
    full, half, small = generators(vae, tiny)
    seconds: dict[str, list[float]] = {"full": [], "half": [], "tiny": []}
    pairs = []
    for number in range(ROUNDS):  # side by side, so that all meet the same hindrances
        face, drawn = faces(number)
        kept = half.prepare_latents(face)
        known = decoded(full, drawn, kept, seconds["full"])
        pairs.append((known, decoded(half, drawn, kept, seconds["half"])))
        decoded(small, drawn, kept, seconds["tiny"])
    known, made = (np.concatenate(part) for part in zip(*pairs, strict=True))
    return [
        share("half", seconds, 0.75),
        share("tiny", seconds, 0.15),
        Figure(
            name="neural engine, full size: pictures of decoder = half against full, PSNR",
            value=float(cv2.PSNR(made, known)),
            unit="dB",
            goal=45,
            better="higher",
            n=ROUNDS,
        ),
    ]


def generators(vae: Mapping[str, Any], tiny: Mapping[str, Any]) -> list[Generator]:
    """Full, half, tiny: with the engine's savings; of the UNet nothing is asked."""
    with torch.random.fork_rng():
        torch.manual_seed(SEED)  # biases begin at random
        unet = UNet2DConditionModel.from_config(dict(sizes(tiny=True)[0]))  # type: ignore[no-untyped-call]
        whole = random_network(AutoencoderKL.from_config(dict(vae)))  # type: ignore[no-untyped-call]
        small = random_network(AutoencoderTiny.from_config(dict(tiny)))  # type: ignore[no-untyped-call]
    use_polyphase_upsampling(whole.decoder)
    lower = deepcopy(whole)
    lower.decoder = PartialDecoder(lower.decoder, first_row=FIRST_DECODED_ROW)
    return [Generator(unet, network) for network in (whole, lower, small)]


def faces(number: int) -> tuple[Tensor, Tensor]:
    """(1, 8, 32, 32) latents of an avatar's frame, and the (1, 4, 32, 32) that are drawn on it."""
    noise = torch.Generator().manual_seed(SEED + number)
    face = torch.randn(1, 8, 32, 32, generator=noise)
    face[UPPER] = 0.5 * face[UPPER] + torch.tensor([1, -1, 0.5, -0.5] * 2)[None, :, None, None]
    drawn = face[:, 4:] + CHANGE * torch.randn(1, 4, 32, 32, generator=noise)
    drawn[MOUTH] = torch.randn(drawn[MOUTH].shape, generator=noise)
    return face, drawn


def decoded(generator: Generator, drawn: Tensor, kept: Tensor, seconds: list[float]) -> Picture:
    """The rows that `half` draws; adds the processor time that it took."""
    begun_s = time.process_time()
    pictures = generator.decode(drawn, kept)
    seconds.append(time.process_time() - begun_s)
    return np.asarray(pictures[0, FIRST_DECODED_ROW:])


def share(kind: str, seconds: Mapping[str, list[float]], goal: float) -> Figure:
    """The processor time of a decoder, in that of the full one."""
    taken_s, full_s = (statistics.median(seconds[name][1:]) for name in (kind, "full"))
    return Figure(
        name=f"neural engine, CPU, full size: processor time of decoder = {kind} against full",
        value=taken_s / full_s,
        unit="times",
        goal=goal,
        better="lower",
        n=ROUNDS - 1,
    )
