"""Errors of recordings that are spoken in place of a text."""

from warm.media.sniff import MediaError


class RecordingSilent(MediaError):
    """The recording has no sound."""


class RecordingTooLong(MediaError):
    """The recording is longer than a session may be."""


class RecordingStalled(MediaError):
    """A recording that is still being made stopped arriving."""


class RecordingNotStored(MediaError):
    """The disk has no room for a recording that is decoded when all of it has arrived."""


class PcmRateUnsupported(MediaError):
    """Raw sound has a rate that is not supported."""


class PcmOverflow(MediaError):
    """Raw sound arrives faster than it can be spoken, and too much of it waits."""
