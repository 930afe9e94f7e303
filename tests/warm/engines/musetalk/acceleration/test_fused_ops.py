"""Fused norms, SiLU, biases and sums: the pictures are unchanged."""

import logging
import os
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from diffusers.models.resnet import ResnetBlock2D
from torch import Tensor, nn

from warm.engines.base import EngineLost
from warm.engines.musetalk.acceleration.fused_ops import (
    FusedBlock,
    FusedNorm,
    FusedUpsampling,
    Kernels,
    TorchKernels,
    fuse,
    fuse_if_faster,
    load_kernels,
)
from warm.engines.musetalk.cuda_errors import translate_cuda_errors
from warm.engines.musetalk.device import ComputeDevice
from warm.engines.musetalk.options import MuseTalkOptions
from warm.engines.musetalk.pipeline import Pipeline, open_pipeline

pytestmark = pytest.mark.slow

ROUNDING = 2e-5
CPU = ComputeDevice(torch.device("cpu"), "fp32")


def pipeline_of(weights: Path, **chosen: object) -> Pipeline:
    options = MuseTalkOptions(models_dir=weights, device="cpu", **chosen)  # type: ignore[arg-type]
    return open_pipeline(options.layout(), options)


def networks(pipeline: Pipeline) -> list[nn.Module]:
    return [pipeline.generator.unet, pipeline.generator.vae.decoder]


def count(network: nn.Module, kind: type[nn.Module]) -> int:
    return sum(type(part) is kind for part in network.modules())


def noise(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))


def test_fused_networks_generate_the_same_pictures(weights: Path) -> None:
    plain, fused = pipeline_of(weights), pipeline_of(weights)
    latents, tokens = (
        noise(2, *plain.generator.input_shape),
        noise(2, *plain.audio_encoder.tokens_shape),
    )
    for network in networks(fused):
        blocks = count(network, ResnetBlock2D)
        assert fuse(network, TorchKernels()) >= blocks > 0
        assert count(network, ResnetBlock2D) == 0
        assert count(network, FusedBlock) == blocks
        assert count(network, FusedUpsampling) == 3
        assert count(network, FusedNorm) > 0
    expected, actual = (
        plain.generator.predict(latents, tokens),
        fused.generator.predict(latents, tokens),
    )
    assert float((actual - expected).abs().max() / expected.abs().max()) <= ROUNDING
    pictures, others = plain.generator.decode(expected), fused.generator.decode(expected)
    assert int((pictures.int() - others.int()).abs().max()) <= 1
    assert float((pictures != others).float().mean()) < 1e-3


def test_modules_in_mixed_precision_or_with_a_timestep_are_not_fused(weights: Path) -> None:
    """Catches a bf16 UNet whose fp32 sums are rounded between convolutions."""
    mixed = pipeline_of(weights, precision="bf16").generator.unet
    before = count(mixed, ResnetBlock2D)
    fuse(mixed, TorchKernels())
    assert 0 < count(mixed, FusedBlock) < before
    assert all(
        {tensor.dtype for tensor in block.parameters()} == {torch.float32}
        for block in mixed.modules()
        if isinstance(block, FusedBlock)
    )
    timed = pipeline_of(weights, exact_savings=False).generator.unet
    fuse(timed, TorchKernels())
    assert count(timed, FusedBlock) == 0


class WrongKernels(TorchKernels):
    name = "Wrong"

    def normalize(
        self, picture: Tensor, bias: Tensor | None, norm: nn.GroupNorm, *, silu: bool
    ) -> Tensor:
        return super().normalize(picture, None if silu else bias, norm, silu=silu)


class SlowKernels(TorchKernels):
    name = "Slow"


def missing() -> Kernels:
    raise RuntimeError("Triton is not installed")


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (WrongKernels, "do not compute what PyTorch computes"),
        (SlowKernels, "times as long here"),
        (missing, "Triton is not installed"),
    ],
)
def test_wrong_slow_or_missing_kernels_are_not_used_and_reported(
    found: Callable[[], Kernels],
    reason: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def device_seconds(act: "partial[Tensor]", _: torch.device) -> float:
        return 2.0 if isinstance(act.func.__self__, SlowKernels) else 1.0  # type: ignore[attr-defined]

    monkeypatch.setattr(
        "warm.engines.musetalk.acceleration.fused_ops.device_seconds", device_seconds
    )
    network = nn.Module()
    with caplog.at_level(logging.WARNING):
        fused = fuse_if_faster([network], CPU, found)
    assert (fused.parts, reason in str(fused.error), reason in caplog.text) == (0, True, True)


def test_a_device_lost_during_the_kernel_test_is_reported_as_lost() -> None:
    def lost() -> Kernels:
        raise RuntimeError("Triton Error [CUDA]: an illegal memory access was encountered")

    with pytest.raises(EngineLost) as caught, translate_cuda_errors():
        fuse_if_faster([], CPU, lost)
    assert caught.value.needs_new_process


def test_nothing_is_fused_on_a_cpu(weights: Path) -> None:
    assert pipeline_of(weights).acceleration_facts["fused_parts"] == 0


DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")


@pytest.fixture(scope="module")
def triton() -> Kernels:
    """The kernels, on a GPU or in Triton's interpreter."""
    if find_spec("triton") is None:
        pytest.skip("Triton is not installed: it comes with PyTorch's builds for CUDA")
    if DEVICE.type == "cpu" and os.environ.get("TRITON_INTERPRET") != "1":
        pytest.skip("no GPU: set TRITON_INTERPRET=1 to use Triton's interpreter")
    return load_kernels()


SHAPES = [(2, 8, 5, 7, 4), (1, 128, 16, 16, 32), (2, 960, 4, 4, 32), (1, 64, 66, 63, 8)]
"""(n, c, h, w) and groups: partial tiles of channels, partial tiles of pixels, several tiles."""


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("has_bias", [True, False])
def test_triton_normalizes_like_exact_arithmetic(
    triton: Kernels, shape: tuple[int, ...], dtype: torch.dtype, has_bias: bool
) -> None:
    """Far from zero, where a sum of squares would lose precision."""
    *size, groups = shape
    picture = (
        (50 + 2 * noise(*size)).to(DEVICE, dtype).contiguous(memory_format=torch.channels_last)
    )
    norm = nn.GroupNorm(groups, size[1]).requires_grad_(requires_grad=False).to(DEVICE, dtype)
    norm.weight.copy_(1 + 0.3 * noise(size[1])), norm.bias.copy_(noise(size[1] + 1)[1:])
    bias = noise(size[1]).to(DEVICE, dtype) if has_bias else None
    exact = nn.GroupNorm(groups, size[1]).requires_grad_(requires_grad=False).to(DEVICE).double()
    exact.load_state_dict({name: x.double() for name, x in norm.state_dict().items()})
    given = picture.double().contiguous()
    for silu in (True, False):
        actual = triton.normalize(picture, bias, norm, silu=silu)
        expected = exact(given if bias is None else given + bias.double()[:, None, None])
        expected = nn.functional.silu(expected) if silu else expected
        assert actual.dtype == dtype
        assert actual.is_contiguous(memory_format=torch.channels_last)
        off = float((actual.double() - expected).abs().max() / expected.std())
        assert off <= max(2e-5, 8 * torch.finfo(dtype).eps)


@pytest.mark.parametrize("shape", SHAPES)
def test_triton_adds_residuals_and_interleaves_like_pytorch(
    triton: Kernels, shape: tuple[int, ...]
) -> None:
    count, channels, height, width, _ = shape
    actual, other, bias = (noise(*size).to(DEVICE) for size in (shape[:4], shape[:4], (channels,)))
    plain = TorchKernels()
    assert torch.allclose(
        triton.add_residual(actual, bias, other), plain.add_residual(actual, bias, other), atol=1e-6
    )
    phases = noise(count, 4 * channels, height + 1, width + 1).to(DEVICE)
    large = triton.interleave(phases, bias)
    assert large.shape == (count, channels, 2 * height, 2 * width)
    assert torch.equal(large, plain.interleave(phases, bias))
