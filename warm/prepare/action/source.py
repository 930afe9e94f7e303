"""Sources of actions, and the digests that identify them. Fast to import."""

import hashlib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from warm.avatars.action import NAME_PATTERN, Actions
from warm.avatars.avatar import Avatar
from warm.avatars.file_checks import digest_of_file
from warm.media.sniff import sniff
from warm.prepare.action.errors import ActionLengthError, BadActionName, TooManyActions

ACTION_RECIPE = 1
"""Version: increased when the same film gives a different action."""
MAX_ACTIONS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionSource:
    """The film of an action."""

    name: str
    path: Path
    source_name: str = ""
    """Name of the file for the manifest; empty: its path."""

    def __post_init__(self) -> None:
        if not re.fullmatch(NAME_PATTERN, self.name):
            raise BadActionName(self.name)


def check_film(source: ActionSource) -> None:
    """Raise ActionLengthError for a photo, and MediaError for a file that is no video."""
    if sniff(source.path).kind == "photo":
        raise ActionLengthError(source.name, "is a photo. Send a video of the person.")


def action_digest(source: ActionSource, fps: int) -> str:
    """Return the SHA-256 (hex) of a film and of what else changes the action."""
    key = {"recipe": ACTION_RECIPE, "content": digest_of_file(source.path), "fps": fps}
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()


def digest_with_actions(base: str, actions: Actions) -> str:
    """Return the digest of an avatar with actions."""
    if not actions:
        return base
    key = [base, *([name, actions[name].digest] for name in sorted(actions))]
    return hashlib.sha256(json.dumps(key).encode()).hexdigest()


def check_count(avatar_id: str, names: Iterable[str]) -> None:
    """Raise TooManyActions for more names of actions than an avatar may have."""
    if len(set(names)) > MAX_ACTIONS:
        raise TooManyActions(avatar_id, MAX_ACTIONS)


def missing_actions(avatar: Avatar, sources: Sequence[ActionSource]) -> list[ActionSource]:
    """Return the sources whose action the avatar does not have, or has from another film."""
    return [source for source in sources if not has_action(avatar, source)]


def has_action(avatar: Avatar, source: ActionSource) -> bool:
    """Return True if an avatar has the action of a source."""
    known = avatar.actions.get(source.name)
    return known is not None and known.digest == action_digest(source, avatar.fps)
