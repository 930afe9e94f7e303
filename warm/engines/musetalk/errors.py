"""Why the neural engine cannot work, one class per cause."""

from warm.engines.weights.errors import WeightsError


class UnfitConfig(WeightsError):
    """A JSON describes no network that can be built, or one that does not fit its neighbours."""


class UnfitWeights(WeightsError):
    """Tensors are not those of the network that the JSON beside them describes."""


class NoSuchDevice(ValueError):
    """`device` or `precision` asks for what this machine does not have."""


class DeviceFull(RuntimeError):
    """The device's memory did not do for a pass; fewer frames may fit."""
