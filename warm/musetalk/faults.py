"""What goes wrong on a device, as errors that the server can act on."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from warm.engine import EngineLost
from warm.musetalk.checkpoint import first_line
from warm.musetalk.errors import DeviceFull

OF_THE_DEVICE = re.compile(r"\b(CUDA|cuDNN|CUBLAS|CUFFT|NVML|device-side)\b", re.IGNORECASE)
"""How the libraries begin their complaints about a GPU."""


@contextmanager
def device_faults() -> Iterator[None]:
    """Turn what a dead or confused GPU raises into EngineLost, lack of memory into DeviceFull."""
    try:
        yield
    except (DeviceFull, EngineLost):
        raise
    except torch.OutOfMemoryError as error:
        raise DeviceFull(first_line(error)) from error
    except RuntimeError as error:
        if isinstance(error, torch.AcceleratorError) or OF_THE_DEVICE.search(str(error)):
            raise EngineLost(f"the GPU failed: {first_line(error)}") from error
        raise
