"""Makes an avatar of a photo or video, once: `prepare`."""

from warm.prepare.run import prepare
from warm.prepare.settings import PreparationSettings

__all__ = ["PreparationSettings", "prepare"]
