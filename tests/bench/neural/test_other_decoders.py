"""The figures of the other decoders, at a size that a test can wait for."""

import pytest

from bench.neural.decoders import figures
from bench.neural.neural import TINY, VAE

pytestmark = pytest.mark.slow


@pytest.mark.usefixtures("one_thread")
def test_half_draws_nearly_the_same_pictures_and_both_are_timed() -> None:
    narrow = {"block_out_channels": [8] * 4, "norm_num_groups": 4, "layers_per_block": 1}
    small = {f"{part}_block_out_channels": [4] * 4 for part in ("encoder", "decoder")}
    half, tiny, likeness = figures({**VAE, **narrow}, {**TINY, **small})
    assert half.value > 0 and tiny.value > 0
    assert 40 < likeness.value < 90
