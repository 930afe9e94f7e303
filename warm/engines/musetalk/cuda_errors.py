"""Translation of CUDA errors into errors that the server can act on."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from warm.engines.base import EngineLost
from warm.engines.musetalk.checkpoint import first_line
from warm.engines.musetalk.errors import DeviceOutOfMemory

CUDA_MESSAGE = re.compile(r"\b(CUDA|cuDNN|CUBLAS|CUFFT|NVML|device-side)\b", re.IGNORECASE)
"""Words that mark a GPU error in the messages of libraries."""
OUT_OF_MEMORY_MESSAGE = re.compile(
    r"out of memory|(CUDNN|CUBLAS|CUSOLVER)_STATUS_ALLOC_FAILED", re.IGNORECASE
)
"""Out-of-memory messages of libraries and the driver; PyTorch's allocator has its own class."""
OUT_OF_MEMORY_CODE = 2
"""cudaErrorMemoryAllocation."""
UNRECOVERABLE_CODES = frozenset(
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
"""Values of `cudaError_t` after which every call in this process fails, even after a reload."""
UNRECOVERABLE_MESSAGE = re.compile(
    r"illegal memory access|device-side assert|unspecified launch failure|misaligned address"
    r"|illegal instruction|hardware stack error|invalid program counter|invalid address space"
    r"|uncorrectable|launch timed out|no CUDA-capable device|context is destroyed|busy or unavail"
    r"|fallen off the bus|unknown error",
    re.IGNORECASE,
)
"""The same errors as messages, for libraries that report no code."""


@contextmanager
def translate_cuda_errors() -> Iterator[None]:
    """Turn a failure of the GPU into EngineLost, and lack of memory into DeviceOutOfMemory."""
    try:
        yield
    except (DeviceOutOfMemory, EngineLost):
        raise
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise DeviceOutOfMemory(first_line(error)) from error
        if is_cuda_error(error):
            raise EngineLost(
                f"the GPU failed: {first_line(error)}", needs_new_process=is_unrecoverable(error)
            ) from error
        raise


def is_out_of_memory(error: RuntimeError) -> bool:
    """Return True if fewer frames may succeed; the device is otherwise unchanged."""
    if isinstance(error, torch.OutOfMemoryError):
        return True
    return is_cuda_error(error) and (
        cuda_error_code(error) == OUT_OF_MEMORY_CODE
        or OUT_OF_MEMORY_MESSAGE.search(str(error)) is not None
    )


def is_cuda_error(error: RuntimeError) -> bool:
    """Return True if the error comes from a GPU or one of its libraries."""
    return isinstance(error, torch.AcceleratorError) or CUDA_MESSAGE.search(str(error)) is not None


def is_unrecoverable(error: RuntimeError) -> bool:
    """Return True if this process can never use the device again."""
    code = cuda_error_code(error)
    if code is not None:
        return code in UNRECOVERABLE_CODES
    return UNRECOVERABLE_MESSAGE.search(str(error)) is not None


def cuda_error_code(error: RuntimeError) -> int | None:
    """Value of `cudaError_t`, if the error has one."""
    code = getattr(error, "error_code", None)
    return code if isinstance(code, int) else None
