"""Inputs of the preparation of one action."""

from dataclasses import dataclass
from pathlib import Path

from warm.avatars.avatar import AvatarBuild
from warm.avatars.recipe import PreparationSettings
from warm.face.finder import FaceFinder
from warm.prepare.action.source import ActionSource
from warm.prepare.progress import FaceObserver, Progress


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ActionJob:
    """One film, and the avatar under construction whose action it becomes."""

    source: ActionSource
    build: AvatarBuild
    loop: int
    """Frames of the avatar without those of actions."""
    finder: FaceFinder
    settings: PreparationSettings
    """With the avatar's frame rate."""
    scratch: Path
    """Folder for temporary files."""
    progress: Progress
    observer: FaceObserver

    @property
    def name(self) -> str:
        """Name of the action."""
        return self.source.name

    @property
    def fps(self) -> int:
        """Frame rate of the avatar."""
        return self.settings.fps
