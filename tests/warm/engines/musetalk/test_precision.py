"""In which numbers the networks compute, and how near bf16 stays to fp32."""

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

BF16_STEP = 2.0**-8
"""Between neighbours of bf16, in the smaller one."""
OFFSET = 100.01
"""Far from zero, where bf16 knows halves only."""
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
def narrow(weights: Path, savings: bool) -> Pipeline:
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
    """What each part takes and gives in a pass: lists of (given, made), first tensors only."""
    heard: dict[str, list[tuple[Tensor, ...]]] = {}

    def listener(name: str) -> Callable[..., None]:
        def listen(_: nn.Module, given: tuple[Any, ...], made: Any) -> None:
            tensors = (given[0] if given else None, made[0] if isinstance(made, tuple) else made)
            heard.setdefault(name, []).append(
                tuple(x.clone() for x in tensors if isinstance(x, Tensor))
            )

        return listen

    hooks = [part.register_forward_hook(listener(name)) for name, part in network.named_modules()]
    yield heard
    for hook in hooks:
        hook.remove()


def test_bf16_rounds_the_weights_of_products_outside_the_exact_parts_and_nothing_else(
    narrow: Pipeline,
) -> None:
    """Would miss a layer of a kind that nobody rounds, and a norm that is rounded."""
    products = {
        f"{name}.weight": torch.float32 if is_fp32_part(name) else torch.bfloat16
        for name, layer in unet_of(narrow).named_modules()
        if isinstance(layer, Layers)
    }
    assert set(products.values()) == {torch.float32, torch.bfloat16}
    for name, tensor in unet_of(narrow).named_parameters():
        assert tensor.dtype == products.get(name, torch.float32), name


def test_what_goes_from_layer_to_layer_is_fp32(narrow: Pipeline) -> None:
    latents, tokens = inputs(narrow)
    with recorded(unet_of(narrow)) as heard:
        narrow.generator.predict(latents, tokens)
    assert len(heard) > 100
    floats = [
        x for passes in heard.values() for each in passes for x in each if x.is_floating_point()
    ]
    assert {x.dtype for x in floats} == {torch.float32}


def test_the_exact_parts_at_the_entrance_give_what_fp32_gives_to_the_bit(
    exact: Pipeline, narrow: Pipeline
) -> None:
    """Would miss avatar latents or tokens that were rounded on their way in."""
    found = []
    for pipeline in (exact, narrow):
        latents, tokens = inputs(pipeline)
        with recorded(unet_of(pipeline)) as heard:
            pipeline.generator.predict(pipeline.prepare_latents(latents.numpy()), tokens)
        found.append(heard)
    known, made = found
    for part in ("conv_in", "down_blocks.0", "down_blocks.1"):
        assert torch.equal(known[part][0][-1], made[part][0][-1]), part
    assert not torch.equal(known["down_blocks.2"][0][-1], made["down_blocks.2"][0][-1])


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_decoder_uses_one_kind_of_numbers(weights: Path, precision: str) -> None:
    pipeline = pipeline_of(weights, precision)
    wanted = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
    assert {x.dtype for x in pipeline.generator.vae.decoder.parameters()} == {wanted}


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_decoder_of_bf16_has_its_channels_last(weights: Path, precision: str) -> None:
    """Would miss phases that are laid out otherwise than what goes into them."""
    decoder = pipeline_of(weights, precision).generator.vae.decoder
    kernels = [
        x for x in decoder.parameters() if x.dim() == 4 and x.shape[1] > 1 and x.shape[2] > 1
    ]
    found = {x.is_contiguous(memory_format=torch.channels_last) for x in kernels}
    assert found == {precision == "bf16"}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_fp32_and_fp16_are_one_kind_of_numbers(weights: Path, dtype: torch.dtype) -> None:
    precision = {torch.float32: "fp32", torch.float16: "fp16"}[dtype]
    layout = MuseTalkOptions(models_dir=weights).layout()
    unet = load_unet(layout, ComputeDevice(torch.device("cpu"), precision))
    assert {x.dtype for x in unet.parameters()} == {dtype}
    assert not any(isinstance(x, MixedLinear | MixedConv2d) for x in unet.modules())


def test_the_names_of_exact_parts_are_those_of_the_network(weights: Path) -> None:
    unet = unet_of(pipeline_of(weights, "fp32", exact_savings=False))
    names = {name for name, _ in unet.named_modules()}
    assert [part for part in FP32_PARTS if part not in names] == []
    assert not is_fp32_part("conv_input")
    assert is_fp32_part("down_blocks.1.resnets.0.conv1")


def rounded(numbers: Tensor) -> Tensor:
    return numbers.bfloat16().float()


def test_a_narrow_layer_multiplies_rounded_numbers_and_adds_the_bias_unrounded() -> None:
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
        for narrowed, numbers, known in zip(layers, given, products, strict=True):
            made = narrowed(numbers) - OFFSET
            assert made.dtype == torch.float32
            assert float(((made - known).abs() - known.abs() * BF16_STEP).max()) < 1e-4


def test_pictures_in_bf16_are_near_those_in_fp32(exact: Pipeline, narrow: Pipeline) -> None:
    known, made = drawn(exact), drawn(narrow)
    assert made.shape == known.shape
    assert not np.array_equal(made, known)
    assert cv2.PSNR(made, known) > 45


def test_an_engine_in_bf16_draws_the_same_after_it_was_unloaded(weights: Path) -> None:
    engine = MuseTalkEngine(MuseTalkOptions(models_dir=weights, device="cpu", precision="bf16"))
    engine.load()
    before = drawn(engine.pipeline)
    assert engine.device_status()["precision"] == "bf16"
    engine.unload()
    engine.load()
    assert np.array_equal(drawn(engine.pipeline), before)
    assert unet_of(engine.pipeline).mid_block.resnets[0].conv1.weight.dtype == torch.bfloat16
