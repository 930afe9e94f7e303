"""Encoders of AAC: one for each feed, shared by its pushes."""

from collections.abc import Callable

from warm.live.feed.feed import Feed
from warm.live.feed.subscriber import LiveEvent, LivePicture, LiveSound, Wants
from warm.live.push.aac import AacEncoder, AacFrame

Listener = Callable[[AacFrame], None]


class FeedSound:
    """Encodes the sound of one feed for its listeners. The loop's thread owns it."""

    def __init__(self, feed: Feed) -> None:
        self.listeners: list[Listener] = []
        self._encoder = AacEncoder()
        self._subscription = feed.subscribe(self, Wants(pcm=True))

    def close(self) -> None:
        """Encode nothing more."""
        self._subscription.close()

    def on_picture(self, picture: LivePicture) -> None:
        """See `Subscriber`."""

    def on_sound(self, sound: LiveSound) -> None:
        """See `Subscriber`."""
        if sound.pcm is None:
            return
        for frame in self._encoder.encode(sound.sample, sound.pcm):
            for listener in list(self.listeners):
                listener(frame)

    def on_event(self, event: LiveEvent) -> None:
        """See `Subscriber`."""

    def on_end(self, reason: str) -> None:
        """See `Subscriber`; the pushes learn it by their own subscriptions."""


class SoundEncoders:
    """The encoders of all feeds. The loop's thread owns it."""

    def __init__(self) -> None:
        self._sounds: dict[Feed, FeedSound] = {}

    def join(self, feed: Feed, listener: Listener) -> None:
        """Give the frames of a feed to a listener from now on."""
        if feed not in self._sounds:
            self._sounds[feed] = FeedSound(feed)
        self._sounds[feed].listeners.append(listener)

    def leave(self, feed: Feed, listener: Listener) -> None:
        """Give no more frames to a listener."""
        sound = self._sounds.get(feed)
        if sound is None or listener not in sound.listeners:
            return
        sound.listeners.remove(listener)
        if not sound.listeners:
            sound.close()
            del self._sounds[feed]


def aac_configuration() -> bytes:
    """Return the AudioSpecificConfig of all encoders."""
    return AacEncoder().configuration
