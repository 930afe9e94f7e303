"""Makes an avatar of a photo or video, once: `prepare`."""

from warm.avatars.recipe import PreparationSettings
from warm.prepare.run import prepare

__all__ = ["PreparationSettings", "prepare"]
