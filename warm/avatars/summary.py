"""Summary of a stored avatar, read from its manifest alone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from warm.avatars.action import Action, actions_of, loop_frames
from warm.avatars.face_report import FaceReport, face_report_of
from warm.avatars.mouth_report import MouthReport, mouth_of
from warm.avatars.verdict import Verdict, verdict_of

State = Literal["ready", "outdated", "damaged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class AvatarSummary:
    """Properties of an avatar that are known without opening its arrays."""

    id: str
    state: State
    problem: str = ""
    """Reason why the avatar is not ready, and how to repair it."""
    digest: str = ""
    base_digest: str = ""
    """Digest of the preparation without the actions."""
    fps: int = 0
    frames: int = 0
    """Frames without those of the actions."""
    size: tuple[int, int] = (0, 0)
    """(width, height)."""
    loop: str = ""
    idle_frames: int | None = None
    """Displayed frames per turn of the loop; None: those of `frames` and `loop`."""
    source: str = ""
    """Path of the photo or video, as given."""
    created: str = ""
    """ISO 8601, UTC."""
    bytes: int = 0
    notes: tuple[str, ...] = field(default=())
    """Notes of the preparation."""
    verdict: Verdict | None = None
    """Findings about the source; None if an older version of the program made the avatar."""
    mouth: MouthReport | None = None
    """None if the engine reports nothing about its mouth."""
    face: FaceReport | None = None
    """None if an older version of the program made the avatar."""
    actions: Mapping[str, Action] = field(default_factory=dict)
    """Action clips by name."""

    @property
    def period(self) -> int:
        """Displayed frames per turn of the loop."""
        if self.idle_frames is not None:
            return self.idle_frames
        return self.frames * (2 if self.loop == "pingpong" else 1)

    def findings(self) -> list[str]:
        """Return the notes, the verdict and the mouth as lines for a terminal."""
        verdict = self.verdict.lines() if self.verdict else []
        mouth = [self.mouth.line()] if self.mouth else []
        actions = [action_line(self.actions[name], self.fps) for name in sorted(self.actions)]
        return [*(f"Note: {note}" for note in self.notes), *verdict, *mouth, *actions]


def action_line(action: Action, fps: int) -> str:
    """Return an action as a line for a terminal."""
    share = 100 * action.mouth_frames / action.frames
    return (
        f"Action {action.name!r}: {action.frames / fps:.1f} s; the mouth can speak in "
        f"{share:.0f} % of it."
    )


def summary_of(manifest: Mapping[str, Any]) -> AvatarSummary:
    """Return the properties of a complete avatar, from its manifest."""
    actions = actions_of(manifest.get("actions", {}))
    return AvatarSummary(
        id=manifest["id"],
        state="ready",
        digest=manifest["digest"],
        base_digest=manifest.get("base_digest") or manifest["digest"],
        fps=manifest["fps"],
        frames=loop_frames(actions, manifest["frames"]),
        size=(manifest["width"], manifest["height"]),
        loop=manifest["loop"],
        idle_frames=manifest.get("period"),
        source=manifest["source"],
        created=manifest["created"],
        bytes=sum(file["bytes"] for file in manifest["files"].values()),
        notes=tuple(manifest["notes"]),
        verdict=verdict_of(manifest),
        mouth=mouth_of(manifest),
        face=face_report_of(manifest),
        actions=actions,
    )
