"""In which numbers each part of the UNet computes.

fp32 and fp16 are one kind of number throughout. bf16 has three digits, and a network that uses
nothing else draws pictures 42 dB from those of fp32; docs/musetalk-parity.md has the measurements.
Therefore bf16 means here: products of weights are taken in bf16, all that goes from one to the
next (sums, norms, attention, the time) is fp32, and the parts that matter most are fp32 as well.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

Network = Any

EXACT = (
    "conv_in",
    "time_embedding",
    "down_blocks.0",
    "down_blocks.1",
    "up_blocks.3",
    "conv_out",
)
"""Parts of the UNet that stay fp32 beside bf16: two fifths of its products.

What is rounded at the entrance is drawn into the whole picture; the last parts write the answer.
"""


class NarrowLinear(nn.Linear):
    """Rounds what comes in to its weights' numbers; adds the bias and goes on in those it got."""

    def forward(self, input: Tensor) -> Tensor:
        """(…, c) to (…, d)."""
        made = functional.linear(input.to(self.weight.dtype), self.weight).to(input.dtype)
        return made if self.bias is None else made.add_(self.bias)


class NarrowConv(nn.Conv2d):
    """The same, of a convolution."""

    def forward(self, input: Tensor) -> Tensor:
        """(n, c, h, w) to (n, d, h', w')."""
        rounded = input.to(self.weight.dtype)
        made: Tensor = self._conv_forward(rounded, self.weight, None).to(input.dtype)
        return made if self.bias is None else made.add_(self.bias[:, None, None])


def set_numbers(unet: Network, dtype: torch.dtype) -> None:
    """Give a UNet of fp32 the numbers of `dtype`: all of it, or for bf16 what is not EXACT."""
    if dtype == torch.bfloat16:
        narrow(unet, dtype)
    else:
        nn.Module.to(unet, dtype)


def narrow(unet: nn.Module, dtype: torch.dtype) -> None:
    """Round the weights of all convolutions and linear layers that are not EXACT."""
    for name, layer in unet.named_modules():
        if is_exact(name):
            continue
        if type(layer) is nn.Linear:
            layer.__class__ = NarrowLinear
        elif type(layer) is nn.Conv2d:
            layer.__class__ = NarrowConv
        else:
            continue
        layer.weight = nn.Parameter(layer.weight.to(dtype), requires_grad=False)


def is_exact(name: str) -> bool:
    """Whether a part of the UNet stays fp32."""
    return any(name == part or name.startswith(f"{part}.") for part in EXACT)
