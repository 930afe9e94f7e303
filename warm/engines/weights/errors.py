"""Errors of weights and their download, one class per cause; every message names a remedy."""


class WeightsError(ValueError):
    """Anything wrong with the files of the neural engine."""


class WeightsMissing(WeightsError):
    """Files do not exist."""


class WeightsDamaged(WeightsError):
    """A file is truncated, or has the wrong format."""


class WeightsMismatch(WeightsError):
    """A file is complete, but not the one that the manifest names."""


class WeightsDownloadError(WeightsError):
    """A download failed; the bytes that arrived are kept, and the next attempt resumes there."""


class HubUnreachable(WeightsDownloadError):
    """`models_endpoint` does not answer."""


class HubRefused(WeightsDownloadError):
    """The hub requires a login."""


class HubLacksFile(WeightsDownloadError):
    """The hub answers, but does not have the file."""


class DiskFull(WeightsDownloadError):
    """The disk does not have enough free space."""


class DownloadBusy(WeightsDownloadError):
    """Another process is downloading the same file."""
