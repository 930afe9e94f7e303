"""Errors of the neural engine, one class per cause."""

from warm.engines.weights.errors import WeightsError


class IncompatibleConfig(WeightsError):
    """A JSON file describes no valid network, or a network that does not match the others."""


class IncompatibleWeights(WeightsError):
    """The tensors are not those of the network that the JSON file describes."""


class NoSuchDevice(ValueError):
    """`device` or `precision` names something that this machine does not have."""


class DeviceOutOfMemory(RuntimeError):
    """The device does not have enough memory for a batch; fewer frames may fit."""
