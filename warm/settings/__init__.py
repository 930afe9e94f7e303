"""Settings of the server: one frozen object, read once. Nothing else reads the environment."""

from warm.settings.fields import DEVICE_PATTERN, ENV_PREFIX, Settings, allowed
from warm.settings.sources import DEFAULT_CONFIG, BadSettings, read_settings

__all__ = [
    "DEFAULT_CONFIG",
    "DEVICE_PATTERN",
    "ENV_PREFIX",
    "BadSettings",
    "Settings",
    "allowed",
    "read_settings",
]
