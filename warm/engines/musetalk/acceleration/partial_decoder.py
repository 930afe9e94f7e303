"""A decoder for the lower part of the picture; the upper part is never pasted.

The smallest feature maps are computed whole. Before each upsampling the rows that no later row
needs are dropped, except for a halo as high as the receptive field of the convolutions. Group norms
need mean and deviation of the whole picture. The statistics of the dropped rows are measured once,
by decoding the avatar's own face: in the upper half the generated face equals the avatar's.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import torch
from diffusers.models.unets.unet_2d_blocks import UpDecoderBlock2D
from torch import Tensor, nn
from torch.nn import functional

HALO = 8
"""Rows above the needed ones, at every size. Seven convolutions and an upsampling lie between two
cuts: they compute wrong values in these rows, which are not used."""


class FullPictureNorm(nn.Module):
    """Group norm over the whole picture, given only its rows from `first_row` on."""

    def __init__(self, norm: nn.GroupNorm, *, first_row: int, halo: int) -> None:
        super().__init__()
        self.norm = norm
        self._first_row, self._halo = first_row, halo
        self.upper: Tensor | None = None
        """(n, 2 * groups) means and deviations of the rows above the first row after the halo."""

    @property
    def width(self) -> int:
        """Numbers in `upper` for each picture."""
        return 2 * self.norm.num_groups

    def measure_upper(self, whole: Tensor) -> Tensor:
        """Compute `upper` of (n, c, h, w) whole pictures."""
        return torch.cat(self._statistics(whole[:, :, : self._first_row + self._halo]), dim=1)

    def forward(self, rows: Tensor) -> Tensor:
        """(n, c, h, w) rows, normalized by the statistics of the whole picture."""
        if self.upper is None:
            return torch.as_tensor(self.norm(rows))
        upper_mean, upper_std = self.upper.float().chunk(2, dim=1)
        mean, std = self._statistics(rows[:, :, self._halo :])
        upper_share = (self._first_row + self._halo) / (self._first_row + rows.shape[2])
        difference = upper_mean - mean
        variance = upper_share * upper_std**2 + (1 - upper_share) * std**2
        variance = variance + upper_share * (1 - upper_share) * difference**2
        inverse_std = (variance + self.norm.eps).rsqrt()
        return self._normalize(rows, mean + upper_share * difference, inverse_std)

    def _normalize(self, rows: Tensor, mean: Tensor, inverse_std: Tensor) -> Tensor:
        """Normalize rows by (n, groups) fp32 mean and inverse deviation."""
        repeats = rows.shape[1] // self.norm.num_groups
        scale = inverse_std.repeat_interleave(repeats, dim=1) * self.norm.weight
        shift = self.norm.bias - mean.repeat_interleave(repeats, dim=1) * scale
        shift, scale = (each.to(rows.dtype)[..., None, None] for each in (shift, scale))
        # `out` keeps the memory layout of the rows.
        return torch.addcmul(shift, rows, scale, out=torch.empty_like(rows))

    def _statistics(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """(n, groups) fp32 means and deviations of (n, c, h, w)."""
        if rows.is_cpu:
            return statistics_by_norm(rows, self.norm.num_groups, self.norm.eps)
        return statistics_by_reduction(rows, self.norm.num_groups)


def statistics_by_norm(rows: Tensor, groups: int, eps: float) -> tuple[Tensor, Tensor]:
    """(n, groups) fp32 means and deviations of (n, c, h, w), by a group norm without its output.

    On a CPU this takes an eighth of the time of PyTorch's deviation. Other devices accept only
    planar pictures.
    """
    count, channels, height, width = rows.shape
    layout = torch.channels_last if rows.stride(1) == 1 else torch.contiguous_format
    sizes = count, channels, height * width, groups
    dense = rows.contiguous(memory_format=layout)
    _, mean, inverse_std = torch.native_group_norm(dense, None, None, *sizes, eps)
    variance = (inverse_std.float() ** -2 - eps).clamp(min=0)
    return mean.float(), variance.sqrt()


def statistics_by_reduction(rows: Tensor, groups: int) -> tuple[Tensor, Tensor]:
    """(n, groups) fp32 means and deviations of (n, c, h, w), in any memory layout."""
    grouped = torch.unflatten(rows, 1, (groups, -1))
    std, mean = torch.std_mean(grouped, dim=(2, 3, 4), correction=0)
    return mean.float(), std.float()


class PartialDecoder(nn.Module):
    """Replaces a decoder of diffusers: pictures of the same size, whose upper rows are grey."""

    def __init__(self, whole: Any, *, first_row: int, halo: int = HALO) -> None:
        """Decode the rows from `first_row` on; raises ValueError if `whole` has other blocks."""
        super().__init__()
        require_plain_blocks(whole.up_blocks)
        self.conv_in, self.mid_block = whole.conv_in, whole.mid_block
        self.up_blocks = whole.up_blocks
        self.conv_norm_out, self.conv_act = whole.conv_norm_out, whole.conv_act
        self.conv_out = whole.conv_out
        self._dropped = rows_to_drop(len(self.up_blocks), first_row=first_row, halo=halo)
        self._first_row = first_row
        self._norms = list(self._replace_norms(halo))

    @property
    def statistics_width(self) -> int:
        """Numbers in the statistics of each picture's upper rows."""
        return sum(norm.width for norm in self._norms)

    def upper_statistics(self, latents: Tensor) -> Tensor:
        """(n, c, h, w) latents of whole faces to (n, statistics_width) of their upper rows."""
        measured: dict[FullPictureNorm, Tensor] = {}

        def measure(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            assert isinstance(norm, FullPictureNorm)
            measured[norm], norm.upper = norm.measure_upper(inputs[0]), None

        hooks = [norm.register_forward_pre_hook(measure) for norm in self._norms]
        try:
            self._decode(latents, [0] * len(self._dropped))
        finally:
            for hook in hooks:
                hook.remove()
        return torch.cat([measured[norm] for norm in self._norms], dim=1)

    def forward(self, latents: Tensor, statistics: Tensor) -> Tensor:
        """(n, c, h, w) latents and their `upper_statistics` to (n, 3, H, W) in -1…1."""
        parts = statistics.split_with_sizes([norm.width for norm in self._norms], dim=1)
        for norm, part in zip(self._norms, parts, strict=True):
            norm.upper = part
        return functional.pad(self._decode(latents, self._dropped), (0, 0, self._first_row, 0))

    def _decode(self, latents: Tensor, dropped: list[int]) -> Tensor:
        """Decode the rows that remain after dropping `dropped` rows at each size."""
        features = self.mid_block(self.conv_in(latents))
        for block, drop in zip(self.up_blocks, dropped, strict=True):
            for resnet in block.resnets:
                features = resnet(features, None)
            for upsample in block.upsamplers or ():
                features = upsample(features[:, :, drop:])
        decoded = self.conv_out(self.conv_act(self.conv_norm_out(features)))
        return torch.as_tensor(decoded[:, :, dropped[-1] :])

    def _replace_norms(self, halo: int) -> Iterator[FullPictureNorm]:
        """Replace the norms of all sizes whose upper rows are missing."""
        start = 0
        for block, drop in zip(self.up_blocks, self._dropped, strict=True):
            for resnet in block.resnets if start else ():
                resnet.norm1 = FullPictureNorm(resnet.norm1, first_row=start, halo=halo)
                resnet.norm2 = FullPictureNorm(resnet.norm2, first_row=start, halo=halo)
                yield from (resnet.norm1, resnet.norm2)
            last, start = start, 2 * (start + drop)
        if last:
            self.conv_norm_out = FullPictureNorm(self.conv_norm_out, first_row=last, halo=halo)
            yield self.conv_norm_out


def rows_to_drop(sizes: int, *, first_row: int, halo: int) -> list[int]:
    """Rows to drop at each size: before its upsampling, and from the picture at the end.

    The smallest size begins at row 0, each other one `halo` rows above the first needed row, or one
    more: the first row must be even, so that the size before can be cut at the same place.
    """
    needed, dropped = first_row, []
    for size in reversed(range(sizes)):
        start = max(0, (needed - halo) // 2 * 2) if size else 0
        dropped.append(needed - start)
        needed = start // 2
    return dropped[::-1]


def require_plain_blocks(blocks: Iterable[object]) -> None:
    """Raise ValueError if a block has layers that `PartialDecoder` does not compute."""
    others = {type(block).__name__ for block in blocks} - {UpDecoderBlock2D.__name__}
    if others:
        raise ValueError(f"up_block_types has {', '.join(sorted(others))}")


def pack_statistics(statistics: Tensor, side: int) -> Tensor:
    """(n, width) numbers as (n, planes, side, side), to be concatenated with latents."""
    planes = plane_count(statistics.shape[1], side)
    padding = planes * side * side - statistics.shape[1]
    return functional.pad(statistics, (0, padding)).reshape(-1, planes, side, side)


def unpack_statistics(planes: Tensor, width: int) -> Tensor:
    """Invert `pack_statistics`."""
    return planes.flatten(1)[:, :width]


def plane_count(width: int, side: int) -> int:
    """Planes that `width` numbers need."""
    return -(-width // (side * side))
