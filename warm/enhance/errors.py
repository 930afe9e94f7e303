"""Errors of face restoration, one class per cause; every message names a remedy."""

from warm.engines.weights.errors import WeightsError


class EnhanceError(ValueError):
    """Anything that prevents the restoration of faces."""


class DegenerateFace(EnhanceError):
    """The five points of a face do not define a similarity transform."""


class BadCrops(EnhanceError):
    """Crops do not have the shape or type that the restorer takes."""


class BadNetworkConfig(EnhanceError):
    """No network can be built from a configuration."""


class WrongCheckpoint(WeightsError):
    """A checkpoint is complete, but contains a network other than the restorer's."""


class BadEnhanceOption(EnhanceError):
    """An option is out of range, or does not apply to the file."""


class NoFaceToEnhance(EnhanceError):
    """The picture or film shows no face that can be enhanced."""


class RestorerUnavailable(EnhanceError):
    """The method needs a device that is not there."""


class RestorerFailed(EnhanceError):
    """The device of a restorer failed, or has too little memory for one face."""


class OutputRefused(EnhanceError):
    """OUT cannot be written: it exists, is the source, or its folder is not writable."""


class EnhanceBusy(EnhanceError):
    """Another process is writing the same OUT."""


class InputChanged(EnhanceError):
    """The source was changed while it was read."""


class EnhanceDiskFull(EnhanceError):
    """The disk is full; the finished parts are kept."""
