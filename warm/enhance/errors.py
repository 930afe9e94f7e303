"""Errors of face restoration, one class per cause; every message names a remedy."""

from warm.engines.weights.errors import WeightsError


class EnhanceError(ValueError):
    """Anything that prevents the restoration of faces."""


class DegenerateFace(EnhanceError):
    """The five points of a face define no similarity transform."""


class BadCrops(EnhanceError):
    """Crops have another shape or type than a restorer takes."""


class BadNetworkConfig(EnhanceError):
    """A configuration describes no network."""


class WrongCheckpoint(WeightsError):
    """A checkpoint is complete, but holds another network than the restorer's."""
