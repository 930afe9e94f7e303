"""The rows of `python -m bench gpu`: each measures one thing and yields what it found."""

import gc
import json
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.profiler import ProfilerActivity

from bench.figure import Figure
from bench.neural.decoders import CHANGE, MOUTH
from bench.neural.drone import hum
from bench.neural.gpu_rig import Rig, batch_jobs, conditions_for, pasted
from bench.neural.gpu_sessions import most_in_time
from warm.avatars.avatar import Avatar
from warm.engines.base import Patch, PendingPatches
from warm.engines.musetalk.acceleration.cuda_graphs import CudaGraphBackend
from warm.engines.musetalk.acceleration.fused_ops import fuse_if_faster
from warm.engines.musetalk.acceleration.polyphase import use_polyphase_upsampling
from warm.engines.musetalk.acceleration.timestep import fold_timestep
from warm.engines.musetalk.async_copy import AsyncCopy
from warm.engines.musetalk.audio_windows import audio_tokens, positional_encoding
from warm.engines.musetalk.crop import Picture
from warm.engines.musetalk.decoders import FIRST_DECODED_ROW
from warm.engines.musetalk.engine import MuseTalkEngine
from warm.engines.musetalk.pipeline import Pipeline
from warm.render.compositing import composite

PLAIN_BATCH = 20
SESSIONS = 8
FIRST = 4
"""Frames of the row that tells how soon the first ones are there."""
SENTENCE_S = 2.0
COMPARED = 8
"""Pictures that are compared with those in fp32."""
BATCHES = (1, 2, 4, 8, 16, 25, 32, 48, 64)
START_TIMEOUT_S = 120
TOP_KERNELS = 30
"""Of the profile, those that take the longest."""
KINDS = (
    (
        "kernels of our own",
        r"^_(tile_statistics|group_affine|apply_affine|add_residual|interleave)",
    ),
    ("attention", r"fmha|flash|attention|softmax"),
    ("convolutions", r"fprop|conv|implicit|winograd"),
    ("matrix products", r"gemm|nvjet|cublas|addmm|matmul"),
    ("norms", r"norm|rowwise|moments|welford"),
    ("copies", r"copy|nchw|nhwc|transpose|cat|memcpy|memset|index"),
)
"""What a kernel is for, by its name; the first that matches. Anything else is a sum of tensors."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A measured value without a goal."""

    name: str
    value: float
    unit: str


Found = Figure | Fact


@dataclass(slots=True, eq=False)
class Measured:
    """The rig, and what rows leave to later ones."""

    rig: Rig
    live: MuseTalkEngine | None = None
    steady_fps: float | None = None
    notes: dict[str, Any] = field(default_factory=dict)

    def engine(self) -> MuseTalkEngine:
        """The engine as the server has it, loaded; made at the first call."""
        if self.live is None:
            self.live = self.rig.warm()
            self.notes["engine"] = self.live.device_status()
        return self.live

    def rest(self) -> None:
        """Give back the engine's memory."""
        if self.live is not None:
            self.live.unload()
            self.live = None

    def count(self, full: int) -> int:
        """Repetitions: few at tiny size."""
        return 2 if self.rig.tiny else full


Row = tuple[str, Callable[[Measured], Iterator[Found]], float]
"""Name, what measures it, and the seconds that it may be expected to take."""


def cold_start(measured: Measured) -> Iterator[Found]:
    """A fresh process: Python, libraries, weights from disk, warm-up, recordings.

    The first one also compiles kernels of our own, which are on disk afterwards.
    """
    name = "start to warm, weights on local disk"
    first_s, steps = started(measured.rig)
    measured.notes["first start, seconds"] = steps
    yield figure(name, first_s, "s", 15, better="lower")
    if not measured.rig.tiny:
        again_s, steps = started(measured.rig)
        measured.notes["second start, seconds"] = steps
        yield Fact(name="the second start", value=again_s, unit="s")
    for step, seconds in steps.items():
        yield Fact(name=f"  of it: {step}", value=seconds, unit="s")


def started(rig: Rig) -> tuple[float, dict[str, float]]:
    """Seconds from the beginning of a process until it is warm, and those of its steps."""
    size = "tiny" if rig.tiny else "full"
    command = [sys.executable, "-m", "bench.neural.gpu_start", str(rig.folder), rig.device, size]
    begun_s = time.time()
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=START_TIMEOUT_S
    )
    warm = [line for line in done.stdout.splitlines() if line.startswith("warm ")]
    if not warm:
        raise RuntimeError(f"the process ended with {done.returncode}: {done.stderr[-500:]}")
    steps: dict[str, float] = json.loads(warm[0].removeprefix("warm "))
    return steps.pop("at_s") - begun_s, steps


def steady(measured: Measured) -> Iterator[Found]:
    """One session, then eight together: drawn and pasted, as the render thread does it."""
    engine, avatar = measured.engine(), measured.rig.avatar()
    for sessions, goal in ((1, 500), (SESSIONS, 600)):
        passes = measured.count(60)
        fps = engine_fps(engine, avatar, engine.largest_batch, passes, sessions=sessions)
        if sessions == 1:
            measured.steady_fps = fps
            name = "frames a second, steady, one session"
        else:
            name = f"frames a second, steady, {sessions} sessions together"
        yield figure(name, fps, "fps", goal, n=passes)


def engine_fps(
    engine: MuseTalkEngine, avatar: Avatar, size: int, passes: int, *, sessions: int = 1
) -> float:
    """While one pass is being drawn, the pictures of the one before are pasted."""
    rows = conditions_for(engine, avatar, 2 * avatar.fps)
    before: PendingPatches | None = None
    begun_s = 0.0
    for number in range(-2, passes):
        if number == 0:
            begun_s = time.perf_counter()
        made = engine.submit(batch_jobs(avatar, rows, number + 2, size, sessions))
        if before is not None:
            pasted(avatar, before)
        before = made
    assert before is not None
    pasted(avatar, before)
    return size * passes / (time.perf_counter() - begun_s)


def first_frames(measured: Measured) -> Iterator[Found]:
    """A sentence in memory: heard, first pictures drawn and pasted."""
    engine, avatar = measured.engine(), measured.rig.avatar()
    speech = hum("hum", seconds=SENTENCE_S)
    frames = round(SENTENCE_S * avatar.fps)
    taken_s = []
    for number in range(measured.count(30) + 2):
        begun_s = time.perf_counter()
        rows = engine.encode_speech(speech, frames=frames, fps=avatar.fps)
        pasted(avatar, engine.submit(batch_jobs(avatar, rows, number, FIRST)))
        taken_s.append(time.perf_counter() - begun_s)
    milliseconds = 1000 * np.array(taken_s[2:])
    name = f"audio in memory -> first {FIRST} frames pasted"
    median, slow = (float(x) for x in np.percentile(milliseconds, (50, 95)))
    yield figure(name, median, "ms", 40, better="lower", n=len(milliseconds))
    yield Fact(name=f"{name}, p95", value=slow, unit="ms")


def plain(measured: Measured) -> Iterator[Found]:
    """Eager fp16, twenty at a time, waited for, each picture pasted and written as PNG."""
    rig = measured.rig
    ours = measured.steady_fps
    if ours is None:
        raise RuntimeError("nothing to compare with: the steady row failed")
    engine, avatar = measured.engine(), rig.avatar()
    precision = "fp16" if rig.is_gpu else "fp32"
    pipeline = rig.pipeline(precision=precision, exact_savings=False)
    for network in networks(pipeline):
        nn.Module.to(network, memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    rows = conditions_for(engine, avatar, 2 * avatar.fps)
    passes, few = measured.count(5), rows[: measured.count(PLAIN_BATCH)]
    with TemporaryDirectory(dir=rig.folder) as folder:
        plain_pass(engine, pipeline, avatar, few, Path(folder))
        begun_s = time.perf_counter()
        for _ in range(passes):
            plain_pass(engine, pipeline, avatar, few, Path(folder))
        fps = passes * len(few) / (time.perf_counter() - begun_s)
    yield Fact(name=f"plain eager {precision}, batch {len(few)}, PNG output", value=fps, unit="fps")
    yield figure("steady frames a second against plain eager with PNG", ours / fps, "times", 5)


def plain_pass(
    engine: MuseTalkEngine,
    pipeline: Pipeline,
    avatar: Avatar,
    rows: NDArray[np.float32],
    folder: Path,
) -> None:
    """As scripts do it: nothing overlaps."""
    latents = latents_of(pipeline, avatar, len(rows))
    pictures = pipeline.generate(list(latents), list(rows)).wait()
    for number, drawn in enumerate(pictures):
        frame = number % len(avatar.frames)
        (made,) = pasted_at(avatar, frame, engine.patch(avatar, frame, drawn))
        cv2.imwrite(str(folder / f"{number:08d}.png"), made)


def pasted_at(avatar: Avatar, frame: int, patch: Patch) -> list[Picture]:
    """The finished picture of one frame."""
    return composite(avatar, frame, [patch], mode="feather", subpixel=True)


def sessions(measured: Measured) -> Iterator[Found]:
    """The server without HTTP: render thread, encoders and films on disk, in real time."""
    rig = measured.rig
    measured.rest()
    counts = (1,) if rig.tiny else (20, 28, 36, 44, 52)
    found = most_in_time(rig, counts, seconds=1 if rig.tiny else 8)
    for count, late in found.late.items():
        yield Fact(name=f"{count} sessions at {found.fps} fps: late fragments", value=late, unit="")
    yield figure(
        "sessions at 25 fps with no late frame", found.most, "sessions", 20, n=found.fragments
    )


def unload(measured: Measured) -> Iterator[Found]:
    """What an idle server gives back, and how long the next one who speaks waits."""
    rig, avatar = measured.rig, measured.rig.avatar()
    measured.rest()
    before = rig.held()
    engine = measured.engine()
    pasted(avatar, engine.submit(batch_jobs(avatar, conditions_for(engine, avatar, 4), 0, FIRST)))
    loaded = rig.held()
    engine.unload()
    left = rig.held()
    begun_s = time.perf_counter()
    engine.load()
    pasted(avatar, engine.submit(batch_jobs(avatar, conditions_for(engine, avatar, 4), 0, FIRST)))
    reload_s = time.perf_counter() - begun_s
    if loaded > before:
        share = 100 * (loaded - left) / (loaded - before)
        yield figure("idle unload: memory given back", share, "%", 95)
        yield Fact(name="memory of the loaded engine", value=(loaded - before) / 1e9, unit="GB")
    yield Fact(name="after an unload: reload and first frames", value=reload_s, unit="s")


def batches(measured: Measured) -> Iterator[Found]:
    """Frames a second by the size of a pass, drawing alone; each size is recorded by itself."""
    measured.rest()
    rig = measured.rig
    pipeline = rig.pipeline()
    for size in BATCHES:
        if not rig.tiny or size <= FIRST:
            record(rig, pipeline, size)
            yield Fact(
                name=f"passes of {size}", value=pipeline_fps(measured, pipeline, size), unit="fps"
            )


def savings(measured: Measured) -> Iterator[Found]:
    """Drawing alone, each saving on top of those before it."""
    measured.rest()
    rig = measured.rig
    pipeline = rig.pipeline(exact_savings=False)
    unet, vae = networks(pipeline)
    parts = [unet, vae.decoder]
    layout: Any = {"memory_format": torch.contiguous_format}
    nn.Module.to(unet, **layout)
    nn.Module.to(vae, **layout)
    steps: list[tuple[str, Callable[[], object]]] = [
        ("eager, channels first", lambda: None),
        ("+ channels last", lambda: channels_last(rig, unet, vae)),
        ("+ time embedding in biases", lambda: fold_timestep(unet)),
        ("+ convolutions by phases", lambda: [use_polyphase_upsampling(part) for part in parts]),
        ("+ CUDA graphs", lambda: record(rig, pipeline)),
        ("+ fused_kernels", lambda: fuse_and_record(rig, pipeline, parts)),
        ("+ search_kernels", lambda: search_and_record(rig, pipeline)),
    ]
    try:
        for name, step in steps:
            step()
            yield Fact(name=name, value=pipeline_fps(measured, pipeline), unit="fps")
    finally:
        torch.backends.cudnn.benchmark = False


def compiled(measured: Measured) -> Iterator[Found]:
    """`compile_networks`: what it brings, and what it costs at the start."""
    yield from compiled_by(measured, "compile_networks", None)


def compiled_long(measured: Measured) -> Iterator[Found]:
    """The same, with the compiler's own search for kernels. Not a setting."""
    yield from compiled_by(measured, "compiled by max-autotune", "max-autotune-no-cudagraphs")


def compiled_by(measured: Measured, name: str, mode: str | None) -> Iterator[Found]:
    """Frames a second of the compiled networks, and seconds of the compiler."""
    measured.rest()
    rig = measured.rig
    if not rig.is_gpu:
        return
    pipeline = rig.pipeline(compile_networks=True)
    begun_s = time.perf_counter()
    if mode is None:
        pipeline.compile(batch_of(rig))
    else:
        for network in (networks(pipeline)[0], networks(pipeline)[1].decoder):
            network.compile(mode=mode)
        pipeline.generator.generate(*pipeline.blank_batch(batch_of(rig)))
        rig.wait()
    yield Fact(name=f"{name}: at the start", value=time.perf_counter() - begun_s, unit="s")
    if fault := pipeline.acceleration_facts["compile_fault"]:
        raise RuntimeError(f"not compiled: {fault}")
    record(rig, pipeline)
    yield Fact(name=f"{name} + CUDA graphs", value=pipeline_fps(measured, pipeline), unit="fps")
    pipeline.close()


def profile(measured: Measured) -> Iterator[Found]:
    """What a pass of the largest size spends its time on; drawn eagerly, by the fused networks."""
    measured.rest()
    rig = measured.rig
    pipeline = rig.pipeline()
    given = pipeline.blank_batch(batch_of(rig))
    pipeline.generator.generate(*given)
    rig.wait()
    kinds = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if rig.is_gpu else [])]
    with torch.profiler.profile(activities=kinds, acc_events=True) as watched:
        pipeline.generator.generate(*given)
        rig.wait()
    spent = "self_device_time_total" if rig.is_gpu else "self_cpu_time_total"
    kernels = [each for each in watched.key_averages() if is_kernel(each, on_gpu=rig.is_gpu)]
    kernels.sort(key=lambda each: -float(getattr(each, spent)))
    times_ms = dict.fromkeys((*(kind for kind, _ in KINDS), "the rest"), 0.0)
    for each in kernels:
        times_ms[kind_of(each.key)] += getattr(each, spent) / 1000
    measured.notes["profile"] = [
        {"ms": round(getattr(each, spent) / 1000, 3), "calls": each.count, "kernel": each.key[:160]}
        for each in kernels[:TOP_KERNELS]
    ]
    size = batch_of(rig)
    yield Fact(name="kernels of a pass", value=sum(each.count for each in kernels), unit="")
    for kind, time_ms in times_ms.items():
        yield Fact(name=f"time of a frame: {kind}", value=time_ms / size, unit="ms")


def is_kernel(event: Any, *, on_gpu: bool) -> bool:
    """Whether a line of the profile is something that the device did, and not who asked for it."""
    return not on_gpu or str(event.device_type).endswith("CUDA")


def kind_of(kernel: str) -> str:
    """What it is for."""
    found = (kind for kind, known in KINDS if re.search(known, kernel, re.IGNORECASE))
    return next(found, "the rest")


def precision(measured: Measured) -> Iterator[Found]:
    """Decoded pictures in small numbers against fp32, from the same inputs; all must be finite."""
    measured.rest()
    exact = pictures_in(measured, "fp32")
    kinds = ("bf16", "fp16") if measured.rig.is_gpu else ("bf16",)
    for kind in kinds:
        likeness = float(cv2.PSNR(pictures_in(measured, kind), exact))
        yield figure(f"pictures in {kind} against fp32, PSNR", likeness, "dB", 45, n=COMPARED)


def decoders(measured: Measured) -> Iterator[Found]:
    """Drawing alone by the decoders that draw other pictures; and how near `half` comes to `full`.

    The drawn faces are the avatar's own but for their mouths: random networks would draw others.
    """
    measured.rest()
    rig, avatar = measured.rig, measured.rig.avatar()
    drawn: dict[str, Picture] = {}
    for kind in ("full", "half", "tiny"):
        pipeline = rig.pipeline(decoder=kind)
        record(rig, pipeline)
        yield Fact(name=f"decoder = {kind}", value=pipeline_fps(measured, pipeline), unit="fps")
        kept = latents_of(pipeline, avatar, COMPARED)
        faces = other_mouths(kept[:, 4:8])
        pictures = np.asarray(pipeline.generator.decode(faces, kept).cpu())[:, FIRST_DECODED_ROW:]
        drawn[kind] = pictures.reshape(-1, *pictures.shape[2:])
    likeness = float(cv2.PSNR(drawn["half"], drawn["full"]))
    yield Fact(name="pictures of decoder = half against full, PSNR", value=likeness, unit="dB")


def other_mouths(faces: Tensor) -> Tensor:
    """(n, 4, h, w) latents, each with another mouth, and a little noise all over."""
    noise = torch.Generator().manual_seed(COMPARED)
    change = CHANGE * torch.randn(faces.shape, generator=noise).to(faces)
    made = faces + faces.std() * change
    made[MOUTH] = torch.randn(made[MOUTH].shape, generator=noise).to(faces) * faces.std()
    return made


def pictures_in(measured: Measured, kind: str) -> Picture:
    """(n * h, w, 3) drawn pictures; raises where anything is not finite."""
    rig, avatar = measured.rig, measured.rig.avatar()
    pipeline = rig.pipeline(precision=kind)
    speech = hum("hum", seconds=SENTENCE_S)
    hidden = pipeline.audio_encoder.encode_speech(speech.samples)
    tokens = audio_tokens(hidden, frames=COMPARED, fps=avatar.fps)
    placed = torch.from_numpy(tokens + positional_encoding(*tokens.shape[1:])).to(
        pipeline.compute.device
    )
    drawn = pipeline.generator.predict(latents_of(pipeline, avatar, COMPARED), placed)
    if not bool(torch.isfinite(drawn).all()):
        raise RuntimeError(f"the UNet's latents are not finite in {kind}")
    made = np.asarray(pipeline.generator.decode(drawn).cpu())
    if made.std() < 1:
        raise RuntimeError(f"the decoder's pictures are empty in {kind}")
    return made.reshape(-1, made.shape[2], 3)


ROWS: Sequence[Row] = (
    ("start", cold_start, 40),
    ("steady", steady, 25),
    ("first frames", first_frames, 5),
    ("plain", plain, 20),
    ("unload", unload, 20),
    ("sessions", sessions, 60),
    ("precision", precision, 30),
    ("profile", profile, 15),
    ("batches", batches, 40),
    ("savings", savings, 50),
    ("decoders", decoders, 30),
    ("compiled", compiled, 90),
)
"""In the order of their worth, each with the seconds that it may be expected to take."""

ON_REQUEST: Sequence[Row] = (("compiled-long", compiled_long, 300),)
"""Rows that are measured only where `--rows` names them."""


def figure(
    name: str, value: float, unit: str, goal: float, *, better: Any = "higher", n: int = 1
) -> Figure:
    """A figure of this table."""
    return Figure(name=name, value=value, unit=unit, goal=goal, better=better, n=n)


def networks(pipeline: Pipeline) -> tuple[Any, Any]:
    """UNet and autoencoder of a studio."""
    return pipeline.generator.unet, pipeline.generator.vae


def batch_of(rig: Rig) -> int:
    """Frames of the largest pass of a server."""
    return rig.settings().batch_size


def latents_of(pipeline: Pipeline, avatar: Avatar, count: int) -> Tensor:
    """What the UNet sees of the avatar's first frames, over again where they do not do."""
    kept = np.asarray(avatar.extras["musetalk_latents"], np.float32)
    return pipeline.prepare_latents(kept[np.arange(count) % len(kept)])


def channels_last(rig: Rig, *parts: Any) -> None:
    """The layout of a GPU."""
    if rig.is_gpu:
        for part in parts:
            nn.Module.to(part, memory_format=torch.channels_last)  # type: ignore[call-overload]


def record(rig: Rig, pipeline: Pipeline, size: int | None = None) -> None:
    """Record the one pass that is measured; raises why that cannot be."""
    if not rig.is_gpu:
        return
    size = size or batch_of(rig)
    pipeline.graphs.disable("another is recorded")
    free()
    pipeline.graphs.error = None
    with pipeline.compute.as_current():
        backend = CudaGraphBackend(pipeline.compute.device)
        pipeline.graphs.capture([size], *pipeline.blank_batch(size), backend)
    if pipeline.graphs.error is not None:
        raise RuntimeError(f"not recorded: {pipeline.graphs.error}")


def fuse_and_record(rig: Rig, pipeline: Pipeline, parts: list[nn.Module]) -> None:
    """Norms and sums by kernels of our own; raises why that cannot be."""
    if not rig.is_gpu:
        return
    with pipeline.compute.as_current():
        fused = fuse_if_faster(parts, pipeline.compute)
    if fused.error is not None:
        raise RuntimeError(f"not fused: {fused.error}")
    record(rig, pipeline)


def search_and_record(rig: Rig, pipeline: Pipeline) -> None:
    """Have cuDNN try all its ways before the recording."""
    torch.backends.cudnn.benchmark = True
    record(rig, pipeline)


def free() -> None:
    """Give back what nobody holds any more."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def pipeline_fps(measured: Measured, pipeline: Pipeline, size: int | None = None) -> float:
    """Frames a second of drawing and copying back, nothing pasted."""
    rig = measured.rig
    size = size or batch_of(rig)
    latents = list(latents_of(pipeline, rig.avatar(), size))
    tokens = [np.zeros(pipeline.audio_encoder.tokens_shape, np.float32)] * size
    for _ in range(2):
        pipeline.generate(latents, tokens).wait()
    passes, copies = measured.count(20), list[AsyncCopy]()
    begun_s = time.perf_counter()
    for _ in range(passes):
        copies.append(pipeline.generate(latents, tokens))
    copies[-1].wait()
    return size * passes / (time.perf_counter() - begun_s)
