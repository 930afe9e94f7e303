"""The rows of `python -m bench gpu`: each measures one thing and yields what it found."""

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

from bench.drone import hum
from bench.figure import Figure
from bench.gpu_rig import Rig, pass_of, pasted, said
from bench.gpu_sessions import most_in_time
from warm.avatar import Avatar
from warm.engine import Patch, Rendering
from warm.musetalk.crop import Picture
from warm.musetalk.engine import MuseTalkEngine
from warm.musetalk.graphs import CudaRecorder
from warm.musetalk.phases import use_phases
from warm.musetalk.rendering import Copy
from warm.musetalk.studio import Studio
from warm.musetalk.timestep import fold_timestep
from warm.musetalk.windows import positions, tokens_of
from warm.pasting import speaking

PLAIN_BATCH = 20
SESSIONS = 8
FIRST = 4
"""Frames of the row that tells how soon the first ones are there."""
SENTENCE_S = 2.0
COMPARED = 8
"""Pictures that are compared with those in fp32."""
BATCHES = (1, 2, 4, 8, 12, 16, 20, 25, 32, 48, 64)
START_TIMEOUT_S = 120


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
            self.notes["engine"] = self.live.facts()
        return self.live

    def rest(self) -> None:
        """Give back the engine's memory."""
        if self.live is not None:
            self.live.unload()
            self.live = None

    def count(self, full: int) -> int:
        """Repetitions: few at tiny size."""
        return 2 if self.rig.tiny else full


def start(measured: Measured) -> Iterator[Found]:
    """A fresh process: Python, libraries, weights from disk, warm-up, recordings."""
    rig = measured.rig
    size = "tiny" if rig.tiny else "full"
    command = [sys.executable, "-m", "bench.gpu_start", str(rig.folder), rig.device, size]
    begun_s = time.time()
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=START_TIMEOUT_S
    )
    warm = [line for line in done.stdout.splitlines() if line.startswith("warm ")]
    if not warm:
        raise RuntimeError(f"the process ended with {done.returncode}: {done.stderr[-500:]}")
    taken_s = float(warm[0].split()[1]) - begun_s
    yield figure("start to warm, weights on local disk", taken_s, "s", 15, better="lower")


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
    rows = said(engine, avatar, 2 * avatar.fps)
    before: Rendering | None = None
    begun_s = 0.0
    for number in range(-2, passes):
        if number == 0:
            begun_s = time.perf_counter()
        made = engine.start(pass_of(avatar, rows, number + 2, size, sessions))
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
        rows = engine.conditions(speech, frames=frames, fps=avatar.fps)
        pasted(avatar, engine.start(pass_of(avatar, rows, number, FIRST)))
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
    studio = rig.studio(precision=precision, exact_savings=False)
    for network in networks(studio):
        nn.Module.to(network, memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    rows = said(engine, avatar, 2 * avatar.fps)
    passes, few = measured.count(5), rows[: measured.count(PLAIN_BATCH)]
    with TemporaryDirectory(dir=rig.folder) as folder:
        plain_pass(engine, studio, avatar, few, Path(folder))
        begun_s = time.perf_counter()
        for _ in range(passes):
            plain_pass(engine, studio, avatar, few, Path(folder))
        fps = passes * len(few) / (time.perf_counter() - begun_s)
    yield Fact(name=f"plain eager {precision}, batch {len(few)}, PNG output", value=fps, unit="fps")
    yield figure("steady frames a second against plain eager with PNG", ours / fps, "times", 5)


def plain_pass(
    engine: MuseTalkEngine, studio: Studio, avatar: Avatar, rows: NDArray[np.float32], folder: Path
) -> None:
    """As scripts do it: nothing overlaps."""
    latents = latents_of(studio, avatar, len(rows))
    pictures = studio.draw(list(latents), list(rows)).wait()
    for number, drawn in enumerate(pictures):
        frame = number % len(avatar.frames)
        (made,) = pasted_at(avatar, frame, engine.patch(avatar, frame, drawn))
        cv2.imwrite(str(folder / f"{number:08d}.png"), made)


def pasted_at(avatar: Avatar, frame: int, patch: Patch) -> list[Picture]:
    """The finished picture of one frame."""
    return speaking(avatar, frame, [patch], mode="feather", subpixel=True)


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
    pasted(avatar, engine.start(pass_of(avatar, said(engine, avatar, 4), 0, FIRST)))
    loaded = rig.held()
    engine.unload()
    left = rig.held()
    begun_s = time.perf_counter()
    engine.load()
    pasted(avatar, engine.start(pass_of(avatar, said(engine, avatar, 4), 0, FIRST)))
    reload_s = time.perf_counter() - begun_s
    if loaded > before:
        share = 100 * (loaded - left) / (loaded - before)
        yield figure("idle unload: memory given back", share, "%", 95)
        yield Fact(name="memory of the loaded engine", value=(loaded - before) / 1e9, unit="GB")
    yield Fact(name="after an unload: reload and first frames", value=reload_s, unit="s")


def batches(measured: Measured) -> Iterator[Found]:
    """Frames a second by the size of a pass."""
    measured.rest()
    rig, avatar = measured.rig, measured.rig.avatar()
    sizes = [size for size in BATCHES if not rig.tiny or size <= FIRST]
    engine = rig.warm(batch_size=max(sizes))
    try:
        for size in sizes:
            passes = measured.count(max(6, 400 // size))
            fps = engine_fps(engine, avatar, size, passes)
            yield Fact(name=f"passes of {size}", value=fps, unit="fps")
    finally:
        engine.unload()


def savings(measured: Measured) -> Iterator[Found]:
    """Drawing alone, each saving on top of those before it."""
    measured.rest()
    rig = measured.rig
    studio = rig.studio(exact_savings=False)
    unet, vae = networks(studio)
    layout: Any = {"memory_format": torch.contiguous_format}
    nn.Module.to(unet, **layout)
    nn.Module.to(vae, **layout)
    steps: list[tuple[str, Callable[[], object]]] = [
        ("eager, channels first", lambda: None),
        ("+ channels last", lambda: channels_last(rig, unet, vae)),
        ("+ time embedding in biases", lambda: fold_timestep(unet)),
        ("+ convolutions by phases", lambda: (use_phases(unet), use_phases(vae.decoder))),
        ("+ CUDA graphs", lambda: record(rig, studio)),
        ("+ cudnn.benchmark (no setting)", lambda: benchmark(rig, studio)),
    ]
    try:
        for name, step in steps:
            step()
            yield Fact(name=name, value=studio_fps(measured, studio), unit="fps")
    finally:
        torch.backends.cudnn.benchmark = False


def compiled(measured: Measured) -> Iterator[Found]:
    """`compile_networks`: what it brings, and what it costs at the start."""
    measured.rest()
    rig = measured.rig
    if not rig.is_gpu:
        return
    studio = rig.studio()
    begun_s = time.perf_counter()
    studio.compile(batch_of(rig))
    yield Fact(name="compile_networks: at the start", value=time.perf_counter() - begun_s, unit="s")
    if fault := studio.passes["compile_fault"]:
        raise RuntimeError(f"not compiled: {fault}")
    yield Fact(name="compile_networks", value=studio_fps(measured, studio), unit="fps")
    record(rig, studio)
    yield Fact(
        name="compile_networks + CUDA graphs", value=studio_fps(measured, studio), unit="fps"
    )


def precision(measured: Measured) -> Iterator[Found]:
    """Decoded pictures in small numbers against fp32, from the same inputs; all must be finite."""
    measured.rest()
    exact = pictures_in(measured, "fp32")
    kinds = ("bf16", "fp16") if measured.rig.is_gpu else ("bf16",)
    for kind in kinds:
        likeness = float(cv2.PSNR(pictures_in(measured, kind), exact))
        yield figure(f"pictures in {kind} against fp32, PSNR", likeness, "dB", 45, n=COMPARED)


def pictures_in(measured: Measured, kind: str) -> Picture:
    """(n * h, w, 3) drawn pictures; raises where anything is not finite."""
    rig, avatar = measured.rig, measured.rig.avatar()
    studio = rig.studio(precision=kind)
    speech = hum("hum", seconds=SENTENCE_S)
    hidden = studio.hearing.hear(speech.samples)
    tokens = tokens_of(hidden, frames=COMPARED, fps=avatar.fps)
    placed = torch.from_numpy(tokens + positions(*tokens.shape[1:])).to(studio.compute.device)
    drawn = studio.painter.predict(latents_of(studio, avatar, COMPARED), placed)
    if not bool(torch.isfinite(drawn).all()):
        raise RuntimeError(f"the UNet's latents are not finite in {kind}")
    made = np.asarray(studio.painter.decode(drawn).cpu())
    if made.std() < 1:
        raise RuntimeError(f"the decoder's pictures are empty in {kind}")
    return made.reshape(-1, made.shape[2], 3)


ROWS: Sequence[tuple[str, Callable[[Measured], Iterator[Found]], float]] = (
    ("start", start, 20),
    ("steady", steady, 25),
    ("first frames", first_frames, 5),
    ("plain", plain, 20),
    ("unload", unload, 20),
    ("sessions", sessions, 60),
    ("precision", precision, 30),
    ("batches", batches, 30),
    ("savings", savings, 40),
    ("compiled", compiled, 90),
)
"""In the order of their worth, each with the seconds that it may be expected to take."""


def figure(
    name: str, value: float, unit: str, goal: float, *, better: Any = "higher", n: int = 1
) -> Figure:
    """A figure of this table."""
    return Figure(name=name, value=value, unit=unit, goal=goal, better=better, n=n)


def networks(studio: Studio) -> tuple[Any, Any]:
    """UNet and autoencoder of a studio."""
    return studio.painter._unet, studio.painter._vae


def batch_of(rig: Rig) -> int:
    """Frames of the largest pass of a server."""
    return rig.settings().batch_size


def latents_of(studio: Studio, avatar: Avatar, count: int) -> Tensor:
    """What the UNet sees of the avatar's first frames, over again where they do not do."""
    kept = np.asarray(avatar.extras["musetalk_latents"], np.float32)
    return studio.keep(kept[np.arange(count) % len(kept)])


def channels_last(rig: Rig, *parts: Any) -> None:
    """The layout of a GPU."""
    if rig.is_gpu:
        for part in parts:
            nn.Module.to(part, memory_format=torch.channels_last)  # type: ignore[call-overload]


def record(rig: Rig, studio: Studio) -> None:
    """Record the one pass that is measured; raises why that cannot be."""
    if not rig.is_gpu:
        return
    size = batch_of(rig)
    studio.graphs.record([size], *studio._empty(size), CudaRecorder(studio.compute.device))
    if studio.graphs.fault is not None:
        raise RuntimeError(f"not recorded: {studio.graphs.fault}")


def benchmark(rig: Rig, studio: Studio) -> None:
    """Have cuDNN try all its ways before the recording."""
    torch.backends.cudnn.benchmark = True
    record(rig, studio)


def studio_fps(measured: Measured, studio: Studio) -> float:
    """Frames a second of drawing and copying back, nothing pasted."""
    rig, size = measured.rig, batch_of(measured.rig)
    latents = list(latents_of(studio, rig.avatar(), size))
    tokens = [np.zeros(studio.hearing.tokens_shape, np.float32)] * size
    for _ in range(2):
        studio.draw(latents, tokens).wait()
    passes, copies = measured.count(20), list[Copy]()
    begun_s = time.perf_counter()
    for _ in range(passes):
        copies.append(studio.draw(latents, tokens))
    copies[-1].wait()
    return size * passes / (time.perf_counter() - begun_s)
