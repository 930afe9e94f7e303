"""Warmtalk in LiveKit Agents: an agent gets a talking face.

The names are imported on demand: the worker program needs none of the framework, which takes
seconds to import.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from warmtalk_livekit.audio_output import FaceAudioOutput
    from warmtalk_livekit.generator import WarmtalkVideoGenerator
    from warmtalk_livekit.player import Player
    from warmtalk_livekit.session import AvatarSession
    from warmtalk_livekit.tracks import Tracks

MODULES = {
    "AvatarSession": "session",
    "FaceAudioOutput": "audio_output",
    "Player": "player",
    "Tracks": "tracks",
    "WarmtalkVideoGenerator": "generator",
}

__all__ = ["AvatarSession", "FaceAudioOutput", "Player", "Tracks", "WarmtalkVideoGenerator"]


def __getattr__(name: str) -> object:
    """Import a public name."""
    if name not in MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{MODULES[name]}"), name)
