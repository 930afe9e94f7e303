"""Warmtalk in Pipecat: a service that turns the sound of a voice into a talking face."""

from warmtalk_pipecat.params import picture_params
from warmtalk_pipecat.video import WarmtalkVideoService, WarmtalkVideoSettings

__all__ = ["WarmtalkVideoService", "WarmtalkVideoSettings", "picture_params"]
