"""Video service for Pipecat: the sound of a voice goes in, a talking face with that sound out."""

import asyncio
import itertools
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from loguru import logger
from pipecat.frames.frames import (
    CancelFrame,
    EndFrame,
    Frame,
    InterruptionFrame,
    OutputImageRawFrame,
    OutputTransportReadyFrame,
    SpeechOutputAudioRawFrame,
    StartFrame,
    TTSAudioRawFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessorSetup
from pipecat.services.ai_service import AIService
from pipecat.services.settings import ServiceSettings
from warmtalk_client import (
    Address,
    Finished,
    LiveFace,
    Lost,
    Message,
    Picture,
    Problem,
    Reconnected,
    ServerRefused,
    Sound,
    Started,
    WarmtalkError,
)

from warmtalk_pipecat.sound_in import SoundIn, socket_rate
from warmtalk_pipecat.timeline import Timeline

TAIL_S = 0.6
"""Silence that is sent after an utterance: Pipecat takes 0.35 s of it for the end of the speech."""
READY_S = 1.0
"""Time after the start in which the transport announces that it is ready; a pipeline without a
transport announces nothing."""
FIRST_ATTEMPT_S = 20.0
"""Time that the first sound waits for the first attempt to connect."""
RETRY_S = 1.0
LAST_WORDS_S = 10.0
"""Time beyond the length of the speech that the end of a pipeline waits for it."""


@dataclass
class WarmtalkVideoSettings(ServiceSettings):
    """Settings that can be changed while the pipeline runs: none of its own."""


@dataclass(eq=False)
class Speech:
    """One utterance, and the frames around it that are held until it sounds."""

    sound: SoundIn
    context_id: str | None
    is_interruptible: bool
    started: TTSStartedFrame | None
    stopped: TTSStoppedFrame | None = None


class WarmtalkVideoService(AIService):
    """Shows the face of a Warmtalk session that speaks the sound of the pipeline's voice.

    Place it between the voice and `transport.output()`. It takes `TTSAudioRawFrame`s out of the
    pipeline and pushes `OutputImageRawFrame`s, also while nobody speaks, and the same sound as
    `SpeechOutputAudioRawFrame`s. A picture and the sound that belongs to it have the same `pts`.
    `TTSStartedFrame` and `TTSStoppedFrame` are passed on when the speech begins and ends.

    Events: `on_utterance_started(service, context_id)` and `on_utterance_finished(service,
    context_id, position_s, interrupted)`, the latter exactly once for each utterance; `position_s`
    is how much of it was passed on.
    """

    Settings = WarmtalkVideoSettings

    def __init__(
        self,
        *,
        url: str,
        session_id: str = "default",
        avatar_id: str | None = None,
        api_key: str | None = None,
        sample_rate: int | None = None,
        settings: WarmtalkVideoSettings | None = None,
        **options: Any,
    ) -> None:
        """`url` is the address of the server; a new session gets `avatar_id`.

        `sample_rate` is that of the sound that is pushed, 16000, 24000 or 48000; default: that of
        the pipeline if it is one of these, else 24000.
        """
        super().__init__(settings=settings or WarmtalkVideoSettings(model=None), **options)
        self._address = Address(url, session_id, api_key)
        self._avatar_id = avatar_id
        self._sample_rate = sample_rate
        self._face: LiveFace | None = None
        self._timeline: Timeline | None = None
        self._speeches: dict[str, Speech] = {}
        self._played_s: dict[str, float] = {}
        self._current: str | None = None
        self._held_start: TTSStartedFrame | None = None
        self._attempted = asyncio.Event()
        """Set once the first attempt to connect has succeeded or failed, or has taken too long."""
        self._ready = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._pushing = asyncio.Lock()
        """Held while media or an interruption is pushed: no sound follows an interruption."""
        self._tail_s = 0.0
        self._register_event_handler("on_utterance_started")
        self._register_event_handler("on_utterance_finished")

    def can_generate_metrics(self) -> bool:
        """Report the time from the first sound to the first picture that speaks it."""
        return True

    # Life.

    async def setup(self, setup: FrameProcessorSetup) -> None:  # type: ignore[override]
        """Choose the sample rate."""
        await super().setup(setup)
        rate = self._sample_rate or socket_rate(setup.audio_out_sample_rate)
        self._face = LiveFace(self._address, rate=rate, avatar_id=self._avatar_id)
        self._timeline = Timeline(rate)

    async def start(self, frame: StartFrame) -> None:
        """Connect in the background."""
        await super().start(frame)
        if self._task is None and self._face is not None:
            self._task = self.create_task(self._run(self._face))

    async def stop(self, frame: EndFrame) -> None:
        """Disconnect; everything was spoken."""
        await super().stop(frame)
        await self._disconnect()

    async def cancel(self, frame: CancelFrame) -> None:
        """Disconnect at once."""
        await super().cancel(frame)
        await self._disconnect()

    async def cleanup(self) -> None:
        """Disconnect."""
        await super().cleanup()  # type: ignore[no-untyped-call]
        await self._disconnect()

    async def _disconnect(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            await self.cancel_task(task)
        if self._face is not None:
            await self._face.close()

    async def _run(self, face: LiveFace) -> None:
        """Show the face until the pipeline ends."""
        try:
            await self._connect(face)
            await self._wait_for_transport()
            async for message in face:
                await self._take(face, message)
        except ServerRefused as error:
            self._attempted.set()
            await self.push_error(
                error_msg=f"Warmtalk: {error}", exception=error, force_treat_as_permanent=True
            )

    async def _connect(self, face: LiveFace) -> None:
        """Connect, as often as it takes; raises ServerRefused for a reason that lasts."""
        for attempt in itertools.count():
            try:
                await face.start()
            except WarmtalkError as error:
                if isinstance(error, ServerRefused) and error.is_lasting:
                    raise
                if attempt == 0:
                    await self.push_error(error_msg=f"Warmtalk: {error}", exception=error)
                self._attempted.set()
                await asyncio.sleep(RETRY_S)
            else:
                self._attempted.set()
                return

    async def _wait_for_transport(self) -> None:
        """Wait until the transport shows pictures, for a short time if there is none."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ready.wait(), READY_S)

    # Frames of the pipeline.

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Take sound out of the pipeline; pass everything else on."""
        if isinstance(frame, EndFrame):
            await self._finish_speaking()
        await super().process_frame(frame, direction)
        if isinstance(frame, InterruptionFrame):
            await self._interrupt(frame, direction)
        elif isinstance(frame, TTSAudioRawFrame) and direction == FrameDirection.DOWNSTREAM:
            await self._take_sound(frame)
        elif isinstance(frame, TTSStartedFrame):
            self._held_start = frame
        elif isinstance(frame, TTSStoppedFrame):
            await self._take_stop(frame)
        else:
            if isinstance(frame, OutputTransportReadyFrame):
                self._ready.set()
            await self.push_frame(frame, direction)

    async def _interrupt(self, frame: InterruptionFrame, direction: FrameDirection) -> None:
        """Drop what was not said, then pass the interruption on.

        Speech whose frames may not be interrupted goes on, and what follows it.
        """
        async with self._pushing:
            if all(each.is_interruptible for each in self._speeches.values()):
                self._current, self._held_start, self._tail_s = None, None, 0.0
                if self._face is not None:
                    self._face.clear()
            await self.push_frame(frame, direction)

    async def _take_sound(self, frame: TTSAudioRawFrame) -> None:
        """Send sound to the face; pass it on while there is no face, so that it is heard."""
        await self._wait_for_attempt()
        face = self._face
        if face is None or not (face.is_connected or self._speeches):
            await self._pass_start()
            await self.push_frame(frame)
            return
        self._ready.set()
        speech = await self._speech_of(face, frame)
        if speech is not None and self._current is not None:
            pcm = await speech.sound.convert(frame.audio, frame.sample_rate, frame.num_channels)
            face.write(self._current, pcm)
            await face.has_room()

    async def _wait_for_attempt(self) -> None:
        """Wait for the first attempt to connect; later sound does not wait again."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._attempted.wait(), FIRST_ATTEMPT_S)
        self._attempted.set()

    async def _speech_of(self, face: LiveFace, frame: TTSAudioRawFrame) -> Speech | None:
        """Return the speech that a frame belongs to; begins it with its first frame."""
        current = None if self._current is None else self._speeches.get(self._current)
        if current is not None and current.context_id == frame.context_id:
            return current
        if current is not None:
            await self._end(face)
        sound = SoundIn(frame.sample_rate)
        started, self._held_start = self._held_start, None
        speech = Speech(sound, frame.context_id, frame.interruptible, started)
        self._current = face.begin(rate=sound.rate)
        self._speeches[self._current] = speech
        await self.start_ttfb_metrics()
        return speech

    async def _take_stop(self, frame: TTSStoppedFrame) -> None:
        """End the speech; the frame is passed on when it has sounded."""
        speech = None if self._current is None else self._speeches.get(self._current)
        if self._face is None or speech is None:
            await self._pass_start()
            await self.push_frame(frame)
            return
        speech.stopped = frame
        await self._end(self._face)

    async def _end(self, face: LiveFace) -> None:
        """End the current utterance."""
        name, self._current = self._current, None
        speech = None if name is None else self._speeches.get(name)
        if name is not None and speech is not None:
            face.write(name, await speech.sound.rest())
            face.end(name)

    async def _pass_start(self) -> None:
        held, self._held_start = self._held_start, None
        if held is not None:
            await self.push_frame(held)

    async def _finish_speaking(self) -> None:
        """Wait until everything was said."""
        face = self._face
        if face is None or not self._speeches:
            return
        await self._end(face)
        try:
            await asyncio.wait_for(face.wait_until_idle(), face.unplayed_s + LAST_WORDS_S)
        except TimeoutError:
            logger.warning(f"{self}: the speech did not end; the pipeline ends without its rest")

    # Messages of the face.

    async def _take(self, face: LiveFace, message: Message) -> None:
        """Push what a message shows."""
        async with self._pushing:
            if isinstance(message, Picture):
                await self._push_picture(face, message)
            elif isinstance(message, Sound):
                await self._push_sound(face, message)
            elif isinstance(message, Started):
                await self._note_started(message)
            elif isinstance(message, Finished):
                await self._note_finished(face, message)
            elif isinstance(message, Lost | Problem):
                await self._report(message)
            elif isinstance(message, Reconnected) and self._timeline is not None:
                self._timeline.restart()

    async def _push_picture(self, face: LiveFace, picture: Picture) -> None:
        size = (face.hello.width, face.hello.height)
        frame = OutputImageRawFrame(picture.data, size, "RGB")
        frame.pts = self._pts(picture.clock)
        await self.push_frame(frame)

    async def _push_sound(self, face: LiveFace, sound: Sound) -> None:
        """Push speech, and a little silence after it."""
        if face.is_dropped(sound.utterance):
            return
        if sound.number:
            self._tail_s = TAIL_S
        elif self._tail_s <= 0:
            return
        else:
            self._tail_s -= sound.samples / face.rate
        speech = self._speeches.get(sound.utterance or "")
        frame = SpeechOutputAudioRawFrame(sound.data, face.rate, 1)
        frame.pts = self._pts(sound.clock)
        frame.interruptible = speech is None or speech.is_interruptible
        if sound.utterance is not None:
            self._played_s[sound.utterance] = (sound.position + sound.samples) / face.rate
        await self.push_frame(frame)

    async def _note_started(self, started: Started) -> None:
        await self.stop_ttfb_metrics()
        speech = self._speeches.get(started.utterance)
        if speech is None:
            return
        if speech.started is not None:
            held, speech.started = speech.started, None
            await self.push_frame(held)
        await self._call_event_handler("on_utterance_started", speech.context_id)

    async def _note_finished(self, face: LiveFace, finished: Finished) -> None:
        """Pass the end of an utterance on, unless an interruption has dropped it."""
        speech = self._speeches.pop(finished.utterance, None)
        played_s = self._played_s.pop(finished.utterance, 0.0)
        if speech is None:
            return
        if not face.is_dropped(finished.utterance):
            for held in (speech.started, speech.stopped):
                if held is not None:
                    await self.push_frame(held)
        await self._call_event_handler(
            "on_utterance_finished",
            speech.context_id,
            min(played_s, finished.position_s),
            finished.interrupted,
        )

    async def _report(self, message: Lost | Problem) -> None:
        detail = message.reason if isinstance(message, Lost) else message.detail
        await self.push_error(error_msg=f"Warmtalk: {detail}")

    def _pts(self, clock: int) -> int:
        assert self._timeline is not None  # made before the face connects
        return self._timeline.pts(clock, self.get_clock().get_time())
