"""GFPGAN as a restorer: crops in, restored crops out, in batches that fit the device."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from warm.engines.base import EngineLost
from warm.engines.musetalk.cuda_errors import translate_cuda_errors
from warm.engines.musetalk.device import ComputeDevice, choose_device
from warm.engines.musetalk.errors import DeviceOutOfMemory, NoSuchDevice
from warm.enhance.checkpoint import load_network
from warm.enhance.errors import RestorerFailed, RestorerUnavailable
from warm.enhance.network.config import PUBLISHED, NetworkConfig
from warm.enhance.network.network import GfpganNetwork
from warm.enhance.restorer import check_crops

CPU_BATCH, GPU_BATCH = 1, 8
"""Crops in a batch. Larger batches are not faster on a CPU."""
HALF_LEVELS = 127.5
"""Half of the 255 levels of a colour: converts levels to the network's -1…1."""


def open_gfpgan(
    path: Path, *, device: str = "auto", config: NetworkConfig = PUBLISHED
) -> "GfpganRestorer":
    """Load a checkpoint onto a device, named as in the setting `device`; always in fp32.

    Raises WeightsDamaged, WrongCheckpoint, RestorerUnavailable, RestorerFailed.
    """
    try:
        compute = choose_device(device, "fp32")
    except NoSuchDevice as error:
        raise RestorerUnavailable(f"{error} Or use --method sharpen.") from error
    network = load_network(path, config)
    with translate_device_errors(compute):
        return GfpganRestorer(network.to(compute.device), compute)


@contextmanager
def translate_device_errors(compute: ComputeDevice) -> Iterator[None]:
    """Convert device failures and out-of-memory errors into RestorerFailed."""
    try:
        with translate_cuda_errors():
            yield
    except DeviceOutOfMemory as error:
        raise RestorerFailed(
            f"{compute.name} has too little memory for one face ({error}). Stop other programs "
            "that use it, or set device to cpu."
        ) from error
    except EngineLost as error:
        raise RestorerFailed(f"{error}. Run it again, or set device to cpu.") from error


class GfpganRestorer:
    """Restores faces with GFPGAN. Owned by one thread.

    The same crop gives the same face in every call: the network's noise is stored, not drawn.
    """

    name = "gfpgan"

    def __init__(self, network: GfpganNetwork, compute: ComputeDevice) -> None:
        self._network = network
        self._compute = compute
        self._batch = GPU_BATCH if compute.is_gpu else CPU_BATCH

    @property
    def size(self) -> int:
        """Width and height of a crop, pixels."""
        return self._network.config.size

    @property
    def weights_digest(self) -> str:
        """SHA-256 (hex) of all tensors; takes about a second."""
        digest = hashlib.sha256()
        for name, tensor in self._network.state_dict().items():
            digest.update(name.encode())
            digest.update(tensor.cpu().contiguous().numpy())
        return digest.hexdigest()

    def restore(self, crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(n, size, size, 3) BGR to the same shape.

        Raises BadCrops and RestorerFailed.
        """
        check_crops(crops, self.size)
        with translate_device_errors(self._compute):
            return self._restore_all(crops)

    def _restore_all(self, crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
        restored = np.empty_like(crops)
        start = 0
        while start < len(crops):
            stop = start + self._batch
            try:
                restored[start:stop] = self._restore_batch(crops[start:stop])
            except DeviceOutOfMemory:
                if self._batch == 1:
                    raise
                self._batch //= 2
                continue
            start = stop
        return restored

    def _restore_batch(self, crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
        with translate_cuda_errors(), torch.inference_mode():
            picture, _ = self._network(to_network(crops, self._compute.device))
            return to_pixels(picture)


def to_network(crops: NDArray[np.uint8], device: torch.device) -> Tensor:
    """(n, h, w, 3) BGR levels to (n, 3, h, w) RGB, -1…1."""
    levels = torch.from_numpy(np.ascontiguousarray(crops[..., ::-1])).to(device)
    return levels.permute(0, 3, 1, 2).to(torch.float32).div_(255.0).sub_(0.5).div_(0.5)


def to_pixels(picture: Tensor) -> NDArray[np.uint8]:
    """(n, 3, h, w) RGB, unbounded, to (n, h, w, 3) BGR levels, rounded."""
    levels = picture.clamp(-1.0, 1.0).add(1.0).mul(HALF_LEVELS).round().to(torch.uint8)
    return np.ascontiguousarray(levels.permute(0, 2, 3, 1).cpu().numpy()[..., ::-1])
