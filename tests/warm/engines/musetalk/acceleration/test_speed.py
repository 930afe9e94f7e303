"""Accelerations of the neural engine: the pictures are unchanged, and failures are reported."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import cv2
import pytest
import torch
from diffusers.models.upsampling import Upsample2D
from torch import Tensor, nn

from warm.engines.base import EngineLost
from warm.engines.musetalk.acceleration.cuda_graphs import CapturedBatch, CudaGraphs, graph_sizes
from warm.engines.musetalk.acceleration.polyphase import (
    PolyphaseUpsampling,
    use_polyphase_upsampling,
)
from warm.engines.musetalk.options import MuseTalkOptions
from warm.engines.musetalk.pipeline import Pipeline, open_pipeline

pytestmark = pytest.mark.slow

ROUNDING = 2e-5


def pipeline_of(
    weights: Path, *, exact_savings: bool, precision: Literal["fp32", "bf16"] = "fp32"
) -> Pipeline:
    options = MuseTalkOptions(
        models_dir=weights, device="cpu", precision=precision, exact_savings=exact_savings
    )
    return open_pipeline(options.layout(), options)


@pytest.fixture(scope="module")
def plain(weights: Path) -> Pipeline:
    return pipeline_of(weights, exact_savings=False)


@pytest.fixture(scope="module")
def saving(weights: Path) -> Pipeline:
    return pipeline_of(weights, exact_savings=True)


@pytest.fixture
def fresh(weights: Path) -> Pipeline:
    """A pipeline that a test may modify, with a stopped clock."""
    pipeline = pipeline_of(weights, exact_savings=True)
    pipeline.graphs = CudaGraphs(pipeline.generator, clock=lambda: 0.0)
    return pipeline


def inputs(pipeline: Pipeline, count: int) -> tuple[Tensor, Tensor]:
    noise = torch.Generator().manual_seed(count)
    latents = 0.5 * torch.randn(count, *pipeline.generator.latent_shape, generator=noise)
    return latents, torch.randn(count, *pipeline.audio_encoder.tokens_shape, generator=noise)


def networks(pipeline: Pipeline) -> Iterator[nn.Module]:
    yield pipeline.generator.unet
    yield pipeline.generator.vae.decoder


def relative(actual: Tensor, expected: Tensor) -> float:
    return float((actual - expected).abs().max() / expected.abs().max())


def test_exact_savings_change_pictures_only_by_rounding(plain: Pipeline, saving: Pipeline) -> None:
    latents, tokens = inputs(plain, 3)
    expected = plain.generator.predict(latents, tokens)
    assert relative(saving.generator.predict(latents, tokens), expected) <= ROUNDING
    pictures, others = plain.generator.decode(expected), saving.generator.decode(expected)
    assert int((pictures.int() - others.int()).abs().max()) <= 1
    assert float((pictures != others).float().mean()) < 1e-3


def test_exact_savings_work_in_bf16(weights: Path, plain: Pipeline) -> None:
    """Catches modules whose input has another type than their weights."""
    latents, tokens = inputs(plain, 2)
    exact = plain.generator.generate(latents, tokens).numpy().reshape(-1, 256, 3)
    without, with_them = (
        pipeline_of(weights, exact_savings=saves, precision="bf16") for saves in (False, True)
    )
    one, other = (
        cv2.PSNR(pipeline.generator.generate(latents, tokens).numpy().reshape(-1, 256, 3), exact)
        for pipeline in (without, with_them)
    )
    assert min(one, other) > 35
    assert abs(one - other) < 2


def test_exact_savings_replace_upsampling_and_the_time_embedding(
    plain: Pipeline, saving: Pipeline
) -> None:
    def count(pipeline: Pipeline, kind: type[nn.Module]) -> int:
        return sum(isinstance(each, kind) for net in networks(pipeline) for each in net.modules())

    assert (count(plain, Upsample2D), count(plain, PolyphaseUpsampling)) == (6, 0)
    assert (count(saving, Upsample2D), count(saving, PolyphaseUpsampling)) == (0, 6)
    names = {name for name, _ in saving.generator.unet.named_parameters()}
    assert [name for name in names if "time_emb" in name] == []


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("size", [(1, 1), (2, 5), (8, 8)])
def test_polyphase_upsampling_equals_upsampling_and_convolving(
    size: tuple[int, int], layout: torch.memory_format
) -> None:
    torch.manual_seed(1)
    whole = nn.Sequential(Upsample2D(6, use_conv=True, out_channels=5))
    picture = torch.randn(2, 6, *size).to(memory_format=layout)
    with torch.inference_mode():
        expected = whole(picture)
        assert use_polyphase_upsampling(whole) == 1
        actual = whole(picture)
    assert actual.shape == expected.shape
    assert relative(actual, expected) < 1e-6


def test_upsampling_to_another_size_is_refused() -> None:
    phases = PolyphaseUpsampling(nn.Conv2d(2, 2, 3, padding=1))
    with pytest.raises(ValueError, match="not to"):
        phases(torch.zeros(1, 2, 3, 3), (7, 7))


class FakeGraphs:
    """Substitute for CUDA graphs: replays into the same memory, and logs its calls."""

    def __init__(self, *, refused: dict[int, RuntimeError] | None = None) -> None:
        self.replayed: list[int] = []
        self.calls: list[str] = []
        self._refused = refused or {}
        self.no_memory_for: tuple[int, ...] = ()
        """Sizes for which even the warm-up has no memory."""

    def warm_up(self, work: Callable[[], Tensor]) -> None:
        size = len(work())
        self.calls.append(f"warm up {size}")
        if size in self.no_memory_for:
            raise torch.OutOfMemoryError("CUDA out of memory")

    def abort(self) -> None:
        self.calls.append("abort")

    def capture(self, work: Callable[[], Tensor]) -> CapturedBatch:
        pictures = work().clone()
        size = len(pictures)
        self.calls.append(f"capture {size}")
        if size in self._refused:
            raise self._refused[size]

        def play() -> None:
            self.replayed.append(size)
            pictures.copy_(work())

        return CapturedBatch(play, pictures)


def test_a_batch_is_replayed_by_the_smallest_graph_that_is_large_enough(fresh: Pipeline) -> None:
    backend = FakeGraphs()
    fresh.capture_graphs(9, backend)
    assert fresh.graphs.sizes == (4, 8, 9)
    assert [fresh.graphs.padded_size(count) for count in (1, 4, 5, 8, 9, 12)] == [4, 4, 8, 8, 9, 12]
    for count in (1, 3, 9, 2, 5):
        latents, tokens = inputs(fresh, count)
        actual = fresh.generate(list(latents), list(tokens.numpy())).wait().copy()
        expected = fresh.generator.generate(latents, tokens).numpy()
        assert actual.shape == expected.shape
        assert abs(actual.astype(int) - expected).max() <= 1
    assert backend.replayed == [4, 4, 9, 4, 8]


def test_a_batch_larger_than_all_graphs_runs_without(fresh: Pipeline) -> None:
    backend = FakeGraphs()
    fresh.capture_graphs(2, backend)
    latents, tokens = inputs(fresh, 3)
    assert torch.equal(
        fresh.graphs.generate(latents, tokens), fresh.generator.generate(latents, tokens)
    )
    assert backend.replayed == []


FORBIDDEN = "operation not permitted when stream is capturing"


def test_all_sizes_are_warmed_up_before_the_largest_is_captured_first(
    fresh: Pipeline,
) -> None:
    """Catches a warm-up that needs memory after a capture."""
    backend = FakeGraphs()
    fresh.capture_graphs(9, backend)
    assert backend.calls == [
        *("warm up 9", "warm up 4", "warm up 8"),
        *("capture 9", "capture 8", "capture 4"),
    ]


def test_an_error_that_forbids_capture_ends_all_captures_and_is_reported(
    fresh: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    backend = FakeGraphs(refused={4: torch.AcceleratorError(f"CUDA error: {FORBIDDEN}\n...")})
    with caplog.at_level(logging.WARNING):
        fresh.capture_graphs(5, backend)
    assert backend.calls[-2:] == ["capture 4", "abort"]
    assert fresh.acceleration_facts["cuda_graphs"] == [5]
    assert fresh.acceleration_facts["cuda_graphs_fault"] == f"CUDA error: {FORBIDDEN}"
    assert [FORBIDDEN in record.getMessage() for record in caplog.records] == [True]
    backend = FakeGraphs(refused={5: RuntimeError(FORBIDDEN)})
    fresh.capture_graphs(5, backend)
    assert backend.calls[-2:] == ["capture 5", "abort"]
    assert fresh.acceleration_facts["cuda_graphs"] == []
    latents, tokens = inputs(fresh, 2)
    assert torch.equal(
        fresh.graphs.generate(latents, tokens), fresh.generator.generate(latents, tokens)
    )


@pytest.mark.parametrize("in_warm_up", [True, False])
def test_a_size_without_memory_does_not_affect_the_others(
    fresh: Pipeline, in_warm_up: bool
) -> None:
    full = torch.OutOfMemoryError("CUDA out of memory")
    backend = FakeGraphs(refused={} if in_warm_up else {9: full})
    backend.no_memory_for = (9,) if in_warm_up else ()
    fresh.capture_graphs(9, backend)
    assert fresh.graphs.sizes == (4, 8)
    fresh.graphs.generate(*inputs(fresh, 2))
    assert backend.replayed == [4]


@pytest.mark.parametrize("in_warm_up", [True, False])
def test_a_device_lost_during_a_capture_is_reported_as_lost(
    fresh: Pipeline, monkeypatch: pytest.MonkeyPatch, in_warm_up: bool
) -> None:
    """Catches a dead GPU that is mistaken for one that cannot capture."""
    lost = torch.AcceleratorError("CUDA error: an illegal memory access was encountered")
    backend = FakeGraphs(refused={4: lost})
    if in_warm_up:

        def warm_up(_: object) -> None:
            raise lost

        monkeypatch.setattr(backend, "warm_up", warm_up)
    with pytest.raises(EngineLost) as caught:
        fresh.capture_graphs(4, backend)
    assert caught.value.needs_new_process


def test_a_slow_start_skips_the_middle_sizes(fresh: Pipeline) -> None:
    backend, seconds = FakeGraphs(), iter(range(0, 100, 6))
    graphs = CudaGraphs(fresh.generator, clock=lambda: float(next(seconds)))
    graphs.capture(graph_sizes(25), *fresh.blank_batch(25), backend)
    assert graphs.sizes == (4, 25)
    assert graphs.padded_size(5) == 25


def test_disabled_graphs_report_the_reason(fresh: Pipeline) -> None:
    fresh.capture_graphs(4, FakeGraphs())
    fresh.graphs.disable("no room")
    assert (fresh.graphs.sizes, fresh.graphs.error) == ((), "no room")
    latents, tokens = inputs(fresh, 2)
    assert torch.equal(
        fresh.graphs.generate(latents, tokens), fresh.generator.generate(latents, tokens)
    )


@pytest.mark.parametrize("largest", [1, 2, 3, 4, 8, 25, 100])
def test_captured_sizes_are_the_largest_batch_and_those_of_a_clips_start(largest: int) -> None:
    sizes = graph_sizes(largest)
    assert len(sizes) == len(set(sizes)) <= 4
    assert max(sizes) == sizes[0] == largest
    assert min(sizes) == min(4, largest)


def test_a_failing_compiler_is_reported_and_not_used(
    fresh: Pipeline, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def compile_nothing(self: nn.Module) -> None:
        self._compiled_call_impl = broken

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("Cannot find a working triton installation\nand advice")

    monkeypatch.setattr(nn.Module, "compile", compile_nothing)
    monkeypatch.setattr(type(fresh.compute), "is_gpu", True)
    monkeypatch.setattr(fresh, "blank_batch", lambda size: inputs(fresh, size))
    with caplog.at_level(logging.WARNING):
        fresh.compile(2)
    reason = "Cannot find a working triton installation"
    assert (fresh.acceleration_facts["compiled"], fresh.acceleration_facts["compile_fault"]) == (
        False,
        reason,
    )
    assert reason in caplog.text
    fresh.generator.generate(*inputs(fresh, 1))


def test_compile_networks_on_a_cpu_has_no_effect_and_a_warning(
    fresh: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        fresh.compile(1)
    assert "compile_networks has no effect" in caplog.text
    assert not fresh.acceleration_facts["compiled"]


def test_graphs_without_captures_generate_like_the_generator(saving: Pipeline) -> None:
    latents, tokens = inputs(saving, 2)
    painted = saving.generator.generate(latents, tokens)
    assert torch.equal(CudaGraphs(saving.generator).generate(latents, tokens), painted)
