"""Rows of `python -m bench gpu` that measure the networks: batches, accelerations, precision."""

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity

from bench.neural.decoders import CHANGE, MOUTH
from bench.neural.gpu_results import Fact, Found, RowContext, figure, release_memory
from bench.neural.gpu_rig import Rig
from bench.neural.synthetic_voice import SENTENCE_S, hum
from warm.avatars.avatar import Avatar
from warm.engines.musetalk.acceleration.cuda_graphs import CudaGraphBackend
from warm.engines.musetalk.acceleration.fused_ops import fuse_if_faster
from warm.engines.musetalk.acceleration.polyphase import use_polyphase_upsampling
from warm.engines.musetalk.acceleration.timestep import fold_timestep
from warm.engines.musetalk.async_copy import AsyncCopy
from warm.engines.musetalk.audio_windows import audio_tokens, positional_encoding
from warm.engines.musetalk.crop import Picture
from warm.engines.musetalk.decoders import FIRST_DECODED_ROW
from warm.engines.musetalk.pipeline import Pipeline

COMPARED, TINY_COMPARED = 8, 2
"""Pictures that are compared with those in fp32, and at tiny size."""
BATCHES = (1, 2, 4, 8, 16, 25, 32, 48, 64)
MAX_TINY_BATCH = 4
TOP_KERNELS = 30
"""Kernels in the notes of the profile, the longest first."""
KINDS = (
    ("fused kernels", r"^_(tile_stat|group_affine|apply_affine|add_residual|interleave)"),
    ("attention", r"fmha|flash|attention|softmax"),
    ("convolutions", r"fprop|conv|implicit|winograd"),
    ("matrix products", r"gemm|nvjet|cublas|addmm|matmul"),
    ("norms", r"norm|rowwise|moments|welford"),
    ("copies", r"copy|nchw|nhwc|transpose|cat|memcpy|memset|index"),
)
"""Purpose of a kernel by its name; the first match counts. Anything else is element-wise."""


def batch_sizes(context: RowContext) -> Iterator[Found]:
    """Frames a second by batch size, of the networks alone; each size has a graph of its own."""
    context.unload_engine()
    rig = context.rig
    pipeline = rig.pipeline()
    for size in BATCHES:
        if not rig.tiny or size <= MAX_TINY_BATCH:
            capture_graph(rig, pipeline, size)
            fps = pipeline_fps(context, pipeline, size)
            yield Fact(name=f"passes of {size}", value=fps, unit="fps")


def accelerations(context: RowContext) -> Iterator[Found]:
    """Frames a second of the networks alone, each acceleration on top of the previous ones."""
    context.unload_engine()
    rig = context.rig
    pipeline = rig.pipeline(exact_savings=False)
    unet, vae = networks_of(pipeline)
    parts = [unet, vae.decoder]
    layout: Any = {"memory_format": torch.contiguous_format}
    nn.Module.to(unet, **layout)
    nn.Module.to(vae, **layout)
    steps: list[tuple[str, Callable[[], object]]] = [
        ("eager, channels first", lambda: None),
        ("+ channels last", lambda: use_channels_last(rig, unet, vae)),
        ("+ time embedding in biases", lambda: fold_timestep(unet)),
        ("+ convolutions by phases", lambda: [use_polyphase_upsampling(part) for part in parts]),
        ("+ CUDA graphs", lambda: capture_graph(rig, pipeline)),
        ("+ fused_kernels", lambda: fuse_and_capture(rig, pipeline, parts)),
        ("+ search_kernels", lambda: search_and_capture(rig, pipeline)),
    ]
    try:
        for name, step in steps:
            step()
            yield Fact(name=name, value=pipeline_fps(context, pipeline), unit="fps")
    finally:
        torch.backends.cudnn.benchmark = False


def compiled_networks(context: RowContext) -> Iterator[Found]:
    """Speed of `compile_networks`, and its time at the start."""
    yield from measure_compiled(context, "compile_networks", None)


def compiled_by_search(context: RowContext) -> Iterator[Found]:
    """The same with the compiler's own kernel search, which is not a setting."""
    yield from measure_compiled(context, "compiled by max-autotune", "max-autotune-no-cudagraphs")


def measure_compiled(context: RowContext, name: str, mode: str | None) -> Iterator[Found]:
    """Frames a second of the compiled networks, and seconds of the compilation."""
    context.unload_engine()
    rig = context.rig
    if not rig.is_gpu:
        return
    pipeline = rig.pipeline(compile_networks=True)
    started_s = time.perf_counter()
    if mode is None:
        pipeline.compile(largest_batch(rig))
    else:
        for network in (networks_of(pipeline)[0], networks_of(pipeline)[1].decoder):
            network.compile(mode=mode)
        pipeline.generator.generate(*pipeline.blank_batch(largest_batch(rig)))
        rig.synchronize()
    yield Fact(name=f"{name}: at the start", value=time.perf_counter() - started_s, unit="s")
    if error := pipeline.acceleration_facts["compile_fault"]:
        raise RuntimeError(f"not compiled: {error}")
    capture_graph(rig, pipeline)
    yield Fact(name=f"{name} + CUDA graphs", value=pipeline_fps(context, pipeline), unit="fps")
    pipeline.close()


def kernel_profile(context: RowContext) -> Iterator[Found]:
    """Time of the kernels in a batch of the largest size; eager, with fused operations."""
    context.unload_engine()
    rig = context.rig
    size = largest_batch(rig)
    kernels = profile_batch(rig, rig.pipeline(), size)
    context.notes["profile"] = [
        {"ms": round(time_ms, 3), "calls": event.count, "kernel": event.key[:160]}
        for time_ms, event in kernels[:TOP_KERNELS]
    ]
    calls = sum(event.count for _, event in kernels)
    yield Fact(name="kernels of a pass", value=calls, unit="")
    times_ms = dict.fromkeys((*(kind for kind, _ in KINDS), "the rest"), 0.0)
    for time_ms, event in kernels:
        times_ms[kind_of(event.key)] += time_ms
    for kind, time_ms in times_ms.items():
        yield Fact(name=f"time of a frame: {kind}", value=time_ms / size, unit="ms")


def profile_batch(rig: Rig, pipeline: Pipeline, size: int) -> list[tuple[float, Any]]:
    """(milliseconds, profiler event) of each kernel of a batch, the longest first."""
    batch = pipeline.blank_batch(size)
    pipeline.generator.generate(*batch)
    rig.synchronize()
    activities = [ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if rig.is_gpu else [])]
    with torch.profiler.profile(activities=activities, acc_events=True) as profiler:
        pipeline.generator.generate(*batch)
        rig.synchronize()
    field = "self_device_time_total" if rig.is_gpu else "self_cpu_time_total"
    kernels = [
        (float(getattr(event, field)) / 1000, event)
        for event in profiler.key_averages()
        if is_kernel(event, on_gpu=rig.is_gpu)
    ]
    return sorted(kernels, key=lambda kernel: -kernel[0])


def is_kernel(event: Any, *, on_gpu: bool) -> bool:
    """Return True if a profiler event ran on the device, rather than launched work on it."""
    return not on_gpu or str(event.device_type).endswith("CUDA")


def kind_of(kernel: str) -> str:
    """Purpose of a kernel."""
    matches = (kind for kind, names in KINDS if re.search(names, kernel, re.IGNORECASE))
    return next(matches, "the rest")


def precisions(context: RowContext) -> Iterator[Found]:
    """Pictures in low precision against fp32, from the same inputs; all must be finite."""
    context.unload_engine()
    expected = pictures_in(context, "fp32")
    for precision in ("bf16", "fp16") if context.rig.is_gpu else ("bf16",):
        psnr = float(cv2.PSNR(pictures_in(context, precision), expected))
        yield figure(f"pictures in {precision} against fp32, PSNR", psnr, "dB", 45, n=COMPARED)


def pictures_in(context: RowContext, precision: str) -> Picture:
    """(n * h, w, 3) generated pictures; raises RuntimeError if they are not finite or empty."""
    rig, avatar = context.rig, context.rig.avatar()
    pipeline = rig.pipeline(precision=precision)
    speech = hum("hum", seconds=SENTENCE_S)
    hidden = pipeline.audio_encoder.encode_speech(speech.samples)
    tokens = audio_tokens(hidden, frames=COMPARED, fps=avatar.fps)
    tokens = tokens + positional_encoding(*tokens.shape[1:])
    on_device = torch.from_numpy(tokens).to(pipeline.compute.device)
    latents = pipeline.generator.predict(avatar_latents(pipeline, avatar, COMPARED), on_device)
    if not bool(torch.isfinite(latents).all()):
        raise RuntimeError(f"the UNet's latents are not finite in {precision}")
    pictures = np.asarray(pipeline.generator.decode(latents).cpu())
    if pictures.std() < 1:
        raise RuntimeError(f"the decoder's pictures are empty in {precision}")
    return pictures.reshape(-1, pictures.shape[2], 3)


def other_decoders(context: RowContext) -> Iterator[Found]:
    """Speed of each decoder, and the similarity of `half` and `full`.

    The decoded faces are the avatar's own with other mouths: random networks would draw unrelated
    faces.
    """
    context.unload_engine()
    rig, avatar = context.rig, context.rig.avatar()
    decoded: dict[str, Picture] = {}
    for kind in ("full", "half", "tiny"):
        pipeline = rig.pipeline(decoder=kind)
        capture_graph(rig, pipeline)
        yield Fact(name=f"decoder = {kind}", value=pipeline_fps(context, pipeline), unit="fps")
        latents = avatar_latents(pipeline, avatar, TINY_COMPARED if rig.tiny else COMPARED)
        pictures = pipeline.generator.decode(replace_mouths(latents[:, 4:8]), latents)
        rows = np.asarray(pictures.cpu())[:, FIRST_DECODED_ROW:]
        decoded[kind] = rows.reshape(-1, *rows.shape[2:])
    psnr = float(cv2.PSNR(decoded["half"], decoded["full"]))
    yield Fact(name="pictures of decoder = half against full, PSNR", value=psnr, unit="dB")


def replace_mouths(faces: Tensor) -> Tensor:
    """(n, 4, h, w) latents, each with another mouth, and a little noise everywhere."""
    noise = torch.Generator().manual_seed(COMPARED)
    change = CHANGE * torch.randn(faces.shape, generator=noise).to(faces)
    changed = faces + faces.std() * change
    mouths = torch.randn(changed[MOUTH].shape, generator=noise).to(faces)
    changed[MOUTH] = mouths * faces.std()
    return changed


def networks_of(pipeline: Pipeline) -> tuple[Any, Any]:
    """UNet and autoencoder of a pipeline."""
    return pipeline.generator.unet, pipeline.generator.vae


def largest_batch(rig: Rig) -> int:
    """Frames of the largest batch with the server's default settings."""
    return rig.settings().batch_size


def avatar_latents(pipeline: Pipeline, avatar: Avatar, count: int) -> Tensor:
    """Input latents of the avatar's first frames; repeated if it has fewer."""
    latents = np.asarray(avatar.extras["musetalk_latents"], np.float32)
    return pipeline.prepare_latents(latents[np.arange(count) % len(latents)])


def use_channels_last(rig: Rig, *networks: Any) -> None:
    """Convert networks to the memory layout that the engine uses on a GPU."""
    if rig.is_gpu:
        for network in networks:
            nn.Module.to(network, memory_format=torch.channels_last)  # type: ignore[call-overload]


def capture_graph(rig: Rig, pipeline: Pipeline, size: int | None = None) -> None:
    """Capture the one batch size that is measured; raises RuntimeError if that fails."""
    if not rig.is_gpu:
        return
    size = size or largest_batch(rig)
    pipeline.graphs.disable("another size is captured")
    release_memory()
    pipeline.graphs.error = None
    with pipeline.compute.as_current():
        backend = CudaGraphBackend(pipeline.compute.device)
        pipeline.graphs.capture([size], *pipeline.blank_batch(size), backend)
    if pipeline.graphs.error is not None:
        raise RuntimeError(f"not captured: {pipeline.graphs.error}")


def fuse_and_capture(rig: Rig, pipeline: Pipeline, parts: list[nn.Module]) -> None:
    """Use the fused kernels; raises RuntimeError if that fails."""
    if not rig.is_gpu:
        return
    with pipeline.compute.as_current():
        fusion = fuse_if_faster(parts, pipeline.compute)
    if fusion.error is not None:
        raise RuntimeError(f"not fused: {fusion.error}")
    capture_graph(rig, pipeline)


def search_and_capture(rig: Rig, pipeline: Pipeline) -> None:
    """Let cuDNN benchmark its algorithms before the capture."""
    torch.backends.cudnn.benchmark = True
    capture_graph(rig, pipeline)


def pipeline_fps(context: RowContext, pipeline: Pipeline, size: int | None = None) -> float:
    """Frames a second of generation and download, without compositing."""
    size = size or largest_batch(context.rig)
    latents = list(avatar_latents(pipeline, context.rig.avatar(), size))
    tokens = [np.zeros(pipeline.audio_encoder.tokens_shape, np.float32)] * size
    for _ in range(2):
        pipeline.generate(latents, tokens).wait()
    batches, copies = context.repetitions(20), list[AsyncCopy]()
    started_s = time.perf_counter()
    for _ in range(batches):
        copies.append(pipeline.generate(latents, tokens))
    copies[-1].wait()
    return size * batches / (time.perf_counter() - started_s)
