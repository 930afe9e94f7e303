"""Rows of `python -m bench gpu` that measure the engine: start, speed, latency, sessions."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bench.neural.gpu_networks import avatar_latents, networks_of
from bench.neural.gpu_results import Fact, Found, RowContext, figure
from bench.neural.gpu_rig import Rig, batch_requests, composite_patches, speech_features
from bench.neural.gpu_sessions import find_session_limit
from bench.neural.synthetic_voice import SENTENCE_S, hum
from warm.avatars.avatar import Avatar, Shown
from warm.engines.base import PendingPatches
from warm.engines.musetalk.engine import MuseTalkEngine
from warm.engines.musetalk.pipeline import Pipeline
from warm.render.compositing import composite

PLAIN_BATCH = 20
SESSIONS = 8
FIRST_FRAMES = 4
"""Frames whose latency is measured."""
START_TIMEOUT_S = 120


def cold_start(context: RowContext) -> Iterator[Found]:
    """A new process: Python, libraries, weights from disk, warm-up, CUDA graphs.

    The first one also compiles the fused kernels, which are cached on disk afterwards.
    """
    name = "start to warm, weights on local disk"
    first_s, steps = time_start(context.rig)
    context.notes["first start, seconds"] = steps
    yield figure(name, first_s, "s", 15, better="lower")
    if not context.rig.tiny:
        again_s, steps = time_start(context.rig)
        context.notes["second start, seconds"] = steps
        yield Fact(name="the second start", value=again_s, unit="s")
    for step, seconds in steps.items():
        yield Fact(name=f"  of it: {step}", value=seconds, unit="s")


def time_start(rig: Rig) -> tuple[float, dict[str, float]]:
    """Seconds from the start of a process until it is warm, and those of its steps."""
    size = "tiny" if rig.tiny else "full"
    command = [sys.executable, "-m", "bench.neural.gpu_start", str(rig.folder), rig.device, size]
    started_s = time.time()
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=START_TIMEOUT_S
    )
    warm = [line for line in done.stdout.splitlines() if line.startswith("warm ")]
    if not warm:
        raise RuntimeError(f"the process ended with {done.returncode}: {done.stderr[-500:]}")
    steps: dict[str, float] = json.loads(warm[0].removeprefix("warm "))
    return steps.pop("at_s") - started_s, steps


def steady_speed(context: RowContext) -> Iterator[Found]:
    """One session, then eight together: generated and composited as by the render thread."""
    engine, avatar = context.engine(), context.rig.avatar()
    for sessions, goal in ((1, 500), (SESSIONS, 600)):
        batches = context.repetitions(60)
        fps = engine_fps(engine, avatar, engine.largest_batch, batches, sessions=sessions)
        if sessions == 1:
            context.steady_fps = fps
            name = "frames a second, steady, one session"
        else:
            name = f"frames a second, steady, {sessions} sessions together"
        yield figure(name, fps, "fps", goal, n=batches)


def engine_fps(
    engine: MuseTalkEngine, avatar: Avatar, size: int, batches: int, *, sessions: int = 1
) -> float:
    """Frames a second if one batch is generated while the previous one is composited."""
    rows = speech_features(engine, avatar, 2 * avatar.fps)
    previous: PendingPatches | None = None
    started_s = 0.0
    for number in range(-2, batches):
        if number == 0:
            started_s = time.perf_counter()
        pending = engine.submit(batch_requests(avatar, rows, number + 2, size, sessions))
        if previous is not None:
            composite_patches(avatar, previous)
        previous = pending
    assert previous is not None
    composite_patches(avatar, previous)
    return size * batches / (time.perf_counter() - started_s)


def first_frames(context: RowContext) -> Iterator[Found]:
    """Latency from a sentence in memory to its first composited frames."""
    engine, avatar = context.engine(), context.rig.avatar()
    speech = hum("hum", seconds=SENTENCE_S)
    frames = round(SENTENCE_S * avatar.fps)
    taken_s = []
    for number in range(context.repetitions(30) + 2):
        started_s = time.perf_counter()
        rows = engine.encode_speech(speech, frames=frames, fps=avatar.fps)
        composite_patches(avatar, engine.submit(batch_requests(avatar, rows, number, FIRST_FRAMES)))
        taken_s.append(time.perf_counter() - started_s)
    milliseconds = 1000 * np.array(taken_s[2:])
    name = f"audio in memory -> first {FIRST_FRAMES} frames pasted"
    median, slow = (float(x) for x in np.percentile(milliseconds, (50, 95)))
    yield figure(name, median, "ms", 40, better="lower", n=len(milliseconds))
    yield Fact(name=f"{name}, p95", value=slow, unit="ms")


def plain_pipeline(context: RowContext) -> Iterator[Found]:
    """Eager fp16, batches of twenty, synchronous, each picture composited and saved as PNG."""
    rig = context.rig
    if context.steady_fps is None:
        raise RuntimeError("nothing to compare with: the steady row failed")
    engine, avatar = context.engine(), rig.avatar()
    precision = "fp16" if rig.is_gpu else "fp32"
    pipeline = rig.pipeline(precision=precision, exact_savings=False)
    for network in networks_of(pipeline):
        nn.Module.to(network, memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    rows = speech_features(engine, avatar, 2 * avatar.fps)
    batches, batch = context.repetitions(5), rows[: context.repetitions(PLAIN_BATCH)]
    with TemporaryDirectory(dir=rig.folder) as folder:
        run_plain_batch(engine, pipeline, avatar, batch, Path(folder))
        started_s = time.perf_counter()
        for _ in range(batches):
            run_plain_batch(engine, pipeline, avatar, batch, Path(folder))
        fps = batches * len(batch) / (time.perf_counter() - started_s)
    yield Fact(
        name=f"plain eager {precision}, batch {len(batch)}, PNG output", value=fps, unit="fps"
    )
    speedup = context.steady_fps / fps
    yield figure("steady frames a second against plain eager with PNG", speedup, "times", 5)


def run_plain_batch(
    engine: MuseTalkEngine,
    pipeline: Pipeline,
    avatar: Avatar,
    rows: NDArray[np.float32],
    folder: Path,
) -> None:
    """Generate, composite and save a batch as simple scripts do: nothing overlaps."""
    latents = avatar_latents(pipeline, avatar, len(rows))
    pictures = pipeline.generate(list(latents), list(rows)).wait()
    for number, drawn in enumerate(pictures):
        frame = number % len(avatar.frames)
        patch = engine.patch(avatar, frame, drawn)
        (picture,) = composite(avatar, [Shown(frame)], [patch], mode="feather", subpixel=True)
        cv2.imwrite(str(folder / f"{number:08d}.png"), picture)


def real_time_sessions(context: RowContext) -> Iterator[Found]:
    """The server without HTTP: render thread, encoders and films on disk, in real time."""
    rig = context.rig
    context.unload_engine()
    counts = (1,) if rig.tiny else (20, 28, 36, 44, 52)
    result = find_session_limit(rig, counts, seconds=1 if rig.tiny else 8)
    for count, late in result.late.items():
        name = f"{count} sessions at {result.fps} fps: late fragments"
        yield Fact(name=name, value=late, unit="")
    name = "sessions at 25 fps with no late frame"
    yield figure(name, result.max_sessions, "sessions", 20, n=result.fragments)


def unload_and_reload(context: RowContext) -> Iterator[Found]:
    """Memory that an unloaded engine frees, and the time until its first frames after a reload."""
    rig = context.rig
    context.unload_engine()
    before = rig.reserved()
    engine = context.engine()
    generate_first_frames(engine, rig.avatar())
    loaded = rig.reserved()
    engine.unload()
    unloaded = rig.reserved()
    started_s = time.perf_counter()
    engine.load()
    generate_first_frames(engine, rig.avatar())
    reload_s = time.perf_counter() - started_s
    if loaded > before:
        share = 100 * (loaded - unloaded) / (loaded - before)
        yield figure("idle unload: memory given back", share, "%", 95)
        yield Fact(name="memory of the loaded engine", value=(loaded - before) / 1e9, unit="GB")
    yield Fact(name="after an unload: reload and first frames", value=reload_s, unit="s")


def generate_first_frames(engine: MuseTalkEngine, avatar: Avatar) -> None:
    """Generate and composite the first frames of a sentence."""
    rows = speech_features(engine, avatar, FIRST_FRAMES)
    composite_patches(avatar, engine.submit(batch_requests(avatar, rows, 0, FIRST_FRAMES)))
