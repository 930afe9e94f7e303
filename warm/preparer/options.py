"""Options of one preparation that a client of the server may choose."""

from dataclasses import dataclass, replace

from warm.avatars.recipe import EnhanceMethod, PreparationSettings, Teeth
from warm.prepare.action.source import ActionSource


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareOptions:
    """Differences from the settings of the server; None: as in the settings."""

    bbox_shift: int | None = None
    """Vertical shift of the face's box and mask, frame pixels; positive is down."""
    teeth: Teeth | None = None
    """Treatment of a photo whose lips are parted."""
    background: str | None = None
    """Shown behind the person: `#rrggbb`, or the path of a picture."""
    enhance: EnhanceMethod | None = None
    """Method by which the faces of the source are enhanced first."""
    force: bool = False
    """Prepare again although the avatar is up to date."""
    source_name: str = ""
    """Name of the file for messages and for the avatar's `source`; empty: its path."""

    actions: tuple[ActionSource, ...] = ()
    """Action clips to be added."""

    def applied_to(self, settings: PreparationSettings) -> PreparationSettings:
        """Return the settings with these options; raises BadPreparationSettings."""
        return replace(
            settings,
            bbox_shift=settings.bbox_shift if self.bbox_shift is None else self.bbox_shift,
            teeth=self.teeth or settings.teeth,
            background=self.background or settings.background,
            enhance=self.enhance or settings.enhance,
        )
