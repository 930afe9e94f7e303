"""Classification of a GPU's errors: out of memory, failure, unrecoverable failure."""

import pytest
import torch

from warm.engines.base import EngineLost
from warm.engines.musetalk.cuda_errors import translate_cuda_errors
from warm.engines.musetalk.errors import DeviceOutOfMemory


def coded_error(code: int) -> RuntimeError:
    """An error as PyTorch raises it for a CUDA error code."""
    error = torch.AcceleratorError(f"CUDA error: number {code}\nand advice")
    error.error_code = code  # type: ignore[attr-defined]
    return error


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        coded_error(2),
        torch.AcceleratorError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError("Triton Error [CUDA]: out of memory"),
    ],
)
def test_out_of_memory_is_recognized_from_any_library(error: RuntimeError) -> None:
    with pytest.raises(DeviceOutOfMemory), translate_cuda_errors():
        raise error


@pytest.mark.parametrize(
    ("error", "is_lasting"),
    [
        (coded_error(700), True),
        (coded_error(710), True),
        (coded_error(719), True),
        (coded_error(214), True),
        (coded_error(999), True),
        (coded_error(900), False),
        (coded_error(1), False),
        (torch.AcceleratorError("CUDA error: device-side assert triggered"), True),
        (RuntimeError("Triton Error [CUDA]: an illegal memory access was encountered"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"), False),
        (RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED"), False),
    ],
)
def test_a_failure_states_whether_this_process_can_continue(
    error: RuntimeError, is_lasting: bool
) -> None:
    with pytest.raises(EngineLost, match="the GPU failed") as caught, translate_cuda_errors():
        raise error
    assert caught.value.needs_new_process is is_lasting
    assert "advice" not in str(caught.value)


def test_other_errors_are_not_translated() -> None:
    with pytest.raises(RuntimeError, match="out of memory") as caught, translate_cuda_errors():
        raise RuntimeError("the disk is out of memory")
    assert type(caught.value) is RuntimeError
    for expected in (DeviceOutOfMemory("full"), EngineLost("lost")):
        with pytest.raises(type(expected)) as raised, translate_cuda_errors():
            raise expected
        assert raised.value is expected
