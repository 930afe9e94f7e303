"""Polyphase upsampling: upsampling by 2 and a 3x3 convolution as 2x2 convolutions before it.

Nearest-neighbour upsampling repeats every pixel four times, so several of the nine products of a
3x3 kernel share a pixel, and their weights can be added in advance. Each of the four positions
within an upsampled pixel (its phases) has its own 2x2 kernel: 16 products instead of 36.
"""

import torch
from diffusers.models.upsampling import Upsample2D
from torch import Tensor, nn
from torch.nn import functional

_SHARED = torch.tensor([[[1.0, 0, 0], [0, 1, 1]], [[1, 1, 0], [0, 0, 1]]])
"""(phase, tap, row of the 3x3 kernel): rows that fall on the same pixel."""


class PolyphaseUpsampling(nn.Module):
    """Computes the same as diffusers' Upsample2D, except for rounding."""

    def __init__(self, conv: nn.Conv2d) -> None:
        super().__init__()
        self.weight = nn.Parameter(phase_kernels(conv.weight), requires_grad=False)
        assert conv.bias is not None
        self.bias = nn.Parameter(conv.bias.repeat(4), requires_grad=False)

    def forward(self, small: Tensor, output_size: object = None) -> Tensor:
        """(n, c, h, w) to (n, d, 2h, 2w)."""
        if output_size is not None:
            raise ValueError(f"upsamples by 2, not to {output_size}")
        count, _, height, width = small.shape
        # Row i of the output uses rows i-1 and i: phase 0 of row i, phase 1 of row i-1.
        rounded, bias = small.to(self.weight.dtype), self.bias.to(self.weight.dtype)
        phases = functional.conv2d(rounded, self.weight, bias, padding=1).to(small.dtype)
        layout = torch.channels_last if is_channels_last(phases) else torch.contiguous_format
        large = torch.empty(
            (count, phases.shape[1] // 4, 2 * height, 2 * width),
            dtype=phases.dtype,
            device=phases.device,
            memory_format=layout,
        )
        for number, phase in enumerate(phases.chunk(4, dim=1)):
            down, right = divmod(number, 2)
            large[:, :, down::2, right::2] = phase[
                :, :, down : down + height, right : right + width
            ]
        return large


def phase_kernels(weight: Tensor) -> Tensor:
    """(d, c, 3, 3) to the (4 * d, c, 2, 2) kernels of the phases 00, 01, 10, 11."""
    shared = _SHARED.to(weight.device)
    kernels = torch.einsum("pay,qbx,dcyx->pqdcab", shared, shared, weight.float())
    layout = torch.channels_last if is_channels_last(weight) else torch.contiguous_format
    stacked = kernels.reshape(-1, weight.shape[1], 2, 2)
    return stacked.to(weight.dtype, memory_format=layout)


def is_channels_last(picture: Tensor) -> bool:
    """Return True if the channels of a pixel are adjacent in memory."""
    return picture.is_contiguous(memory_format=torch.channels_last)


def use_polyphase_upsampling(network: nn.Module) -> int:
    """Replace every upsampling with a 3x3 convolution in a network; returns their number."""
    found = [
        (parent, name, conv)
        for parent in network.modules()
        for name, child in parent.named_children()
        if isinstance(child, Upsample2D) and (conv := plain_convolution(child)) is not None
    ]
    for parent, name, conv in found:
        parent.add_module(name, PolyphaseUpsampling(conv).eval())
    return len(found)


def plain_convolution(upsampling: Upsample2D) -> nn.Conv2d | None:
    """The 3x3 convolution after a nearest-neighbour upsampling; None if there is anything else.

    A convolution in mixed precision (`precision.py`) is not replaced.
    """
    conv: nn.Module | None = upsampling.conv if upsampling.name == "conv" else None
    is_plain = upsampling.interpolate and upsampling.norm is None
    if not is_plain or type(conv) is not nn.Conv2d or conv.bias is None:
        return None
    return conv if (conv.kernel_size, conv.padding) == ((3, 3), (1, 1)) else None
