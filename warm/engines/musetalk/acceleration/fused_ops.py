"""What lies between convolutions, done in fewer passes over memory: norms, SiLU, biases, sums.

On a GPU these take as long as the convolutions themselves, and nothing but memory is busy.
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
from warm.engines.musetalk.cuda_errors import is_lack_of_memory, is_lasting
from warm.engines.musetalk.device import Compute

Network = Any

PROBE = 4, 128, 128, 128
"""(n, c, h, w) of the picture on which kernels are tried."""
NEAR_STEPS, NEAR = 32, 1e-4
"""How far the tried answer may be from PyTorch's, in deviations: so many steps of its numbers, or
in fp32 what sums in another order may differ by."""
ROUNDS = 10
"""How often it is timed."""

log = logging.getLogger(__name__)


class Kernels(Protocol):
    """One pass over memory each; pictures and answers are channels last."""

    name: str

    def normalize(
        self, picture: Tensor, before: Tensor | None, norm: nn.GroupNorm, *, silu: bool
    ) -> Tensor:
        """Group norm of `picture + before`, with SiLU where wanted; (n, c, h, w), (c,)."""
        ...

    def join(self, made: Tensor, bias: Tensor, other: Tensor) -> Tensor:
        """`made + bias + other`: (n, c, h, w), (c,), (n, c, h, w)."""
        ...

    def interleave(self, phases: Tensor, bias: Tensor) -> Tensor:
        """(n, 4 * c, h + 1, w + 1) of `PolyphaseUpsampling`, plus (c,), to (n, c, 2h, 2w)."""
        ...


class TorchKernels:
    """The same by PyTorch's own operations; slower. What others are held against."""

    name = "PyTorch"

    def normalize(
        self, picture: Tensor, before: Tensor | None, norm: nn.GroupNorm, *, silu: bool
    ) -> Tensor:
        """As `Kernels.normalize`."""
        given = picture if before is None else picture + spread(before, picture)
        made = norm(given)
        made = functional.silu(made) if silu else made
        return torch.as_tensor(made).contiguous(memory_format=torch.channels_last)

    def join(self, made: Tensor, bias: Tensor, other: Tensor) -> Tensor:
        """As `Kernels.join`."""
        return made + spread(bias, made) + other

    def interleave(self, phases: Tensor, bias: Tensor) -> Tensor:
        """As `Kernels.interleave`."""
        count, channels, height, width = phases.shape
        large = phases.new_empty((count, channels // 4, 2 * height - 2, 2 * width - 2))
        large = large.contiguous(memory_format=torch.channels_last)
        for number, phase in enumerate((phases + spread(bias.repeat(4), phases)).chunk(4, dim=1)):
            down, right = divmod(number, 2)
            rows, columns = slice(down, down + height - 1), slice(right, right + width - 1)
            large[:, :, down::2, right::2] = phase[:, :, rows, columns]
        return large


def spread(bias: Tensor, picture: Tensor) -> Tensor:
    """A bias as it is added to pictures."""
    return bias.to(picture.dtype)[:, None, None]


class FusedNorm(nn.Module):
    """A group norm, and the SiLU behind it."""

    def __init__(self, norm: nn.GroupNorm, kernels: Kernels, *, silu: bool) -> None:
        super().__init__()
        self.norm, self._kernels, self._silu = norm, kernels, silu

    def forward(self, picture: Tensor) -> Tensor:
        """(n, c, h, w) to the same."""
        return self._kernels.normalize(picture, None, self.norm, silu=self._silu)


class FusedBlock(nn.Module):
    """Does what diffusers' ResnetBlock2D does where time is no part of it."""

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

    def forward(self, picture: Tensor, temb: object = None) -> Tensor:  # noqa: ARG002  there is none
        """(n, c, h, w) to (n, d, h, w)."""
        made = self._kernels.normalize(picture, None, self.norm1, silu=True)
        made = functional.conv2d(made, self.conv1.weight, padding=1)
        made = self._kernels.normalize(made, self.conv1.bias, self.norm2, silu=True)
        made = functional.conv2d(made, self.conv2.weight, padding=1)
        if self.conv_shortcut is not None:
            picture = functional.conv2d(picture, self.conv_shortcut.weight)
        return self._kernels.join(made, self.last_bias, picture)


class FusedUpsampling(nn.Module):
    """Does what PolyphaseUpsampling does."""

    def __init__(self, whole: PolyphaseUpsampling, kernels: Kernels) -> None:
        super().__init__()
        self.weight, self._kernels = whole.weight, kernels
        self.bias = nn.Parameter(whole.bias.chunk(4)[0].clone(), requires_grad=False)

    def forward(self, small: Tensor, output_size: object = None) -> Tensor:
        """(n, c, h, w) to (n, d, 2h, 2w)."""
        if output_size is not None:
            raise ValueError(f"enlarges twice, not to {output_size}")
        return self._kernels.interleave(functional.conv2d(small, self.weight, padding=1), self.bias)


def fuse(network: nn.Module, kernels: Kernels) -> int:
    """Replace what can be replaced in a network; how many parts that were.

    The time embedding must have been folded (`timestep.py`) and phases be in use (`phases.py`);
    blocks that use the time, or compute in two kinds of numbers, stay as they are.
    """
    fused = 0
    for parent in list(network.modules()):
        for name, child in list(parent.named_children()):
            if (better := fused_part(parent, name, child, kernels)) is not None:
                setattr(parent, name, better.eval())
                fused += 1
    return fused


def fused_part(
    parent: nn.Module, name: str, child: nn.Module, kernels: Kernels
) -> nn.Module | None:
    """What does the same as a part of a network in fewer passes, where there is such."""
    if type(child) is ResnetBlock2D and can_fuse(child):
        return FusedBlock(child, kernels)
    if type(child) is PolyphaseUpsampling and is_of_one_kind(child):
        return FusedUpsampling(child, kernels)
    if type(child) is not nn.GroupNorm:
        return None
    if name == "conv_norm_out" and isinstance(getattr(parent, "conv_act", None), nn.SiLU):
        parent.conv_act = nn.Identity()
        return FusedNorm(child, kernels, silu=True)
    # The norm of a transformer is asked for pictures, that of a lone attention for rows of pixels.
    if name == "norm" and hasattr(parent, "transformer_blocks"):
        return FusedNorm(child, kernels, silu=False)
    return None


def can_fuse(block: Network) -> bool:
    """Whether a block is norm, SiLU, convolution, twice, and a sum, and nothing else."""
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
        and is_of_one_kind(block)
    )


def is_of_one_kind(part: nn.Module) -> bool:
    """Whether a part computes in one kind of number throughout (`precision.py`)."""
    return len({tensor.dtype for tensor in part.parameters()}) == 1


def find_kernels() -> Kernels:
    """Those of Triton; raises RuntimeError where there is no Triton."""
    if find_spec("triton") is None:
        raise RuntimeError("Triton is not installed; PyTorch's builds for CUDA bring it")
    from warm.engines.musetalk.acceleration.triton_kernels import TritonKernels  # noqa: PLC0415  only where it is installed

    return TritonKernels()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fused:
    """What became of the wish to fuse."""

    parts: int = 0
    """Of the networks, that were replaced."""
    gain: float | None = None
    """How many times faster than PyTorch's the kernels normalize."""
    fault: str | None = None
    """Why nothing was replaced."""


def fuse_where_it_pays(
    networks: Sequence[nn.Module], compute: Compute, found: Callable[[], Kernels] | None = None
) -> Fused:
    """Try the kernels on the device, and fuse where they are right and faster than PyTorch's.

    Raises what a device does that is lost, or full.
    """
    try:
        kernels = (found or find_kernels)()
        gain = tried(kernels, compute.device, compute.dtype)
    except Exception as error:  # compilers raise what they like
        if isinstance(error, RuntimeError) and (is_lack_of_memory(error) or is_lasting(error)):
            raise
        return unfused(first_line(error))
    if gain < 1:
        return unfused(f"{kernels.name}'s kernels take {1 / gain:.2g} times as long here", gain)
    return Fused(parts=sum(fuse(network, kernels) for network in networks), gain=gain)


def unfused(fault: str, gain: float | None = None) -> Fused:
    """Say why networks stay as they are."""
    log.warning("norms are not fused, which may be slower: %s", fault)
    return Fused(gain=gain, fault=fault)


@torch.inference_mode()
def tried(kernels: Kernels, device: torch.device, dtype: torch.dtype) -> float:
    """How many times faster than PyTorch's they normalize on a GPU, after a look at the answer.

    Raises RuntimeError where the answer is another one.
    """
    noise = torch.Generator().manual_seed(0)
    picture = (3 + torch.randn(PROBE, generator=noise)).to(device, dtype)
    picture = picture.contiguous(memory_format=torch.channels_last)
    norm = nn.GroupNorm(32, PROBE[1]).to(device, dtype)
    before = torch.randn(PROBE[1], generator=noise).to(device, dtype)
    plain = TorchKernels()
    known = plain.normalize(picture, before, norm, silu=True).float()
    made = kernels.normalize(picture, before, norm, silu=True).float()
    near = max(NEAR, NEAR_STEPS * torch.finfo(dtype).eps)
    if not float((made - known).abs().max() / known.std()) <= near:
        raise RuntimeError(f"{kernels.name}'s kernels do not give what PyTorch gives")
    plain_s, kernels_s = (
        seconds_of(partial(each.normalize, picture, before, norm, silu=True), device)
        for each in (plain, kernels)
    )
    return plain_s / kernels_s


def seconds_of(act: Callable[[], object], device: torch.device) -> float:
    """How long the device takes for it, on average."""
    if device.type != "cuda":
        begun_s = time.perf_counter()
        act()
        return time.perf_counter() - begun_s
    begin: Any = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    end: Any = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
    act()
    begin.record(torch.cuda.current_stream(device))
    for _ in range(ROUNDS):
        act()
    end.record(torch.cuda.current_stream(device))
    end.synchronize()
    return float(begin.elapsed_time(end)) / 1000 / ROUNDS
