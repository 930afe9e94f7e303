"""Twice the size and a 3x3 convolution, computed as 2x2 convolutions of the small picture.

Nearest-neighbour enlargement repeats every pixel four times, so of the nine products of a 3x3
kernel several share their pixel, and their weights can be added once and for all. Each of the four
positions within an enlarged pixel (its phases) has its own 2x2 kernel: 16 products instead of 36.
"""

import torch
from diffusers.models.upsampling import Upsample2D
from torch import Tensor, nn
from torch.nn import functional

_SHARED = torch.tensor([[[1.0, 0, 0], [0, 1, 1]], [[1, 1, 0], [0, 0, 1]]])
"""(phase, tap, row of the 3x3 kernel): which rows fall on the same pixel."""


class PolyphaseUpsampling(nn.Module):
    """Does what diffusers' Upsample2D does, but for rounding."""

    def __init__(self, whole: nn.Conv2d) -> None:
        super().__init__()
        self.weight = nn.Parameter(phase_kernels(whole.weight), requires_grad=False)
        assert whole.bias is not None
        self.bias = nn.Parameter(whole.bias.repeat(4), requires_grad=False)

    def forward(self, small: Tensor, output_size: object = None) -> Tensor:
        """(n, c, h, w) to (n, d, 2h, 2w)."""
        if output_size is not None:
            raise ValueError(f"enlarges twice, not to {output_size}")
        count, _, height, width = small.shape
        # Row i of it sees rows i-1 and i of the picture: phase 0 of row i, phase 1 of row i-1.
        given, bias = small.to(self.weight.dtype), self.bias.to(self.weight.dtype)
        made = functional.conv2d(given, self.weight, bias, padding=1).to(small.dtype)
        layout = torch.channels_last if is_channels_last(made) else torch.contiguous_format
        large = torch.empty(
            (count, made.shape[1] // 4, 2 * height, 2 * width),
            dtype=made.dtype,
            device=made.device,
            memory_format=layout,
        )
        for number, phase in enumerate(made.chunk(4, dim=1)):
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
    made = kernels.reshape(-1, weight.shape[1], 2, 2)
    return made.to(weight.dtype, memory_format=layout)


def is_channels_last(picture: Tensor) -> bool:
    """Whether the colours of a pixel lie side by side."""
    return picture.is_contiguous(memory_format=torch.channels_last)


def use_phases(network: nn.Module) -> int:
    """Replace every enlargement with a 3x3 convolution in a network; how many there were."""
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
    """The 3x3 convolution behind a nearest-neighbour enlargement, where there is nothing else.

    One that computes in other numbers than it is given (`precision.py`) stays as it is.
    """
    conv: nn.Module | None = upsampling.conv if upsampling.name == "conv" else None
    is_plain = upsampling.interpolate and upsampling.norm is None
    if not is_plain or type(conv) is not nn.Conv2d or conv.bias is None:
        return None
    return conv if (conv.kernel_size, conv.padding) == ((3, 3), (1, 1)) else None
