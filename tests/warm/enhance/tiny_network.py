"""A small network of the published kind, with seeded weights that keep its features in range."""

import numpy as np
import torch
from torch import Tensor

from warm.enhance.network.config import NetworkConfig
from warm.enhance.network.network import GfpganNetwork

TINY = NetworkConfig(size=32, style_size=16, channel_multiplier=1, narrow=0.0625)


def empty_network(config: NetworkConfig) -> GfpganNetwork:
    """A network without values, for its names and shapes."""
    with torch.device("meta"):
        return GfpganNetwork(config)


def tiny_tensors(config: NetworkConfig = TINY, *, seed: int = 1) -> dict[str, Tensor]:
    """Seeded values of all tensors."""
    random = np.random.RandomState(seed)
    state = empty_network(config).state_dict()
    return {name: seeded(random, name, tuple(value.shape)) for name, value in state.items()}


def seeded(random: np.random.RandomState, name: str, shape: tuple[int, ...]) -> Tensor:
    """Values whose spread preserves the magnitude of features."""
    values = random.random_sample(shape) * 2 - 1
    if name.endswith("modulation.bias"):
        values = 1 + 0.2 * values
    elif name.endswith("bias") or shape == (1,):
        values = 0.2 * values
    elif ".noises." not in name and "constant_input" not in name:
        fan_in = np.prod(shape[2:] if len(shape) == 5 else shape[1:])
        values *= np.sqrt(3 / fan_in)
    return torch.from_numpy(values.astype(np.float32))


def tiny_network(config: NetworkConfig = TINY, *, seed: int = 1) -> GfpganNetwork:
    """The network with these values."""
    network = empty_network(config)
    network.load_state_dict(tiny_tensors(config, seed=seed), assign=True)
    network.use_channels_last()
    return network
