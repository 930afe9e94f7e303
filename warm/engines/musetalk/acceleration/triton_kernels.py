"""Kernels for what lies between a GPU's convolutions, in Triton: one pass over memory each.

PyTorch's group norm copies pictures whose colours lie side by side (channels last) to planes and
leaves them so; norm, SiLU, bias and the way back are some ten passes over memory where three do.

All pictures are channels last, all sums fp32. Needs Triton, which PyTorch's builds for CUDA bring.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

ROWS = 32
"""Pixels of a tile …"""
WIDE = 64
"""… and colours of it: 128 bytes of fp16, side by side."""
LONGEST = 8
"""Tiles that one program goes through when it measures: fewer sums to be put together later."""
TILES_A_LOOP = 128
"""A picture of so many tiles has programs of one tile each, a larger one has longer programs."""


BLOCK = 1024
"""Sums that are put together at once."""
MEMBERS = 128
"""Colours of a group, at most."""


class TritonKernels:
    """Implements `fused_ops.Kernels` on a GPU, in the current stream."""

    name = "Triton"

    def normalize(
        self, picture: Tensor, before: Tensor | None, norm: torch.nn.GroupNorm, *, silu: bool
    ) -> Tensor:
        """Group norm of `picture + before`, with SiLU where wanted."""
        picture = side_by_side(picture)
        count, channels, height, width = picture.shape
        pixels, groups = height * width, norm.num_groups
        loops = min(LONGEST, max(1, pixels // (ROWS * TILES_A_LOOP)))
        tiles = triton.cdiv(pixels, ROWS * loops)
        blocks = triton.cdiv(channels, WIDE)
        sums = picture.new_empty((2, count, tiles, channels), dtype=torch.float32)
        line = picture.new_empty((2, count, channels), dtype=torch.float32)
        made = torch.empty_like(picture)
        added = norm.bias if before is None else before
        _measure[(count * tiles, blocks)](
            picture, sums[0], sums[1], pixels, channels, tiles, LOOPS=loops, ROWS=ROWS, WIDE=WIDE
        )
        _straighten[(count * groups,)](
            sums[0],
            sums[1],
            added,
            norm.weight,
            norm.bias,
            line[0],
            line[1],
            norm.eps,
            pixels,
            channels,
            tiles,
            groups,
            loops * ROWS,
            HAS_ADDED=before is not None,
            LOOPS=triton.cdiv(tiles * (channels // groups), BLOCK),
            BLOCK=BLOCK,
            MEMBERS=MEMBERS,
        )
        _apply[(count * triton.cdiv(pixels, ROWS), blocks)](
            picture, line[0], line[1], made, pixels, channels, SILU=silu, ROWS=ROWS, WIDE=WIDE
        )
        return made

    def join(self, made: Tensor, bias: Tensor, other: Tensor) -> Tensor:
        """`made + bias + other`."""
        made, other = side_by_side(made), side_by_side(other)
        count, channels, height, width = made.shape
        total = torch.empty_like(made)
        grid = (triton.cdiv(count * height * width, ROWS), triton.cdiv(channels, WIDE))
        pixels = count * height * width
        _join[grid](made, bias, other, total, pixels, channels, ROWS=ROWS, WIDE=WIDE)
        return total

    def interleave(self, phases: Tensor, bias: Tensor) -> Tensor:
        """(n, 4 * c, h + 1, w + 1) phases of an enlargement, plus bias, to (n, c, 2h, 2w)."""
        phases = side_by_side(phases)
        count, channels, height, width = phases.shape
        high, wide, colours = 2 * (height - 1), 2 * (width - 1), channels // 4
        large = torch.empty(
            (count, colours, high, wide),
            dtype=phases.dtype,
            device=phases.device,
            memory_format=torch.channels_last,
        )
        grid = (count * triton.cdiv(high * wide, ROWS), triton.cdiv(colours, WIDE))
        _interleave[grid](phases, bias, large, high, wide, colours, ROWS=ROWS, WIDE=WIDE)
        return large


def side_by_side(picture: Tensor) -> Tensor:
    """The picture with the colours of a pixel side by side; copied where they are not."""
    return picture.contiguous(memory_format=torch.channels_last)


@triton.jit
def _tile(pixel, pixels, channels, block, ROWS: tl.constexpr, WIDE: tl.constexpr):
    """Offsets within a picture, and which of them are in it."""
    row = pixel + tl.arange(0, ROWS)
    column = block * WIDE + tl.arange(0, WIDE)
    inside = (row < pixels)[:, None] & (column < channels)[None, :]
    return row.to(tl.int64)[:, None] * channels + column[None, :], column, inside


@triton.jit(do_not_specialize=["tiles"])
def _measure(
    picture,
    means,
    squares,
    pixels,
    channels,
    tiles,
    LOOPS: tl.constexpr,
    ROWS: tl.constexpr,
    WIDE: tl.constexpr,
):
    """Of each colour in each tile: its mean, and the sum of squared distances from it.

    Values are taken from the tile's first one, so that none is lost where all are far from zero.
    """
    number, block = tl.program_id(0), tl.program_id(1)
    begin = (number % tiles) * LOOPS * ROWS
    start = picture + (number // tiles).to(tl.int64) * pixels * channels
    column = block * WIDE + tl.arange(0, WIDE)
    known = column < channels
    first = tl.load(start + begin.to(tl.int64) * channels + column, mask=known, other=0.0)
    first = first.to(tl.float32)
    plain = tl.zeros((ROWS, WIDE), tl.float32)
    squared = tl.zeros((ROWS, WIDE), tl.float32)
    for step in range(LOOPS):
        offsets, _, inside = _tile(begin + step * ROWS, pixels, channels, block, ROWS, WIDE)
        value = tl.load(start + offsets, mask=inside, other=0.0).to(tl.float32)
        away = tl.where(inside, value - first[None, :], 0.0)
        plain += away
        squared += away * away
    seen = (tl.minimum(begin + LOOPS * ROWS, pixels) - begin).to(tl.float32)
    total = tl.sum(plain, axis=0)
    place = number.to(tl.int64) * channels + column
    tl.store(means + place, first + total / seen, mask=known)
    tl.store(squares + place, tl.sum(squared, axis=0) - total * total / seen, mask=known)


@triton.jit(do_not_specialize=["pixels", "channels", "tiles", "groups", "length"])
def _straighten(
    means,
    squares,
    added,
    weight,
    bias,
    scales,
    shifts,
    eps,
    pixels,
    channels,
    tiles,
    groups,
    length,
    HAS_ADDED: tl.constexpr,
    LOOPS: tl.constexpr,
    BLOCK: tl.constexpr,
    MEMBERS: tl.constexpr,
):
    """Mean and deviation of a group from those of its tiles (Chan et al., 1979), as a line.

    Means are taken from that of the group's first tile, for the same reason as above.
    """
    number, group = tl.program_id(0) // groups, tl.program_id(0) % groups
    size = channels // groups
    begin = group * size
    start = number.to(tl.int64) * tiles * channels
    first = tl.load(means + start + begin)
    plain = tl.zeros((BLOCK,), tl.float32)
    squared = tl.zeros((BLOCK,), tl.float32)
    for step in range(LOOPS):
        index = step * BLOCK + tl.arange(0, BLOCK)
        tile, column = index // size, begin + index % size
        inside = tile < tiles
        place = start + tile.to(tl.int64) * channels + column
        mean = tl.load(means + place, mask=inside, other=0.0)
        if HAS_ADDED:
            mean += tl.load(added + column, mask=inside, other=0.0).to(tl.float32)
        away = tl.where(inside, mean - first, 0.0)
        seen = tl.maximum(tl.minimum(length, pixels - tile * length), 0).to(tl.float32)
        plain += away * seen
        squared += away * away * seen + tl.load(squares + place, mask=inside, other=0.0)
    total = (pixels * size).to(tl.float32)
    away = tl.sum(plain, axis=0) / total
    variance = tl.sum(squared, axis=0) / total - away * away
    column = begin + tl.arange(0, MEMBERS)
    known = tl.arange(0, MEMBERS) < size
    before = tl.zeros((MEMBERS,), tl.float32)
    if HAS_ADDED:
        before = tl.load(added + column, mask=known, other=0.0).to(tl.float32)
    scale = tl.load(weight + column, mask=known, other=0.0).to(tl.float32)
    scale = scale / tl.sqrt(variance + eps)
    shift = tl.load(bias + column, mask=known, other=0.0).to(tl.float32)
    shift += (before - first - away) * scale
    tl.store(scales + number * channels + column, scale, mask=known)
    tl.store(shifts + number * channels + column, shift, mask=known)


@triton.jit
def _apply(
    picture,
    scales,
    shifts,
    made,
    pixels,
    channels,
    SILU: tl.constexpr,
    ROWS: tl.constexpr,
    WIDE: tl.constexpr,
):
    """The line of each colour, and SiLU."""
    tiles = tl.cdiv(pixels, ROWS)
    number, tile = tl.program_id(0) // tiles, tl.program_id(0) % tiles
    start = number.to(tl.int64) * pixels * channels
    offsets, column, inside = _tile(tile * ROWS, pixels, channels, tl.program_id(1), ROWS, WIDE)
    known = column < channels
    scale = tl.load(scales + number * channels + column, mask=known, other=0.0)
    shift = tl.load(shifts + number * channels + column, mask=known, other=0.0)
    value = tl.load(picture + start + offsets, mask=inside, other=0.0).to(tl.float32)
    value = value * scale[None, :] + shift[None, :]
    if SILU:
        value = value * tl.sigmoid(value)
    tl.store(made + start + offsets, value.to(made.dtype.element_ty), mask=inside)


@triton.jit
def _join(made, bias, other, total, pixels, channels, ROWS: tl.constexpr, WIDE: tl.constexpr):
    """The sum of two pictures and a bias; `pixels` are those of all pictures."""
    offsets, column, inside = _tile(
        tl.program_id(0) * ROWS, pixels, channels, tl.program_id(1), ROWS, WIDE
    )
    added = tl.load(bias + column, mask=column < channels, other=0.0).to(tl.float32)
    one = tl.load(made + offsets, mask=inside, other=0.0).to(tl.float32)
    two = tl.load(other + offsets, mask=inside, other=0.0).to(tl.float32)
    value = one + added[None, :] + two
    tl.store(total + offsets, value.to(total.dtype.element_ty), mask=inside)


@triton.jit
def _interleave(phases, bias, large, high, wide, channels, ROWS: tl.constexpr, WIDE: tl.constexpr):
    """Each pixel of the large picture from its phase."""
    pixels = high * wide
    tiles = tl.cdiv(pixels, ROWS)
    number, tile = tl.program_id(0) // tiles, tl.program_id(0) % tiles
    offsets, column, inside = _tile(tile * ROWS, pixels, channels, tl.program_id(1), ROWS, WIDE)
    pixel = tile * ROWS + tl.arange(0, ROWS)
    down, right = (pixel // wide) % 2, (pixel % wide) % 2
    row, place = pixel // wide // 2 + down, (pixel % wide) // 2 + right
    small = row * (wide // 2 + 1) + place
    count = (high // 2 + 1) * (wide // 2 + 1)
    source = (number.to(tl.int64) * count + small) * (4 * channels) + (2 * down + right) * channels
    added = tl.load(bias + column, mask=column < channels, other=0.0).to(tl.float32)
    value = tl.load(phases + source[:, None] + column[None, :], mask=inside, other=0.0)
    value = value.to(tl.float32) + added[None, :]
    start = number.to(tl.int64) * pixels * channels
    tl.store(large + start + offsets, value.to(large.dtype.element_ty), mask=inside)
