"""The network's layout and configuration, without reference data."""

import zlib
from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.warm.enhance.tiny_network import TINY, empty_network, tiny_network
from warm.enhance.errors import BadNetworkConfig
from warm.enhance.network.config import PUBLISHED, NetworkConfig

RECORDED = [
    -0.309584,
    0.285219,
    -0.224853,
    -0.697539,
    -0.262894,
    -0.004859,
    0.31075,
    -0.116869,
    0.803077,
]
"""Red, green and blue of three pixels, recorded when the network matched the published one."""
RECORDED_HEAD = [
    1.718596,
    1.162365,
    0.901168,
    0.131527,
    0.690812,
    0.276869,
    -2.259868,
    -1.098608,
    -0.819107,
]


def test_the_published_checkpoint_has_285_tensors_of_these_names_and_shapes() -> None:
    state = empty_network(PUBLISHED).state_dict()
    lines = "\n".join(f"{name} {list(value.shape)}" for name, value in state.items())
    assert len(state) == 285
    assert sum(value.numel() for value in state.values()) == 87_143_276
    assert {value.dtype for value in state.values()} == {torch.float32}
    assert zlib.crc32(lines.encode()) == 0xD20B0F58


def test_the_noise_planes_are_buffers_and_not_parameters() -> None:
    network = empty_network(PUBLISHED)
    assert sum(value.numel() for value in network.parameters()) == 86_444_252
    assert sum(value.numel() for value in network.buffers()) == 699_024


@pytest.mark.parametrize("size", [8, 64])
@pytest.mark.parametrize("input_is_latent", [False, True])
@pytest.mark.parametrize("different_w", [False, True])
@pytest.mark.parametrize("sft_half", [False, True])
def test_every_variant_draws_a_picture_of_its_size(
    size: int, input_is_latent: bool, different_w: bool, sft_half: bool
) -> None:
    config = replace(
        TINY, size=size, input_is_latent=input_is_latent, different_w=different_w, sft_half=sft_half
    )
    network = tiny_network(config)
    with torch.inference_mode():
        picture, heads = network(torch.zeros(2, 3, size, size), with_heads=True)
    assert picture.shape == (2, 3, size, size)
    assert torch.isfinite(picture).all()
    assert [head.shape[-1] for head in heads] == config.level_sizes[1:]


def test_a_tiny_network_draws_the_recorded_picture() -> None:
    picture = torch.linspace(-1, 1, 3 * 32 * 32).reshape(1, 3, 32, 32)
    with torch.inference_mode():
        restored, heads = tiny_network(TINY)(picture, with_heads=True)
    assert np.allclose(restored[0, :, 5::11, 16].flatten(), RECORDED, atol=2e-5)
    assert np.allclose(heads[-1][0, :, 5::11, 16].flatten(), RECORDED_HEAD, atol=2e-5)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("size", 48),
        ("size", 4),
        ("size", 2048),
        ("size", 0),
        ("size", -64),
        ("style_size", 0),
        ("channel_multiplier", 0),
        ("mlp_layers", 0),
        ("narrow", 0.0),
        ("narrow", 0.003),
        ("narrow", 0.3),
    ],
)
def test_an_impossible_configuration_is_refused_by_field(field: str, value: float) -> None:
    with pytest.raises(BadNetworkConfig, match=f"{field} = {value}"):
        NetworkConfig(**{field: value})
