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

from warm.musetalk.graphs import Graphs, Recording, sizes_up_to
from warm.musetalk.options import Options
from warm.musetalk.phases import PhaseUpsampling, use_phases
from warm.musetalk.studio import Studio, open_studio

ROUNDING = 2e-5


def studio_of(
    weights: Path, *, exact_savings: bool, precision: Literal["fp32", "bf16"] = "fp32"
) -> Studio:
    options = Options(
        models_dir=weights, device="cpu", precision=precision, exact_savings=exact_savings
    )
    return open_studio(options.layout(), options)


@pytest.fixture(scope="module")
def plain(weights: Path) -> Studio:
    return studio_of(weights, exact_savings=False)


@pytest.fixture(scope="module")
def saving(weights: Path) -> Studio:
    return studio_of(weights, exact_savings=True)


@pytest.fixture
def fresh(weights: Path) -> Studio:
    """One that a test may change."""
    return studio_of(weights, exact_savings=True)


def inputs(studio: Studio, count: int) -> tuple[Tensor, Tensor]:
    noise = torch.Generator().manual_seed(count)
    latents = 0.5 * torch.randn(count, *studio.painter.latent_shape, generator=noise)
    return latents, torch.randn(count, *studio.hearing.tokens_shape, generator=noise)


def networks(studio: Studio) -> Iterator[nn.Module]:
    yield studio.painter._unet
    yield studio.painter._vae.decoder


def relative(made: Tensor, known: Tensor) -> float:
    return float((made - known).abs().max() / known.abs().max())


def test_the_savings_change_no_picture_by_more_than_a_rounding(
    plain: Studio, saving: Studio
) -> None:
    latents, tokens = inputs(plain, 3)
    known = plain.painter.predict(latents, tokens)
    assert relative(saving.painter.predict(latents, tokens), known) <= ROUNDING
    pictures, others = plain.painter.decode(known), saving.painter.decode(known)
    assert int((pictures.int() - others.int()).abs().max()) <= 1
    assert float((pictures != others).float().mean()) < 1e-3


def test_the_savings_go_with_bf16(weights: Path, plain: Studio) -> None:
    """Would miss parts that are given other numbers than those of their weights."""
    latents, tokens = inputs(plain, 2)
    exact = plain.painter.paint(latents, tokens).numpy().reshape(-1, 256, 3)
    without, with_them = (
        studio_of(weights, exact_savings=saves, precision="bf16") for saves in (False, True)
    )
    one, other = (
        cv2.PSNR(studio.painter.paint(latents, tokens).numpy().reshape(-1, 256, 3), exact)
        for studio in (without, with_them)
    )
    assert min(one, other) > 35
    assert abs(one - other) < 2


def test_with_the_savings_nothing_is_enlarged_and_no_time_is_embedded(
    plain: Studio, saving: Studio
) -> None:
    def count(studio: Studio, kind: type[nn.Module]) -> int:
        return sum(isinstance(each, kind) for net in networks(studio) for each in net.modules())

    assert (count(plain, Upsample2D), count(plain, PhaseUpsampling)) == (6, 0)
    assert (count(saving, Upsample2D), count(saving, PhaseUpsampling)) == (0, 6)
    names = {name for name, _ in saving.painter._unet.named_parameters()}
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
        assert use_phases(whole) == 1
        made = whole(picture)
    assert made.shape == known.shape
    assert relative(made, known) < 1e-6


def test_an_enlargement_to_another_size_is_refused() -> None:
    phases = PhaseUpsampling(nn.Conv2d(2, 2, 3, padding=1))
    with pytest.raises(ValueError, match="not to"):
        phases(torch.zeros(1, 2, 3, 3), (7, 7))


class Recordings:
    """Stands in for CUDA graphs: plays what it recorded, into the same memory, and counts."""

    def __init__(self, *, refused: tuple[int, ...] = ()) -> None:
        self.played: list[int] = []
        self._refused = refused

    def __call__(self, work: Callable[[], Tensor]) -> Recording:
        pictures = work().clone()
        size = len(pictures)
        if size in self._refused:
            raise RuntimeError("operation not permitted when stream is capturing\nand advice")

        def play() -> None:
            self.played.append(size)
            pictures.copy_(work())

        return Recording(play, pictures)


def test_a_pass_is_played_by_the_smallest_recording_with_room(fresh: Studio) -> None:
    recordings = Recordings()
    fresh.record(9, recordings)
    assert fresh.graphs.sizes == (1, 2, 4, 8, 9)
    for count in (1, 3, 9, 2, 5):
        latents, tokens = inputs(fresh, count)
        made = fresh.draw(list(latents), list(tokens.numpy())).wait().copy()
        known = fresh.painter.paint(latents, tokens).numpy()
        assert made.shape == known.shape
        assert abs(made.astype(int) - known).max() <= 1
    assert recordings.played == [1, 4, 9, 2, 8]


def test_a_pass_larger_than_all_recordings_is_drawn_without(fresh: Studio) -> None:
    recordings = Recordings()
    fresh.record(2, recordings)
    latents, tokens = inputs(fresh, 3)
    assert torch.equal(fresh.graphs.paint(latents, tokens), fresh.painter.paint(latents, tokens))
    assert recordings.played == []


def test_what_cannot_be_recorded_is_drawn_without_and_told(
    fresh: Studio, caplog: pytest.LogCaptureFixture
) -> None:
    recordings = Recordings(refused=(1, 2, 4))
    with caplog.at_level(logging.WARNING):
        fresh.record(4, recordings)
    assert fresh.passes["cuda_graphs"] == []
    reason = "operation not permitted when stream is capturing"
    assert fresh.passes["cuda_graphs_fault"] == reason
    assert [reason in record.getMessage() for record in caplog.records] == [True] * 3
    latents, tokens = inputs(fresh, 2)
    assert torch.equal(fresh.graphs.paint(latents, tokens), fresh.painter.paint(latents, tokens))


def test_one_size_that_has_no_memory_leaves_the_others(fresh: Studio) -> None:
    recordings = Recordings(refused=(4,))
    fresh.record(4, recordings)
    assert fresh.graphs.sizes == (1, 2)
    fresh.graphs.paint(*inputs(fresh, 2))
    assert recordings.played == [2]


@pytest.mark.parametrize("largest", [1, 2, 3, 8, 25, 100])
def test_recorded_sizes_leave_little_room(largest: int) -> None:
    sizes = sizes_up_to(largest)
    assert sizes == sorted(set(sizes))
    assert sizes[-1] == largest
    for count in range(1, largest + 1):
        size = next(size for size in sizes if size >= count)
        assert size - count <= 3


def test_a_compiler_that_fails_is_told_and_left(
    fresh: Studio, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def compile_nothing(self: nn.Module) -> None:
        self._compiled_call_impl = broken

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("Cannot find a working triton installation\nand advice")

    monkeypatch.setattr(nn.Module, "compile", compile_nothing)
    monkeypatch.setattr(type(fresh.compute), "is_gpu", True)
    monkeypatch.setattr(fresh, "_empty", lambda size: inputs(fresh, size))
    with caplog.at_level(logging.WARNING):
        fresh.compile(2)
    reason = "Cannot find a working triton installation"
    assert (fresh.passes["compiled"], fresh.passes["compile_fault"]) == (False, reason)
    assert reason in caplog.text
    fresh.painter.paint(*inputs(fresh, 1))


def test_on_a_cpu_the_setting_of_the_compiler_is_answered(
    fresh: Studio, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        fresh.compile(1)
    assert "compile_networks has no effect" in caplog.text
    assert not fresh.passes["compiled"]


def test_graphs_without_recordings_draw_as_the_painter(saving: Studio) -> None:
    latents, tokens = inputs(saving, 2)
    painted = saving.painter.paint(latents, tokens)
    assert torch.equal(Graphs(saving.painter).paint(latents, tokens), painted)
