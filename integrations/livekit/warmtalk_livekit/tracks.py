"""The two tracks of a face: sound and pictures of one clock."""

import asyncio
from contextlib import suppress

from livekit import rtc
from warmtalk_client import Hello, Picture, Sound

QUEUE_MS = 100
"""Sound that may wait in the track."""
MAX_IDLE_QUEUE_S = 0.06
"""While nobody speaks, silence is left out if more than this waits: the delay never grows."""
MAX_BITRATE = 2_000_000
SUBSCRIPTION_S = 10.0
"""Time that the pictures are held until somebody listens, so that the first words are heard."""
AUDIO_NAME, VIDEO_NAME = "avatar_audio", "avatar_video"


class Tracks:
    """Plays sound and pictures; a picture is shown when the sound of its clock is played."""

    def __init__(self, hello: Hello) -> None:
        self.hello = hello
        self.audio = rtc.AudioSource(hello.rate, 1, queue_size_ms=QUEUE_MS)
        self.video = rtc.VideoSource(hello.width, hello.height)
        self._end_clock = 0
        """Clock of the end of the sound that was pushed."""
        self._held: list[asyncio.TimerHandle] = []
        """Pictures whose sound waits in the track."""
        self.publications: list[rtc.LocalTrackPublication] = []

    @property
    def queued_s(self) -> float:
        """Seconds of sound that were pushed and are not played yet."""
        return self.audio.queued_duration

    async def publish(self, room: rtc.Room) -> None:
        """Publish both; the pictures when somebody listens, or after some seconds."""
        sound = rtc.LocalAudioTrack.create_audio_track(AUDIO_NAME, self.audio)
        published = await room.local_participant.publish_track(sound, audio_options())
        self.publications.append(published)
        with suppress(TimeoutError):
            await asyncio.wait_for(published.wait_for_subscription(), SUBSCRIPTION_S)
        pictures = rtc.LocalVideoTrack.create_video_track(VIDEO_NAME, self.video)
        self.publications.append(
            await room.local_participant.publish_track(pictures, video_options(self.hello.fps))
        )

    def restart(self, hello: Hello) -> None:
        """Continue with a new connection, which has another clock."""
        self.hello = hello
        self._end_clock = 0

    async def push_sound(self, sound: Sound) -> None:
        """Play a packet after those that wait."""
        self._end_clock = sound.clock + sound.samples
        frame = rtc.AudioFrame(sound.data, self.hello.rate, 1, sound.samples)
        await self.audio.capture_frame(frame)

    def may_skip(self, sound: Sound) -> bool:
        """True for silence while nobody speaks that would only add to the delay."""
        return sound.number == 0 and self.queued_s > MAX_IDLE_QUEUE_S

    def push_picture(self, picture: Picture) -> None:
        """Show a picture when the sound of its clock is played."""
        heard = self._end_clock - self.queued_s * self.hello.rate
        delay_s = (picture.clock - heard) / self.hello.rate
        if delay_s <= 0 or delay_s > 2 * QUEUE_MS / 1000:
            self._show(picture)
            return
        loop = asyncio.get_running_loop()
        self._held = [each for each in self._held if each.when() > loop.time()]
        self._held.append(loop.call_later(delay_s, self._show, picture))

    def _show(self, picture: Picture) -> None:
        if len(picture.data) != 3 * self.hello.width * self.hello.height:
            return  # of another face, which the session had before it was reset
        self.video.capture_frame(
            rtc.VideoFrame(
                self.hello.width, self.hello.height, rtc.VideoBufferType.RGB24, picture.data
            )
        )

    def clear(self) -> None:
        """Drop the sound that waits."""
        self.audio.clear_queue()

    async def close(self) -> None:
        """Release both sources."""
        for held in self._held:
            held.cancel()
        await self.audio.aclose()
        await self.video.aclose()


def audio_options() -> rtc.TrackPublishOptions:
    """Return the options of the sound."""
    return rtc.TrackPublishOptions(source=rtc.TrackSource.SOURCE_MICROPHONE)


def video_options(fps: float) -> rtc.TrackPublishOptions:
    """Return the options of the pictures: one layer of H.264.

    LiveKit's defaults are several layers with 20 pictures a second, and 300 kbit/s for this size.
    """
    return rtc.TrackPublishOptions(
        source=rtc.TrackSource.SOURCE_CAMERA,
        simulcast=False,
        video_codec=rtc.VideoCodec.H264,
        video_encoding=rtc.VideoEncoding(max_framerate=fps, max_bitrate=MAX_BITRATE),
    )
