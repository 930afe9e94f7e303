"""The figures of the neural engine, at a size that a test can wait for."""

import pytest

from bench.neural.neural import UNET, VAE, figures

pytestmark = pytest.mark.slow


@pytest.mark.usefixtures("one_thread")
def test_16_bit_formats_draw_nearly_the_same_pictures() -> None:
    small = {**UNET, "block_out_channels": [32, 32, 32, 32], "cross_attention_dim": 16}
    ratio, bf16, fp16 = figures(small, {**VAE, "block_out_channels": [32, 32, 32, 32]})
    assert ratio.value > 0
    assert 25 < bf16.value < fp16.value < 80
