"""What a GPU raises, told apart: memory that does not do, a failure, one that lasts."""

import pytest
import torch

from warm.engines.base import EngineLost
from warm.engines.musetalk.cuda_errors import translate_cuda_errors
from warm.engines.musetalk.errors import DeviceOutOfMemory


def numbered(code: int) -> RuntimeError:
    """As PyTorch raises what CUDA returns."""
    error = torch.AcceleratorError(f"CUDA error: number {code}\nand advice")
    error.error_code = code  # type: ignore[attr-defined]
    return error


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        numbered(2),
        torch.AcceleratorError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("Triton Error [CUDA]: out of memory"),
    ],
)
def test_memory_that_does_not_do_is_told_by_whoever_asked_for_it(error: RuntimeError) -> None:
    with pytest.raises(DeviceOutOfMemory), translate_cuda_errors():
        raise error


@pytest.mark.parametrize(
    ("error", "lasts"),
    [
        (numbered(700), True),
        (numbered(710), True),
        (numbered(719), True),
        (numbered(214), True),
        (numbered(999), True),
        (numbered(900), False),
        (numbered(1), False),
        (torch.AcceleratorError("CUDA error: device-side assert triggered"), True),
        (RuntimeError("Triton Error [CUDA]: an illegal memory access was encountered"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), False),
        (RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED"), False),
    ],
)
def test_a_failure_says_whether_this_process_can_go_on(error: RuntimeError, lasts: bool) -> None:
    with pytest.raises(EngineLost, match="the GPU failed") as caught, translate_cuda_errors():
        raise error
    assert caught.value.needs_new_process is lasts
    assert "advice" not in str(caught.value)


def test_what_is_no_fault_of_a_device_stays_what_it_is() -> None:
    with pytest.raises(RuntimeError, match="out of memory") as caught, translate_cuda_errors():
        raise RuntimeError("the disk is out of memory")
    assert type(caught.value) is RuntimeError
    for known in (DeviceOutOfMemory("full"), EngineLost("lost")):
        with pytest.raises(type(known)) as raised, translate_cuda_errors():
            raise known
        assert raised.value is known
