"""What makes the neural engine faster: the pictures stay, and it says when it cannot."""

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
    """One that a test may change, for which no time passes."""
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


def relative(made: Tensor, known: Tensor) -> float:
    return float((made - known).abs().max() / known.abs().max())


def test_the_savings_change_no_picture_by_more_than_a_rounding(
    plain: Pipeline, saving: Pipeline
) -> None:
    latents, tokens = inputs(plain, 3)
    known = plain.generator.predict(latents, tokens)
    assert relative(saving.generator.predict(latents, tokens), known) <= ROUNDING
    pictures, others = plain.generator.decode(known), saving.generator.decode(known)
    assert int((pictures.int() - others.int()).abs().max()) <= 1
    assert float((pictures != others).float().mean()) < 1e-3


def test_the_savings_go_with_bf16(weights: Path, plain: Pipeline) -> None:
    """Would miss parts that are given other numbers than those of their weights."""
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


def test_with_the_savings_nothing_is_enlarged_and_no_time_is_embedded(
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
def test_phases_equal_enlarging_and_convolving(
    size: tuple[int, int], layout: torch.memory_format
) -> None:
    torch.manual_seed(1)
    whole = nn.Sequential(Upsample2D(6, use_conv=True, out_channels=5))
    picture = torch.randn(2, 6, *size).to(memory_format=layout)
    with torch.inference_mode():
        known = whole(picture)
        assert use_polyphase_upsampling(whole) == 1
        made = whole(picture)
    assert made.shape == known.shape
    assert relative(made, known) < 1e-6


def test_an_enlargement_to_another_size_is_refused() -> None:
    phases = PolyphaseUpsampling(nn.Conv2d(2, 2, 3, padding=1))
    with pytest.raises(ValueError, match="not to"):
        phases(torch.zeros(1, 2, 3, 3), (7, 7))


class Recordings:
    """Stands in for CUDA graphs: plays what it recorded, into the same memory, and counts."""

    def __init__(self, *, refused: dict[int, RuntimeError] | None = None) -> None:
        self.played: list[int] = []
        self.done: list[str] = []
        self._refused = refused or {}
        self.no_room_for: tuple[int, ...] = ()
        """Sizes for which even the rehearsal has no memory."""

    def warm_up(self, work: Callable[[], Tensor]) -> None:
        size = len(work())
        self.done.append(f"rehearse {size}")
        if size in self.no_room_for:
            raise torch.OutOfMemoryError("CUDA out of memory")

    def abort(self) -> None:
        self.done.append("abandon")

    def capture(self, work: Callable[[], Tensor]) -> CapturedBatch:
        pictures = work().clone()
        size = len(pictures)
        self.done.append(f"record {size}")
        if size in self._refused:
            raise self._refused[size]

        def play() -> None:
            self.played.append(size)
            pictures.copy_(work())

        return CapturedBatch(play, pictures)


def test_a_pass_is_played_by_the_smallest_recording_with_room(fresh: Pipeline) -> None:
    recordings = Recordings()
    fresh.capture_graphs(9, recordings)
    assert fresh.graphs.sizes == (4, 8, 9)
    assert [fresh.graphs.padded_size(count) for count in (1, 4, 5, 8, 9, 12)] == [4, 4, 8, 8, 9, 12]
    for count in (1, 3, 9, 2, 5):
        latents, tokens = inputs(fresh, count)
        made = fresh.generate(list(latents), list(tokens.numpy())).wait().copy()
        known = fresh.generator.generate(latents, tokens).numpy()
        assert made.shape == known.shape
        assert abs(made.astype(int) - known).max() <= 1
    assert recordings.played == [4, 4, 9, 4, 8]


def test_a_pass_larger_than_all_recordings_is_drawn_without(fresh: Pipeline) -> None:
    recordings = Recordings()
    fresh.capture_graphs(2, recordings)
    latents, tokens = inputs(fresh, 3)
    assert torch.equal(
        fresh.graphs.generate(latents, tokens), fresh.generator.generate(latents, tokens)
    )
    assert recordings.played == []


FORBIDDEN = "operation not permitted when stream is capturing"


def test_all_is_rehearsed_before_anything_is_recorded_and_the_largest_is_recorded_first(
    fresh: Pipeline,
) -> None:
    """Would miss rehearsals that need memory beside that of a recording."""
    recordings = Recordings()
    fresh.capture_graphs(9, recordings)
    assert recordings.done == [
        *("rehearse 9", "rehearse 4", "rehearse 8"),
        *("record 9", "record 8", "record 4"),
    ]


def test_what_forbids_one_recording_ends_all_and_is_told(
    fresh: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    recordings = Recordings(refused={4: torch.AcceleratorError(f"CUDA error: {FORBIDDEN}\n...")})
    with caplog.at_level(logging.WARNING):
        fresh.capture_graphs(5, recordings)
    assert recordings.done[-2:] == ["record 4", "abandon"]
    assert fresh.acceleration_facts["cuda_graphs"] == [5]
    assert fresh.acceleration_facts["cuda_graphs_fault"] == f"CUDA error: {FORBIDDEN}"
    assert [FORBIDDEN in record.getMessage() for record in caplog.records] == [True]
    recordings = Recordings(refused={5: RuntimeError(FORBIDDEN)})
    fresh.capture_graphs(5, recordings)
    assert recordings.done[-2:] == ["record 5", "abandon"]
    assert fresh.acceleration_facts["cuda_graphs"] == []
    latents, tokens = inputs(fresh, 2)
    assert torch.equal(
        fresh.graphs.generate(latents, tokens), fresh.generator.generate(latents, tokens)
    )


@pytest.mark.parametrize("in_rehearsal", [True, False])
def test_one_size_that_has_no_memory_leaves_the_others(fresh: Pipeline, in_rehearsal: bool) -> None:
    full = torch.OutOfMemoryError("CUDA out of memory")
    recordings = Recordings(refused={} if in_rehearsal else {9: full})
    recordings.no_room_for = (9,) if in_rehearsal else ()
    fresh.capture_graphs(9, recordings)
    assert fresh.graphs.sizes == (4, 8)
    fresh.graphs.generate(*inputs(fresh, 2))
    assert recordings.played == [4]


@pytest.mark.parametrize("in_rehearsal", [True, False])
def test_a_device_that_is_lost_while_passes_are_recorded_is_lost(
    fresh: Pipeline, monkeypatch: pytest.MonkeyPatch, in_rehearsal: bool
) -> None:
    """Would miss a dead GPU that is taken for one that cannot record."""
    lost = torch.AcceleratorError("CUDA error: an illegal memory access was encountered")
    recordings = Recordings(refused={4: lost})
    if in_rehearsal:

        def warm_up(_: object) -> None:
            raise lost

        monkeypatch.setattr(recordings, "warm_up", warm_up)
    with pytest.raises(EngineLost) as caught:
        fresh.capture_graphs(4, recordings)
    assert caught.value.needs_new_process


def test_a_start_that_takes_long_leaves_the_middle_sizes_out(fresh: Pipeline) -> None:
    recordings, seconds = Recordings(), iter(range(0, 100, 6))
    graphs = CudaGraphs(fresh.generator, clock=lambda: float(next(seconds)))
    graphs.capture(graph_sizes(25), *fresh.blank_batch(25), recordings)
    assert graphs.sizes == (4, 25)
    assert graphs.padded_size(5) == 25


def test_recordings_that_are_given_up_are_told(fresh: Pipeline) -> None:
    fresh.capture_graphs(4, Recordings())
    fresh.graphs.disable("no room")
    assert (fresh.graphs.sizes, fresh.graphs.error) == ((), "no room")
    latents, tokens = inputs(fresh, 2)
    assert torch.equal(
        fresh.graphs.generate(latents, tokens), fresh.generator.generate(latents, tokens)
    )


@pytest.mark.parametrize("largest", [1, 2, 3, 4, 8, 25, 100])
def test_what_is_recorded_is_the_largest_pass_and_those_of_a_clips_beginning(largest: int) -> None:
    sizes = graph_sizes(largest)
    assert len(sizes) == len(set(sizes)) <= 4
    assert max(sizes) == sizes[0] == largest
    assert min(sizes) == min(4, largest)


def test_a_compiler_that_fails_is_told_and_left(
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


def test_on_a_cpu_the_setting_of_the_compiler_is_answered(
    fresh: Pipeline, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        fresh.compile(1)
    assert "compile_networks has no effect" in caplog.text
    assert not fresh.acceleration_facts["compiled"]


def test_graphs_without_recordings_draw_as_the_painter(saving: Pipeline) -> None:
    latents, tokens = inputs(saving, 2)
    painted = saving.generator.generate(latents, tokens)
    assert torch.equal(CudaGraphs(saving.generator).generate(latents, tokens), painted)
