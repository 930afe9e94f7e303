"""Relation between the pictures of a feed and the frames of the film."""

from warm.live.feed.subscriber import SAMPLE_RATE_HZ, LivePicture

REPEAT_PICTURES = 25
"""The relation is sent again after this many pictures, although it is the same."""


class FilmPosition:
    """Notes which frame of the film each picture shows. Loop thread."""

    def __init__(self, fps: int) -> None:
        self._frame_samples = SAMPLE_RATE_HZ // fps
        self._origin: int | None = None
        """Place on the feed's clock of the film's first frame; None while nobody speaks."""
        self._since = REPEAT_PICTURES

    def note(self, picture: LivePicture) -> bool:
        """Take a picture; True if its frame should be sent to the viewers: the film does not go on
        from the picture before, or the last message about it is old."""
        origin = None
        if picture.frame is not None:
            origin = picture.sample - picture.frame * self._frame_samples
        self._since += 1
        if origin == self._origin and self._since < REPEAT_PICTURES:
            return False
        self._origin, self._since = origin, 0
        return True
