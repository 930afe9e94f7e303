"""A `VideoGenerator` for LiveKit's `AvatarRunner`."""

from collections.abc import AsyncIterator

from livekit import rtc
from livekit.agents.voice.avatar import AudioSegmentEnd, AvatarOptions, VideoGenerator
from warmtalk_client import Address, Finished, LiveFace, Picture, Sound

from warmtalk_livekit.sound_in import SoundIn


class WarmtalkVideoGenerator(VideoGenerator):
    """Turns the speech of an agent into pictures of a face with that speech.

    Pictures come 25 times a second, sound only while the agent speaks. `AudioSegmentEnd` follows
    the last sound of a segment; a segment that is cleared has none.
    """

    def __init__(
        self,
        url: str,
        *,
        session_id: str = "default",
        avatar_id: str | None = None,
        api_key: str | None = None,
        sample_rate: int = 24_000,
    ) -> None:
        """`sample_rate` is that of the sound that comes out: 16000, 24000 or 48000."""
        address = Address(url, session_id, api_key)
        self._face = LiveFace(address, rate=sample_rate, avatar_id=avatar_id)
        self._current: str | None = None
        self._sound: SoundIn | None = None
        self._clears = 0

    async def start(self) -> AvatarOptions:
        """Connect, and return the options of the runner; raises ServerRefused, ConnectionLost."""
        hello = await self._face.start()
        return AvatarOptions(
            video_width=hello.width,
            video_height=hello.height,
            video_fps=hello.fps,
            audio_sample_rate=hello.rate,
            audio_channels=1,
        )

    async def aclose(self) -> None:
        """Disconnect; the iteration ends."""
        await self._face.close()

    async def push_audio(self, frame: rtc.AudioFrame | AudioSegmentEnd) -> None:
        """Speak a frame; waits while many seconds of sound wait.

        A segment is begun when the one before it has ended: the runner counts one at a time.
        """
        if isinstance(frame, AudioSegmentEnd):
            self._end()
            return
        if self._current is None or self._sound is None:
            clears = self._clears
            await self._face.wait_until_idle()
            if clears != self._clears:
                return  # the frame came before the clear
            self._sound = SoundIn(frame.sample_rate)
            self._current = self._face.begin(rate=self._sound.rate)
        pcm = self._sound.convert(bytes(frame.data), frame.num_channels)
        self._face.write(self._current, pcm)
        await self._face.has_room()

    def _end(self) -> None:
        name, self._current = self._current, None
        if name is not None and self._sound is not None:
            self._face.write(name, self._sound.rest())
            self._face.end(name)
            self._sound = None

    def clear_buffer(self) -> None:
        """Stop at once; no sound of what was pushed comes out any more."""
        self._current, self._sound = None, None
        self._clears += 1
        self._face.clear()

    async def __aiter__(self) -> AsyncIterator[rtc.VideoFrame | rtc.AudioFrame | AudioSegmentEnd]:
        async for message in self._face:
            if isinstance(message, Picture):
                yield self._video_frame(message)
            elif isinstance(message, Sound) and message.number:
                yield rtc.AudioFrame(message.data, self._face.rate, 1, message.samples)
            elif isinstance(message, Finished) and not self._face.is_dropped(message.utterance):
                yield AudioSegmentEnd()

    def _video_frame(self, picture: Picture) -> rtc.VideoFrame:
        hello = self._face.hello
        return rtc.VideoFrame(hello.width, hello.height, rtc.VideoBufferType.RGB24, picture.data)
