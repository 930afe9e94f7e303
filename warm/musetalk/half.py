"""The decoder, for the lower part of the picture only: the rest is never pasted.

All of the picture is computed while it is small. Before each enlargement the rows go that no later
row needs, but for a halo: convolutions see as far as if nothing had been cut off. What differs is
the norm of each layer, which measures what is left of the picture in place of the whole.
"""

from collections.abc import Iterable
from typing import Any

from diffusers.models.unets.unet_2d_blocks import UpDecoderBlock2D
from torch import Tensor, nn
from torch.nn import functional

HALO = 8
"""Rows above those that are needed, at every size. Seven convolutions and an enlargement lie
between one cut and the next; with fewer rows the last of them sees the cut."""


class LowerHalf(nn.Module):
    """In the place of a decoder of diffusers: same latents, same size of picture."""

    def __init__(self, whole: Any, *, first_row: int, halo: int = HALO) -> None:
        """Draw the rows from `first_row` on; raises ValueError where `whole` has other blocks."""
        super().__init__()
        require_plain(whole.up_blocks)
        self.conv_in, self.mid_block = whole.conv_in, whole.mid_block
        self.up_blocks = whole.up_blocks
        self.conv_norm_out, self.conv_act = whole.conv_norm_out, whole.conv_act
        self.conv_out = whole.conv_out
        self._cuts = cuts(len(self.up_blocks), first_row=first_row, halo=halo)
        self._first_row = first_row

    def forward(self, latents: Tensor, latent_embeds: None = None) -> Tensor:  # noqa: ARG002  as there
        """(n, c, h, w) to (n, 3, H, W) in -1…1; grey (0) above the first row that is drawn."""
        seen = self.mid_block(self.conv_in(latents))
        for block, cut in zip(self.up_blocks, self._cuts, strict=True):
            for resnet in block.resnets:
                seen = resnet(seen, None)
            for enlarge in block.upsamplers or ():
                seen = enlarge(seen[:, :, cut:])
        drawn = self.conv_out(self.conv_act(self.conv_norm_out(seen)))[:, :, self._cuts[-1] :]
        return functional.pad(drawn, (0, 0, self._first_row, 0))


def cuts(sizes: int, *, first_row: int, halo: int) -> list[int]:
    """Rows to drop of each size: before it is enlarged, and of the picture at last.

    The smallest begins at row 0, each other one `halo` rows above the first that is needed of it,
    or one more: an even number, so that the size before it can be cut there as well.
    """
    needed, dropped = first_row, []
    for size in reversed(range(sizes)):
        begins = max(0, (needed - halo) // 2 * 2) if size else 0
        dropped.append(needed - begins)
        needed = begins // 2
    return dropped[::-1]


def require_plain(blocks: Iterable[object]) -> None:
    """Raise ValueError where a block has more in it than `LowerHalf.forward` does."""
    others = {type(block).__name__ for block in blocks} - {UpDecoderBlock2D.__name__}
    if others:
        raise ValueError(f"up_block_types has {', '.join(sorted(others))}")
