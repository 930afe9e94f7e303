"""Why weights cannot be used or had, one class per cause; every message names what mends it."""


class WeightsError(ValueError):
    """Anything wrong with the files of the neural engine."""


class WeightsMissing(WeightsError):
    """Files are not there."""


class WeightsDamaged(WeightsError):
    """A file is cut off, or is not of its kind."""


class WeightsWrong(WeightsError):
    """A file is whole, but not the one that the manifest names."""


class DownloadError(WeightsError):
    """A file did not come; what came of it is kept, and the next try goes on there."""


class HubUnreachable(DownloadError):
    """Nobody answers at `models_endpoint`."""


class HubRefused(DownloadError):
    """The hub wants to know who asks."""


class HubLacksFile(DownloadError):
    """The hub answers, and has no such file."""


class NoRoomForWeights(DownloadError):
    """The disk is too full."""


class DownloadBusy(DownloadError):
    """Another process is fetching the same file."""
