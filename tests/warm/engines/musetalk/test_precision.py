"""Number formats of the networks, and the similarity of bf16 and fp32."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from warm.engines.musetalk.acceleration.polyphase import PolyphaseUpsampling
from warm.engines.musetalk.device import ComputeDevice
from warm.engines.musetalk.engine import MuseTalkEngine
from warm.engines.musetalk.networks import load_unet
from warm.engines.musetalk.options import MuseTalkOptions
from warm.engines.musetalk.pipeline import Pipeline, open_pipeline
from warm.engines.musetalk.precision import (
    FP32_PARTS,
    MixedConv2d,
    MixedLinear,
    is_fp32_part,
    use_mixed_precision,
)

pytestmark = pytest.mark.slow

BF16_STEP = 2.0**-8
"""Relative distance of neighbouring bf16 numbers."""
OFFSET = 100.01
"""Far from zero, where bf16 has steps of a half."""
Layers = (nn.Linear, nn.Conv2d, PolyphaseUpsampling)


def pipeline_of(weights: Path, precision: Any, *, exact_savings: bool = True) -> Pipeline:
    options = MuseTalkOptions(
        models_dir=weights, device="cpu", precision=precision, exact_savings=exact_savings
    )
    return open_pipeline(options.layout(), options)


@pytest.fixture(scope="module", params=[True, False], ids=["saving", "plain"])
def savings(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture(scope="module")
def exact(weights: Path, savings: bool) -> Pipeline:
    return pipeline_of(weights, "fp32", exact_savings=savings)


@pytest.fixture(scope="module")
def mixed(weights: Path, savings: bool) -> Pipeline:
    return pipeline_of(weights, "bf16", exact_savings=savings)


def inputs(pipeline: Pipeline, count: int = 4) -> tuple[Tensor, Tensor]:
    noise = torch.Generator().manual_seed(count)
    latents = 0.5 * torch.randn(count, *pipeline.generator.latent_shape, generator=noise)
    return latents, torch.randn(count, *pipeline.audio_encoder.tokens_shape, generator=noise)


def unet_of(pipeline: Pipeline) -> Any:
    return pipeline.generator.unet


def drawn(pipeline: Pipeline) -> np.ndarray[Any, Any]:
    latents, tokens = inputs(pipeline)
    kept = pipeline.prepare_latents(latents.numpy())
    return pipeline.generate(list(kept), list(tokens.numpy())).wait().copy()


@contextmanager
def recorded(network: nn.Module) -> Iterator[dict[str, list[tuple[Tensor, ...]]]]:
    """Record (input, output) of each module in every pass, first tensors only."""
    tensors_of: dict[str, list[tuple[Tensor, ...]]] = {}

    def hook_for(name: str) -> Callable[..., None]:
        def hook(_: nn.Module, given: tuple[Any, ...], actual: Any) -> None:
            tensors = (
                given[0] if given else None,
                actual[0] if isinstance(actual, tuple) else actual,
            )
            tensors_of.setdefault(name, []).append(
                tuple(x.clone() for x in tensors if isinstance(x, Tensor))
            )

        return hook

    hooks = [part.register_forward_hook(hook_for(name)) for name, part in network.named_modules()]
    yield tensors_of
    for hook in hooks:
        hook.remove()


def test_bf16_rounds_the_weights_of_products_outside_fp32_parts_and_nothing_else(
    mixed: Pipeline,
) -> None:
    """Catches a kind of layer that is not rounded, and a norm that is rounded."""
    products = {
        f"{name}.weight": torch.float32 if is_fp32_part(name) else torch.bfloat16
        for name, layer in unet_of(mixed).named_modules()
        if isinstance(layer, Layers)
    }
    assert set(products.values()) == {torch.float32, torch.bfloat16}
    for name, tensor in unet_of(mixed).named_parameters():
        assert tensor.dtype == products.get(name, torch.float32), name


def test_activations_between_layers_are_fp32(mixed: Pipeline) -> None:
    latents, tokens = inputs(mixed)
    with recorded(unet_of(mixed)) as tensors_of:
        mixed.generator.predict(latents, tokens)
    assert len(tensors_of) > 100
    floats = [
        x
        for passes in tensors_of.values()
        for each in passes
        for x in each
        if x.is_floating_point()
    ]
    assert {x.dtype for x in floats} == {torch.float32}


def test_the_first_fp32_parts_compute_bit_identical_results(
    exact: Pipeline, mixed: Pipeline
) -> None:
    """Catches avatar latents or tokens that are rounded at the input."""
    found = []
    for pipeline in (exact, mixed):
        latents, tokens = inputs(pipeline)
        with recorded(unet_of(pipeline)) as tensors_of:
            pipeline.generator.predict(pipeline.prepare_latents(latents.numpy()), tokens)
        found.append(tensors_of)
    expected, actual = found
    for part in ("conv_in", "down_blocks.0", "down_blocks.1"):
        assert torch.equal(expected[part][0][-1], actual[part][0][-1]), part
    assert not torch.equal(expected["down_blocks.2"][0][-1], actual["down_blocks.2"][0][-1])


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_decoder_uses_one_number_format(weights: Path, precision: str) -> None:
    pipeline = pipeline_of(weights, precision)
    wanted = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    assert {x.dtype for x in pipeline.generator.vae.decoder.parameters()} == {wanted}


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_bf16_decoder_is_channels_last(weights: Path, precision: str) -> None:
    """Catches polyphase kernels in another layout than their input."""
    decoder = pipeline_of(weights, precision).generator.vae.decoder
    kernels = [
        x for x in decoder.parameters() if x.dim() == 4 and x.shape[1] > 1 and x.shape[2] > 1
    ]
    found = {x.is_contiguous(memory_format=torch.channels_last) for x in kernels}
    assert found == {precision == "bf16"}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_fp32_and_fp16_use_one_number_format(weights: Path, dtype: torch.dtype) -> None:
    precision = {torch.float32: "fp32", torch.float16: "fp16"}[dtype]
    layout = MuseTalkOptions(models_dir=weights).layout()
    unet = load_unet(layout, ComputeDevice(torch.device("cpu"), precision))
    assert {x.dtype for x in unet.parameters()} == {dtype}
    assert not any(isinstance(x, MixedLinear | MixedConv2d) for x in unet.modules())


def test_fp32_parts_are_names_of_the_network(weights: Path) -> None:
    unet = unet_of(pipeline_of(weights, "fp32", exact_savings=False))
    names = {name for name, _ in unet.named_modules()}
    assert [part for part in FP32_PARTS if part not in names] == []
    assert not is_fp32_part("conv_input")
    assert is_fp32_part("down_blocks.1.resnets.0.conv1")


def rounded(numbers: Tensor) -> Tensor:
    return numbers.bfloat16().float()


def test_a_mixed_layer_multiplies_rounded_numbers_and_adds_the_bias_unrounded() -> None:
    torch.manual_seed(3)
    linear, conv = nn.Linear(40, 30), nn.Conv2d(6, 5, 3, padding=1, stride=2)
    vectors, pictures = torch.randn(7, 40), torch.randn(2, 6, 8, 8)
    given = vectors, pictures
    with torch.inference_mode():
        for bias in (linear.bias, conv.bias):
            assert bias is not None
            bias.fill_(OFFSET)
        products = (
            functional.linear(rounded(vectors), rounded(linear.weight)),
            functional.conv2d(rounded(pictures), rounded(conv.weight), padding=1, stride=2),
        )
        use_mixed_precision(layers := nn.Sequential(linear, conv), torch.bfloat16)
        for narrowed, numbers, expected in zip(layers, given, products, strict=True):
            actual = narrowed(numbers) - OFFSET
            assert actual.dtype == torch.float32
            assert float(((actual - expected).abs() - expected.abs() * BF16_STEP).max()) < 1e-4


def test_pictures_in_bf16_are_near_those_in_fp32(exact: Pipeline, mixed: Pipeline) -> None:
    expected, actual = drawn(exact), drawn(mixed)
    assert actual.shape == expected.shape
    assert not np.array_equal(actual, expected)
    assert cv2.PSNR(actual, expected) > 45


def test_a_reloaded_bf16_engine_draws_the_same_pictures(weights: Path) -> None:
    engine = MuseTalkEngine(MuseTalkOptions(models_dir=weights, device="cpu", precision="bf16"))
    engine.load()
    before = drawn(engine.pipeline)
    assert engine.device_status()["precision"] == "bf16"
    engine.unload()
    engine.load()
    assert np.array_equal(drawn(engine.pipeline), before)
    assert unet_of(engine.pipeline).mid_block.resnets[0].conv1.weight.dtype == torch.bfloat16
