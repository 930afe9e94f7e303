"""A transport that plays into memory, in real time as a real one does."""

import asyncio
import time

from pipecat.frames.frames import (
    Frame,
    OutputAudioRawFrame,
    OutputImageRawFrame,
    StartFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams


class MemoryOutput(BaseOutputTransport):
    """Keeps pictures and sound with the time at which they were played."""

    def __init__(self, params: TransportParams) -> None:
        super().__init__(params)
        self.pictures: list[tuple[float, bytes]] = []
        self.sound: list[tuple[float, bytes]] = []
        self._due = 0.0

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def write_video_frame(self, frame: OutputImageRawFrame) -> bool:
        self.pictures.append((time.monotonic(), frame.image))
        return True

    async def write_audio_frame(self, frame: OutputAudioRawFrame) -> bool:
        now = time.monotonic()
        self._due = max(self._due, now)
        self.sound.append((now, frame.audio))
        self._due += len(frame.audio) / 2 / frame.sample_rate
        await asyncio.sleep(max(0.0, self._due - now))
        return True

    @property
    def played(self) -> bytes:
        return b"".join(audio for _, audio in self.sound)


class Collector(FrameProcessor):
    """Keeps the frames that pass, with their direction."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[Frame, FrameDirection]] = []

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        self.seen.append((frame, direction))
        await self.push_frame(frame, direction)

    def of(self, kind: type) -> list:
        return [frame for frame, _ in self.seen if isinstance(frame, kind)]
