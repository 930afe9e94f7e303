"""The network compared with the published one, with the same seeded weights."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from bench.restoration.golden import (
    BOUND,
    FEATURE_BOUND,
    FOLDER,
    FULL_BOUND,
    STATISTICS_BOUND,
    GoldenSet,
    difference,
)
from warm.enhance.checkpoint import load_network
from warm.enhance.network.network import GfpganNetwork

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason=f"{FOLDER} is missing")


@pytest.fixture(autouse=True)
def no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


@pytest.fixture(scope="module")
def small() -> GoldenSet:
    return GoldenSet("small")


@pytest.fixture(scope="module")
def plain() -> GoldenSet:
    return GoldenSet("plain")


def run(network: GfpganNetwork, picture: Tensor) -> tuple[Tensor, list[Tensor], Tensor]:
    """Picture, heads and style code."""
    codes: list[Tensor] = []
    handle = network.stylegan_decoder.register_forward_pre_hook(
        lambda _module, given: codes.append(given[0].clone())
    )
    try:
        restored, heads = network(picture, with_heads=True)
    finally:
        handle.remove()
    return restored, heads, codes[0]


@pytest.mark.parametrize("name", ["small", "plain", "quarter", "full"])
def test_the_tensors_have_the_published_names_shapes_and_order(name: str) -> None:
    golden = GoldenSet(name)
    with torch.device("meta"):
        state = GfpganNetwork(golden.config).state_dict()
    assert {key: list(value.shape) for key, value in state.items()} == golden.shapes
    assert list(state) == list(golden.shapes)


def test_two_pictures_come_out_as_the_published_network_draws_them(small: GoldenSet) -> None:
    restored, heads, code = run(small.network, small.input)
    assert difference(restored, small.arrays["image_batch"]) <= BOUND
    assert difference(restored[:1], small.arrays["image"]) <= BOUND
    assert difference(code[:1], small.arrays["style_code"]) <= BOUND
    assert len(heads) == 4
    for number, head in enumerate(heads):
        assert difference(head[:1], small.arrays[f"out_rgbs.{number}"]) <= BOUND


def test_a_batch_of_two_is_two_batches_of_one(small: GoldenSet) -> None:
    together, _ = small.network(small.input)
    alone = torch.cat([small.network(small.input[i : i + 1])[0] for i in range(2)])
    assert difference(together, alone) <= BOUND


def test_the_picture_is_the_same_without_the_heads(small: GoldenSet) -> None:
    without, heads = small.network(small.input)
    assert heads == []
    assert difference(without, small.network(small.input, with_heads=True)[0]) <= BOUND


def test_a_picture_comes_out_the_same_every_time(small: GoldenSet) -> None:
    before = small.input.clone()
    first, second = (small.network(small.input)[0] for _ in range(2))
    assert difference(first, second) <= BOUND
    assert torch.equal(small.input, before)


def recorded(network: nn.Module, picture: Tensor) -> dict[str, Tensor]:
    """Features inside the network, under the names of the golden data."""
    found: dict[str, Tensor] = {}
    decoder = network.get_submodule("stylegan_decoder")
    outputs = {"encoder.first.pre_activation": network.get_submodule("conv_body_first")}
    for level in range(4):
        outputs[f"encoder.down.{level}"] = network.get_submodule(f"conv_body_down.{level}")
        outputs[f"encoder.up.{level}"] = network.get_submodule(f"conv_body_up.{level}")
        outputs[f"condition.{level}.scale"] = network.get_submodule(f"condition_scale.{level}")
        outputs[f"condition.{level}.shift"] = network.get_submodule(f"condition_shift.{level}")
        outputs[f"decoder.rgb.{8 << level}"] = decoder.get_submodule(f"to_rgbs.{level}")
        second = decoder.get_submodule(f"style_convs.{2 * level + 1}")
        second.register_forward_pre_hook(keep_input(found, f"decoder.after_sft.{level}"))
    for number in range(8):
        outputs[f"decoder.style_convs.{number}"] = decoder.get_submodule(f"style_convs.{number}")
    outputs["decoder.style_conv1"] = decoder.get_submodule("style_conv1")
    outputs["decoder.rgb.4"] = decoder.get_submodule("to_rgb1")
    for name, module in outputs.items():
        module.register_forward_hook(keep_output(found, name))
    network.get_submodule("final_linear").register_forward_pre_hook(
        keep_input(found, "encoder.final")
    )
    network(picture)
    return found


def keep_input(found: dict[str, Tensor], name: str) -> Callable[..., None]:
    def hook(_module: nn.Module, given: tuple[Tensor, ...]) -> None:
        found[name] = given[0].clone()

    return hook


def keep_output(found: dict[str, Tensor], name: str) -> Callable[..., None]:
    def hook(_module: nn.Module, _given: tuple[Tensor, ...], result: Tensor) -> None:
        found[name] = result.clone()

    return hook


def test_every_feature_inside_the_network_is_the_published_one() -> None:
    golden = GoldenSet("small")
    found = recorded(golden.network, golden.input[:1])
    features = {
        name: value
        for name, value in golden.arrays.items()
        if name.startswith(("encoder.", "condition.", "decoder."))
    }
    assert len(features) == len(found) == 36
    for name, expected in features.items():
        assert difference(found[name].reshape(expected.shape), expected) <= FEATURE_BOUND, name


def test_the_variant_without_the_three_flags_draws_the_published_picture(plain: GoldenSet) -> None:
    restored, heads, code = run(plain.network, plain.input)
    latents = plain.network.stylegan_decoder.latents_of(code)
    assert difference(restored, plain.arrays["image"]) <= BOUND
    assert difference(code, plain.arrays["style_code"]) <= BOUND
    assert difference(latents[:, 0], plain.arrays["decoder.latent"]) <= BOUND
    for number, head in enumerate(heads):
        assert difference(head, plain.arrays[f"out_rgbs.{number}"]) <= BOUND


@pytest.mark.slow
def test_a_file_of_the_published_size_draws_the_published_picture(tmp_path: Path) -> None:
    golden = GoldenSet("full")
    path = tmp_path / "GFPGANv1.4.pth"
    torch.save({"params_ema": golden.weights}, path)
    network = load_network(path)
    path.unlink()  # 349 MB, which pytest would keep
    restored, heads, code = run(network, golden.input)
    tiles = nn.functional.avg_pool2d(restored, 32)
    square = restored[:, :, 224:256, 224:256]
    assert difference(tiles, golden.arrays["image_area_16"]) <= FULL_BOUND
    assert difference(square, golden.arrays["image_crop_224_256"]) <= FULL_BOUND
    assert difference(code, golden.arrays["style_code"]) <= FULL_BOUND
    for number in (0, 1):
        assert difference(heads[number], golden.arrays[f"out_rgbs.{number}"]) <= FULL_BOUND
    mean, deviation = restored.mean().item(), restored.std(correction=0).item()
    assert abs(mean - golden.statistics["mean"]) <= STATISTICS_BOUND
    assert abs(deviation - golden.statistics["std"]) <= STATISTICS_BOUND
