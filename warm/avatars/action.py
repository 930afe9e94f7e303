"""Action clips of an avatar: named pieces of film that are shown in place of the idle loop."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

NAME_PATTERN = "^[a-z0-9][a-z0-9_-]{0,31}$"
"""Pattern of the names of actions, which appear in URLs and in form fields."""


class UnknownAction(ValueError):
    """The avatar has no action of this name."""

    def __init__(self, avatar_id: str, name: str, known: list[str]) -> None:
        has = f"it has {', '.join(known)}" if known else "it has none"
        super().__init__(
            f"name is {name!r}: the avatar {avatar_id!r} has no such action; {has}. Add it with "
            "`prepare --action NAME=VIDEO`, or POST /avatars/prepare with action_NAME"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """A named clip, whose frames follow one another among those of the avatar."""

    name: str
    start: int
    """Its first frame, counted in the avatar's frames."""
    frames: int
    digest: str
    """SHA-256 (hex) of the content and settings that it was made from."""
    source: str = ""
    """Name of its file, as given."""
    mouth_frames: int = 0
    """Frames on which a speaking mouth can be drawn."""
    head_step: float = 0.02
    """Usual movement of the head from one frame of the idle loop to the next, eye distances."""
    picture_step: float = 2.0
    """Usual change of the picture there, grey levels."""

    @property
    def end(self) -> int:
        """The frame after its last one."""
        return self.start + self.frames

    def facts(self) -> dict[str, Any]:
        """Return everything except the name, for the manifest."""
        return {
            "start": self.start,
            "frames": self.frames,
            "digest": self.digest,
            "source": self.source,
            "mouth_frames": self.mouth_frames,
            "head_step": self.head_step,
            "picture_step": self.picture_step,
        }


Actions = Mapping[str, Action]


def actions_of(members: Mapping[str, Mapping[str, Any]]) -> dict[str, Action]:
    """Return the actions of a manifest, by name."""
    return {name: Action(name=name, **facts) for name, facts in members.items()}


def find_action(avatar_id: str, actions: Actions, name: str) -> Action:
    """Return an action; raises UnknownAction, which lists the names that exist."""
    found = actions.get(name)
    if found is None:
        raise UnknownAction(avatar_id, name, sorted(actions))
    return found


def loop_frames(actions: Actions, frames: int) -> int:
    """Return the number of frames before those of the actions; all of `frames` without any."""
    return min((action.start for action in actions.values()), default=frames)
