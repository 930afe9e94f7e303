"""What goes wrong on a device, as errors that the server can act on."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from warm.engines.base import EngineLost
from warm.engines.musetalk.checkpoint import first_line
from warm.engines.musetalk.errors import DeviceFull

OF_THE_DEVICE = re.compile(r"\b(CUDA|cuDNN|CUBLAS|CUFFT|NVML|device-side)\b", re.IGNORECASE)
"""How the libraries begin their complaints about a GPU."""
NO_MEMORY = re.compile(r"out of memory|(CUDNN|CUBLAS|CUSOLVER)_STATUS_ALLOC_FAILED", re.IGNORECASE)
"""How others than PyTorch's allocator say that memory does not do: libraries, the driver."""
NO_MEMORY_CODE = 2
"""cudaErrorMemoryAllocation."""
LASTING_CODES = frozenset(
    (
        4,  # the driver is shutting down
        46,  # all devices are busy or unavailable
        100,  # no device
        101,  # no such device
        201,  # invalid context
        214,  # ECC error that cannot be corrected
        220,  # NVLink error that cannot be corrected
        226,  # the error is contained, the context is lost
        700,  # illegal address
        702,  # launch timeout
        709,  # the context is destroyed
        710,  # device-side assert
        714,  # hardware stack error
        715,  # illegal instruction
        716,  # misaligned address
        717,  # invalid address space
        718,  # invalid program counter
        719,  # launch failure
        721,  # the context was lost on another device
        802,  # the system is not ready
        805,  # the connection to MPS failed
        807,  # the server of MPS is not ready
        999,  # unknown, which no context is known to survive
    )
)
"""Of `cudaError_t`: after these every call fails in this process, whatever is loaded anew."""
LASTING = re.compile(
    r"illegal memory access|device-side assert|unspecified launch failure|misaligned address"
    r"|illegal instruction|hardware stack error|invalid program counter|invalid address space"
    r"|uncorrectable|launch timed out|no CUDA-capable device|context is destroyed|busy or unavail"
    r"|fallen off the bus|unknown error",
    re.IGNORECASE,
)
"""The same in words, where a library tells no number."""


@contextmanager
def device_faults() -> Iterator[None]:
    """Turn what a dead or confused GPU raises into EngineLost, lack of memory into DeviceFull."""
    try:
        yield
    except (DeviceFull, EngineLost):
        raise
    except RuntimeError as error:
        if is_lack_of_memory(error):
            raise DeviceFull(first_line(error)) from error
        if is_of_the_device(error):
            raise EngineLost(
                f"the GPU failed: {first_line(error)}", needs_new_process=is_lasting(error)
            ) from error
        raise


def is_lack_of_memory(error: RuntimeError) -> bool:
    """Whether fewer frames may do; the device is as it was."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    return is_of_the_device(error) and (
        code_of(error) == NO_MEMORY_CODE or NO_MEMORY.search(str(error)) is not None
    )


def is_of_the_device(error: RuntimeError) -> bool:
    """Whether a GPU or one of its libraries complains."""
    return isinstance(error, torch.AcceleratorError) or OF_THE_DEVICE.search(str(error)) is not None


def is_lasting(error: RuntimeError) -> bool:
    """Whether this process can never use the device again."""
    code = code_of(error)
    return code in LASTING_CODES if code is not None else LASTING.search(str(error)) is not None


def code_of(error: RuntimeError) -> int | None:
    """The number of a `cudaError_t`, where the error brings one."""
    code = getattr(error, "error_code", None)
    return code if isinstance(code, int) else None
