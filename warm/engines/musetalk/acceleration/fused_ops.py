"""Fused operations between convolutions: norms, SiLU, biases and sums in fewer memory passes.

On a GPU these operations take as long as the convolutions themselves, limited by memory bandwidth.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any, Protocol

import torch
from diffusers.models.resnet import ResnetBlock2D
from torch import Tensor, nn
from torch.nn import functional

from warm.engines.musetalk.acceleration.polyphase import PolyphaseUpsampling
from warm.engines.musetalk.checkpoint import first_line
from warm.engines.musetalk.cuda_errors import is_out_of_memory, is_unrecoverable
from warm.engines.musetalk.device import ComputeDevice

Network = Any

PROBE = 4, 128, 128, 128
"""(n, c, h, w) of the picture on which kernels are tested."""
TOLERANCE_STEPS, TOLERANCE = 32, 1e-4
"""Largest difference of the test from PyTorch's output, in standard deviations: this many steps of
the number format, or in fp32 the effect of another order of summation."""
ROUNDS = 10
"""Runs that are timed."""

log = logging.getLogger(__name__)


class Kernels(Protocol):
    """Fused operations of one memory pass each; pictures and outputs are channels last."""

    name: str

    def normalize(
        self, picture: Tensor, bias: Tensor | None, norm: nn.GroupNorm, *, silu: bool
    ) -> Tensor:
        """Group norm of `picture + bias`, optionally followed by SiLU; (n, c, h, w), (c,)."""
        ...

    def add_residual(self, picture: Tensor, bias: Tensor, residual: Tensor) -> Tensor:
        """`picture + bias + residual`: (n, c, h, w), (c,), (n, c, h, w)."""
        ...

    def interleave(self, phases: Tensor, bias: Tensor) -> Tensor:
        """(n, 4 * c, h + 1, w + 1) of `PolyphaseUpsampling`, plus (c,), to (n, c, 2h, 2w)."""
        ...


class TorchKernels:
    """The same operations in plain PyTorch; slower. The reference for other kernels."""

    name = "PyTorch"

    def normalize(
        self, picture: Tensor, bias: Tensor | None, norm: nn.GroupNorm, *, silu: bool
    ) -> Tensor:
        """Same as `Kernels.normalize`."""
        biased = picture if bias is None else picture + per_channel(bias, picture)
        normalized = norm(biased)
        normalized = functional.silu(normalized) if silu else normalized
        return torch.as_tensor(normalized).contiguous(memory_format=torch.channels_last)

    def add_residual(self, picture: Tensor, bias: Tensor, residual: Tensor) -> Tensor:
        """Same as `Kernels.add_residual`."""
        return picture + per_channel(bias, picture) + residual

    def interleave(self, phases: Tensor, bias: Tensor) -> Tensor:
        """Same as `Kernels.interleave`."""
        count, channels, height, width = phases.shape
        large = phases.new_empty((count, channels // 4, 2 * height - 2, 2 * width - 2))
        large = large.contiguous(memory_format=torch.channels_last)
        biased = phases + per_channel(bias.repeat(4), phases)
        for number, phase in enumerate(biased.chunk(4, dim=1)):
            down, right = divmod(number, 2)
            rows, columns = slice(down, down + height - 1), slice(right, right + width - 1)
            large[:, :, down::2, right::2] = phase[:, :, rows, columns]
        return large


def per_channel(bias: Tensor, picture: Tensor) -> Tensor:
    """Reshape a bias so that it can be added to pictures."""
    return bias.to(picture.dtype)[:, None, None]


class FusedNorm(nn.Module):
    """A group norm and the SiLU after it."""

    def __init__(self, norm: nn.GroupNorm, kernels: Kernels, *, silu: bool) -> None:
        super().__init__()
        self.norm, self._kernels, self._silu = norm, kernels, silu

    def forward(self, picture: Tensor) -> Tensor:
        """(n, c, h, w) to (n, c, h, w)."""
        return self._kernels.normalize(picture, None, self.norm, silu=self._silu)


class FusedBlock(nn.Module):
    """Computes the same as diffusers' ResnetBlock2D without a time embedding."""

    def __init__(self, block: Network, kernels: Kernels) -> None:
        super().__init__()
        self.norm1, self.conv1 = block.norm1, block.conv1
        self.norm2, self.conv2 = block.norm2, block.conv2
        self.conv_shortcut = block.conv_shortcut
        self._kernels = kernels
        last = block.conv2.bias.float()
        if self.conv_shortcut is not None and self.conv_shortcut.bias is not None:
            last = last + self.conv_shortcut.bias.float()
        self.last_bias = nn.Parameter(last, requires_grad=False)

    def forward(self, picture: Tensor, temb: object = None) -> Tensor:  # noqa: ARG002  folded
        """(n, c, h, w) to (n, d, h, w)."""
        hidden = self._kernels.normalize(picture, None, self.norm1, silu=True)
        hidden = functional.conv2d(hidden, self.conv1.weight, padding=1)
        hidden = self._kernels.normalize(hidden, self.conv1.bias, self.norm2, silu=True)
        hidden = functional.conv2d(hidden, self.conv2.weight, padding=1)
        if self.conv_shortcut is not None:
            picture = functional.conv2d(picture, self.conv_shortcut.weight)
        return self._kernels.add_residual(hidden, self.last_bias, picture)


class FusedUpsampling(nn.Module):
    """Computes the same as PolyphaseUpsampling."""

    def __init__(self, upsampling: PolyphaseUpsampling, kernels: Kernels) -> None:
        super().__init__()
        self.weight, self._kernels = upsampling.weight, kernels
        self.bias = nn.Parameter(upsampling.bias.chunk(4)[0].clone(), requires_grad=False)

    def forward(self, small: Tensor, output_size: object = None) -> Tensor:
        """(n, c, h, w) to (n, d, 2h, 2w)."""
        if output_size is not None:
            raise ValueError(f"upsamples by 2, not to {output_size}")
        return self._kernels.interleave(functional.conv2d(small, self.weight, padding=1), self.bias)


def fuse(network: nn.Module, kernels: Kernels) -> int:
    """Replace the modules of a network that can be fused; returns their number.

    The time embedding must be folded (`timestep.py`) and polyphase upsampling be in use
    (`polyphase.py`); blocks that use the time, or mix number formats, are not replaced.
    """
    fused = 0
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if (replacement := fused_replacement(parent, name, child, kernels)) is not None:
                setattr(parent, name, replacement.eval())
                fused += 1
    return fused


def fused_replacement(
    parent: nn.Module, name: str, child: nn.Module, kernels: Kernels
) -> nn.Module | None:
    """Return the fused equivalent of a module, if there is one."""
    if type(child) is ResnetBlock2D and can_fuse(child):
        return FusedBlock(child, kernels)
    if type(child) is PolyphaseUpsampling and has_one_dtype(child):
        return FusedUpsampling(child, kernels)
    if type(child) is not nn.GroupNorm:
        return None
    if name == "conv_norm_out" and isinstance(getattr(parent, "conv_act", None), nn.SiLU):
        parent.conv_act = nn.Identity()
        return FusedNorm(child, kernels, silu=True)
    # A transformer normalizes pictures; a single attention layer normalizes sequences of pixels.
    if name == "norm" and hasattr(parent, "transformer_blocks"):
        return FusedNorm(child, kernels, silu=False)
    return None


def can_fuse(block: Network) -> bool:
    """Return True if a block is norm, SiLU, convolution, twice, and a sum, and nothing else."""
    convolutions = [block.conv1, block.conv2]
    if block.conv_shortcut is not None:
        convolutions.append(block.conv_shortcut)
    return (
        block.time_emb_proj is None
        and block.time_embedding_norm != "scale_shift"
        and block.upsample is None
        and block.downsample is None
        and block.output_scale_factor == 1
        and isinstance(block.nonlinearity, nn.SiLU)
        and all(type(norm) is nn.GroupNorm for norm in (block.norm1, block.norm2))
        and block.conv1.bias is not None
        and block.conv2.bias is not None
        and all(type(conv) is nn.Conv2d for conv in convolutions)
        and has_one_dtype(block)
    )


def has_one_dtype(module: nn.Module) -> bool:
    """Return True if a module uses one number format throughout (`precision.py`)."""
    return len({tensor.dtype for tensor in module.parameters()}) == 1


def load_kernels() -> Kernels:
    """Load Triton's kernels; raises RuntimeError if Triton is not installed."""
    if find_spec("triton") is None:
        raise RuntimeError("Triton is not installed; PyTorch's builds for CUDA include it")
    from warm.engines.musetalk.acceleration.triton_kernels import TritonKernels  # noqa: PLC0415  only where it is installed

    return TritonKernels()


@dataclass(frozen=True, slots=True, kw_only=True)
class FusionResult:
    """Result of an attempt to fuse."""

    parts: int = 0
    """Modules that were replaced."""
    speedup: float | None = None
    """Speed of the kernels' `normalize` relative to PyTorch's."""
    error: str | None = None
    """Reason why nothing was replaced."""


def fuse_if_faster(
    networks: Sequence[nn.Module],
    compute: ComputeDevice,
    load: Callable[[], Kernels] | None = None,
) -> FusionResult:
    """Test the kernels on the device, and fuse if they are correct and faster than PyTorch's.

    Raises the error of a device that is lost or full.
    """
    try:
        kernels = (load or load_kernels)()
        speedup = measure_speedup(kernels, compute.device, compute.dtype)
    except Exception as error:  # compilers raise any class
        if isinstance(error, RuntimeError) and (is_out_of_memory(error) or is_unrecoverable(error)):
            raise
        return not_fused(first_line(error))
    if speedup < 1:
        reason = f"{kernels.name}'s kernels take {1 / speedup:.2g} times as long here"
        return not_fused(reason, speedup)
    return FusionResult(parts=sum(fuse(network, kernels) for network in networks), speedup=speedup)


def not_fused(reason: str, speedup: float | None = None) -> FusionResult:
    """Log why networks are not fused."""
    log.warning("norms are not fused, which may be slower: %s", reason)
    return FusionResult(speedup=speedup, error=reason)


@torch.inference_mode()
def measure_speedup(kernels: Kernels, device: torch.device, dtype: torch.dtype) -> float:
    """Speed of the kernels' `normalize` relative to PyTorch's, after a comparison of the outputs.

    Raises RuntimeError if the outputs differ.
    """
    noise = torch.Generator().manual_seed(0)
    picture = (3 + torch.randn(PROBE, generator=noise)).to(device, dtype)
    picture = picture.contiguous(memory_format=torch.channels_last)
    norm = nn.GroupNorm(32, PROBE[1]).to(device, dtype)
    bias = torch.randn(PROBE[1], generator=noise).to(device, dtype)
    reference = TorchKernels()
    expected = reference.normalize(picture, bias, norm, silu=True).float()
    output = kernels.normalize(picture, bias, norm, silu=True).float()
    tolerance = max(TOLERANCE, TOLERANCE_STEPS * torch.finfo(dtype).eps)
    if not float((output - expected).abs().max() / expected.std()) <= tolerance:
        raise RuntimeError(f"{kernels.name}'s kernels do not compute what PyTorch computes")
    reference_s, kernels_s = (
        device_seconds(partial(each.normalize, picture, bias, norm, silu=True), device)
        for each in (reference, kernels)
    )
    return reference_s / kernels_s


def device_seconds(run: Callable[[], object], device: torch.device) -> float:
    """Average time that the device needs for `run`."""
    if device.type != "cuda":
        started_s = time.perf_counter()
        run()
        return time.perf_counter() - started_s
    begin: Any = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    end: Any = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    run()
    begin.record(torch.cuda.current_stream(device))
    for _ in range(ROUNDS):
        run()
    end.record(torch.cuda.current_stream(device))
    end.synchronize()
    return float(begin.elapsed_time(end)) / 1000 / ROUNDS
