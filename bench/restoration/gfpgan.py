"""GFPGAN's network against golden tensors, and its speed on the CPU."""

import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from bench.figure import Figure
from bench.restoration.golden import BOUND, FULL_BOUND, STATISTICS_BOUND, GoldenSet, difference
from warm.engines.musetalk.device import choose_device
from warm.enhance.gfpgan import GfpganRestorer

MAX_FACE_S = {1: 15.0, 2: 7.5}
"""Seconds per face by number of threads: the published network's time on the same kind of CPU."""
FACES = 3


def measure(out: Path) -> list[Figure]:  # noqa: ARG001 - this topic has no plot
    """Compare and time the network; needs ../shared/golden/gfpgan."""
    with torch.inference_mode():
        full = GoldenSet("full")
        return [
            *(deviation(GoldenSet(name)) for name in ("small", "plain")),
            *full_deviations(full),
            batch_deviation(GoldenSet("small")),
            *times(full),
        ]


def deviation(golden: GoldenSet) -> Figure:
    """Return the largest deviation of the picture and heads of a small set."""
    picture, heads = golden.network(golden.input, with_heads=True)
    expected = golden.arrays["image_batch" if len(picture) > 1 else "image"]
    return deviation_figure(golden, picture, expected, heads, BOUND)


def full_deviations(golden: GoldenSet) -> list[Figure]:
    """Return the deviations at the published size, for the parts that the set contains."""
    picture, heads = golden.network(golden.input, with_heads=True)
    tiles, square = functional.avg_pool2d(picture, 32), picture[:, :, 224:256, 224:256]
    found = torch.cat([tiles.flatten(), square.flatten()])
    arrays = golden.arrays
    expected = torch.cat(
        [arrays["image_area_16"].flatten(), arrays["image_crop_224_256"].flatten()]
    )
    facts = golden.statistics
    statistics = max(
        abs(picture.mean().item() - facts["mean"]),
        abs(picture.std(correction=0).item() - facts["std"]),
    )
    return [
        deviation_figure(golden, found, expected, heads, FULL_BOUND),
        Figure.at_most("gfpgan: mean, deviation: full", statistics, "", STATISTICS_BOUND, 2),
    ]


def deviation_figure(
    golden: GoldenSet, picture: Tensor, expected: Tensor, heads: list[Tensor], bound: float
) -> Figure:
    """Return the largest deviation of a picture and of the heads that the set contains."""
    stored = [golden.arrays.get(f"out_rgbs.{number}") for number in range(len(heads))]
    pairs = [(picture, expected)]
    pairs += [
        (head[:1], known) for head, known in zip(heads, stored, strict=True) if known is not None
    ]
    largest = max(difference(found, known) for found, known in pairs)
    count = sum(known.numel() for _, known in pairs)
    return Figure.at_most(f"gfpgan: deviation: {golden.name}", largest, "", bound, count)


def batch_deviation(golden: GoldenSet) -> Figure:
    """Return the largest difference between a batch of two and two batches of one."""
    together, _ = golden.network(golden.input)
    alone = torch.cat([golden.network(one[None])[0] for one in golden.input])
    return Figure.at_most(
        "gfpgan: batch of two against one", difference(together, alone), "", BOUND, together.numel()
    )


def times(golden: GoldenSet) -> list[Figure]:
    """Return wall and CPU seconds per face at the published size."""
    restorer = GfpganRestorer(golden.network, choose_device("cpu", "fp32"))
    crops = np.random.default_rng(1).integers(
        0, 256, (1, restorer.size, restorer.size, 3), np.uint8
    )
    threads_before = torch.get_num_threads()
    figures = []
    try:
        for threads, goal in MAX_FACE_S.items():
            torch.set_num_threads(threads)
            wall_s, cpu_s = face_s(restorer, crops)
            name = f"gfpgan: a face, {threads} thread{'s' if threads > 1 else ''}"
            figures.append(Figure.at_most(name, wall_s, "s", goal, FACES))
            figures.append(Figure.at_most(f"{name}, CPU time", cpu_s, "s", MAX_FACE_S[1], FACES))
    finally:
        torch.set_num_threads(threads_before)
    return figures


def face_s(restorer: GfpganRestorer, crops: np.ndarray) -> tuple[float, float]:
    """Return the shortest wall and CPU time per face, seconds."""
    walls, cpus = [], []
    for _ in range(FACES):
        wall, cpu = time.perf_counter(), time.process_time()
        restorer.restore(crops)
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return min(walls), min(cpus)
