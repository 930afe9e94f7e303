"""Where the networks run and in which numbers; how much memory there is."""

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Literal

import torch

from warm.engines.musetalk.cuda_errors import device_faults
from warm.engines.musetalk.errors import NoSuchDevice

Precision = Literal["auto", "fp32", "fp16", "bf16"]
DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
USUAL = {"cuda": "fp16", "cpu": "fp32"}
"""What `auto` is: on a GPU as the reference has it, on a CPU what is nearest to the truth."""
GB = 1e9


@dataclass(frozen=True, slots=True)
class Compute:
    """A device and the numbers that the large networks use on it."""

    device: torch.device
    precision: str
    """fp32, fp16 or bf16."""

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights of UNet and decoder; `precision.EXACT` stays fp32 beside bf16."""
        return DTYPES[self.precision]

    @property
    def is_gpu(self) -> bool:
        """Whether work on the device goes on while the program does something else."""
        return self.device.type == "cuda"

    def current(self) -> AbstractContextManager[object]:
        """While it lasts, this is the device of what asks for none: kernels, events, pinned
        memory. Each thread has its own."""
        return torch.cuda.device(self.device) if self.device.type == "cuda" else nullcontext()

    @property
    def name(self) -> str:
        """As a person would call it."""
        if not self.is_gpu:
            return "cpu"
        return f"{self.device} ({torch.cuda.get_device_name(self.device)})"

    def memory(self) -> dict[str, float | None]:
        """GB held by this process, of the device, and free on it; None on the CPU.

        Raises EngineLost.
        """
        if not self.is_gpu:
            return dict.fromkeys(("memory_used_gb", "memory_total_gb", "memory_free_gb"))
        with device_faults():
            free, total = torch.cuda.mem_get_info(self.device)
            held = torch.cuda.memory_reserved(self.device)
        return {
            "memory_used_gb": round(held / GB, 3),
            "memory_total_gb": round(total / GB, 3),
            "memory_free_gb": round(free / GB, 3),
        }


def choose(device: str, precision: Precision) -> Compute:
    """What `device` and `precision` mean on this machine; raises NoSuchDevice."""
    found = torch.device(first_device() if device == "auto" else device)
    if found.type == "cuda":
        check_gpu(device, found)
        found = torch.device("cuda", found.index or 0)
    if found.type == "cpu" and precision == "fp16":
        raise NoSuchDevice(
            "precision = 'fp16' needs a GPU; allowed with device = 'cpu': auto, fp32, bf16."
        )
    return Compute(found, USUAL[found.type] if precision == "auto" else precision)


def first_device() -> str:
    """The first GPU, or the processor where there is none."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def check_gpu(asked: str, found: torch.device) -> None:
    """Raise NoSuchDevice unless PyTorch sees this GPU."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if (found.index or 0) >= count:
        raise NoSuchDevice(
            f"device = {asked!r}: PyTorch {torch.__version__} sees {count} GPUs here. "
            "Choose another (auto, cpu, cuda, cuda:N), or install the driver and a PyTorch for it."
        )
