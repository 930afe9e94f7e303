"""The audio output of an agent whose face is published from the agent's own process."""

import time

from livekit import rtc
from livekit.agents.voice.io import AudioOutput, AudioOutputCapabilities

from warmtalk_livekit.player import Player


class FaceAudioOutput(AudioOutput):
    """Gives the agent's speech to a player; set the player before the first frame.

    It is the `Reports` of the player. Every segment that `capture_frame` has begun ends exactly
    once.
    """

    def __init__(self, rate: int) -> None:
        super().__init__(
            label="Warmtalk",
            capabilities=AudioOutputCapabilities(pause=False),
            sample_rate=rate,
        )
        self._player: Player | None = None
        self._current: str | None = None

    def set_player(self, player: Player) -> None:
        """Set the player."""
        self._player = player

    @property
    def player(self) -> Player:
        """The player; raises RuntimeError before it is set."""
        if self._player is None:
            raise RuntimeError("the output has no player yet; call set_player() first")
        return self._player

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        """Speak a frame; waits while many seconds of sound wait."""
        await super().capture_frame(frame)
        if self._current is None:
            self._current = self.player.begin(frame.sample_rate)
        name = self._current
        self.player.write(name, bytes(frame.data), frame.num_channels)
        await self.player.has_room()

    def flush(self) -> None:
        """End the segment."""
        super().flush()
        name, self._current = self._current, None
        if name is not None:
            self.player.end(name)

    def clear_buffer(self) -> None:
        """Stop at once."""
        self._current = None
        self.player.clear()

    # The reports of the player.

    def on_started(self, name: str) -> None:  # noqa: ARG002 - the agent counts segments
        """Report that a segment is being heard."""
        self.on_playback_started(created_at=time.time())

    def on_finished(self, name: str, position_s: float, *, interrupted: bool) -> None:  # noqa: ARG002
        """Report the end of a segment."""
        self.on_playback_finished(playback_position=position_s, interrupted=interrupted)
