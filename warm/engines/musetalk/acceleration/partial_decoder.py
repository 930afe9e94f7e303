"""The decoder, for the lower part of the picture only: the rest is never pasted.

All of the picture is computed while it is small. Before each enlargement the rows go that no later
row needs, but for a halo: convolutions see as far as if nothing had been cut off. Norms ask for
mean and deviation of the whole picture. Those of the rows that are not computed are measured once,
where the avatar's own face is decoded: above the middle the drawn face is the avatar's.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from diffusers.models.unets.unet_2d_blocks import UpDecoderBlock2D
from torch import Tensor, nn
from torch.nn import functional

HALO = 8
"""Rows above those that are needed, at every size. Seven convolutions and an enlargement lie
between one cut and the next: what they make of these rows is wrong, and not used."""


class WholeNorm(nn.Module):
    """A group norm of the whole picture that is shown the rows from one on."""

    def __init__(self, norm: nn.GroupNorm, *, begins: int, halo: int) -> None:
        super().__init__()
        self.norm = norm
        self._begins, self._halo = begins, halo
        self.above: Tensor | None = None
        """(n, 2 * groups) means and deviations of the rows above those that are not halo."""

    @property
    def width(self) -> int:
        """Numbers that `above` has of each picture."""
        return 2 * self.norm.num_groups

    def measured(self, whole: Tensor) -> Tensor:
        """`above` of (n, c, h, w) whole pictures."""
        return torch.cat(self._spread(whole[:, :, : self._begins + self._halo]), dim=1)

    def forward(self, seen: Tensor) -> Tensor:
        """(n, c, h, w) rows to the same rows as the norm of the whole picture has them."""
        if self.above is None:
            return torch.as_tensor(self.norm(seen))
        mean_above, deviation_above = self.above.float().chunk(2, dim=1)
        mean, deviation = self._spread(seen[:, :, self._halo :])
        share = (self._begins + self._halo) / (self._begins + seen.shape[2])
        apart = mean_above - mean
        variance = share * deviation_above**2 + (1 - share) * deviation**2
        variance = variance + share * (1 - share) * apart**2
        return self._normed(seen, mean + share * apart, (variance + self.norm.eps).rsqrt())

    def _normed(self, seen: Tensor, mean: Tensor, gain: Tensor) -> Tensor:
        """`seen` by (n, groups) fp32 of each."""
        repeats = seen.shape[1] // self.norm.num_groups
        scale = gain.repeat_interleave(repeats, dim=1) * self.norm.weight
        shift = self.norm.bias - mean.repeat_interleave(repeats, dim=1) * scale
        shift, scale = (each.to(seen.dtype)[..., None, None] for each in (shift, scale))
        return torch.addcmul(shift, seen, scale, out=torch.empty_like(seen))  # of its layout

    def _spread(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """(n, groups) fp32 means and deviations of (n, c, h, w).

        By a norm of them, whose pictures are not used: on a CPU PyTorch's own deviation takes eight
        times as long.
        """
        count, channels, height, width = rows.shape
        layout = torch.channels_last if rows.stride(1) == 1 else torch.contiguous_format
        sizes = count, channels, height * width, self.norm.num_groups
        given = rows.contiguous(memory_format=layout)
        _, mean, gain = torch.native_group_norm(given, None, None, *sizes, self.norm.eps)
        variance = (gain.float() ** -2 - self.norm.eps).clamp(min=0)
        return mean.float(), variance.sqrt()


class PartialDecoder(nn.Module):
    """In the place of a decoder of diffusers: the same size of picture, its upper rows grey."""

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
        self._norms = list(self._with_whole_norms(halo))

    @property
    def width(self) -> int:
        """Numbers that must be known of each picture's upper rows."""
        return sum(norm.width for norm in self._norms)

    def above(self, latents: Tensor) -> Tensor:
        """(n, c, h, w) latents of whole faces to (n, width): what their upper rows are like."""
        found: dict[WholeNorm, Tensor] = {}

        def look(norm: nn.Module, given: tuple[Tensor, ...]) -> None:
            assert isinstance(norm, WholeNorm)
            found[norm], norm.above = norm.measured(given[0]), None

        hooks = [norm.register_forward_pre_hook(look) for norm in self._norms]
        try:
            self._drawn(latents, [0] * len(self._cuts))
        finally:
            for hook in hooks:
                hook.remove()
        return torch.cat([found[norm] for norm in self._norms], dim=1)

    def forward(self, latents: Tensor, above: Tensor) -> Tensor:
        """(n, c, h, w) latents and (n, width) of `above` to (n, 3, H, W) in -1…1."""
        parts = above.split_with_sizes([norm.width for norm in self._norms], dim=1)
        for norm, part in zip(self._norms, parts, strict=True):
            norm.above = part
        return functional.pad(self._drawn(latents, self._cuts), (0, 0, self._first_row, 0))

    def _drawn(self, latents: Tensor, dropped: list[int]) -> Tensor:
        """The rows of the picture that are left where so many of each size are dropped."""
        seen = self.mid_block(self.conv_in(latents))
        for block, drop in zip(self.up_blocks, dropped, strict=True):
            for resnet in block.resnets:
                seen = resnet(seen, None)
            for enlarge in block.upsamplers or ():
                seen = enlarge(seen[:, :, drop:])
        drawn = self.conv_out(self.conv_act(self.conv_norm_out(seen)))
        return torch.as_tensor(drawn[:, :, dropped[-1] :])

    def _with_whole_norms(self, halo: int) -> Iterator[WholeNorm]:
        """Replace the norms of all sizes of which rows are missing."""
        begins = 0
        for block, drop in zip(self.up_blocks, self._cuts, strict=True):
            for resnet in block.resnets if begins else ():
                resnet.norm1 = WholeNorm(resnet.norm1, begins=begins, halo=halo)
                resnet.norm2 = WholeNorm(resnet.norm2, begins=begins, halo=halo)
                yield from (resnet.norm1, resnet.norm2)
            last, begins = begins, 2 * (begins + drop)
        if last:
            self.conv_norm_out = WholeNorm(self.conv_norm_out, begins=last, halo=halo)
            yield self.conv_norm_out


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
    """Raise ValueError where a block has more in it than `PartialDecoder` computes."""
    others = {type(block).__name__ for block in blocks} - {UpDecoderBlock2D.__name__}
    if others:
        raise ValueError(f"up_block_types has {', '.join(sorted(others))}")


def packed(above: Tensor, side: int) -> Tensor:
    """(n, width) numbers as (n, planes, side, side), to lie beside latents."""
    planes = planes_of(above.shape[1], side)
    room = planes * side * side - above.shape[1]
    return functional.pad(above, (0, room)).reshape(-1, planes, side, side)


def unpacked(planes: Tensor, width: int) -> Tensor:
    """What was `packed`."""
    return planes.flatten(1)[:, :width]


def planes_of(width: int, side: int) -> int:
    """Planes that so many numbers take."""
    return -(-width // (side * side))
