"""Triton kernels for the operations between a GPU's convolutions: one memory pass each.

PyTorch's group norm copies channels-last pictures to planes and returns planes; norm, SiLU, bias
and the conversion back take about ten memory passes where three are enough.

All pictures are channels last, all sums fp32. Triton is part of PyTorch's builds for CUDA.
"""

import torch
import triton
import triton.language as tl
from torch import Tensor

ROWS = 32
"""Pixels of a tile."""
COLUMNS = 64
"""Channels of a tile: 128 adjacent bytes of fp16."""
MAX_LOOPS = 8
"""Maximum tiles per program of the first kernel: longer programs leave fewer sums to combine."""
TILES_PER_LOOP = 128
"""With this many tiles, each program processes one tile; a larger picture has longer programs."""
BLOCK = 1024
"""Sums that are combined at once."""
MAX_GROUP_CHANNELS = 128
"""Maximum channels of a group."""


class TritonKernels:
    """Implements `fused_ops.Kernels` on a GPU, in the current stream."""

    name = "Triton"

    def normalize(
        self, picture: Tensor, bias: Tensor | None, norm: torch.nn.GroupNorm, *, silu: bool
    ) -> Tensor:
        """Group norm of `picture + bias`, optionally followed by SiLU."""
        picture = channels_last(picture)
        count, channels, height, width = picture.shape
        pixels, groups = height * width, norm.num_groups
        loops = min(MAX_LOOPS, max(1, pixels // (ROWS * TILES_PER_LOOP)))
        tiles = triton.cdiv(pixels, ROWS * loops)
        blocks = triton.cdiv(channels, COLUMNS)
        statistics = picture.new_empty((2, count, tiles, channels), dtype=torch.float32)
        affine = picture.new_empty((2, count, channels), dtype=torch.float32)
        output = torch.empty_like(picture)
        _tile_statistics[(count * tiles, blocks)](
            picture,
            statistics[0],
            statistics[1],
            pixels,
            channels,
            tiles,
            LOOPS=loops,
            ROWS=ROWS,
            COLUMNS=COLUMNS,
        )
        _group_affine[(count * groups,)](
            statistics[0],
            statistics[1],
            norm.bias if bias is None else bias,
            norm.weight,
            norm.bias,
            affine[0],
            affine[1],
            norm.eps,
            pixels,
            channels,
            tiles,
            groups,
            loops * ROWS,
            HAS_BIAS=bias is not None,
            LOOPS=triton.cdiv(tiles * (channels // groups), BLOCK),
            BLOCK=BLOCK,
            MAX_GROUP_CHANNELS=MAX_GROUP_CHANNELS,
        )
        _apply_affine[(count * triton.cdiv(pixels, ROWS), blocks)](
            picture,
            affine[0],
            affine[1],
            output,
            pixels,
            channels,
            SILU=silu,
            ROWS=ROWS,
            COLUMNS=COLUMNS,
        )
        return output

    def add_residual(self, picture: Tensor, bias: Tensor, residual: Tensor) -> Tensor:
        """`picture + bias + residual`."""
        picture, residual = channels_last(picture), channels_last(residual)
        count, channels, height, width = picture.shape
        output = torch.empty_like(picture)
        pixels = count * height * width
        grid = (triton.cdiv(pixels, ROWS), triton.cdiv(channels, COLUMNS))
        _add_residual[grid](
            picture, bias, residual, output, pixels, channels, ROWS=ROWS, COLUMNS=COLUMNS
        )
        return output

    def interleave(self, phases: Tensor, bias: Tensor) -> Tensor:
        """(n, 4 * c, h + 1, w + 1) phases of an upsampling, plus bias, to (n, c, 2h, 2w)."""
        phases = channels_last(phases)
        count, phase_channels, phase_height, phase_width = phases.shape
        height, width = 2 * (phase_height - 1), 2 * (phase_width - 1)
        channels = phase_channels // 4
        large = torch.empty(
            (count, channels, height, width),
            dtype=phases.dtype,
            device=phases.device,
            memory_format=torch.channels_last,
        )
        grid = (count * triton.cdiv(height * width, ROWS), triton.cdiv(channels, COLUMNS))
        _interleave[grid](phases, bias, large, height, width, channels, ROWS=ROWS, COLUMNS=COLUMNS)
        return large


def channels_last(picture: Tensor) -> Tensor:
    """Return the picture in channels-last layout; copied only if necessary."""
    return picture.contiguous(memory_format=torch.channels_last)


@triton.jit
def _tile(pixel, pixels, channels, block, ROWS: tl.constexpr, COLUMNS: tl.constexpr):
    """Offsets of a tile within a picture, their channels, and a mask of the valid ones."""
    row = pixel + tl.arange(0, ROWS)
    channel = block * COLUMNS + tl.arange(0, COLUMNS)
    valid = (row < pixels)[:, None] & (channel < channels)[None, :]
    return row.to(tl.int64)[:, None] * channels + channel[None, :], channel, valid


@triton.jit(do_not_specialize=["tiles"])
def _tile_statistics(
    picture,
    means,
    squares,
    pixels,
    channels,
    tiles,
    LOOPS: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    """Mean of each channel of each tile, and the sum of squared differences from it.

    Sums are of differences from the tile's first value: no precision is lost far from zero.
    """
    program, block = tl.program_id(0), tl.program_id(1)
    begin = (program % tiles) * LOOPS * ROWS
    start = picture + (program // tiles).to(tl.int64) * pixels * channels
    channel = block * COLUMNS + tl.arange(0, COLUMNS)
    valid_channel = channel < channels
    first = tl.load(start + begin.to(tl.int64) * channels + channel, mask=valid_channel, other=0.0)
    first = first.to(tl.float32)
    sums = tl.zeros((ROWS, COLUMNS), tl.float32)
    square_sums = tl.zeros((ROWS, COLUMNS), tl.float32)
    for step in range(LOOPS):
        offsets, _, valid = _tile(begin + step * ROWS, pixels, channels, block, ROWS, COLUMNS)
        value = tl.load(start + offsets, mask=valid, other=0.0).to(tl.float32)
        delta = tl.where(valid, value - first[None, :], 0.0)
        sums += delta
        square_sums += delta * delta
    pixel_count = (tl.minimum(begin + LOOPS * ROWS, pixels) - begin).to(tl.float32)
    total = tl.sum(sums, axis=0)
    target = program.to(tl.int64) * channels + channel
    tl.store(means + target, first + total / pixel_count, mask=valid_channel)
    tl.store(
        squares + target,
        tl.sum(square_sums, axis=0) - total * total / pixel_count,
        mask=valid_channel,
    )


@triton.jit(do_not_specialize=["pixels", "channels", "tiles", "groups", "length"])
def _group_affine(
    means,
    squares,
    bias,
    norm_weight,
    norm_bias,
    scales,
    shifts,
    eps,
    pixels,
    channels,
    tiles,
    groups,
    length,
    HAS_BIAS: tl.constexpr,
    LOOPS: tl.constexpr,
    BLOCK: tl.constexpr,
    MAX_GROUP_CHANNELS: tl.constexpr,
):
    """Scale and shift of each channel, from the statistics of its group's tiles.

    Tiles are combined by the formula of Chan et al., 1979. Sums are of differences from the mean of
    the group's first tile, as in `_tile_statistics`.
    """
    image, group = tl.program_id(0) // groups, tl.program_id(0) % groups
    size = channels // groups
    begin = group * size
    start = image.to(tl.int64) * tiles * channels
    first = tl.load(means + start + begin)
    sums = tl.zeros((BLOCK,), tl.float32)
    square_sums = tl.zeros((BLOCK,), tl.float32)
    for step in range(LOOPS):
        index = step * BLOCK + tl.arange(0, BLOCK)
        tile, channel = index // size, begin + index % size
        valid = tile < tiles
        source = start + tile.to(tl.int64) * channels + channel
        mean = tl.load(means + source, mask=valid, other=0.0)
        if HAS_BIAS:
            mean += tl.load(bias + channel, mask=valid, other=0.0).to(tl.float32)
        delta = tl.where(valid, mean - first, 0.0)
        pixel_count = tl.maximum(tl.minimum(length, pixels - tile * length), 0).to(tl.float32)
        sums += delta * pixel_count
        square_sums += delta * delta * pixel_count + tl.load(
            squares + source, mask=valid, other=0.0
        )
    total = (pixels * size).to(tl.float32)
    delta = tl.sum(sums, axis=0) / total
    variance = tl.sum(square_sums, axis=0) / total - delta * delta
    channel = begin + tl.arange(0, MAX_GROUP_CHANNELS)
    valid_channel = tl.arange(0, MAX_GROUP_CHANNELS) < size
    channel_bias = tl.zeros((MAX_GROUP_CHANNELS,), tl.float32)
    if HAS_BIAS:
        channel_bias = tl.load(bias + channel, mask=valid_channel, other=0.0).to(tl.float32)
    scale = tl.load(norm_weight + channel, mask=valid_channel, other=0.0).to(tl.float32)
    scale = scale / tl.sqrt(variance + eps)
    shift = tl.load(norm_bias + channel, mask=valid_channel, other=0.0).to(tl.float32)
    shift += (channel_bias - first - delta) * scale
    tl.store(scales + image * channels + channel, scale, mask=valid_channel)
    tl.store(shifts + image * channels + channel, shift, mask=valid_channel)


@triton.jit
def _apply_affine(
    picture,
    scales,
    shifts,
    output,
    pixels,
    channels,
    SILU: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    """Scale and shift each channel, and apply SiLU."""
    tiles = tl.cdiv(pixels, ROWS)
    image, tile = tl.program_id(0) // tiles, tl.program_id(0) % tiles
    start = image.to(tl.int64) * pixels * channels
    offsets, channel, valid = _tile(tile * ROWS, pixels, channels, tl.program_id(1), ROWS, COLUMNS)
    valid_channel = channel < channels
    scale = tl.load(scales + image * channels + channel, mask=valid_channel, other=0.0)
    shift = tl.load(shifts + image * channels + channel, mask=valid_channel, other=0.0)
    value = tl.load(picture + start + offsets, mask=valid, other=0.0).to(tl.float32)
    value = value * scale[None, :] + shift[None, :]
    if SILU:
        value = value * tl.sigmoid(value)
    tl.store(output + start + offsets, value.to(output.dtype.element_ty), mask=valid)


@triton.jit
def _add_residual(
    picture, bias, residual, output, pixels, channels, ROWS: tl.constexpr, COLUMNS: tl.constexpr
):
    """Sum of two pictures and a bias; `pixels` counts those of the whole batch."""
    offsets, channel, valid = _tile(
        tl.program_id(0) * ROWS, pixels, channels, tl.program_id(1), ROWS, COLUMNS
    )
    bias_value = tl.load(bias + channel, mask=channel < channels, other=0.0).to(tl.float32)
    picture_value = tl.load(picture + offsets, mask=valid, other=0.0).to(tl.float32)
    residual_value = tl.load(residual + offsets, mask=valid, other=0.0).to(tl.float32)
    value = picture_value + bias_value[None, :] + residual_value
    tl.store(output + offsets, value.to(output.dtype.element_ty), mask=valid)


@triton.jit
def _interleave(
    phases, bias, large, height, width, channels, ROWS: tl.constexpr, COLUMNS: tl.constexpr
):
    """Copy each pixel of the large picture from its phase."""
    pixels = height * width
    tiles = tl.cdiv(pixels, ROWS)
    image, tile = tl.program_id(0) // tiles, tl.program_id(0) % tiles
    offsets, channel, valid = _tile(tile * ROWS, pixels, channels, tl.program_id(1), ROWS, COLUMNS)
    pixel = tile * ROWS + tl.arange(0, ROWS)
    down, right = (pixel // width) % 2, (pixel % width) % 2
    row, col = pixel // width // 2 + down, (pixel % width) // 2 + right
    small = row * (width // 2 + 1) + col
    count = (height // 2 + 1) * (width // 2 + 1)
    source = (image.to(tl.int64) * count + small) * (4 * channels) + (2 * down + right) * channels
    bias_value = tl.load(bias + channel, mask=channel < channels, other=0.0).to(tl.float32)
    value = tl.load(phases + source[:, None] + channel[None, :], mask=valid, other=0.0)
    value = value.to(tl.float32) + bias_value[None, :]
    start = image.to(tl.int64) * pixels * channels
    tl.store(large + start + offsets, value.to(large.dtype.element_ty), mask=valid)
