"""Number formats of the parts of the UNet.

fp32 and fp16 networks use one format throughout. bf16 has three digits, and a network that uses
nothing else draws pictures with a PSNR of 42 dB against fp32; docs/musetalk-parity.md has the
measurements. Here bf16 therefore means: products of weights are computed in bf16, everything
between them (sums, norms, attention, the time embedding) is fp32, and the most sensitive parts are
fp32 as well.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

Network = Any

FP32_PARTS = (
    "conv_in",
    "time_embedding",
    "down_blocks.0",
    "down_blocks.1",
    "up_blocks.3",
    "conv_out",
)
"""Parts of the UNet that stay fp32 in bf16: two fifths of its products.

Rounding at the input spreads over the whole picture; the last parts compute the output.
"""


class MixedLinear(nn.Linear):
    """Rounds its input to its weights' type; adds the bias and returns in the input's type."""

    def forward(self, input: Tensor) -> Tensor:
        """(…, c) to (…, d)."""
        output = functional.linear(input.to(self.weight.dtype), self.weight).to(input.dtype)
        return output if self.bias is None else output.add_(self.bias)


class MixedConv2d(nn.Conv2d):
    """The same as `MixedLinear` for a convolution."""

    def forward(self, input: Tensor) -> Tensor:
        """(n, c, h, w) to (n, d, h', w')."""
        rounded = input.to(self.weight.dtype)
        output: Tensor = self._conv_forward(rounded, self.weight, None).to(input.dtype)
        return output if self.bias is None else output.add_(self.bias[:, None, None])


def set_dtype(unet: Network, dtype: torch.dtype) -> None:
    """Convert an fp32 UNet to `dtype`: all of it, or for bf16 all but FP32_PARTS."""
    if dtype == torch.bfloat16:
        use_mixed_precision(unet, dtype)
    else:
        nn.Module.to(unet, dtype)


def use_mixed_precision(unet: nn.Module, dtype: torch.dtype) -> None:
    """Round the weights of all convolutions and linear layers outside FP32_PARTS."""
    for name, layer in unet.named_modules():
        if is_fp32_part(name):
            continue
        if type(layer) is nn.Linear:
            layer.__class__ = MixedLinear
        elif type(layer) is nn.Conv2d:
            layer.__class__ = MixedConv2d
        else:
            continue
        layer.weight = nn.Parameter(layer.weight.to(dtype), requires_grad=False)


def is_fp32_part(name: str) -> bool:
    """Return True if a module of the UNet stays fp32."""
    return any(name == part or name.startswith(f"{part}.") for part in FP32_PARTS)
